"""Five cues to how a face was forged: each a pure function of the real image, the forged one and the mask.

References:
    Sun et al., *Towards General Visual-Linguistic Face Forgery Detection*, CVPR 2025 (which cues; it publishes neither
    formulas nor thresholds).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, UInt8
from scipy.ndimage import distance_transform_edt, gaussian_filter, gaussian_laplace

from metaforge.captions.shapes import box_of

_SMOOTH = 1 / 160  # of the shorter side: detail that is finer is coding's, before blur and structure are measured
_LEVELS = 32  # of grey, for the co-occurrence matrix
_NEAR = 2.0  # pixels on both sides of the outline
_GREY = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as JPEG has it


def colour_difference(
    real: UInt8[np.ndarray, "height width 3"],
    fake: UInt8[np.ndarray, "height width 3"],
    mask: Bool[np.ndarray, "height width"],
) -> float:
    """How far the mean colour moved: the CIE76 distance of the means in Lab (D65) inside the mask, at least 0.

    Example:
        >>> real = np.full((8, 8, 3), 119, np.uint8)
        >>> round(colour_difference(real, real, np.ones((8, 8), bool)), 1)
        0.0

    References:
        CIE, *Colorimetry*, technical report 15:2004, section 8.2.1.
    """
    means = [_lab(image[mask]).mean(axis=0) for image in (real, fake)]
    return float(np.linalg.norm(means[1] - means[0]))


def blur(
    real: UInt8[np.ndarray, "height width 3"],
    fake: UInt8[np.ndarray, "height width 3"],
    mask: Bool[np.ndarray, "height width"],
) -> float:
    """Octaves by which the variance of the Laplacian fell inside the mask; negative where it rose.

    It is the logarithm to base 2 of real to fake. Both images are first smoothed by a Gaussian of a pixel's deviation,
    in images of 160 pixels: what is finer, compression takes or adds. Each variance is increased by 0.1, some times
    what rounding to whole grey levels makes of it, so that two flat images give 0.

    References:
        Marr and Hildreth, *Theory of Edge Detection*, 1980 (the Laplacian of a Gaussian).
        Pech-Pacheco et al., *Diatom Autofocusing in Brightfield Microscopy: a Comparative Study*, ICPR 2000.
    """
    sigma = _SMOOTH * min(mask.shape)
    box = box_of(mask, 2 + int(4 * sigma))
    ours, theirs = (
        float(gaussian_laplace(_grey(image[box]), sigma, mode="nearest")[mask[box]].var()) + 0.1
        for image in (real, fake)
    )
    return float(np.log2(ours / theirs))


def structure(
    real: UInt8[np.ndarray, "height width 3"],
    fake: UInt8[np.ndarray, "height width 3"],
    mask: Bool[np.ndarray, "height width"],
) -> float:
    r"""How far the windows of the two images stop to correlate inside the mask, on average, in [0, 2].

    It is 1 - s, with the third factor of SSIM: $s = (c + C) / (d_1 d_2 + C)$, with the covariance $c$ and the
    deviations $d$ under a Gaussian window and $C = (0.03 \cdot 255)^2 / 2$. SSIM's other two factors say what colour,
    blur and texture say. Both images are first smoothed by 1.5 pixels and the window is of 2.5, in images of 160
    pixels, so that neither a blur nor added noise nor coding lowers it as a shift does, or another person.

    References:
        Wang et al., *Image Quality Assessment: From Error Visibility to Structural Similarity*, 2004, equation 10.
    """
    fine, wide = (pixels * _SMOOTH * min(mask.shape) for pixels in (1.5, 2.5))
    box = box_of(mask, 2 + int(4 * (fine + wide)))
    ours, theirs = (np.asarray(gaussian_filter(_grey(image[box]), fine)) for image in (real, fake))
    one, other, square, another, product = (
        np.asarray(gaussian_filter(part, wide))[mask[box]]
        for part in (ours, theirs, ours * ours, theirs * theirs, ours * theirs)
    )
    least = (0.03 * 255) ** 2 / 2
    deviations = np.sqrt(np.maximum(square - one**2, 0) * np.maximum(another - other**2, 0))
    return float(1 - ((product - one * other + least) / (deviations + least)).mean())


def texture(
    real: UInt8[np.ndarray, "height width 3"],
    fake: UInt8[np.ndarray, "height width 3"],
    mask: Bool[np.ndarray, "height width"],
) -> float:
    """Octaves by which the contrast of the grey-level co-occurrence rose inside the mask; negative where it fell.

    32 grey levels, neighbours at one pixel in four directions; pairs of which one is outside the mask are left out. A
    fall is what `blur` says, so this one speaks of texture that was added.

    References:
        Haralick, Shanmugam and Dinstein, *Textural Features for Image Classification*, 1973, appendix I (feature 2).
    """
    ours, theirs = (_contrast(image, mask) + 1 / _LEVELS for image in (real, fake))
    return float(np.log2(theirs / ours))


def boundary(
    real: UInt8[np.ndarray, "height width 3"],
    fake: UInt8[np.ndarray, "height width 3"],
    mask: Bool[np.ndarray, "height width"],
) -> float:
    """Octaves by which the gradient across the mask's outline rose, within 2 pixels of it; negative where it fell.

    The gradient's part along the outline does not count. A grey level a pixel is added to both, so that a flat real
    image does not make any seam endless. 0 if the mask has no outline.
    """
    if mask.all() or not mask.any():
        return 0.0
    box = box_of(mask, 8)
    mask = mask[box]
    distance = np.asarray(distance_transform_edt(mask)) - np.asarray(distance_transform_edt(~mask))
    normal = _gradient(np.asarray(gaussian_filter(distance, 1.0)))
    normal /= np.maximum(np.linalg.norm(normal, axis=0), 1e-9)
    near = np.abs(distance) <= _NEAR
    ours, theirs = (
        float(np.abs((_gradient(_grey(image[box])) * normal).sum(axis=0))[near].mean()) + 1 for image in (real, fake)
    )
    return float(np.log2(theirs / ours))


class Cue(NamedTuple):
    """A cue: what it measures and how it is said.

    Attributes:
        measure: `measure(real, fake, mask) -> float`.
        unit: of the value.
        low: the smallest value there is.
        high: the largest.
        says: what is said of a pair whose value exceeds the threshold of the cue's name in `Thresholds`.
    """

    measure: Callable[[np.ndarray, np.ndarray, np.ndarray], float]
    unit: str
    low: float
    high: float
    says: str


_ANY = float("inf")

CUES: dict[str, Cue] = {
    "colour": Cue(colour_difference, "CIE76 distance in Lab", 0.0, _ANY, "the colour differs"),
    "blur": Cue(blur, "octaves of Laplacian variance", -_ANY, _ANY, "detail is blurred"),
    "structure": Cue(structure, "1 - correlation of windows", 0.0, 2.0, "the structure is changed"),
    "texture": Cue(texture, "octaves of GLCM contrast", -_ANY, _ANY, "the texture is rougher"),
    "boundary": Cue(boundary, "octaves of gradient across the outline", -_ANY, _ANY, "the boundary shows"),
}
"""The cues by name; a name is also that of its threshold."""


def _grey(image: np.ndarray) -> Float[np.ndarray, "height width"]:
    return image @ _GREY


def _gradient(image: np.ndarray) -> Float[np.ndarray, "2 height width"]:
    return np.stack([np.gradient(image, axis=0), np.gradient(image, axis=1)])


def _contrast(image: np.ndarray, mask: np.ndarray) -> float:
    """The mean square of the difference of neighbours' levels, which is their co-occurrence's contrast."""
    box = box_of(mask, 0)
    mask, levels = mask[box], (_grey(image[box]) * (_LEVELS / 256)).astype(np.int32)
    total = count = 0
    for one, other in (
        (np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:]),
        (np.s_[:-1, :-1], np.s_[1:, 1:]), (np.s_[:-1, 1:], np.s_[1:, :-1]),
    ):  # fmt: skip
        both = mask[one] & mask[other]
        total += int(((levels[one] - levels[other]) ** 2 * both).sum())
        count += np.count_nonzero(both)
    return total / max(count, 1)


_LINEAR = np.arange(256) / 255
_LINEAR = np.where(_LINEAR > 0.04045, ((_LINEAR + 0.055) / 1.055) ** 2.4, _LINEAR / 12.92)
_TO_XYZ = np.array([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])
_WHITE = np.array([0.95047, 1.0, 1.08883])  # D65, 2 degrees


def _lab(colours: UInt8[np.ndarray, "pixels 3"]) -> Float[np.ndarray, "pixels 3"]:
    """SRGB (IEC 61966-2-1) in Lab, the 256 levels made linear by a table."""
    xyz = _LINEAR[colours] @ (_TO_XYZ / _WHITE[:, None]).T
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)
