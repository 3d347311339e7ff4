r"""Whether the texture of skin goes on across the border of what may have been laid in.

The power in a band, $E_k = \overline{(I * (g_{s_k} - g_{2 s_k}))^2}$ with Gaussians $g$ of $s = 0.5, 1, 2$ pixels, is
compared just inside and just outside the contours at which blends are made: 10 to 25 % of half the face's width within
its outline.
"""

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter

from metaforge.screening.evidence.view import View, skin

_SCALES = (0.5, 1.0, 2.0)


def bands(luma: Float[np.ndarray, "height width"]) -> list[np.ndarray]:
    """What lies between two blurs, from fine to coarse."""
    return [gaussian_filter(luma, scale) - gaussian_filter(luma, 2 * scale) for scale in _SCALES]


def continuity(view: View) -> np.ndarray:
    """Logarithms of the power inside the border by that outside it, from fine to coarse; and of fine by coarse."""
    where = skin(view)
    inside, outside = where & (view.depth > 0.28) & (view.depth < 0.5), where & (view.depth < 0.1)
    if min(inside.sum(), outside.sum()) < 50:
        return np.full(3, np.nan)
    power = [[np.log(np.median(band[mask] ** 2) + 0.01) for mask in (inside, outside)] for band in bands(view.luma)]
    fine, middle, coarse = (float(one - other) for one, other in power)
    return np.array([fine, middle, fine - coarse])
