"""A linear head in closed form that says of other features what a teacher said."""

import numpy as np
from scipy import linalg

from metaforge.adaptation.gaussian import Head

PENALTIES = tuple(10.0**power for power in range(-3, 7))
"""That are tried, in units of the mean square of a feature."""


def taught_head(features: np.ndarray, logits: np.ndarray) -> Head:
    r"""Ridge regression of a teacher's logits on features: no labels are needed, and no steps.

    $\min_{w, b} \sum_i (w^\top x_i + b - t_i)^2 + \lambda \|w\|^2$ with the $\lambda$ whose sum of squared errors of
    images that are left out one by one is the smallest, which the fit to all gives too:
    $e_i = (t_i - \hat t_i) / (1 - h_i)$ with $h$ the diagonal of the matrix that makes $\hat t$ of $t$.

    Args:
        features: `(images, features)`.
        logits: $t$, `(images,)`.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> seen = rng.normal(size=(50, 3))
        >>> head = taught_head(seen, seen @ np.array([1.0, -2.0, 0.5]) + 4.0)
        >>> print(np.asarray(head.weights).round(2), round(float(head.bias), 2))
        [ 1.  -2.   0.5] 4.0
    """
    seen, said = np.asarray(features, np.float64), np.asarray(logits, np.float64)
    middle, mean = seen.mean(axis=0), said.mean()
    left, sizes, right = linalg.svd(seen - middle, full_matrices=False)
    along = left.T @ (said - mean)
    # Where no feature ever moves, as of a single image, nothing is to be shrunk and the head is the mean.
    unit = np.sum(sizes**2) / max(seen.shape[1], 1) or 1.0
    best = (np.inf, 0.0)
    for penalty in PENALTIES:
        shrunk = sizes**2 / (sizes**2 + penalty * unit)
        # The mean is fitted too.
        own = (left**2) @ shrunk + 1 / len(said)
        errors = (said - mean - left @ (shrunk * along)) / np.maximum(1 - own, 1e-9)
        best = min(best, (float(np.sum(errors**2)), penalty))
    weights = right.T @ (sizes / (sizes**2 + best[1] * unit) * along)
    return Head(weights.astype(np.float32), np.float32(mean - middle @ weights))  # type: ignore[arg-type]
