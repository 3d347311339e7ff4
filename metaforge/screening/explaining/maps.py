"""Where on a face the evidence lies: each region filled with its probability, or the head asked at windows.

Windows are regions without names, and finer. On left-out methods their highest point was in the forged part less often
than that of filled regions, and than a point drawn from the face (docs/explaining.md). So `explain` fills regions.
"""

import functools

import numpy as np
from jaxtyping import Float
from PIL import Image

from metaforge.evaluation.calibration.judge import probability
from metaforge.screening.explaining.region_head import RegionHead, standardised, weighed

WINDOWS = 14
"""Windows along each side."""

WIDTH = 1.2
"""Standard deviation of a window, in distances between two windows: about as wide as a region."""


def filled(weights: np.ndarray, probabilities: np.ndarray) -> Float[np.ndarray, "height width"]:
    """Each region with its probability, 0 beyond the face.

    Args:
        weights: of the regions, `(regions, size, size)`, 0 or 1.
        probabilities: `(regions,)`.

    Example:
        >>> print(filled(np.array([[[1, 0]], [[1, 1]], [[0, 0]]]), np.array([0.5, 0.2, 0.9])))
        [[0.5 0.2]]
    """
    return np.max(weights * probabilities[:, None, None], axis=0).astype(np.float64)


@functools.lru_cache(maxsize=4)
def windows(cells: int) -> Float[np.ndarray, "windows cells cells"]:
    """Gaussian windows on a square grid of cells, row by row.

    Args:
        cells: along each side.

    Example:
        >>> found = windows(28)
        >>> found.shape, int(found[0].argmax()), bool((found[0] == found[-1][::-1, ::-1]).all())
        ((196, 28, 28), 0, True)
    """
    step = cells / WINDOWS
    middles = (np.arange(WINDOWS) + 0.5) * step - 0.5
    one = np.exp(-(((np.arange(cells) - middles[:, None]) / step / WIDTH) ** 2) / 2)
    return np.einsum("ar,bc->abrc", one, one).reshape(-1, cells, cells).astype(np.float32)


def cut_windows(weights: np.ndarray, cells: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Windows cut to the face, how much of each region they hold, and how much of them is face.

    Args:
        weights: of the regions, `(regions, size, size)`, 0 or 1.
        cells: of the grid.

    Returns:
        Weights `(windows, cells, cells)`; shares of the regions, `(windows, regions)`, which add up to 1, or are all 0
        of a window that sees no face; and the share of each window that is face, `(windows,)`.
    """
    side = weights.shape[-1] // cells
    areas = weights.reshape(len(weights), cells, side, cells, side).mean((2, 4), dtype=np.float32)
    whole = windows(cells)
    cut = whole * areas.max(0)
    shares = np.einsum("wab,rab->wr", cut, areas)
    face = cut.sum((1, 2)) / whole.sum((1, 2))
    return cut, shares / np.maximum(shares.sum(1, keepdims=True), 1e-9), face


def window_probabilities(
    head: RegionHead,
    features: Float[np.ndarray, "windows size"],
    shares: Float[np.ndarray, "windows regions"],
    face: Float[np.ndarray, " windows"],
    regions: Float[np.ndarray, "regions size"],
    there: np.ndarray,
    *,
    means: np.ndarray,
) -> Float[np.ndarray, " windows"]:
    """The probability that each window is forged, if the image is a forgery: what a region of its mixture would have.

    A window has means of its own, and the deviations of the regions that it holds: how far a map spreads depends on
    where a window ends. One that is less than half face takes the rest of its means from these regions too. A window
    that holds one region, and of it what the region holds, has the region's probability.

    Args:
        head: of the network.
        features: of the windows, as `pooled` gives them.
        shares: of the regions in each window.
        face: how much of each window is face.
        regions: features of the regions.
        there: which regions the image shows.

    Other Arguments:
        means: which features are means, `(size,)`.
    """
    known = standardised(head.mean, head.scale, regions) * there[:, None]
    mixed = shares @ known
    own = standardised(shares @ head.mean, shares @ head.scale + (shares.sum(1, keepdims=True) == 0), features)
    z = np.where(means, mixed + np.clip(2 * face, 0, 1)[:, None] * (own - mixed), mixed)
    around = (1 - shares) * there
    rest = (around @ known) / np.maximum(around.sum(1, keepdims=True), 1e-9)
    scale, offset = (shares @ head.calibration).T
    found = probability(scale * weighed(head, z - rest, rest) + offset)
    return np.where(shares.sum(1) > 0, found, 0.0)


def spread(values: Float[np.ndarray, " windows"], weights: np.ndarray) -> Float[np.ndarray, "size size"]:
    """The windows' probabilities as a map of the image, 0 beyond the face.

    Example:
        >>> print(spread(np.full(196, 0.5), np.ones((1, 28, 28), np.uint8)).mean())
        0.5
    """
    size = weights.shape[-1]
    grid = Image.fromarray(values.reshape(WINDOWS, WINDOWS).astype(np.float32))
    smooth = np.asarray(grid.resize((size, size), Image.Resampling.BICUBIC), np.float64)
    return np.clip(smooth, 0, 1) * (weights.max(0) > 0)
