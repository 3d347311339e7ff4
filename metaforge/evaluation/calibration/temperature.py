"""Logits as probabilities: one scale (an inverse temperature) and one offset, fitted on rows that were held out."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from metaforge.errors import InputError
from metaforge.evaluation._rows import checked
from metaforge.evaluation.calibration._stored import number, stored


class Calibration(NamedTuple):
    r"""A logit $z$ becomes $sz + o$ with a scale $s > 0$, so that no order and no AUC changes.

    Attributes:
        scale: above 0; below 1 for a detector that is too sure.
        offset: what is added.

    Example:
        >>> print(Calibration(0.5, 1.0)([-2.0, 4.0]))
        [0. 3.]
        >>> Calibration.from_json(Calibration(0.5, 1.0).as_json())
        Calibration(scale=0.5, offset=1.0)
    """

    scale: float = 1.0
    offset: float = 0.0

    def __call__(self, logits: ArrayLike) -> np.ndarray:
        """Calibrated logits, float64, of the shape of `logits`."""
        return self.scale * np.asarray(logits, np.float64) + self.offset

    def as_json(self) -> dict[str, float]:
        """What a file holds of it."""
        return self._asdict()

    @classmethod
    def from_json(cls, found: Any) -> "Calibration":
        """What `as_json` wrote.

        Raises:
            InputError: for anything else.
        """
        found = stored(found, cls._fields, "a scale and an offset")
        # A scale of 0 would make all images equal.
        scale = number(found["scale"], "the scale", low=np.finfo(np.float64).tiny)
        return cls(scale, number(found["offset"], "the offset"))


def fit_calibration(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    prior: Calibration | None = None,
    strength: float = 4.0,
) -> Calibration:
    r"""The scale and the offset under which logits are those of frequencies, where half of the images are fake.

    The least of $\sum_i w_i \log(1 + e^{\mp (s z_i + o)}) + \tfrac{\lambda}{2} ((\log s - \log s_0)^2 + (o - o_0)^2)$,
    the minus for fakes: penalised maximum likelihood. Both classes have the same weight,
    $h = 2 n_0 n_1 / (n_0 + n_1)$ of $n_0$ reals and $n_1$ fakes. It is the number of each in a balanced set that would
    say as much, and is 0 without one of the classes: reals alone do not say where fakes lie, and nothing moves.
    So no row, or one class, gives the prior, few rows stay near to it, and many give the maximum of the likelihood.

    The sum is convex in $(s, o)$ but not in $(\log s, o)$, where the penalty is a parabola. So Newton's steps are those
    of the Hessian where it is positive definite, and elsewhere those of Fisher's information plus $\lambda$, which
    always is, and a step is halved until the sum falls. There can be two minima, near the prior and near the scale at
    which the logits' deviation is 1. It starts from both, and the lower one counts.

    Args:
        logits: higher for fake, finite, shape `(rows,)`. Each is to be scored by a fit without the collection (camera,
            source, data set) of its image: scores of what was trained on are too sure.
        labels: 0 (real) or 1 (fake), shape `(rows,)`.

    Other Arguments:
        weights: shape `(rows,)`, at least 0, `None` for 1 each. Only their ratios count. The number of rows of a class
            is then $(\sum w)^2 / \sum w^2$.
        prior: what is believed before any row: scale 1 and offset 0 if left out.
        strength: $\lambda$, above 0. The prior's standard deviation is $1 / \sqrt{\lambda}$: by default, a factor of
            1.65 in the scale, and 0.5 in the offset.

    Returns:
        Its calibration; with other rows it can be the `prior` of a further fit.

    Raises:
        InputError: if a logit is not finite, the shapes do not match, or `strength` is not above 0.

    Example:
        >>> fitted = fit_calibration([-3.0, -1.0, 1.0, 1.0, 3.0, -1.0], [0, 0, 0, 1, 1, 1])
        >>> print(f"{fitted.scale:.2f} {abs(fitted.offset):.2f}")
        0.90 0.00
        >>> fit_calibration([], [], prior=Calibration(2.0, -1.0))
        Calibration(scale=2.0, offset=-1.0)

    References:
        Platt, *Probabilistic outputs for support vector machines*, 1999; Guo et al., *On Calibration of Modern Neural
        Networks*, 2017, section 4.2.
    """
    prior = Calibration() if prior is None else prior
    if not 0 < strength < math.inf:
        raise InputError(f"fit_calibration: strength is {strength}. Give a number above 0; 4 is the usual one.")
    if np.size(labels) == 0 and np.size(logits) == 0:
        return prior
    rows = checked(labels, logits, weights)
    if rows.scores.ndim != 1:
        raise InputError(f"fit_calibration: logits of shape {rows.scores.shape}. Give those of one detector, (rows,).")
    weight = _balanced(rows.fake, rows.weights)
    if not weight.any():
        return prior
    centre = np.array([math.log(prior.scale), prior.offset])
    middle = float(np.average(rows.scores, weights=weight))
    spread = math.sqrt(np.average((rows.scores - middle) ** 2, weights=weight))
    starts = [centre]
    if spread > 0:
        starts.append(np.array([-math.log(spread), -middle / spread]))
    signs = np.where(rows.fake, 1.0, -1.0)
    # A start far off may overflow; its step is then halved.
    with np.errstate(over="ignore", invalid="ignore"):
        fits = [_descend(start, rows.scores, signs, weight, centre, strength) for start in starts]
    _, (log_scale, offset) = min(fits, key=lambda fit: fit[0])
    return Calibration(math.exp(log_scale), float(offset))


def _balanced(fake: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weights of rows of which each class has the harmonic mean of both numbers of rows; all 0 without one class."""
    balanced = np.zeros(len(weights))
    classes = [kind for kind in (fake, ~fake) if weights[kind].any()]
    if len(classes) == 2:
        counts = [weights[kind].sum() ** 2 / (weights[kind] ** 2).sum() for kind in classes]
        each = 2 * counts[0] * counts[1] / (counts[0] + counts[1])
        for kind in classes:
            balanced[kind] = weights[kind] * (each / weights[kind].sum())
    return balanced


def _descend(
    at: np.ndarray, logits: np.ndarray, signs: np.ndarray, weight: np.ndarray, centre: np.ndarray, strength: float
) -> tuple[float, np.ndarray]:
    """Newton's method from one start: the least sum found, and the log scale and offset there."""

    def total(point):
        margin = signs * (np.exp(point[0]) * logits + point[1])
        return float(weight @ np.logaddexp(0, -margin) + strength / 2 * ((point - centre) ** 2).sum())

    best = total(at)
    if not math.isfinite(best):
        return math.inf, at
    for _ in range(100):
        scaled = np.exp(at[0]) * logits
        chance = (1 + np.tanh((scaled + at[1]) / 2)) / 2
        missed = weight * (chance - (signs > 0))
        curved = weight * chance * (1 - chance)
        gradient = np.array([missed @ scaled, missed.sum()]) + strength * (at - centre)
        fisher = np.array([[curved @ scaled**2, curved @ scaled], [curved @ scaled, curved.sum()]])
        fisher += strength * np.eye(2)
        hessian = fisher + np.diag([missed @ scaled, 0.0])
        if hessian[0, 0] > 0 and np.linalg.det(hessian) > 1e-6 * np.linalg.det(fisher):
            step = np.linalg.solve(hessian, gradient)
        else:
            step = np.linalg.solve(fisher, gradient)
        # Half of this is what the step is to gain. Below the sum's own rounding there is nothing to gain.
        if not gradient @ step > 1e-14 * (1 + best):
            break
        size, lower = 1.0, best
        for _ in range(60):
            lower = total(at - size * step)
            if lower < best:
                break
            size /= 2
        if not lower < best:
            break
        at, best = at - size * step, lower
    return best, at
