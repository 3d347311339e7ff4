"""Colour operations on grey levels: shifts, contrast, sharpening, and giving one face the colours of another."""

import numpy as np
from jaxtyping import Float, Float32
from scipy import ndimage
from skimage.color import lab2rgb, rgb2lab

from metaforge.forgeries.base import as_grey, is_grey


def brightness_contrast(
    rng: np.random.Generator, image: Float[np.ndarray, "h w 3"], *, limit: float
) -> Float[np.ndarray, "h w 3"]:
    """Multiplies by 1 plus a draw from [-limit, limit] and adds 255 times another."""
    gain, offset = rng.uniform(-limit, limit, 2)
    return image * np.float32(1 + gain) + np.float32(255 * offset)


def channel_shift(
    rng: np.random.Generator, image: Float[np.ndarray, "h w 3"], *, limit: float
) -> Float[np.ndarray, "h w 3"]:
    """Adds to each channel its own draw from [-limit, limit], in grey levels."""
    return image + rng.uniform(-limit, limit, 3).astype(np.float32)


def sharpen(
    image: Float[np.ndarray, "h w 3"], *, alpha: float, lightness: float
) -> Float32[np.ndarray, "h w 3"]:
    """Adds `alpha` of a 3 x 3 edge kernel, whose centre is 8 + `lightness`, to 1 - `alpha` of the image.

    Example:
        >>> flat = np.full((4, 4, 3), 10.0)
        >>> sharpen(flat, alpha=0.5, lightness=1.0)[1, 1].tolist()
        [10.0, 10.0, 10.0]
    """
    kernel = np.full((3, 3), -alpha, np.float32)
    kernel[1, 1] = alpha * (8 + lightness) + 1 - alpha
    return ndimage.convolve(image.astype(np.float32), kernel[..., None], mode="mirror")


def transfer(
    source: Float[np.ndarray, "h w 3"],
    target: Float[np.ndarray, "h w 3"],
    mask: Float[np.ndarray, "h w"],
    *,
    strength: float = 1.0,
    spread: bool = True,
) -> Float32[np.ndarray, "h w 3"]:
    r"""Gives `source` the mean and the standard deviation that `target` has inside a mask.

    Per channel $s' = \mu_t + (s - \mu_s)\, \sigma_t / \sigma_s$, with moments weighted by the mask: in CIE L*a*b*,
    or, if the target is grey, in brightness. The ratio of deviations is held within [0.5, 2].

    Args:
        source: grey levels in [0, 255].
        target: the same.
        mask: the weights; not all 0.
        strength: 1 for all of the transfer, 0 for none.
        spread: whether to match the deviation also, or the mean alone.

    Returns:
        Grey levels, which may leave [0, 255] a little.

    References:
        Reinhard et al., *Color Transfer between Images*, 2001, eq. 10 and 11 (there in another opponent space).
    """
    grey = is_grey(target)
    if grey:
        given, wanted = as_grey(source)[..., :1], target[..., :1]
    else:
        given, wanted = (rgb2lab(np.clip(x, 0, 255) / np.float32(255)) for x in (source, target))
    weight = (mask / mask.sum())[..., None]
    mean_given, mean_wanted = (weight * given).sum((0, 1)), (weight * wanted).sum((0, 1))
    ratio = np.ones_like(mean_given)
    if spread:
        deviation = [np.sqrt((weight * (x - m) ** 2).sum((0, 1))) for x, m in ((given, mean_given), (wanted, mean_wanted))]
        ratio = np.clip((deviation[1] + 1e-3) / (deviation[0] + 1e-3), 0.5, 2.0)
    moved = given + strength * (mean_wanted + (given - mean_given) * ratio - given)
    if grey:
        return np.repeat(moved, 3, axis=2).astype(np.float32)
    moved[..., 0] = np.clip(moved[..., 0], 0, 100)
    # Colours that the screen does not have are clipped here on purpose, before the conversion would warn of them.
    luminance = (moved[..., 0] + 16) / 116
    moved[..., 2] = np.minimum(moved[..., 2], 200 * luminance)
    return (255 * lab2rgb(moved)).astype(np.float32)
