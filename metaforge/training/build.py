"""From a `Config` to what a run needs: records, model, learner."""

import dataclasses
import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

import metaforge as mf
from metaforge.backbones import choice
from metaforge.data import prepared
from metaforge.data.crops import Crop
from metaforge.data.detection.finding import NAME
from metaforge.data.domains import SourceSplit, TestSplit
from metaforge.data.embedded_faces import EMBEDDED
from metaforge.data.faces import FaceSet, landmarks_of, load_faces, split_people
from metaforge.data.found_faces import models_key
from metaforge.data.landmarks import MESH, NONE
from metaforge.data.records import COLUMNS, Records, concatenate
from metaforge.data.specs import FacesSpec
from metaforge.errors import InputError
from metaforge.forgeries import ACQUISITIONS, FORGERIES, Face, synthesise
from metaforge.forgeries.acquisition import WILD, check_acquisitions
from metaforge.objectives.spec import OPTIONS
from metaforge.progress import progress
from metaforge.runs import fingerprint
from metaforge.training import captioned, kept_features, learner_choice, trainable
from metaforge.training.config import Config
from metaforge.training.outer_rate import outer_rate
from metaforge.types import LossFn, Objective, Params

CONTEXT_ROWS = 64
"""Source images whose statistics normalise images of a domain from which nothing is known yet."""


def methods(config: Config) -> tuple[list[str], list[str]]:
    """The source and the held-out forgery methods."""
    known = (
        prepared.methods(config.faces.prepared, size=config.model.image_size, frames=config.faces.frames)
        if config.faces.prepared
        else tuple(FORGERIES)
    )
    if config.faces.prepared and not known:
        raise InputError(
            f"data: '{config.faces.prepared}' has no fake in its split 'train'. Prepare it anew, or name another."
        )
    held = named("faces.holdout", config.faces.holdout, known)
    source = (
        [name for name in known if name not in held]
        if config.faces.methods == "all"
        else named("faces.methods", config.faces.methods, known)
    )
    both = sorted({*source} & {*held})
    if both:
        raise InputError(
            f"--faces.holdout: {', '.join(both)} also in --faces.methods. A held-out method is never trained on."
        )
    if not source:
        raise InputError("--faces.methods: no source method is left. Hold out fewer.")
    return source, held


def records(config: Config, *, split: SourceSplit, held_out: bool = False, quiet: bool = True) -> Records:
    """The forged and real images of one split of people: of the source methods, or of the held-out ones."""
    names = methods(config)[int(held_out)]
    if config.faces.prepared:
        return prepared.records(
            config.faces.prepared, split=split, methods=tuple(names), size=config.model.image_size,
            frames=config.faces.frames, memory_gb=config.faces.memory_gb,
        )  # fmt: skip
    return forged(config, names, split, quiet=quiet)


def test_split(config: Config, *, seen: Callable[[Records], Records] = lambda records: records) -> TestSplit:  # noqa: PT028
    """The held-out methods' images of test people: to be judged on, not learned from; `seen` is what a model sees."""
    return TestSplit(seen(forged(config, methods(config)[1], "test")))


def forged(config: Config, names: Sequence[str], people: str, *, quiet: bool = True) -> Records:
    """Forgeries of some methods of the people of a split, and the real images beside them."""
    acquisitions = tuple(treatments(config))
    # Which methods a run takes is no part of what one method makes of a face.
    alike = dataclasses.replace(config.faces, methods="all", holdout="", acquisitions="none", memory_gb=0.0)
    spec = (alike, config.model.image_size)
    return concatenate([_domain(*spec, name, acquisitions, people, quiet) for name in names])


def treatments(config: Config) -> list[str]:
    """How forged images are treated, each way a domain of every method; prepared images are taken as they are."""
    found = named("faces.acquisitions", config.faces.acquisitions, ACQUISITIONS)
    if not found:
        raise InputError(
            f"--faces.acquisitions={config.faces.acquisitions}: names none; known: {', '.join(ACQUISITIONS)}."
        )
    check_acquisitions(found, what="--faces.acquisitions")
    return found


def crop_of(config: Config) -> Crop:
    """How the faces that a run learns from were cut out (`metaforge.data.crops`).

    Faces that are found are cut by "ffpp". With a file of landmarks, photographs are cropped to the square around them
    with a margin of 15 %, which is "ffpp" with landmarks for the box. Of crops that were taken as they are nobody knows
    the convention, prepared folders of several have none in common, and neither has a folder that does not say: what is
    screened is then taken whole.
    """
    if not config.faces.prepared:
        return "whole" if config.faces.landmarks == NONE and config.faces.folder not in EMBEDDED else "ffpp"
    said = {each.get("crop", "whole") for each in prepared.provenance(config.faces.prepared).values()}
    return said.pop() if len(said) == 1 else "whole"


def domain_count(config: Config) -> int:
    """How many domains a run learns from: those that its episodes can carry."""
    return len(methods(config)[0]) * (1 if config.faces.prepared else len(treatments(config)))


def identity_of(config: Config, *pools: Records) -> str:
    """What a run remembers its images by: SHA-256 of their pixels; of prepared data, of names, columns and contents."""
    if not config.faces.prepared:
        return fingerprint([(one.image, one.label, one.domain, *captioned.told(one)) for one in pools])
    contents = [
        np.array(prepared.opened(path, size=config.model.image_size, frames=config.faces.frames).contents)
        for path in prepared.folders(config.faces.prepared).values()
    ]
    # What draws episodes: another identity in the manifest is another run.
    names = (*COLUMNS, "label", "frame")
    # What a run calls a method is no part of what is known of an image.
    plain = [dataclasses.replace(r, method=prepared.in_manifest(config.faces.prepared, r)) for r in pools]
    return fingerprint([contents, [[prepared.paths(r), *(getattr(r, name) for name in names)] for r in plain]])


def faces(config: Config) -> FaceSet:
    """The real faces, once per process; with what lies around them if they are framed anew."""
    spec = config.faces
    return _faces(spec.folder, config.model.image_size, spec.identity, spec.landmarks, WILD in treatments(config))


def landmarks(config: Config) -> str:
    """Where the real faces' landmarks come from; of what a finder says, which models' it is."""
    found = landmarks_of(config.faces.folder, config.faces.landmarks)
    return f"mesh of {NAME} {models_key()}" if found == MESH else found


def split(config: Config) -> dict[str, list[Face]]:
    """The faces of each split; nobody is in two."""
    return split_people(faces(config).faces, seed=config.faces.split_seed)


def model(config: Config, *, frozen: Params | None = None) -> mf.Backbone:
    """The backbone of a run: where features are kept, one that takes these in place of images.

    Args:
        config: the run's.

    Other Arguments:
        frozen: the part of the parameters that the run does not move, as `trainable.part` has it; the backbone then
            takes the moving part alone. `None` for one that takes all that it looks at.
    """
    made = kept_features.cut_of(config).tail if config.run.feature_cache else choice.choose(config.network)
    return made if frozen is None else trainable.attached(made, frozen)


def objective(config: Config) -> Objective:
    """Cross-entropies of the backbone's logits; FakeRadar's tri-training of logits and embeddings; FFTG's branches."""
    if config.objective.name == "image_text":
        return mf.objectives.image_text(**captioned.weights(config))
    options = {name: getattr(config.objective, name) for name in OPTIONS.get(config.objective.name, ())}
    return getattr(mf.objectives, config.objective.name)(**options)


def loss_fn(config: Config, *, frozen: Params | None = None) -> LossFn:
    """The objective of the backbone's outputs; `frozen` as in `model`."""
    return mf.objectives.loss_fn(model(config, frozen=frozen), objective(config))


def init_params(config: Config) -> Params:
    """The initial parameters that a run moves: the same for every learner of a seed."""
    return trainable.part(config, all_params(config))[0]


def all_params(config: Config) -> Params:
    """The initial parameters, frozen ones too."""
    init, images = choice.choose(config.network).init, jnp.zeros((2, *[config.model.image_size] * 2, 3))
    # Compiled, a file's arrays would become part of the program.
    return (init if config.model.weights else jax.jit(init))(jax.random.key(config.run.seed), images)


def learner(config: Config, *, frozen: Params | None = None, tasks: int | None = None) -> mf.MetaLearner:
    """The learner of a run, by name; `frozen` as in `model`, `tasks` as in `learner_choice.learner`."""
    # Reading prepared data only to count is for learners that ask.
    domains = domain_count(config) if "domains" in mf.LEARNERS[config.learner.name].takes else 0
    loss = loss_fn(config, frozen=frozen)
    return learner_choice.learner(config, loss, outer_rate(config), domains=domains, tasks=tasks)


def source_context(config: Config, pool: Records) -> np.ndarray:
    """A fixed, class-balanced draw of source images, uint8 `(CONTEXT_ROWS, size, size, 3)`."""
    rng = np.random.default_rng(np.random.SeedSequence([config.run.seed, 64]))
    rows = [rng.choice(pool.rows(label=label), CONTEXT_ROWS // 2, replace=True) for label in (mf.REAL, mf.FAKE)]
    return np.asarray(pool.image[np.concatenate(rows)])


def named(flag: str, text: str, known) -> list[str]:
    """The names in a flag's comma-separated text.

    Raises:
        InputError: for an unknown one, or one that is named twice.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise InputError(f"--{flag}: unknown '{name}'; known: {', '.join(known)}.")
    if len(set(names)) < len(names):
        raise InputError(f"--{flag}={text}: names one twice. Name each once.")
    return names


@functools.lru_cache(maxsize=4)
def _faces(source: str, size: int, identity: str, landmarks: str, around: bool) -> FaceSet:
    return load_faces(source, size=size, identity=identity, landmarks=landmarks, around=around, quiet=False)


@functools.lru_cache(maxsize=64)
def _domain(spec: FacesSpec, size: int, name: str, acquisitions: tuple[str, ...], part: str, quiet: bool) -> Records:
    found = _faces(spec.folder, size, spec.identity, spec.landmarks, WILD in acquisitions)
    people = split_people(found.faces, seed=spec.split_seed)
    count = len(people[part]) * spec.variants * len(acquisitions)
    with progress(f"forging {name} ({part})", count, unit="pair", quiet=quiet) as bar:
        return synthesise(
            people[part],
            methods=(name,),
            acquisitions=acquisitions,
            variants=spec.variants,
            seed=spec.split_seed,
            split=part,
            # What a method learns of faces, it learns of training faces.
            fit_faces=people["train"],
            caption=captioned.teller(part) if spec.captions else None,
            progress=bar.update,
        )
