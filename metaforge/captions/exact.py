"""The annotation of a forgery that was made here: its mask is known, so that nothing need be found."""

import numpy as np
from jaxtyping import Float, UInt8

from metaforge.captions.annotation import Annotation, types_of
from metaforge.captions.cues import CUES
from metaforge.captions.regions import region_coverage, region_masks
from metaforge.captions.thresholds import Thresholds
from metaforge.face_regions import REGIONS

HALF = 0.5
"""A pixel is forged if at least so much of it is."""


def exact(
    real: UInt8[np.ndarray, "height width 3"],
    fake: UInt8[np.ndarray, "height width 3"],
    mask: Float[np.ndarray, "height width"],
    landmarks: Float[np.ndarray, "points 2"] | None = None,
    *,
    thresholds: Thresholds = Thresholds(),  # noqa: B008 - frozen
) -> Annotation:
    """What `annotate` would say of a pair if it found the mask exactly.

    Regions follow from the mask, and cues are measured inside it: noise, compression and their floor play no part in
    where the forgery is said to be.

    Args:
        real: uint8 RGB in [0, 255].
        fake: the image that was made from it.
        mask: how much of each pixel is forged, in [0, 1] (`metaforge.forgeries.Forged`).
        landmarks: as in `annotate`.

    Other Arguments:
        thresholds: what decides; those of the mask are not used.

    Returns:
        An `Annotation`; its answer is "identical" where the mask is empty, "forged" otherwise.

    Example:
        >>> real = np.full((48, 48, 3), 90, np.uint8); fake = real.copy(); fake[20:30, 20:30] += 40
        >>> mask = np.zeros((48, 48)); mask[20:30, 20:30] = 1.0
        >>> found = exact(real, fake, mask)
        >>> found.answer, int(found.mask.sum()), "colour" in found.types
        ('forged', 100, True)
    """
    # What is thinner than half a pixel everywhere is still somewhere.
    forged = mask >= min(HALF, float(mask.max()) or 1.0)
    if not forged.any():
        return Annotation("identical", "Nothing was forged.", (0, 0), None, None, 0.0, {}, (), {}, (), thresholds)
    soft = np.abs(real.astype(np.float64) - fake).mean(axis=-1)
    coverage = {} if landmarks is None else region_coverage(forged, region_masks(landmarks, mask.shape))
    cues = {name: cue.measure(real, fake, forged) for name, cue in CUES.items()}
    regions = tuple(name for name in REGIONS if coverage.get(name, 0.0) > thresholds.region)
    reason = "" if coverage else "No parts are named: there are no landmarks."
    return Annotation(
        "forged", reason, (0, 0), forged, soft, 0.0, coverage, regions, cues, types_of(cues, thresholds), thresholds
    )
