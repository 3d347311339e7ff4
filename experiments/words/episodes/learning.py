"""DAML on the episodes of a fold's source, and what it says after adaptation."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import metaforge as mf
from experiments.words.config import Config as Study
from experiments.words.episodes.config import Config
from experiments.words.folds import Fold
from experiments.words.material import Table
from experiments.words.towers import tower
from experiments.words.training import Source
from metaforge.objectives import image_text, loss_fn


class Given(NamedTuple):
    """What a way of learning sees: images, numbers of words, what standardises, and what the words' branches count."""

    held: jax.Array
    tokens: jax.Array
    mean: jax.Array
    scale: jax.Array
    weight: jax.Array


def given_of(held: jax.Array, tokens: np.ndarray, source: Source, weight: float) -> Given:
    """The same as arrays of the device."""
    return Given(held, jnp.asarray(tokens), source.mean, source.scale, jnp.float32(weight))


def learned(config: Config, study: Study, table: Table, fold: Fold, given: Given, *, seed: int) -> Any:
    """DAML's parameters after all outer steps; episodes and first parameters depend on the seed alone."""
    model, learner, advance, _ = _programs(config, study, table.seen.shape[1:])
    state = learner.init(jax.jit(model.init)(jax.random.key(seed), jnp.zeros((1, *table.seen.shape[1:]))))
    support, query = episodes(config, table, fold.source, np.random.default_rng([seed, 3]))
    return advance(state, given, jnp.asarray(support), jnp.asarray(query)).params


def adapted(
    config: Config, study: Study, table: Table, params: Any, given: Given, support: np.ndarray, judged: np.ndarray
) -> np.ndarray:
    """How much more fake than real each judged image is said to be, `(sets, images)`, after adaptation to each set."""
    _, _, _, adapt = _programs(config, study, table.seen.shape[1:])
    return np.asarray(adapt(params, given, jnp.asarray(support), jnp.asarray(judged)))


def episodes(config: Config, table: Table, rows: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Rows of support and query sets, `(steps, tasks, images)`, the real ones first; nobody is in both of a task."""
    places = sorted({*zip(table.collection[rows].tolist(), table.kind[rows].tolist(), strict=True)})
    fakes = rows[table.label[rows] > 0]
    of = {
        place: fakes[(table.collection[fakes] == place[0]) & (table.kind[fakes] == place[1])] for place in places
    }  # fmt: skip
    size = (config.steps, config.tasks)
    support, query = (np.empty((*size, 2 * count), np.int32) for count in (config.shots, config.queries))
    for at in np.ndindex(size):
        drawn = rng.permutation(of[places[rng.integers(len(places))]])
        support[at] = both(drawn[: config.shots])
        query[at] = both(drawn[config.shots : config.shots + config.queries])
    return support, query


def both(fakes: np.ndarray) -> np.ndarray:
    """The real images of some fakes, and then these."""
    return np.concatenate([fakes - 1, fakes]).astype(np.int32)


@functools.lru_cache(maxsize=4)
def _programs(config: Config, study: Study, shape: tuple[int, ...]):
    model = tower(study, shape)
    loss = loss_fn(model, image_text())
    learner = mf.daml(
        loss, inner_optimizer=optax.sgd(config.inner_lr), outer_optimizer=optax.adam(config.outer_lr), order="first",
        strategy="vmap",
    )  # fmt: skip

    def batch(given: Given, rows: jax.Array, *, read: bool) -> mf.Batch:
        images = (given.held[rows].astype(jnp.float32) - given.mean[None]) / given.scale[None]
        inputs = {"image": images, "tokens": given.tokens[rows]} if read else {"image": images}
        labels = jnp.broadcast_to((jnp.arange(rows.shape[1]) >= rows.shape[1] // 2).astype(jnp.int32), rows.shape)
        full = lambda value: jnp.broadcast_to(value, rows.shape[:1])
        weights = {"alignment": full(given.weight), "image": full(jnp.float32(1)), "multimodal": full(given.weight)}
        return mf.Batch(inputs, labels, weights=weights)

    @jax.jit
    def advance(state, given, support, query):
        def step(state, rows):
            episode = mf.Episode(batch(given, rows[0], read=True), batch(given, rows[1], read=False))
            return learner.update(state, episode)[0], None

        return jax.lax.scan(step, state, (support, query))[0]

    @jax.jit
    def adapt(params, given, support, judged):
        def one(sets):
            seen, rows = sets
            seen = jax.tree.map(lambda leaf: leaf[0], batch(given, seen[None], read=True))

            def step(_, params):
                slope = jax.grad(loss, has_aux=True)(params, seen)[0]
                return jax.tree.map(lambda value, change: value - config.inner_lr * change, params, slope)

            moved = jax.lax.fori_loop(0, config.adapt_steps, step, params)
            images = (given.held[rows].astype(jnp.float32) - given.mean) / given.scale
            logits = model.apply(moved, images).logits
            return logits[:, 1] - logits[:, 0]

        return jax.lax.map(one, (support, judged))

    return model, learner, advance, adapt
