"""Learners over features, trained on the episodes of a fold's source."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import metaforge as mf
from experiments.strangers.features import Table
from experiments.strangers.meta_learned.config import Config
from metaforge.adaptation import RULES
from metaforge.backbones import mlp
from metaforge.objectives import cross_entropy, loss_fn

LEARNERS = ("erm", "anil", "daml", "r2d2")
"""In the order of the report."""
RATES = (1e-3, 1e-2, 1e-1)
"""Rates that are tried at test."""
STEPS = 10
"""Steps at test."""
CHUNK = 50
"""Outer steps whose episodes are drawn at a time."""


def variants(name: str) -> tuple[float, ...]:
    """The rates that are tried of a learner at test; 0 stands for its own way."""
    return (0.0,) if mf.LEARNERS[name].adapts_itself else RATES


def episodes(rng: np.random.Generator, config: Config, table: Table, rows: np.ndarray, steps: int):
    """Rows of the table for so many meta-batches: support and query, `(steps, tasks, images)`, real ones first.

    A task is a collection and a method. Its people are drawn without regard to how many images they have, and nobody is
    in support and query both. Every second task has other people's fakes in its support set.
    """
    kept = table.take(rows)
    places = sorted({*zip(kept.collection.tolist(), kept.kind.tolist(), strict=True)})
    # Of every task and person one pair: the rows of a real image and its fake.
    known: dict[tuple[str, str], np.ndarray] = {}
    for place in places:
        mine = np.flatnonzero((kept.collection == place[0]) & (kept.kind == place[1]))
        pairs = mine[np.lexsort((kept.label[mine], kept.pair[mine]))].reshape(-1, 2)
        _, first = np.unique(kept.person[pairs[:, 0]], return_index=True)
        known[place] = rows[pairs[first]]
    support = np.empty((steps, config.tasks, 2 * config.shots), np.int32)
    query = np.empty((steps, config.tasks, 2 * config.queries), np.int32)
    for step in range(steps):
        for task in range(config.tasks):
            pairs = known[places[rng.integers(len(places))]]
            order = rng.permutation(len(pairs))
            shots, queries = _sizes(config, len(pairs))
            real, fake = order[:shots], order[:shots] if task % 2 else order[shots : 2 * shots]
            asked = order[2 * shots : 2 * shots + queries]
            support[step, task] = _row(pairs, real, fake, config.shots)
            query[step, task] = _row(pairs, asked, asked, config.queries)
    return support, query


def _sizes(config: Config, people: int) -> tuple[int, int]:
    """How many of so many people are in the support set, twice, and how many are asked."""
    shots = min(config.shots, max(1, people // 3))
    return shots, max(1, min(config.queries, people - 2 * shots))


def _row(pairs: np.ndarray, real: np.ndarray, fake: np.ndarray, count: int) -> np.ndarray:
    """The real images of some people and the fakes of some, the first ones again where there are fewer."""
    return np.concatenate([np.resize(pairs[real, 0], count), np.resize(pairs[fake, 1], count)])


@functools.lru_cache(maxsize=16)
def _learner(config: Config, name: str):
    model = mlp(hidden=(), outputs=2, neck=config.neck)
    loss = loss_fn(model, cross_entropy())
    outer = optax.adam(config.outer_lr)
    how: dict[str, Any] = {"strategy": "vmap"}
    if name in ("anil", "daml"):
        # DAML moves the neck too, whose inputs are many.
        rate = config.inner_lr / (10 if name == "daml" else 1)
        how |= {"inner_optimizer": optax.sgd(rate), "inner_steps": config.inner_steps}
    if name == "erm":
        how = {"inner_optimizer": optax.sgd(config.inner_lr)}
    return model, getattr(mf, name)(loss, outer_optimizer=outer, **how)


@functools.lru_cache(maxsize=16)
def _programs(config: Config, name: str):
    model, learner = _learner(config, name)

    @jax.jit
    def advance(state, features, mean, scale, support, query):
        def step(state, rows):
            of = lambda part, half: mf.Batch(
                (features[part] - mean) / scale, jnp.broadcast_to(jnp.repeat(jnp.arange(2), half), part.shape)
            )
            episode = mf.Episode(of(rows[0], config.shots), of(rows[1], config.queries))
            state, info = learner.update(state, episode)
            return state, jnp.mean(info.query_losses)

        return jax.lax.scan(step, state, (support, query))

    @jax.jit
    def adapted(params, support, labels, query):
        batch = mf.Batch(support, labels)
        if mf.LEARNERS[name].adapts_itself:
            return _difference(model.apply(learner.adapt(params, batch)[0], query).logits)[None]
        rule = "all" if name == "daml" else "head"
        found = []
        for rate in RATES:
            given = {"backbone": model, "objective": cross_entropy(), "optimizer": optax.sgd(rate), "steps": (STEPS,)}
            found.append(_difference(RULES[rule].rule(given).apply(params, batch, query)[-1]))
        return jnp.stack(found)

    @jax.jit
    def unadapted(params, query):
        return _difference(model.apply(learner.model(params), query).logits)

    return model, learner, advance, adapted, unadapted


def _difference(logits: jax.Array) -> jax.Array:
    return logits[..., 1] - logits[..., 0]


def trained(config: Config, name: str, table: Table, rows: np.ndarray) -> tuple[Callable, Callable, float]:
    """A learner that has seen the rows of a source.

    Returns:
        `adapted(support, labels, query) -> (variants, queries)` logits, `unadapted(query)`, and the mean query loss of
        the last chunk.
    """
    model, learner, advance, adapted, unadapted = _programs(config, name)
    known = table.features[rows].astype(np.float64)
    deviation = known.std(axis=0)
    mean = known.mean(axis=0)
    scale = np.where(deviation > 1e-6 * np.abs(mean) + 1e-12, deviation, 1.0)
    mean, scale = (jnp.asarray(part[None], jnp.float32) for part in (mean, scale))
    standard = lambda features: (jnp.asarray(features) - mean) / scale
    features = jnp.asarray(table.features)
    state = learner.init(model.init(jax.random.key(config.seed), jnp.zeros((1, known.shape[1]))))
    rng, losses = np.random.default_rng([config.seed, 3]), np.zeros(1)
    for begin in range(0, config.steps, CHUNK):
        support, query = episodes(rng, config, table, rows, min(CHUNK, config.steps - begin))
        state, losses = advance(state, features, mean[None], scale[None], support, query)
    adapt = lambda support, labels, query: np.asarray(adapted(state.params, standard(support), labels, standard(query)))
    return adapt, lambda query: np.asarray(unadapted(state.params, standard(query))), float(np.mean(losses))
