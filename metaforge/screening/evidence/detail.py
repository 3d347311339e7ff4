r"""Whether the finest detail is as strong in a face as around it, for what there is of coarser detail.

Octaves are those of a Laplacian pyramid that is not made smaller: $B_1 = I - I * g_1$, $B_2 = I * g_1 - I * g_2$ and
$B_3 = I * g_2 - I * g_4$ with Gaussians $g_s$ of $s$ pixels. Of each the energy is $E_k = \text{med}\, B_k^2$, and

    $r_k = \log E_k(\text{inside}) - \log E_k(\text{around})$.

Hair has more texture than skin in all octaves, which changes each $r_k$ but $r_1 - r_2$ less. What was enlarged,
warped, smoothed or generated lacks the finest octave.

References:
    Burt and Adelson, *The Laplacian Pyramid as a Compact Image Code*, 1983.
"""

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter

from metaforge.screening.evidence.view import View

_BLURS = (1.0, 2.0, 4.0)
_FLOOR = 0.01  # squared grey levels: less than rounding to 8 bits leaves


def octaves(luma: Float[np.ndarray, "height width"]) -> list[np.ndarray]:
    r"""Three octaves, from fine to coarse.

    A wave of $\omega$ radians a pixel keeps $1 - e^{-\omega^2 / 2}$ in the first.

    Example:
        >>> wave = np.tile(np.cos(np.arange(200) * 1.5), (200, 1))
        >>> fine = octaves(wave)[0]
        >>> round(float(fine[100, 50:150].std() / wave[100, 50:150].std()), 2)
        0.68
    """
    blurred = [luma, *(gaussian_filter(luma, blur) for blur in _BLURS)]
    return [blurred[place] - blurred[place + 1] for place in range(len(_BLURS))]


def detail(view: View) -> np.ndarray:
    """How the octaves of a face compare with those around it.

    Returns:
        The finest by the second, inside by around; the second by the third; and the finest alone; all in logarithms.
    """
    inside, around = view.depth > 0.15, view.depth < -0.05
    if min(inside.sum(), around.sum()) < 100:
        return np.full(3, np.nan)
    fine, middle, coarse = (
        float(np.log(np.median(octave[inside] ** 2) + _FLOOR) - np.log(np.median(octave[around] ** 2) + _FLOOR))
        for octave in octaves(view.luma)
    )
    return np.array([fine - middle, middle - coarse, fine])
