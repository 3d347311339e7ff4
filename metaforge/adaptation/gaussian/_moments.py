"""A discriminant from sums over images, so that leaving some out is a subtraction."""

from typing import NamedTuple

import numpy as np
from scipy import linalg


class Moments(NamedTuple):
    """Sums over images of one kind and collection, of how far embeddings lie from one origin that all sums share.

    Squares of what lies far from 0 have no digits left for a deviation.
    """

    origin: np.ndarray  # (features,)
    counts: np.ndarray  # of reals and fakes
    sums: np.ndarray  # (2, features)
    squares: np.ndarray  # (features, features), of both classes together
    real_squares: np.ndarray  # (features,)

    def __add__(self, other: "Moments") -> "Moments":  # type: ignore[override]
        return Moments(self.origin, *(a + b for a, b in zip(self[1:], other[1:], strict=True)))

    def __sub__(self, other: "Moments") -> "Moments":
        return Moments(self.origin, *(a - b for a, b in zip(self[1:], other[1:], strict=True)))


class Fit(NamedTuple):
    """A discriminant: its factor, the real images' mean, and the direction, all float64."""

    factor: np.ndarray
    middle: np.ndarray
    shift: np.ndarray  # whitened

    def whiten(self, x: np.ndarray) -> np.ndarray:
        return linalg.solve_triangular(self.factor, (x - self.middle).T, lower=True, check_finite=False).T

    def scores(self, whitened: np.ndarray) -> np.ndarray:
        return whitened @ (self.shift / max(float(np.linalg.norm(self.shift)), 1e-12))


def moments_of(x: np.ndarray, fake: np.ndarray, origin: np.ndarray) -> Moments:
    x = x - origin
    reals = x[~fake]
    return Moments(
        origin,
        np.array([len(reals), fake.sum()], float),
        np.stack([reals.sum(axis=0), x[fake].sum(axis=0)]),
        x.T @ x,
        np.square(reals).sum(axis=0),
    )


def total(parts) -> Moments:
    parts = list(parts)
    found = parts[0]
    for each in parts[1:]:
        found = found + each
    return found


def fitted(moments: Moments, shrinkage: float) -> Fit | None:
    """The discriminant of what is left, or `None` where that is nothing of a class."""
    counts = moments.counts
    if (counts < 2).any():
        return None
    means = moments.sums / counts[:, None]
    within = moments.squares - means.T @ (means * counts[:, None])
    within /= counts.sum()
    deviation = np.sqrt(np.maximum(moments.real_squares / counts[0] - np.square(means[0]), 0.0))
    middle = moments.origin + means[0]
    # What is the same in all images says nothing, and is left as it is.
    deviation = np.where(deviation > 1e-6 * np.abs(middle) + 1e-12, deviation, 1.0)
    matrix = (1 - shrinkage) * within / np.outer(deviation, deviation)
    matrix[np.diag_indices_from(matrix)] += shrinkage
    factor = deviation[:, None] * linalg.cholesky(matrix, lower=True, check_finite=False)
    return Fit(factor, middle, linalg.solve_triangular(factor, means[1] - means[0], lower=True))
