"""What no network need learn: fine detail and colour of every place, as one more map beside those of a network.

Blur, noise and another camera's sharpening show in the energy of what is left when an image is smoothed, and a colour
that was moved shows in ratios that light does not change.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

CELL = 4
"""Pixels along a cell's side: as fine as the finest maps that are pooled."""

CHANNELS = 12
"""Channels of the map."""

_LIGHT = np.array([0.299, 0.587, 0.114], np.float32)


def detail(images: Array | np.ndarray) -> Float[Array, "images rows columns channels"]:
    """Means over cells of 4 x 4 pixels.

    - the size of the Laplacian of brightness and of two differences of colour, as logarithms;
    - that of two bands of brightness (Gaussians of about 0.7 and 1.4, 1.4 and 2.8 pixels), likewise, and how much
      larger the finer band is than the coarser one, and the Laplacian than the coarser one;
    - brightness, the two differences, and the logarithms of red and blue over green.

    Args:
        images: uint8 or numbers in [0, 255], `(images, height, width, 3)`; sides are multiples of 4.

    Example:
        >>> flat = detail(np.full((1, 8, 8, 3), 100, np.uint8))
        >>> flat.shape, bool((flat[..., :7] == 0).all())
        ((1, 2, 2, 12), True)
    """
    pixels = jnp.asarray(images, jnp.float32)
    light = pixels @ _LIGHT
    blue, red = 0.564 * (pixels[..., 2] - light), 0.713 * (pixels[..., 0] - light)
    first = _smooth(light, 1)
    second = _smooth(first, 2)
    third = _smooth(second, 4)
    size = lambda part: jnp.log1p(jnp.abs(part))
    sharp = size(_laplacian(light))
    fine, coarse = size(first - second), size(second - third)
    colours = jnp.log1p(pixels)
    channels = [
        sharp, size(_laplacian(blue)), size(_laplacian(red)), fine, coarse, fine - coarse, sharp - coarse,
        light, blue, red, colours[..., 0] - colours[..., 1], colours[..., 2] - colours[..., 1],
    ]  # fmt: skip
    found = jnp.stack(channels, axis=-1)
    count, height, width, _ = found.shape
    return found.reshape(count, height // CELL, CELL, width // CELL, CELL, CHANNELS).mean((2, 4))


def _shifted(image: jnp.ndarray, step: int, axis: int) -> jnp.ndarray:
    """Moved by whole pixels, the border continued."""
    places = np.clip(np.arange(image.shape[axis]) + step, 0, image.shape[axis] - 1)
    return jnp.take(image, jnp.asarray(places), axis=axis)


def _smooth(image: jnp.ndarray, step: int) -> jnp.ndarray:
    """(1, 2, 1) / 4 along both sides, its three samples so many pixels apart."""
    for axis in (1, 2):
        image = (_shifted(image, -step, axis) + 2 * image + _shifted(image, step, axis)) / 4
    return image


def _laplacian(image: jnp.ndarray) -> jnp.ndarray:
    around = [_shifted(image, step, axis) for axis in (1, 2) for step in (-1, 1)]
    return around[0] + around[1] + around[2] + around[3] - 4 * image
