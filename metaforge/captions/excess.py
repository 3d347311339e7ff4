"""By how much a mask stands out from the rest of the face: coding lifts all of its edges, a forgery only some."""

import numpy as np
from jaxtyping import Bool, Float

from metaforge.captions.shapes import spread

_AROUND = 0.04  # of the shorter side: the foot of a forgery's soft edge is no measure of coding
_BINS = 5  # of the rest of the face, from the flattest to the busiest
_FEWEST = 50  # pixels that the rest must have
_LEAST = 0.3  # grey levels: a rest that does not differ at all would make any mask endless


def excess(
    soft: Float[np.ndarray, "height width"],
    busy: Float[np.ndarray, "height width"],
    mask: Bool[np.ndarray, "height width"],
    face: Bool[np.ndarray, "height width"],
) -> float | None:
    """How many times the rest of the face the mask differs, pixels that are equally busy compared.

    The noise of a pair is measured outside the face, where there may be no edges like those of eyes and lips. So what
    coding does to these may exceed it. A forgery of a part leaves the rest of the face as coding left it.

    Args:
        soft: by how much the images differ.
        busy: how much there is to code around each pixel of the real image.
        mask: where a forgery may be.
        face: where the face is; all of the image if that is not known.

    Returns:
        The mean difference inside the mask over the mean that pixels of the rest lead to expect there; `None` if the
        mask is empty or leaves nothing of the face.

    Example:
        >>> mask = np.zeros((40, 40), bool); mask[10:20, 10:20] = True
        >>> soft = np.where(mask, 6.0, 2.0)
        >>> excess(soft, np.ones((40, 40)), mask, np.ones((40, 40), bool))
        3.0
    """
    rest = face & ~spread(mask, max(2, round(_AROUND * min(mask.shape))))
    if not mask.any() or np.count_nonzero(rest) < _FEWEST:
        return None
    theirs, apart = busy[rest], soft[rest]
    parts = np.array_split(np.argsort(theirs, kind="stable"), _BINS)
    centres, levels = [np.median(theirs[part]) for part in parts], [apart[part].mean() for part in parts]
    # As for the noise: what there is to code never lowers what coding does.
    expected = np.interp(busy[mask], centres, np.maximum.accumulate(levels))
    return float(soft[mask].mean() / max(expected.mean(), _LEAST))
