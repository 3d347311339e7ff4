"""The rows that a metric is taken of, checked once; and the curve that every metric of a ranking is read from."""

from typing import NamedTuple

import numpy as np

from metaforge.errors import InputError
from metaforge.labels import FAKE, REAL

Values = np.ndarray | np.float64
"""One number for every leading index of the scores: float64, shape `scores.shape[:-1]`."""


class Rows(NamedTuple):
    """Checked input: `fake` bool `(rows,)`, `scores` float64 `(..., rows)`, `weights` float64 `(rows,)`.

    `weights` may also be `(resamples, rows)`: values then have a leading axis of resamples.
    """

    fake: np.ndarray
    scores: np.ndarray
    weights: np.ndarray


def weighted_mean(values: np.ndarray, weights: np.ndarray) -> Values:
    # A mean lies between its numbers; rounding of weights that are no whole numbers may put it a last bit beyond.
    return np.clip((values * weights).sum(-1) / weights.sum(), values.min(-1), values.max(-1))


def share(part: Values, whole: Values) -> Values:
    """`part / whole` of sums in another order than the whole's: at most 1, where they differ by their rounding."""
    return np.minimum(part / whole, 1.0)


def accumulated(rows: Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weight of fakes, weight of reals and sum of scores above each threshold, from the highest threshold down.

    Each has shape `(..., rows + 1)` and starts at 0. A position inside a run of equal scores repeats the value from
    before the run, so that only whole runs make steps, and ties are neither won nor lost.
    """
    order = np.argsort(-rows.scores, axis=-1)
    scores = np.take_along_axis(rows.scores, order, -1)
    fake, weights = rows.fake[order], np.take(rows.weights, order, axis=-1)
    whole = np.ones(scores.shape, bool)
    whole[..., :-1] = scores[..., 1:] != scores[..., :-1]
    source = np.maximum.accumulate(np.where(whole, np.arange(1, scores.shape[-1] + 1), 0), axis=-1)
    source = np.concatenate([np.zeros((*source.shape[:-1], 1), int), source], axis=-1)

    def steps(values):
        totals = np.zeros((*values.shape[:-1], values.shape[-1] + 1))
        np.cumsum(values, axis=-1, out=totals[..., 1:])
        return np.take_along_axis(totals, np.broadcast_to(source, totals.shape), -1)

    return steps(weights * fake), steps(weights * ~fake), steps(weights * scores)


def checked(labels, scores, weights, *, both_classes: str = "", probabilities: str = "") -> Rows:
    """Refuses what cannot be measured. `both_classes` and `probabilities` name the metric that needs them."""
    labels, scores = np.asarray(labels), np.asarray(scores, np.float64)
    if labels.ndim != 1 or labels.size == 0 or scores.shape[-1:] != labels.shape:
        raise InputError(
            f"metrics: labels of shape {labels.shape} and scores of shape {scores.shape} do not match. "
            "Give labels (rows,) and scores (..., rows) of at least one row."
        )
    known = (labels == REAL) | (labels == FAKE)
    if not known.all():
        raise InputError(
            f"metrics: label {labels[~known][0]} is neither 0 (real) nor 1 (fake). Map labels to these two."
        )
    if not np.isfinite(scores).all():
        raise InputError("metrics: a score is NaN or infinite. Look for a run that diverged, or leave its rows out.")
    if probabilities and (scores.min(initial=0) < 0 or scores.max(initial=1) > 1):
        raise InputError(f"{probabilities}: scores must be probabilities in [0, 1]. Apply a sigmoid to logits first.")
    weights = np.ones(labels.shape) if weights is None else np.asarray(weights, np.float64)
    if weights.shape != labels.shape or not (np.isfinite(weights).all() and weights.min() >= 0 and weights.max() > 0):
        raise InputError(
            f"metrics: weights must be finite, at least 0, not all 0, of shape {labels.shape}. "
            "Give one number for every row."
        )
    # Only their ratios count. By a power of two, so that no digit changes, they are kept from sums and products that
    # no float64 holds.
    weights = np.ldexp(weights, -int(np.frexp(weights.max())[1]))
    fake = labels == FAKE
    if both_classes and not (weights[fake].sum() > 0 and weights[~fake].sum() > 0):
        missing = "real" if weights[fake].sum() > 0 else "fake"
        raise InputError(f"{both_classes}: not defined without {missing} rows. Give rows of both classes.")
    return Rows(fake, scores, weights)
