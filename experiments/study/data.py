"""What a study learns from and is judged on: for one held-out method, the same images and episodes for everybody."""

import functools
from typing import NamedTuple

import jax
import numpy as np

import metaforge as mf
from metaforge.backbones.spec import BackboneSpec
from metaforge.data.domains import TestSplit
from metaforge.data.episodes import EpisodeSampler
from metaforge.data.pools import ImagePool, pool
from metaforge.data.records import Records
from metaforge.errors import InputError
from metaforge.learners.spec import LearnerSpec
from metaforge.settings import change
from metaforge.training import build, kept_features, meta_test, trainable
from metaforge.training.config import Config, RunSpec

BLOCK = 20
"""Episodes that are scored at a time."""


class StudyData(NamedTuple):
    """One held-out method's images.

    Attributes:
        train: of the source methods, of training people.
        images: their pool, on the device.
        labels: likewise.
        index: where each record of `train` is in the pool.
        validation: of the source methods, of validation people: what rates and steps are chosen on.
        support: of the held-out method, of validation people: what one adapts with.
        test: of the held-out method, of test people.
    """

    train: Records
    images: jax.Array
    labels: jax.Array
    index: np.ndarray
    validation: Records
    support: Records
    test: TestSplit


def load(config: Config) -> StudyData:
    """The images for the held-out method that a configuration names; one at a time is kept in memory."""
    if not config.run.feature_cache:
        return _load(Config(faces=config.faces, model=BackboneSpec(image_size=config.model.image_size)))
    # Features are of one network, cut where it begins to be trained.
    learner = LearnerSpec(trainable=config.learner.trainable)
    run = RunSpec(feature_cache=config.run.feature_cache)
    return _load(Config(faces=config.faces, model=config.model, objective=config.objective, learner=learner, run=run))


@functools.lru_cache(maxsize=1)
def _load(config: Config) -> StudyData:
    frozen = trainable.part(config, build.all_params(config))[1] if config.run.feature_cache else None
    records = build.records(config, split="train")
    if config.model.levels and frozen is not None:
        frozen = kept_features.fitted(config, records, frozen)
    seen = functools.partial(kept_features.seen, config, frozen=frozen)
    train = seen(records)
    held: ImagePool = pool(train)
    images, labels = jax.device_put((held.image, held.label))
    validation = seen(build.records(config, split="validation"))
    support = seen(build.records(config, split="validation", held_out=True))
    return StudyData(train, images, labels, held.index, validation, support, build.test_split(config, seen=seen))


def held_out(config: Config, target: str) -> Config:
    """The configuration with one of its methods held out."""
    if config.faces.methods == "all":
        return change(config, {"faces.holdout": target})
    rest = [name for name in build.methods(config)[0] if name != target]
    return change(config, {"faces.holdout": target, "faces.methods": ",".join(rest)})


def support_sets(config: Config, records: Records, *, shots: int, episodes: int) -> np.ndarray:
    """The support sets that a seed's models adapt on, `(episodes, 2 * shots)`, real ones first.

    A smaller number of shots takes the first of each class (`fewer`), so that budgets are compared on nested sets.
    """
    return np.stack(
        [meta_test.support_rows(records.label, shots=shots, seed=3_000_000 + config.run.seed, draw=draw)
         for draw in range(episodes)]
    )  # fmt: skip


def query_sets(config: Config, test: TestSplit, *, episodes: int) -> np.ndarray:
    """The test images that a seed's models are judged on, `(episodes, 2 * queries)`: the same for every method."""
    rng = np.random.default_rng(np.random.SeedSequence([2_000_000 + config.run.seed]))
    of_class = [np.flatnonzero(test.label == label) for label in (mf.REAL, mf.FAKE)]
    for name, rows in zip(("real", "fake"), of_class, strict=True):
        if len(rows) < config.episodes.queries:
            raise InputError(
                f"study: '{config.faces.holdout}' has {len(rows)} {name} test images, and an episode asks for "
                f"--episodes.queries={config.episodes.queries}. Lower it, or give more images."
            )
    draw = lambda: np.concatenate([rng.choice(rows, config.episodes.queries, replace=False) for rows in of_class])
    return np.stack([draw() for _ in range(episodes)])


def validation_episodes(config: Config, data: StudyData, *, shots: int, episodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Support and query rows of source validation, on which a rule's knob and steps are chosen: a task is a source."""
    sampler = EpisodeSampler(
        data.validation, seed=4_000_000 + config.run.seed, tasks=1, shots=shots, queries=config.episodes.queries
    )
    rows = [sampler(index) for index in range(episodes)]
    by_class = lambda found: found[np.argsort(data.validation.label[found], kind="stable")]
    return np.stack([by_class(row.support[0]) for row in rows]), np.stack([row.query[0] for row in rows])


def fewer(support: np.ndarray, shots: int) -> np.ndarray:
    """The first `shots` of each class of support sets whose first half is real."""
    half = support.shape[1] // 2
    return np.concatenate([support[:, :shots], support[:, half : half + shots]], axis=1)


def refuse_too_few(config: Config, targets: tuple[str, ...], shots: int) -> None:
    """Raises `InputError` when a held-out method has too few images for a support set, before anything is trained."""
    for target in targets:
        held = build.records(held_out(config, target), split="validation", held_out=True)
        least = min(int((held.label == label).sum()) for label in (mf.REAL, mf.FAKE))
        if least < shots:
            raise InputError(
                f"--shots: '{target}' has {least} images of a class for support sets, {shots} are asked for. "
                "Ask for fewer, raise --faces.variants or give more faces."
            )
