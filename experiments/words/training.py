"""A model of one way of training, and what it says of images."""

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.words.config import CHUNK, Config
from experiments.words.material import Table
from experiments.words.towers import CONTEXT, VOCABULARY, tower
from experiments.words.ways import OF_REAL, Way, captions_of
from metaforge.backbones import without_words
from metaforge.backbones.clip_model import WordTokenizer, words_of
from metaforge.backbones.clip_model.tokenizer import split_words
from metaforge.objectives import cross_entropy, image_text, loss_fn
from metaforge.types import Batch

IDLE = {"the", "and", "is", ","}
ROWS = 256
"""Images that are scored at a time."""


class Source(NamedTuple):
    """What is learned from: row numbers of the table, and what standardises."""

    rows: np.ndarray
    mean: jax.Array
    scale: jax.Array


def short(text: str) -> str:
    """A caption without the words that stand in nearly all: what is read takes half the time.

    Example:
        >>> short("the nose, the eyes and the mouth; the colour differs")
        'nose eyes mouth ; colour differs'
    """
    return " ".join(word for word in split_words(text) if word not in IDLE)


def source_of(table: Table, rows: np.ndarray) -> Source:
    """Of tokens each channel is standardised; images are as they are."""
    if table.seen.dtype == np.uint8:
        return Source(rows, jnp.zeros((1, 1, 1, 1)), jnp.full((1, 1, 1, 1), 255.0))
    # A tenth of the images: enough for means, and float64 of all would be large.
    some = table.seen[rows[::10]].astype(np.float64)
    mean, deviation = some.mean(axis=(0, 1)), some.std(axis=(0, 1))
    shaped = lambda values: jnp.asarray(values[None, None], jnp.float32)
    return Source(rows, shaped(mean), shaped(np.where(deviation > 0, deviation, 1.0)))


def trained(
    config: Config, way: Way, table: Table, held: jax.Array, source: Source, *, rate: float, steps: int, weight: float,
    seed: int,
) -> Iterator[tuple[int, Any]]:  # fmt: skip
    """The parameters of the images' side after every chunk of steps, with the number of steps.

    First parameters and batches depend on the seed alone, not on the way.

    Args:
        config: the sizes.
        way: of training.
        table: all images.
        held: what a tower sees of them, on the device.
        source: which of them train.

    Other Arguments:
        rate: Adam's.
        steps: how many.
        weight: of the branches that read.
        seed: of parameters and batches.
    """
    model, advance = _programs(config, table.seen.shape[1:], way.alignment or way.multimodal)
    params = jax.jit(model.init)(jax.random.key(seed), _first(table))
    state = optax.scale_by_adam().init(params)
    tokens = tokens_of(way if way.alignment or way.multimodal else None, table, source.rows, seed)
    weights = {"alignment": weight * way.alignment, "image": 1.0, "multimodal": weight * way.multimodal}
    given = (held, jnp.asarray(tokens), source.mean, source.scale, jax.tree.map(jnp.float32, weights))
    fakes, rng = source.rows[table.label[source.rows] > 0], np.random.default_rng([seed, 3])
    for done in range(0, steps, CHUNK):
        drawn = np.stack([rng.choice(fakes, config.pairs, replace=False) for _ in range(CHUNK)])
        batches = np.concatenate([drawn - 1, drawn], axis=1).astype(np.int32)
        params, state = advance(params, state, *given, jnp.asarray(batches), jnp.float32(rate))
        yield done + CHUNK, without_words(params)


def tokens_of(
    way: Way | None, table: Table, rows: np.ndarray, seed: int, *, told: np.ndarray | None = None
) -> np.ndarray:
    """Numbers of the words of each image of the table: of a source, or of others by the source's vocabulary.

    Args:
        way: of training; `None` for one without words.
        table: all images.
        rows: the source's.
        seed: shuffles.

    Other Arguments:
        told: rows that have captions; the source's if left out. All others have zeros.
    """
    tokens = np.zeros((len(table.label), CONTEXT), np.int32)
    if way is not None:
        # The vocabulary is the source's, and that of all ways.
        tokenizer = WordTokenizer(words_of(map(short, [*table.caption[rows], OF_REAL]), most=VOCABULARY - 3))
        told = rows if told is None else told
        said = captions_of(way, table.caption[told], table.label[told], np.random.default_rng([seed, 7]))
        tokens[told] = tokenizer([text and short(text) for text in said], context=CONTEXT, truncate=True)
    return tokens


def scores(config: Config, table: Table, held: jax.Array, source: Source, params: Any, rows: np.ndarray) -> np.ndarray:
    """How much more fake than real each image is said to be, by the image alone."""
    model = tower(config, table.seen.shape[1:])
    found = []
    for begin in range(0, len(rows), ROWS):
        some = rows[begin : begin + ROWS]
        filled = jnp.asarray(np.resize(some, ROWS).astype(np.int32))
        found.append(np.asarray(_scores(model.apply, params, held, source.mean, source.scale, filled))[: len(some)])
    return np.concatenate(found)


def _first(table: Table) -> jax.Array:
    return jnp.zeros((1, *table.seen.shape[1:]))


@functools.partial(jax.jit, static_argnums=0)
def _scores(apply, params, held, mean, scale, rows):
    logits = apply(params, (held[rows].astype(jnp.float32) - mean) / scale).logits
    return logits[:, 1] - logits[:, 0]


@functools.lru_cache(maxsize=8)
def _programs(config: Config, shape: tuple[int, ...], reads: bool):
    model, optimizer = tower(config, shape), optax.scale_by_adam()
    loss = loss_fn(model, image_text() if reads else cross_entropy())

    @jax.jit
    def advance(params, state, held, tokens, mean, scale, weights, batches, rate):
        def step(carry, rows):
            params, state = carry
            image = (held[rows].astype(jnp.float32) - mean) / scale
            inputs = {"image": image, "tokens": tokens[rows]} if reads else image
            # Of each pair the real image is in the first half.
            batch = Batch(inputs, (jnp.arange(len(rows)) >= len(rows) // 2).astype(jnp.int32), weights=weights)
            updates, state = optimizer.update(jax.grad(loss, has_aux=True)(params, batch)[0], state)
            return (jax.tree.map(lambda value, change: value - rate * change, params, updates), state), None

        return jax.lax.scan(step, (params, state), batches)[0]

    return model, advance
