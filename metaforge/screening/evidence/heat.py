r"""Where a score comes from: how far it falls when a part of the face is covered.

For a cell $c$ of a grid over the crop $x$, with the crop's mean colour $\bar x$ laid over it,

    $H_c = f(x) - f(x_{c \leftarrow \bar x})$,

with the logit $f$: above 0 the part speaks for a forgery, below 0 against. Any detector can be asked so, since only its
logits are needed. It says what the detector looks at, not where a face was forged; `rank_correlation` with the map of a
detector with random weights says how far a map depends on what was learned at all.

References:
    Zeiler and Fergus, *Visualizing and Understanding Convolutional Networks*, 2014. Adebayo et al., *Sanity Checks for
    Saliency Maps*, 2018.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, UInt8

from metaforge.errors import InputError

GRID = 8
"""Cells on a side."""


def occlusion_map(
    logits: Callable[[UInt8[np.ndarray, "crops size size 3"]], Float[np.ndarray, " crops"]],
    crop: UInt8[np.ndarray, "size size 3"],
    *,
    grid: int = GRID,
) -> Float[np.ndarray, "grid grid"]:
    """How far the logit falls when each cell is covered.

    Args:
        logits: of a batch of crops; called once.
        crop: uint8 RGB in [0, 255].

    Other Arguments:
        grid: cells on a side.

    Raises:
        InputError: if the grid has more cells than the crop has pixels.

    Example:
        >>> crop = np.zeros((4, 4, 3), np.uint8)
        >>> crop[:2, :2] = 200
        >>> brightness = lambda crops: crops.astype(float).mean(axis=(1, 2, 3))
        >>> occlusion_map(brightness, crop, grid=2).tolist()
        [[37.5, -12.5], [-12.5, -12.5]]
    """
    size = len(crop)
    if not 1 <= grid <= size:
        raise InputError(f"heat map: a grid of {grid} on a crop of {size} pixels. Give 1 to {size}.")
    mean = np.rint(crop.mean(axis=(0, 1))).astype(np.uint8)
    ends = np.rint(np.linspace(0, size, grid + 1)).astype(int)
    covered = np.repeat(crop[None], grid * grid + 1, axis=0)
    for row in range(grid):
        for column in range(grid):
            place = covered[1 + row * grid + column]
            place[ends[row] : ends[row + 1], ends[column] : ends[column + 1]] = mean
    found = np.asarray(logits(covered), np.float64)
    return (found[0] - found[1:]).reshape(grid, grid)


def rank_correlation(one: Float[np.ndarray, "..."], other: Float[np.ndarray, "..."]) -> float:
    """Spearman's correlation of two maps, in [-1, 1]; 0 if one of them is the same everywhere.

    Example:
        >>> rank_correlation(np.array([1.0, 2.0, 9.0]), np.array([3.0, 4.0, 5.0]))
        1.0
    """
    from scipy.stats import rankdata

    ranks = [rankdata(np.ravel(each)) for each in (one, other)]
    if any(np.ptp(each) == 0 for each in ranks):
        return 0.0
    return float(np.round(np.corrcoef(*ranks)[0, 1], 12))


def sentence(heat: Float[np.ndarray, "grid grid"]) -> str:
    """What a map says, in words.

    Example:
        >>> sentence(np.array([[0.0, 0.0], [0.0, 1.5]]))
        "The score's logit falls most, by 1.50, where the lower right of the crop is covered."
        >>> sentence(-np.ones((2, 2)))
        'Wherever the crop is covered, the score rises.'
    """
    where, fall = hottest(heat)
    if fall > 0:
        return f"The score's logit falls most, by {fall:.2f}, where the {where} of the crop is covered."
    return "Wherever the crop is covered, the score rises."


_PLACES = (("upper left", "top", "upper right"), ("left", "middle", "right"), ("lower left", "bottom", "lower right"))


def hottest(heat: Float[np.ndarray, "grid grid"]) -> tuple[str, float]:
    """Where in the crop the logit falls most, in words, and by how much.

    Example:
        >>> hottest(np.array([[0.0, 0.0], [0.0, 1.5]]))
        ('lower right', 1.5)
    """
    row, column = np.unravel_index(int(np.argmax(heat)), heat.shape)
    third = lambda place, count: min(int(3 * (place + 0.5) / count), 2)
    return _PLACES[third(row, heat.shape[0])][third(column, heat.shape[1])], float(heat.max())
