r"""The fine texture of skin: pores and noise have one, what was generated, enlarged or smoothed has another.

Of the second difference $r = I * N$ on forehead and cheeks three numbers are taken: how much of the contrast it is,
how heavy its tails are, and how alike its neighbours are,

    $\rho = \overline{r(p)\, r(p + e)} / \overline{r^2}$,

which for white noise is -2/3 along a row or a column, and nearer to 1 for what was interpolated.
"""

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import convolve

from metaforge.screening.evidence.continuity import bands
from metaforge.screening.evidence.noise import SECOND
from metaforge.screening.evidence.view import View, part


def likeness(residual: Float[np.ndarray, "height width"], mask: Bool[np.ndarray, "height width"]) -> float:
    """The correlation of neighbours, the mean of both directions.

    Example:
        >>> white = np.random.default_rng(0).normal(size=(300, 300))
        >>> round(abs(likeness(white, np.ones((300, 300), bool))), 1)
        0.0
    """
    power = float((residual[mask] ** 2).mean())
    if power < 1e-12:
        return 0.0
    found = [(residual * np.roll(residual, -1, axis))[mask].mean() for axis in (0, 1)]
    return float(np.mean(found)) / power


def texture(view: View) -> np.ndarray:
    """The logarithm of fine by coarse contrast, likeness of neighbours, and the logarithm of the kurtosis."""
    where = part(view, "forehead", "left_cheek", "right_cheek") & (view.depth > 0.1)
    if where.sum() < 100:
        return np.full(3, np.nan)
    fine, _, coarse = bands(view.luma)
    residual = convolve(view.luma, SECOND, mode="reflect")
    ratio = np.log(np.median(fine[where] ** 2) + 0.01) - np.log(np.median(coarse[where] ** 2) + 0.01)
    mine = residual[where]
    tails = float((mine**4).mean() / max((mine**2).mean() ** 2, 1e-12))
    return np.array([float(ratio), likeness(residual, where), np.log(tails + 1e-6)])
