"""Where a face lies in its image: mirrored, or a part of it at full size, by weighted sums of lines of pixels."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from metaforge.types import PRNGKey

Image = Float[Array, "height width 3"]
"""Levels from 0 to 255."""

LEAST_PART = 0.8
"""How long a side of a crop is at least, of the image's."""


def flip(key: PRNGKey, image: Image) -> Image:
    """The image mirrored: no forgery and no camera knows left from right.

    Example:
        >>> image = jnp.stack([jnp.array([[1.0, 2.0]])] * 3, axis=-1)
        >>> print(flip(jax.random.key(0), image)[0, :, 0])
        [2. 1.]
    """
    return image[:, ::-1]


def crop(key: PRNGKey, image: Image) -> Image:
    """A part of 80 to 100 % of each side, anywhere, at the full size, by bilinear interpolation.

    Height and width are drawn apart, so it scales, shifts and stretches. Faces are cut by finders whose boxes differ by
    about so much.

    Example:
        >>> image = jnp.full((8, 8, 3), 50.0)
        >>> bool(jnp.allclose(crop(jax.random.key(0), image), image))
        True
    """
    down, across = jax.random.split(key)
    rows, columns = (_part(k, size) for k, size in ((down, image.shape[0]), (across, image.shape[1])))
    return both_ways(rows, image, columns)


def both_ways(rows: Float[Array, "h height"], image: Image, columns: Float[Array, "w width"]) -> Image:
    """Each new row a weighted sum of rows, each new column one of columns: two products of matrices."""
    return jnp.einsum("hi,ijc,wj->hwc", rows, image, columns, precision=jax.lax.Precision.HIGHEST)


def _part(key: PRNGKey, size: int) -> Float[Array, "{size} {size}"]:
    """Weights of the lines of an image in those of a random part of it."""
    how_long, where = jax.random.split(key)
    part = jax.random.uniform(how_long, minval=LEAST_PART, maxval=1.0)
    first = jax.random.uniform(where) * size * (1 - part)
    # Centres of pixels; those of the edge are repeated.
    at = jnp.clip(first + (jnp.arange(size) + 0.5) * part - 0.5, 0, size - 1)
    return jnp.maximum(0.0, 1 - jnp.abs(at[:, None] - jnp.arange(size)[None]))


def inside(key: PRNGKey, size: int, *, least: float, most: float) -> Bool[Array, " {size}"]:
    """Which lines lie in a stretch of them, anywhere: from `least` to `most` of all."""
    how_long, where = jax.random.split(key)
    length = jax.random.uniform(how_long, minval=least, maxval=most) * size
    first, at = jax.random.uniform(where) * (size - length), jnp.arange(size) + 0.5
    return (at >= first) & (at < first + length)
