"""Self-blended images: a face pasted onto itself, a little changed in colour, place and sharpness."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float32
from scipy import ndimage

from metaforge.forgeries.base import Face, Forged, Forgery, forged, to_uint8
from metaforge.forgeries.colour import brightness_contrast, channel_shift, sharpen
from metaforge.forgeries.geometry import grid, linear_weights, move, resize, sample, zoom_about_centre
from metaforge.forgeries.masks import face_outline, fill

RATIOS = (0.25, 0.5, 0.75, 1.0, 1.0, 1.0)
"""What the mask is multiplied by: one of these, drawn evenly."""

_REFERENCE = 256
# The elastic transform's 50 and 7 are pixels of a crop of about this height; they shrink with the image.


def perturb(rng: np.random.Generator, image: Float[np.ndarray, "h w 3"]) -> tuple[np.ndarray, str]:
    """The recipe's change of colour and frequency: what makes the source statistically unlike the target.

    Channel shift of up to 20 grey levels (p .3), brightness and contrast of up to .1, then a downscale by 2 or 4
    (nearest; up again linearly) or a sharpening, evenly. The recipe's change of hue is left out: at its limits it
    rounds to at most one grey level. Below 96 pixels the downscale is always by 2: a quarter of 32 pixels is no face.

    Returns:
        The changed image, in [0, 255], and "downscale" or "sharpen".
    """
    if rng.random() < 0.3:
        image = channel_shift(rng, image, limit=20)
    image = np.clip(brightness_contrast(rng, image, limit=0.1), 0, 255)
    if rng.random() < 0.5:
        height, width = image.shape[:2]
        factor = int(rng.choice([2, 4])) if min(height, width) >= 96 else 2
        small = resize(image, (max(height // factor, 1), max(width // factor, 1)), method="nearest")
        return resize(small, (height, width)), "downscale"
    return np.clip(sharpen(image, alpha=rng.uniform(0.2, 0.5), lightness=rng.uniform(0.5, 1.0)), 0, 255), "sharpen"


def elastic(rng: np.random.Generator, mask: Float[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    """Displaces a mask smoothly at random: noise in [-1, 1] blurred by 7 pixels, times 50, at 256 pixels' height."""
    height, width = mask.shape
    unit = height / _REFERENCE
    # Blurred noise has a deviation of 1 / sigma: to displace by so many per cent at every size, 50 shrinks twice.
    field = [ndimage.gaussian_filter(rng.uniform(-1, 1, mask.shape), 7 * unit) * 50 * unit**2 for _ in range(2)]
    rows, columns = grid(height, width)
    return sample(mask, rows + field[0], columns + field[1], outside="constant")


def blending_mask(
    rng: np.random.Generator, mask: Float[np.ndarray, "h w"], *, ratio: float
) -> Float32[np.ndarray, "h w"]:
    """Makes a hard mask soft as the recipe does: eroded, blurred and scaled, at a size drawn from 192 to 256.

    Resize to the drawn size; Gaussian blur of an odd width from 5 to 25; divide by the maximum; all that is below
    1 becomes 0, so that the mask shrinks; a second blur of an odd width from 5 to 25 with a standard deviation from
    5 to 45; divide by the maximum; resize back; times `ratio`. "Below 1" is judged at 8 bits, as on the recipe's
    masks. Resizing and blurring act along one axis at a time, so each is a product with a small matrix.

    Args:
        rng: draws the sizes, the widths and the deviation.
        mask: in [0, 1], not all 0.
        ratio: the maximum of the result.

    Example:
        >>> mask = np.zeros((32, 32))
        >>> mask[6:26, 8:24] = 1
        >>> float(blending_mask(np.random.default_rng(0), mask, ratio=0.75).max())
        0.75

    References:
        Shiohara and Yamasaki, *Detecting Deepfakes with Self-Blended Images*, 2022, section 3.2.
    """
    sizes = rng.integers(192, 257, 2)
    width_1, width_2 = (int(width) for width in rng.choice(np.arange(5, 26, 2), 2))
    # A blur that names no deviation takes OpenCV's for its width.
    first = _kernel(width_1, 0.3 * ((width_1 - 1) * 0.5 - 1) + 0.8)
    second = _kernel(width_2, rng.uniform(5, 45))
    up, down = [], []
    for size, length in zip(sizes, mask.shape, strict=True):
        up.append(ndimage.correlate1d(linear_weights(int(size), length), first, axis=0, mode="mirror"))
        # Symmetric in its two sides but for the border, where the mask is 0: blur, then resize, in one matrix.
        blur = ndimage.correlate1d(np.eye(int(size), dtype=np.float32), second, axis=0, mode="mirror")
        down.append(linear_weights(length, int(size)) @ blur)
    large = up[0] @ mask.astype(np.float32) @ up[1].T
    large = (large >= large.max() * (1 - 0.5 / 255)).astype(np.float32)
    small = down[0] @ large @ down[1].T
    small[small < 1e-6] = 0
    return np.float32(ratio) * np.minimum(small / small.max(), 1)


def _kernel(width: int, sigma: float) -> np.ndarray:
    weights = np.exp(-0.5 * ((np.arange(width) - width // 2) / sigma) ** 2)
    return weights / weights.sum()


def self_blend(faces: Sequence[Face] = ()) -> Forgery:
    """Pastes a face onto itself, with one of the two copies changed (SBI's recipe).

    1. The mask is the convex hull of the landmarks (of 81, with p .25 only the first 68), or an ellipse.
    2. With p .5 the source, else the target is changed by `perturb`; the target is what `Forged.real` holds.
    3. Source and mask shift by up to 3 % of the width and 1.5 % of the height and scale by .95 to 1 / .95; the mask
       alone is also displaced elastically.
    4. The mask goes through `blending_mask`, with a ratio drawn from `RATIOS`.

    Args:
        faces: not used: this forgery fits nothing.

    References:
        Shiohara and Yamasaki, *Detecting Deepfakes with Self-Blended Images*, 2022, section 3.2.
    """

    def forge(rng: np.random.Generator, face: Face, donor: Face | None = None) -> Forged:
        if face.landmarks is not None and len(face.landmarks) == 81 and rng.random() < 0.25:
            face = face._replace(landmarks=face.landmarks[:68])
        height, width = face.image.shape[:2]
        hull = fill(face_outline(rng, face), (height, width))
        original = face.image.astype(np.float32)
        changed, change = perturb(rng, original)
        source, target, where = changed, face.image, "source"
        if rng.random() < 0.5:
            source, target, where = original, to_uint8(changed, like=face.image), "target"
        shift = (rng.uniform(-0.03, 0.03) * width, rng.uniform(-0.015, 0.015) * height)
        scale = rng.uniform(0.95, 1 / 0.95)
        matrix = zoom_about_centre(hull.shape, scale=scale, shift=shift)
        ratio = float(rng.choice(RATIOS))
        mask = blending_mask(rng, elastic(rng, move(hull, matrix, outside="constant")), ratio=ratio)
        return forged(
            target, move(source, matrix), mask, ratio=ratio, change=change, changed=where, scale=scale, shift=list(shift)
        )

    return Forgery("self_blend", needs_donor=False, forge=forge)
