r"""Whether the contour of a face looks like one: a blend leaves a step, or a soft belt, that runs along it.

Pixels are ordered by how deep they lie inside the outline, $d$. Along depth the mean profile is $m(d)$, and

    $\text{step}(d) = |m(d + \delta) - m(d - \delta)| / s(d)$

with $s$ the spread of brightness at one depth: a step that runs along the whole contour stands out, one that only
crosses it averages out.
"""

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_gradient_magnitude

from metaforge.screening.evidence.view import View, skin

_DEPTHS = np.arange(0.02, 0.46, 0.04)


def profile(values: np.ndarray, view: View) -> Float[np.ndarray, " depths"]:
    """The median of values on skin at each depth within the outline."""
    where = skin(view)
    rings = [where & (abs(view.depth - depth) < 0.03) for depth in _DEPTHS]
    return np.array([float(np.median(values[ring])) if ring.sum() > 20 else np.nan for ring in rings])


def step_in(means: Float[np.ndarray, " depths"]) -> float:
    """The largest step of a profile beyond what a straight line gives, by how much its steps spread.

    Example:
        >>> step_in(np.array([0.0, 0.0, 0.0, 9.0, 9.0, 9.0])) > step_in(np.arange(6.0))
        True
    """
    steps = np.diff(means)
    usual = np.median(steps)
    return float(np.max(abs(steps - usual)) / (np.median(abs(steps - usual)) + 0.5))


def contour(view: View) -> np.ndarray:
    """Steps in brightness along the contour, and how edges near it compare with those deeper inside.

    Returns:
        The logarithm of the largest step in brightness and of that in colour; of the weakest edges in a belt near the
        contour by those on both sides of it.
    """
    light = step_in(profile(view.luma, view))
    tint = step_in(profile(view.image[..., 0] - view.image[..., 1], view))
    edges = np.log(profile(gaussian_gradient_magnitude(view.luma, 1.0), view) + 0.1)
    belt = float(np.min(edges[2:7]) - (edges[0] + edges[-1]) / 2)
    return np.array([np.log(light + 0.1), np.log(tint + 0.1), belt])
