"""Tri-training inside meta-training: outliers that are refreshed between outer steps and brought by every batch."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import metaforge as mf
from metaforge.backbones import choice
from metaforge.core.averaging import average_of
from metaforge.data.files import distinct
from metaforge.data.records import Records
from metaforge.outliers import OutlierInfo, OutlierState, Probe
from metaforge.training import build
from metaforge.training.config import Config

BANK = 1024
"""Source images whose features say where the classes lie, at most."""


class TrainState(NamedTuple):
    """What the next outer step needs where outliers are synthesised; a checkpoint holds all of it.

    Attributes:
        learner: the learner's own state.
        outliers: the synthesizer's.
        key: the seed's randomness, as `jax.random.key_data`.
    """

    learner: mf.MetaState
    outliers: OutlierState
    key: jax.Array

    @property
    def params(self) -> Any:
        """The meta-parameters."""
        return self.learner.params


class Bank(NamedTuple):
    """The images that a refresh looks at: row numbers of the pool, and 0 for real or the number of a method."""

    rows: jax.Array
    kind: jax.Array


def initial(config: Config):
    """A run's first state: the learner's, with the synthesizer's beside it if the objective asks for one."""
    state = build.learner(config).init(build.init_params(config))
    if config.objective.name != "fakeradar":
        return state
    key = jax.random.key_data(jax.random.key(config.run.seed))
    # A step consumes its state: no buffer may stand in it twice.
    return jax.tree.map(jnp.copy, TrainState(state, synthesizer(config).init(_size(config)), key))


@functools.lru_cache(maxsize=8)
def _size(config: Config) -> int:
    """Of the embeddings; remembered, for tracing a whole network takes long."""
    images = jnp.zeros((2, config.model.image_size, config.model.image_size, 3))
    return jax.eval_shape(
        lambda: choice.choose(config.network).apply(build.all_params(config), images)
    ).embeddings.shape[1]


def final(config: Config, state) -> Any:
    """The meta-parameters of a state that are judged and kept: the last ones, or their average if there is one."""
    if not config.learner.average:
        return state.params
    return average_of((state.learner if isinstance(state, TrainState) else state).opt_state)


def synthesizer(config: Config) -> mf.outliers.OutlierSynthesizer:
    """FakeRadar's, with a class for real faces and one for every source method."""
    return mf.outliers.fakeradar(1 + len(build.methods(config)[0]), mode=config.objective.outlier_mode)  # type: ignore[arg-type]


def bank(config: Config, train: Records) -> Bank:
    """A fixed draw of training images: as many of each method, and as many real ones as of a method."""
    names = build.methods(config)[0]
    kinds = np.array([0 if label == mf.REAL else 1 + names.index(str(method))
                      for label, method in zip(train.label, train.method, strict=True)])  # fmt: skip
    rng = np.random.default_rng(np.random.SeedSequence([config.faces.split_seed, BANK]))
    each = min(BANK // (1 + len(names)), int(np.bincount(kinds, minlength=1 + len(names)).min()))
    rows = [rng.permutation(np.flatnonzero(kinds == kind))[:each] for kind in range(1 + len(names))]
    chosen = np.sort(np.concatenate(rows))
    place = distinct(train.image)[1][chosen]
    return Bank(jnp.asarray(place, jnp.int32), jnp.asarray(kinds[chosen], jnp.int32))


def attach(config: Config, state: TrainState, episodes: mf.Episode) -> mf.Episode:
    """The episodes, each batch of which brings the same fresh outliers."""
    key = jax.random.fold_in(jax.random.wrap_key_data(state.key), state.learner.step)
    drawn = synthesizer(config).sample(key, state.outliers, config.objective.outliers)
    tasks = episodes.support.targets.shape[0]
    probe = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (tasks, *leaf.shape)), Probe(state.outliers, drawn))
    return mf.Episode(episodes.support._replace(probe=probe), episodes.query._replace(probe=probe))


@functools.lru_cache(maxsize=8)
def refresher(config: Config) -> Callable[..., tuple[TrainState, OutlierInfo]]:
    """`refresh(state, images, bank, context, frozen)`: the state with clusters and outliers of today's features."""
    update = synthesizer(config).update

    @jax.jit
    def refresh(state: TrainState, images, bank: Bank, context, frozen=None):
        model = build.model(config, frozen=frozen)
        rows = model.apply(state.params, images[bank.rows], context=context).embeddings
        key = jax.random.fold_in(jax.random.wrap_key_data(state.key), -1 - state.learner.step)
        outliers, info = update(key, state.outliers, rows, bank.kind)
        return state._replace(outliers=outliers), info

    return refresh


def describe(info: OutlierInfo, methods: list[str]) -> dict[str, int | float]:
    """What a refresh did, as columns of the log."""
    found: dict[str, int | float] = {
        "clusters": int(info.clusters),
        "splits": int(info.splits),
        "merges": int(info.merges),
    }
    found |= {"refused_splits": int(info.refused), "calibration": float(info.calibration)}
    pairs = zip(["real", *methods], info.per_class, strict=True)
    return found | {f"clusters/{name}": int(count) for name, count in pairs}
