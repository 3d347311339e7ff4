"""What is checked of a run before it writes anything: a directory belongs to what it was begun with."""

from metaforge.backbones import weight_files
from metaforge.core.devices import is_writer, spread
from metaforge.data.episodes import EpisodeSampler
from metaforge.data.records import Records, check_splits_are_disjoint, concatenate
from metaforge.errors import InputError
from metaforge.learners import LEARNERS
from metaforge.runs import Run, read_json, write_json
from metaforge.training import batch_size, build, captioned, frozen_params, meta_test, source_prior
from metaforge.training.config import Config
from metaforge.types import FAKE


def check(config: Config, *, quiet: bool = False) -> tuple[Records, Records]:
    """The images to train and to validate on, after holding all against them that could stop a run. Writes nothing.

    Raises:
        InputError: for settings that cannot work, images that cannot be used, captions of none of them, splits that
            share a person, or too few people and images for one episode.
    """
    check_settings(config)
    train, validation = images(config, quiet=quiet)
    captioned.beside(config, train)
    check_splits_are_disjoint(concatenate([train, validation]))
    drawn = sampler(config, train)
    for tasks in batch_size.buckets(config):
        drawn(0, tasks=tasks)
    for index in range(config.run.eval_batches):
        meta_test.validation_sampler(config, validation)(index)
    if config.adapt.rule == "discriminant":
        source_prior.collections(config, train)
    return train, validation


def check_settings(config: Config) -> None:
    """Holds against a run what can be known without its images, but for the number of domains.

    Raises:
        InputError: for settings, weights or devices that cannot work, or a learner that cannot be had with them.
    """
    config.check()
    if config.model.hidden and config.model.normalisation == "frozen":
        raise InputError(
            f"--model.hidden={config.model.hidden}: random weights bring no statistics. Give normalisation=support, or "
            "adapt what metaforge prune has made."
        )
    frozen_params.check(config)
    spread(config.run.devices, tasks=config.episodes.tasks)
    learner = LEARNERS[config.learner.name]
    if config.model.head != "linear" and learner.linear_head:
        raise InputError(
            f"--model.head={config.model.head}: {config.learner.name} is made for a linear head. Leave it out."
        )
    if config.episodes.tasks < learner.least_tasks:
        raise InputError(
            f"--episodes.tasks={config.episodes.tasks}: {config.learner.name} holds domains out of every meta-batch. "
            f"Give {learner.least_tasks} or more."
        )
    try:
        build.learner(config)
    except InputError:
        raise  # it names what is wrong, which may be another setting
    except ValueError as error:
        raise InputError(f"--learner.name={config.learner.name}: {error}") from None


def images(config: Config, *, quiet: bool = False) -> tuple[Records, Records]:
    """The images to train and to validate on."""
    build.methods(config)
    train, validation = (build.records(config, split=split, quiet=quiet) for split in ("train", "validation"))
    return train, validation


def sampler(config: Config, train: Records) -> EpisodeSampler:
    """What draws the episodes of a run."""
    spec = config.episodes
    return EpisodeSampler(
        train, seed=config.run.seed, tasks=spec.tasks, shots=spec.shots, queries=spec.queries,
        fake_share=spec.fake_share, lead=lead(config, train),
    )  # fmt: skip


def lead(config: Config, train: Records) -> list[str]:
    """The domains of the methods that are in every meta-batch: of `--episodes.lead`, but for the held-out ones.

    Raises:
        InputError: for a method that is neither trained on nor held out.
    """
    methods, domains = train.method[train.label == FAKE], train.domain[train.label == FAKE]
    found: list[str] = []
    for name in (part.strip() for part in config.episodes.lead.split(",") if part.strip()):
        ours = sorted(set(domains[methods == name].tolist()))
        if not ours and name not in build.methods(config)[1]:
            raise InputError(
                f"--episodes.lead={config.episodes.lead}: '{name}' is no source method of this run; they are "
                f"{', '.join(sorted(set(methods.tolist())))}. Name one, or give --episodes.lead= for none."
            )
        found += ours
    return found


def refuse_other_images(config: Config, directory: Run, *pools: Records) -> None:
    """A run goes on, and a finished one is the answer, only with the images, captions and weights that it began with.

    Args:
        config: the run's.
        directory: the run's; `data.json` in it is written where it is not yet there.
        *pools: the images to train and to validate on.

    Raises:
        InputError: when they are others, or another person, video, label or caption is said of one; or the weights are.
    """
    frozen_params.refuse_other_weights(config, directory.directory)
    digest, captions = build.identity_of(config, *pools), captioned.fingerprint(config)
    path = directory.directory / "data.json"
    if not path.exists():
        if is_writer():
            weights = {"weights": weight_files.fingerprint(config.model)} if config.model.weights else {}
            write_json(path, {"sha256": digest} | weights | ({"captions": captions} if captions else {}))
    elif read_json(path).get("captions", captions) != captions:
        raise InputError(
            f"--faces.captions: '{config.faces.captions}' is not the file that the run in '{directory.directory}' "
            "began with. Restore that one, or choose another --workdir."
        )
    elif read_json(path).get("sha256") != digest:
        where = f"data: '{config.faces.prepared}'" if config.faces.prepared else f"faces: '{config.faces.folder}'"
        raise InputError(
            f"{where}: the images, or what is said of them, are not those that the run in '{directory.directory}' "
            "began with. Restore them, or choose another --workdir."
        )
