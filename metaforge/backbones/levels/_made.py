"""What levels are, and those of two networks side by side."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from metaforge.types import Params, PRNGKey

_EPSILON = 1e-6  # added to variances, so that a map that is the same everywhere has a gradient


class Levels(NamedTuple):
    """What makes a vector of an image, before it is standardised; each image alone.

    Attributes:
        init: `init(key, images) -> params`, read from a file of weights if there is one.
        apply: `apply(params, images)`: float32, shape `(images, size)`. Other parameters beside its own do not matter.
        size: how many numbers an image has.
        keys: the first keys of its parameters.
        maps: `maps(params, images)`: what the numbers are means and deviations of, one array `(images, rows, columns,
            channels)` a block; `None` where the numbers are not of maps alone.
    """

    init: Callable[[PRNGKey, Any], Params]
    apply: Callable[[Params, Any], jax.Array]
    size: int
    keys: tuple[str, ...]
    maps: Callable[[Params, Any], tuple[jax.Array, ...]] | None = None


def beside(first: Levels, second: Levels) -> Levels:
    """The numbers of one network and then those of another; both look at the same images.

    Their parameters are those of the two, under "first" and "second".

    Example:
        >>> from metaforge.backbones.levels import lite0
        >>> both = beside(lite0(pretrained=False), lite0(pretrained=False, blocks=(0,)))
        >>> both.size, both.keys
        (1536, ('first', 'second'))
    """

    def init(key, images):
        ours, theirs = jax.random.split(key)
        return {"first": first.init(ours, images), "second": second.init(theirs, images)}

    return Levels(init, _side_by_side(first.apply, second.apply), first.size + second.size, ("first", "second"))


def checked(blocks: tuple[int, ...], count: int) -> tuple[int, ...]:
    """The numbers of some of `count` blocks, or `ValueError` if they are not.

    Example:
        >>> checked((2, 4), 16)
        (2, 4)
    """
    if not blocks or list(blocks) != sorted({*blocks}) or blocks[0] < 0 or blocks[-1] >= count:
        raise ValueError(f"blocks are numbered 0 to {count - 1}. Name one or more of them, each once and in order.")
    return tuple(blocks)


def mean_and_deviation(values: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    r"""Means over axes, then $\sqrt{\mathrm{var} + 10^{-6}}$, `(images, 2 * channels)`, in float32 at least.

    Example:
        >>> print(mean_and_deviation(jnp.array([[[1.0], [3.0]]]), (1,)))
        [[2.        1.0000005]]
    """
    values = values.astype(jnp.promote_types(values.dtype, jnp.float32))
    mean = jnp.mean(values, axes, keepdims=True)
    variance = jnp.mean(jnp.square(values - mean), axes)
    return jnp.concatenate([jnp.squeeze(mean, axes), jnp.sqrt(variance + _EPSILON)], axis=1)


# Equal settings give the same functions, and with them each other's compiled programs.
@functools.lru_cache(maxsize=64)
def _side_by_side(first: Callable, second: Callable) -> Callable[[Params, Any], jax.Array]:
    def apply(params, images):
        return jnp.concatenate([first(params["first"], images), second(params["second"], images)], axis=1)

    return apply
