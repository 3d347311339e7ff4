"""JPEG as a function of JAX: all that it loses, without the coding, which loses nothing."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from metaforge.data.augmentation._geometry import Image
from metaforge.types import PRNGKey

BLOCK = 8
# The tables of annex K of the standard, which libjpeg scales by quality.
_BRIGHTNESS = np.array([
    [16, 11, 10, 16, 24, 40, 51, 61], [12, 12, 14, 19, 26, 58, 60, 55], [14, 13, 16, 24, 40, 57, 69, 56],
    [14, 17, 22, 29, 51, 87, 80, 62], [18, 22, 37, 56, 68, 109, 103, 77], [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101], [72, 92, 95, 98, 112, 100, 103, 99],
])  # fmt: skip
_COLOUR = np.full((BLOCK, BLOCK), 99)
_COLOUR[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]
_TO_YCC = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32)
_TO_RGB = np.linalg.inv(_TO_YCC).astype(np.float32)
_AT = np.arange(BLOCK)
_COSINES = (np.sqrt(np.where(_AT == 0, 1, 2) / BLOCK)[:, None]
            * np.cos(np.pi * _AT[:, None] * (2 * _AT[None] + 1) / (2 * BLOCK))).astype(np.float32)  # fmt: skip


def jpeg(key: PRNGKey, image: Image) -> Image:
    """JPEG at a quality of 30 to 95, with a colour value for each square of four pixels.

    Example:
        >>> image = jnp.full((20, 20, 3), 90.0)
        >>> bool(jnp.abs(jpeg(jax.random.key(0), image) - image).max() <= 1)
        True
    """
    return compressed(image, jax.random.randint(key, (), 30, 96).astype(jnp.float32))


def compressed(image: Image, quality: Float[Array, ""]) -> Image:
    """An image coded as JPEG and decoded again, much as libjpeg does it (4:2:0), which rounds elsewhere."""
    height, width = image.shape[:2]
    image = jnp.pad(image, ((0, -height % (2 * BLOCK)), (0, -width % (2 * BLOCK)), (0, 0)), mode="edge")
    ycc = jnp.round(_mix(_TO_YCC, jnp.round(image)) + np.array([[[0, 128, 128]]], np.float32))
    bright = _quantised(ycc[..., :1], _scaled(_BRIGHTNESS, quality))
    rows, columns = ycc.shape[0] // 2, ycc.shape[1] // 2
    halved = jnp.round(ycc[..., 1:].reshape(rows, 2, columns, 2, 2).mean(axis=(1, 3)))
    colours = jax.image.resize(_quantised(halved, _scaled(_COLOUR, quality)), (2 * rows, 2 * columns, 2), "bilinear")
    found = _mix(_TO_RGB, jnp.concatenate([bright, colours - 128], axis=-1))
    return jnp.clip(jnp.round(found), 0, 255)[:height, :width]


def _mix(matrix: np.ndarray, image: Array) -> Array:
    return jnp.einsum("ab,hwb->hwa", matrix, image, precision=jax.lax.Precision.HIGHEST)


def _scaled(table: np.ndarray, quality: Float[Array, ""]) -> Float[Array, "8 8"]:
    """What libjpeg divides by at a quality."""
    percent = jnp.where(quality < 50, jnp.floor(5000 / jnp.maximum(quality, 1)), 200 - 2 * quality)
    return jnp.clip(jnp.floor((table * percent + 50) / 100), 1, 255)


def _quantised(planes: Float[Array, "h w c"], table: Float[Array, "8 8"]) -> Float[Array, "h w c"]:
    """Planes whose blocks have whole multiples of the table as cosine coefficients."""
    height, width, count = planes.shape
    blocks = planes.reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK, count) - 128
    exactly = jax.lax.Precision.HIGHEST
    waves = jnp.einsum("ui,aibjc,vj->aubvc", _COSINES, blocks, _COSINES, precision=exactly)
    steps = table[None, :, None, :, None]
    waves = jnp.round(waves / steps) * steps
    back = jnp.einsum("ui,aubvc,vj->aibjc", _COSINES, waves, _COSINES, precision=exactly)
    return jnp.clip(jnp.round(back + 128), 0, 255).reshape(planes.shape)
