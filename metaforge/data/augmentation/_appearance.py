"""What light, a camera or a hand before it does to an image: colour, contrast, blur, noise, a part that is covered.

The ranges are those of `metaforge.forgeries.treatments`, by which strangers' photographs are imitated.
"""

import jax
import jax.numpy as jnp

from metaforge.data.augmentation._geometry import Image, both_ways, inside
from metaforge.types import PRNGKey


def colour(key: PRNGKey, image: Image) -> Image:
    """Each colour is scaled by 0.85 to 1.15, and all are mixed with their grey by up to 0.3.

    Example:
        >>> colour(jax.random.key(0), jnp.full((4, 4, 3), 300.0)).max() <= 255
        Array(True, dtype=bool)
    """
    gains_key, grey_key = jax.random.split(key)
    gains = jax.random.uniform(gains_key, (1, 1, 3), minval=0.85, maxval=1.15)
    grey = jax.random.uniform(grey_key, maxval=0.3)
    return _levels((1 - grey) * gains * image + grey * image.mean(axis=-1, keepdims=True))


def contrast(key: PRNGKey, image: Image) -> Image:
    """Contrast by 0.8 to 1.2 around the middle grey, and brightness by up to 12 levels up or down.

    Example:
        >>> abs(float(contrast(jax.random.key(0), jnp.full((4, 4, 3), 128.0)).mean()) - 128) <= 12
        True
    """
    scale_key, shift_key = jax.random.split(key)
    scale = jax.random.uniform(scale_key, minval=0.8, maxval=1.2)
    return _levels(128 + jax.random.uniform(shift_key, minval=-12, maxval=12) + scale * (image - 128))


def blur(key: PRNGKey, image: Image) -> Image:
    """A Gaussian blur of 0.3 to 1.2 pixels; at the edges it is of what is there.

    Example:
        >>> image = jnp.full((6, 6, 3), 9.0)
        >>> bool(jnp.allclose(blur(jax.random.key(0), image), image))
        True
    """
    deviation = jax.random.uniform(key, minval=0.3, maxval=1.2)

    def lines(size):
        away = jnp.arange(size)[:, None] - jnp.arange(size)[None]
        weights = jnp.exp(-0.5 * jnp.square(away / deviation))
        return weights / weights.sum(axis=1, keepdims=True)

    return both_ways(lines(image.shape[0]), image, lines(image.shape[1]))


def noise(key: PRNGKey, image: Image) -> Image:
    """Gaussian noise of 1 to 6 levels in every value.

    Example:
        >>> noisy = noise(jax.random.key(0), jnp.full((64, 64, 3), 128.0))
        >>> 1 < float(noisy.std()) < 6
        True
    """
    size_key, draw_key = jax.random.split(key)
    deviation = jax.random.uniform(size_key, minval=1.0, maxval=6.0)
    return _levels(image + deviation * jax.random.normal(draw_key, image.shape))


def erase(key: PRNGKey, image: Image) -> Image:
    """A rectangle of 10 to 40 % of each side, anywhere, becomes one grey level.

    A cue that is always at one place is then not always there, and others are learned too. Where it hides all that was
    forged, the label is wrong: no augmentation knows where that is.

    Example:
        >>> erased = erase(jax.random.key(0), jnp.full((50, 50, 3), -1.0))
        >>> 0.01 <= float((erased >= 0).mean()) <= 0.17
        True

    References:
        Zhong et al., *Random Erasing Data Augmentation*, AAAI 2020; DeVries and Taylor, *Improved Regularization of
        Convolutional Neural Networks with Cutout*, 2017. Sizes are our own: wider ones hide whole faces.
    """
    down, across, level = jax.random.split(key, 3)
    rows, columns = (
        inside(k, size, least=0.1, most=0.4) for k, size in ((down, image.shape[0]), (across, image.shape[1]))
    )
    covered = (rows[:, None] & columns[None])[..., None]
    return jnp.where(covered, jax.random.uniform(level, maxval=255.0), image)


def _levels(image: Image) -> Image:
    return jnp.clip(image, 0, 255)
