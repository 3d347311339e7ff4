r"""How noisy a picture is inside and outside a face: what was laid in, or smoothed, has another history.

Noise is what a second difference leaves where nothing happens:

    $\hat\sigma(p)^2 = \frac{1}{36} \overline{(I * N)^2}(p), \quad N = (1, -2, 1)^\top (1, -2, 1)$,

averaged over 7 x 7 pixels; of a region its 20 % quantile counts, so that edges and hair count little.

References:
    Immerkær, *Fast Noise Variance Estimation*, 1996. Mahdian and Saic, *Using Noise Inconsistencies for Blind Image
    Forensics*, 2009.
"""

import numpy as np
from jaxtyping import Float
from scipy.ndimage import convolve, uniform_filter

from metaforge.screening.evidence.view import View

SECOND = np.outer([1.0, -2.0, 1.0], [1.0, -2.0, 1.0])
"""The second difference in both directions."""

_QUANTILE, _FLOOR = 0.2, 0.1  # no picture in 8 bits is known to be less noisy than that


def noise_map(luma: Float[np.ndarray, "height width"]) -> Float[np.ndarray, "height width"]:
    """The local standard deviation of noise, in grey levels.

    Example:
        >>> noisy = np.random.default_rng(0).normal(100, 5, (200, 200))
        >>> bool(abs(noise_map(noisy).mean() - 5) < 0.3)
        True
    """
    # Running sums leave a little below 0 where nothing is.
    power = uniform_filter(convolve(luma, SECOND, mode="reflect") ** 2, 7)
    return np.sqrt(np.maximum(power, 0.0) / 36)


def noise(view: View) -> np.ndarray:
    """How the noise inside a face compares with that outside.

    Returns:
        The logarithm of noise inside by noise outside; of the middle by the border inside; and how much it spreads
        over the face, as the standard deviation of its logarithm.
    """
    found = np.log(np.maximum(noise_map(view.luma), _FLOOR))
    regions = [view.depth > 0.15, view.depth < -0.05, view.depth > 0.5, (view.depth > 0) & (view.depth < 0.2)]
    inside, outside, middle, border = (
        float(np.quantile(found[where], _QUANTILE)) if where.sum() > 50 else np.nan for where in regions
    )
    mine = found[regions[0]]
    return np.array([inside - outside, middle - border, float(mine.std()) if len(mine) else np.nan])
