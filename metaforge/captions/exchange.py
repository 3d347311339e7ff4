"""Whether the real and the forged image of a pair may have been exchanged, as far as the two can tell."""

import numpy as np
from jaxtyping import Bool, UInt8
from scipy.ndimage import laplace

from metaforge.captions.thresholds import Thresholds

NOTE = "Perhaps the two images are exchanged: where the structure differs, the forged one has more detail."
_CLEARLY = 1.5  # times its threshold, by which the structure must differ


def perhaps_exchanged(
    real: UInt8[np.ndarray, "height width 3"],
    fake: UInt8[np.ndarray, "height width 3"],
    mask: Bool[np.ndarray, "height width"],
    structure: float,
    *,
    thresholds: Thresholds = Thresholds(),  # noqa: B008 - frozen
) -> bool:
    """Whether the image that is said to be forged is the more detailed one, where the content is another.

    What is moved, resized or pasted is interpolated, and loses detail against its surroundings; the real image does
    not. So the rule speaks only where the structure differs clearly. Of a colour that differs, a blur or added noise
    the two images look alike in both orders, and nothing is said. `docs/captions.md` says how often it is right.

    Args:
        real: uint8 RGB in [0, 255].
        fake: uint8 RGB in [0, 255].
        mask: where they differ.
        structure: the cue of that name.

    Other Arguments:
        thresholds: `structure` and `exchanged` are used.
    """
    if structure <= _CLEARLY * thresholds.structure or mask.all() or not mask.any():
        return False
    return detail_rise(real, fake, mask) > thresholds.exchanged


def detail_rise(
    real: UInt8[np.ndarray, "height width 3"],
    fake: UInt8[np.ndarray, "height width 3"],
    mask: Bool[np.ndarray, "height width"],
) -> float:
    """Octaves by which the mean square of the Laplacian rises from real to fake inside the mask, less those outside.

    With the images exchanged it is the same with the other sign.
    """
    ours, theirs = (
        np.square(np.asarray(laplace(image.astype(np.float32) @ np.full(3, 1 / 3, np.float32), mode="nearest")))
        for image in (real, fake)
    )
    inside, beyond = (np.log2((theirs[where].mean() + 1) / (ours[where].mean() + 1)) for where in (mask, ~mask))
    return float(inside - beyond)
