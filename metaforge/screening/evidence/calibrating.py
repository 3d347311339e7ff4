r"""From a few numbers to the probability of being fake that they give: logistic regression, in closed Newton steps.

Numbers are standardised, $z = (x - \mu) / \sigma$, held within 4, and enter with their squares, since too smooth may
be as suspicious as too rough:

    $p = \sigma(b + \sum_i u_i z_i + v_i z_i^2)$.

What could not be measured enters as the mean. Real and fake count alike.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

_PENALTY, _STEPS, _FARTHEST = 1.0, 30, 4.0


class Scoring(NamedTuple):
    """What gives a probability to a feature.

    Attributes:
        mean: of each number.
        scale: its standard deviation.
        weights: of numbers, then of their squares, then what is added.
    """

    mean: Float[np.ndarray, " numbers"]
    scale: Float[np.ndarray, " numbers"]
    weights: Float[np.ndarray, " weights"]

    def __call__(self, values: Float[np.ndarray, "faces numbers"]) -> Float[np.ndarray, " faces"]:
        """The probability of being fake, in [0, 1]."""
        return 0.5 * (1 + np.tanh(0.5 * _rows(self, values) @ self.weights))

    def as_json(self) -> dict[str, list[float]]:
        """As plain numbers."""
        return {name: [float(f"{each:.6g}") for each in getattr(self, name)] for name in self._fields}

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> "Scoring":
        """What `as_json` said."""
        return cls(*(np.asarray(found[name], np.float64) for name in cls._fields))


def fit_scoring(values: Float[np.ndarray, "faces numbers"], labels: Int[np.ndarray, " faces"]) -> Scoring:
    """Fits the probability to labelled faces.

    Args:
        values: the numbers of a feature; some may be no numbers.
        labels: 0 for real, 1 for fake.

    Example:
        >>> values = np.random.default_rng(0).normal(size=(400, 1))
        >>> scoring = fit_scoring(values, (values[:, 0] > 0).astype(int))
        >>> bool(scoring(np.array([[2.0]]))[0] > 0.9), bool(abs(scoring(np.array([[np.nan]]))[0] - 0.5) < 0.1)
        (True, True)
    """
    # Medians and quartiles, so that one odd face does not set the scale.
    mean = np.nan_to_num(np.nanmedian(values, axis=0))
    scale = np.maximum(
        np.nan_to_num(np.nanstd(np.clip(values, *np.nanquantile(values, [0.01, 0.99], axis=0)), 0)), 1e-6
    )
    start = Scoring(mean, scale, np.zeros(2 * values.shape[1] + 1))
    rows, labels = _rows(start, values), np.asarray(labels, np.float64)
    share = labels.mean()
    each = np.where(labels == 1, 0.5 / max(share, 1e-6), 0.5 / max(1 - share, 1e-6))
    penalty = np.r_[np.full(rows.shape[1] - 1, _PENALTY), 1e-6]
    weights = start.weights
    for _ in range(_STEPS):
        found = 0.5 * (1 + np.tanh(0.5 * rows @ weights))
        slope = rows.T @ (each * (found - labels)) + penalty * weights
        bend = rows.T @ (rows * (each * found * (1 - found))[:, None]) + np.diag(penalty)
        weights = weights - np.linalg.solve(bend, slope)
    return Scoring(mean, scale, weights)


def _rows(scoring: Scoring, values: np.ndarray) -> np.ndarray:
    z = np.clip((np.asarray(values, np.float64) - scoring.mean) / scoring.scale, -_FARTHEST, _FARTHEST)
    z = np.where(np.isfinite(z), z, 0.0)
    return np.concatenate([z, z**2, np.ones((len(z), 1))], axis=1)
