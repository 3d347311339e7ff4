"""Where a forged image differs from its real one by more than the pair's own noise."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, UInt8
from scipy.ndimage import gaussian_filter, maximum_filter

from metaforge.captions.shapes import box_of, closed, without_holes, without_small_parts, without_spikes
from metaforge.captions.thresholds import Thresholds

_BINS = 5  # of pixels outside the face, from the flattest to the busiest
_MAD = 1.4826  # median absolute deviations to standard deviations of a normal distribution


class Difference(NamedTuple):
    """Where two aligned images differ.

    Attributes:
        mask: where by more than the noise.
        soft: by how many grey levels, in [0, 255], after a median over 3 x 3 pixels.
        floor: the threshold that each pixel was held against, in grey levels.
        noise: the median of `floor` over the image.
        busy: the deviation of the real image's grey levels around each pixel.
    """

    mask: Bool[np.ndarray, "height width"]
    soft: Float[np.ndarray, "height width"]
    floor: Float[np.ndarray, "height width"]
    noise: float
    busy: Float[np.ndarray, "height width"]


def difference(
    real: UInt8[np.ndarray, "height width 3"],
    fake: UInt8[np.ndarray, "height width 3"],
    outside: Bool[np.ndarray, "height width"],
    *,
    thresholds: Thresholds = Thresholds(),  # noqa: B008 - frozen
) -> Difference:
    r"""The pixel-difference mask of an aligned pair.

    $M(p)$ is the absolute difference averaged over channels, then a median over 3 x 3 pixels. A pixel is forged if
    $M(p) > \max(\text{least}, m + \text{noise} \cdot 1.4826 \cdot \text{MAD})$, with median $m$ and median absolute
    deviation of the pixels outside the face. These are sorted into five bins by how busy the real image is around them,
    and a pixel is held against the bins that are as busy as it: a flat backdrop compresses almost without loss, and
    would call the compression of brows and lashes a forgery. Then gaps are closed, holes filled, spikes opened away,
    and small parts dropped.

    A forgery is blended in, and the foot of its soft edge exceeds the noise as well. So a pixel of this mask stays only
    if $M$, smoothed, is there more than the share `half` of its largest value nearby, which is where half of it is
    blended in. What smooth skin leaves open between features is closed again, three times as far.

    A forgery that covers most of what is outside the face too is taken for noise there; see `docs/captions.md`.

    Args:
        real: uint8 RGB in [0, 255].
        fake: uint8 RGB in [0, 255].
        outside: where the face is not; if it is nowhere, only `thresholds.least` counts.

    Other Arguments:
        thresholds: `noise`, `least`, `closing`, `area`, `near` and `half` are used.

    Returns:
        A `Difference`.

    Example:
        >>> real = np.full((40, 40, 3), 90, np.uint8); fake = real.copy(); fake[10:20, 12:24] += 30
        >>> outside = np.ones((40, 40), bool); outside[5:35, 5:35] = False
        >>> found = difference(real, fake, outside)
        >>> int(found.mask.sum()), float(found.soft.max())  # 10 x 12 without its corners, which the median takes
        (116, 30.0)
    """
    apart = np.where(real > fake, real - fake, fake - real)
    soft = _median(apart[..., 0].astype(np.uint16) + apart[..., 1] + apart[..., 2]) / 3.0
    grey = (real[..., 0].astype(np.float64) + real[..., 1] + real[..., 2]) / 3
    busy = np.sqrt(
        np.maximum(np.asarray(gaussian_filter(grey**2, 2.0)) - np.asarray(gaussian_filter(grey, 2.0)) ** 2, 0)
    )
    floor = np.maximum(thresholds.least, _noise(busy, soft, outside, thresholds.noise))
    mask = _blended_in(_tidy(soft > floor, thresholds, thresholds.closing), soft, thresholds)
    return Difference(mask, soft, floor, float(np.median(floor)), busy)


def _noise(busy: np.ndarray, soft: np.ndarray, outside: np.ndarray, deviations: float) -> np.ndarray:
    """The level that noise alone does not reach, by how busy the real image is."""
    if outside.sum() < 10 * _BINS:
        return np.zeros_like(soft)
    theirs, apart = busy[outside], soft[outside]
    # In steps of 1/512 grey level: 16 bits are sorted several times faster, and in the same order everywhere.
    order = np.argsort((theirs * 512).astype(np.uint16), kind="stable")
    centres, levels = [], []
    for part in np.array_split(order, _BINS):
        values = apart[part]
        middle = np.median(values)
        centres.append(np.median(theirs[part]))
        levels.append(middle + deviations * _MAD * np.median(np.abs(values - middle)))
    # Noise grows with what there is to code; a bin that says otherwise is a chance, or a trace of the forgery.
    return np.interp(busy, centres, np.maximum.accumulate(levels))


def _median(image: np.ndarray) -> np.ndarray:
    """The median over 3 x 3 pixels, borders repeated: columns sorted, then the middle of three of their ranks."""
    wide = np.pad(image, 1, mode="edge")
    low, middle, high = _sorted(wide[:-2], wide[1:-1], wide[2:])
    lows, middles, highs = ([part[:, :-2], part[:, 1:-1], part[:, 2:]] for part in (low, middle, high))
    largest_low = np.maximum(np.maximum(lows[0], lows[1]), lows[2])
    smallest_high = np.minimum(np.minimum(highs[0], highs[1]), highs[2])
    return _sorted(largest_low, _sorted(*middles)[1], smallest_high)[1]


def _sorted(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    low, high = np.minimum(a, b), np.maximum(a, b)
    return np.minimum(low, c), np.maximum(low, np.minimum(high, c)), np.maximum(high, c)


def _blended_in(mask: np.ndarray, soft: np.ndarray, thresholds: Thresholds) -> np.ndarray:
    """Where the difference is more than a share of its largest value nearby."""
    if not mask.any():
        return mask
    reach = thresholds.near * min(mask.shape)
    box = box_of(mask, 4 + int(2 * reach))
    smooth = np.asarray(gaussian_filter(soft[box], 0.4 * reach)) * mask[box]
    peak = np.asarray(maximum_filter(smooth, 2 * max(1, round(reach)) + 1))
    core = np.zeros_like(mask)
    core[box] = mask[box] & (smooth > thresholds.half * peak)
    return _tidy(core, thresholds, 3 * thresholds.closing)


def _tidy(mask: np.ndarray, thresholds: Thresholds, closing: float) -> np.ndarray:
    """Gaps closed, holes filled, spikes of a pixel and small parts dropped."""
    if not mask.any():
        return mask
    reach = max(1, round(closing * min(mask.shape)))
    box, tidy = box_of(mask, reach), np.zeros_like(mask)
    whole = without_holes(closed(mask[box], reach))
    tidy[box] = without_small_parts(without_spikes(whole), thresholds.area * mask.size)
    return tidy
