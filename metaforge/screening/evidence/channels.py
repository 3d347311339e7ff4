r"""Whether the fine residuals of red, green and blue go together in a face as they do around it.

A sensor with a colour filter measures one colour at each pixel and fills in the others from it (demosaicing), and what
compresses pictures keeps less of colour than of brightness: both make the channels' residuals correlate, all over a
picture alike. Blends, generators and rendering have another correlation. Of the second differences $r_c = c * N$ on
the calmer half of a region, where blurred brightness is flattest and edges count little,

    $z_{cd} = \text{artanh}\,\rho(r_c, r_d)$ (Fisher),

and what counts is $z(\text{inside}) - z(\text{around})$.

References:
    Gallagher and Chen, *Image Authentication by Detecting Traces of Demosaicing*, 2008. Li et al., *Identification of
    Deep Network Generated Images Using Disparities in Color Components*, 2020.
"""

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import convolve, gaussian_gradient_magnitude

from metaforge.screening.evidence.noise import SECOND
from metaforge.screening.evidence.view import View

_PAIRS = ((0, 1), (2, 1), (0, 2))
_LARGEST = 0.999  # of a correlation: a grey picture has 1 everywhere, whose artanh is infinite


def fisher(residuals: Float[np.ndarray, "height width 3"], mask: Bool[np.ndarray, "height width"]) -> np.ndarray:
    """Fisher's z of red with green, blue with green, and red with blue.

    Example:
        >>> one, other = np.random.default_rng(0).normal(size=(2, 300, 300))
        >>> residuals = np.stack([one, one + other, other], axis=-1)
        >>> fisher(residuals, np.ones((300, 300), bool)).round(1).tolist() == [0.9, 0.9, 0.0]
        True
    """
    mine = residuals[mask]
    mine = mine - mine.mean(axis=0)
    power = np.maximum((mine**2).mean(axis=0), 1e-12)
    found = [(mine[:, a] * mine[:, b]).mean() / np.sqrt(power[a] * power[b]) for a, b in _PAIRS]
    return np.arctanh(np.clip(found, -_LARGEST, _LARGEST))


def channels(view: View) -> np.ndarray:
    """The differences of z, inside less around: red with green, blue with green, red with blue."""
    steep = gaussian_gradient_magnitude(view.luma, 2.0)
    residuals = np.stack([convolve(view.image[..., c], SECOND, mode="reflect") for c in range(3)], axis=-1)
    regions = [view.depth > 0.15, view.depth < -0.05]
    if min(region.sum() for region in regions) < 200:
        return np.full(3, np.nan)
    inside, around = (fisher(residuals, region & (steep <= np.median(steep[region]))) for region in regions)
    return inside - around
