"""Metrics of scores: how well they rank fakes above reals, and how far they can be believed as probabilities.

All take `labels`, shape `(rows,)`, 0 for real and 1 for fake, and `scores`, shape `(..., rows)`: the probability of
fake. The leading axes are free and are kept, so a stack of `(seeds, draws, rows)` is one call. `weights`, shape
`(rows,)`, not negative, count every row; whole numbers mean that a row is there so many times. The arithmetic is
float64, whatever the scores were. A metric that does not exist for the rows given raises `InputError`, and is
never NaN. `auc`, `equal_error_rate` and `average_precision` only look at the order of the scores, and take logits too.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from metaforge.errors import InputError
from metaforge.types import FAKE, REAL

Values = np.ndarray | np.float64
"""One number for every leading index of the scores: float64, shape `scores.shape[:-1]`."""


class _Rows(NamedTuple):
    """Checked input: `fake` bool `(rows,)`, `scores` float64 `(..., rows)`, `weights` float64 `(rows,)`."""

    fake: np.ndarray
    scores: np.ndarray
    weights: np.ndarray


def auc(labels: ArrayLike, scores: ArrayLike, *, weights: ArrayLike | None = None) -> Values:
    r"""How often a fake scores higher than a real one: the area under the ROC curve, in [0, 1]; 0.5 is chance.

    $\mathrm{AUC} = \sum_{i\,\text{fake},\,j\,\text{real}} w_i w_j \left([s_i > s_j] + \tfrac12 [s_i = s_j]\right)
    / \sum_{i\,\text{fake},\,j\,\text{real}} w_i w_j$: ties count half, so scores that are all equal give 0.5.

    Args:
        labels: 0 (real) or 1 (fake), shape `(rows,)`.
        scores: higher for fake, finite, shape `(..., rows)`.
        weights: shape `(rows,)`, at least 0; `None` for 1 each.

    Returns:
        float64, shape `(...)`.

    Raises:
        InputError: if the rows of positive weight are of one class only, or the input is malformed.

    Example:
        >>> print(auc([0, 0, 1, 1], [[0.1, 0.4, 0.35, 0.8], [0.5, 0.5, 0.5, 0.5]]))
        [0.75 0.5 ]

    References:
        Fawcett, *An introduction to ROC analysis*, 2006, section 7.
    """
    rows = _checked(labels, scores, weights, both_classes="auc")
    hits, alarms, _ = _accumulated(rows)
    area = (np.diff(alarms) * (hits[..., 1:] + hits[..., :-1]) / 2).sum(-1)
    return area / (hits[..., -1] * alarms[..., -1])


def equal_error_rate(labels: ArrayLike, scores: ArrayLike, *, weights: ArrayLike | None = None) -> Values:
    """The error rate at the threshold where as many fakes are missed as reals are accused, in [0, 1]; 0.5 is chance.

    Between two neighbouring points of the ROC curve the rates are interpolated linearly, so the value is where the
    curve of `auc` crosses the line "missed = accused". (Taking the nearest point instead, as some code of this field
    does, differs by up to half a row of either class.)

    Args:
        labels: 0 (real) or 1 (fake), shape `(rows,)`.
        scores: higher for fake, finite, shape `(..., rows)`.
        weights: shape `(rows,)`, at least 0; `None` for 1 each.

    Returns:
        float64, shape `(...)`.

    Raises:
        InputError: if the rows of positive weight are of one class only, or the input is malformed.

    Example:
        >>> print(equal_error_rate([0, 0, 1, 1], [0.1, 0.6, 0.5, 0.8]))
        0.5
    """
    rows = _checked(labels, scores, weights, both_classes="eer")
    hits, alarms, _ = _accumulated(rows)
    accused = alarms / alarms[..., -1:]
    excess = accused - (1 - hits / hits[..., -1:])  # accused minus missed: climbs from -1 to 1 along the curve
    after = np.argmax(excess >= 0, axis=-1)[..., None]  # the first point at or past the crossing, never point 0
    low, high = np.take_along_axis(excess, after - 1, -1), np.take_along_axis(excess, after, -1)
    start, end = np.take_along_axis(accused, after - 1, -1), np.take_along_axis(accused, after, -1)
    return (start + (end - start) * -low / (high - low))[..., 0][()]


def average_precision(labels: ArrayLike, scores: ArrayLike, *, weights: ArrayLike | None = None) -> Values:
    r"""The precision among the rows called fake, averaged over recall, in [0, 1]; chance is the share of fakes.

    $\mathrm{AP} = \sum_k (R_k - R_{k-1}) P_k$ over the distinct scores, from the highest down; no interpolation.

    Args:
        labels: 0 (real) or 1 (fake), shape `(rows,)`.
        scores: higher for fake, finite, shape `(..., rows)`.
        weights: shape `(rows,)`, at least 0; `None` for 1 each.

    Returns:
        float64, shape `(...)`.

    Raises:
        InputError: if the rows of positive weight are of one class only, or the input is malformed.

    Example:
        >>> print(round(average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 4))
        0.8333
    """
    rows = _checked(labels, scores, weights, both_classes="ap")
    hits, alarms, _ = _accumulated(rows)
    called = hits + alarms
    precision = np.divide(hits, called, out=np.zeros_like(hits), where=called > 0)
    return (np.diff(hits) * precision[..., 1:]).sum(-1) / hits[..., -1]


def accuracy(
    labels: ArrayLike, scores: ArrayLike, *, weights: ArrayLike | None = None, threshold: float = 0.5
) -> Values:
    """The share of rows called right, in [0, 1], where a score above `threshold` means fake.

    A score equal to the threshold is called real, as the larger of two equal logits is.

    Args:
        labels: 0 (real) or 1 (fake), shape `(rows,)`.
        scores: the probability of fake, in [0, 1], shape `(..., rows)`.
        weights: shape `(rows,)`, at least 0; `None` for 1 each.
        threshold: in [0, 1]. Tune it on source domains, never on the rows that are judged.

    Returns:
        float64, shape `(...)`.

    Raises:
        InputError: if the input is malformed.

    Example:
        >>> print(accuracy([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]))
        0.75
    """
    rows = _checked(labels, scores, weights, probabilities="accuracy")
    return _mean((rows.scores > threshold) == rows.fake, rows.weights)


def negative_log_likelihood(labels: ArrayLike, scores: ArrayLike, *, weights: ArrayLike | None = None) -> Values:
    r"""The mean of $-\log p(\text{label})$ in nats: 0 for certain and right, 0.693 for always saying 0.5.

    Scores are kept $2.2 \cdot 10^{-16}$ away from 0 and 1, so one certain and wrong row costs 36 nats, not infinity.

    Args:
        labels: 0 (real) or 1 (fake), shape `(rows,)`.
        scores: the probability of fake, in [0, 1], shape `(..., rows)`.
        weights: shape `(rows,)`, at least 0; `None` for 1 each.

    Returns:
        float64, shape `(...)`.

    Raises:
        InputError: if the input is malformed.

    Example:
        >>> print(round(negative_log_likelihood([0, 1], [0.5, 0.5]), 3))
        0.693
    """
    rows = _checked(labels, scores, weights, probabilities="nll")
    tiny = np.finfo(np.float64).eps
    kept = np.clip(rows.scores, tiny, 1 - tiny)
    return _mean(-np.where(rows.fake, np.log(kept), np.log1p(-kept)), rows.weights)


def brier(labels: ArrayLike, scores: ArrayLike, *, weights: ArrayLike | None = None) -> Values:
    r"""The mean of $(s - y)^2$, in [0, 1]: 0 for certain and right, 0.25 for always saying 0.5.

    Args:
        labels: 0 (real) or 1 (fake), shape `(rows,)`.
        scores: the probability of fake, in [0, 1], shape `(..., rows)`.
        weights: shape `(rows,)`, at least 0; `None` for 1 each.

    Returns:
        float64, shape `(...)`.

    Raises:
        InputError: if the input is malformed.

    Example:
        >>> print(brier([0, 1], [0.5, 1.0]))
        0.125

    References:
        Brier, *Verification of forecasts expressed in terms of probability*, 1950 (half of his score, which sums over
        both classes).
    """
    rows = _checked(labels, scores, weights, probabilities="brier")
    return _mean((rows.scores - rows.fake) ** 2, rows.weights)


def expected_calibration_error(
    labels: ArrayLike, scores: ArrayLike, *, weights: ArrayLike | None = None, bins: int = 15
) -> Values:
    r"""How far scores are from frequencies, in [0, 1]: the mean of |share of fakes - mean score| over `bins` bins.

    $\mathrm{ECE} = \sum_b |\sum_{i \in b} w_i (y_i - s_i)| / \sum_i w_i$. The bins hold equal mass (the same weight of
    rows, lowest scores first), not equal ranges of the score. A row, or rows of one score, across a border are shared
    between the two bins in proportion; so neither the order of the rows nor how ties are broken matters.
    Few rows inflate it: a perfectly calibrated detector has an ECE above 0 on any finite sample.

    Args:
        labels: 0 (real) or 1 (fake), shape `(rows,)`.
        scores: the probability of fake, in [0, 1], shape `(..., rows)`.
        weights: shape `(rows,)`, at least 0; `None` for 1 each.
        bins: how many bins, at least 1.

    Returns:
        float64, shape `(...)`.

    Raises:
        InputError: if the input is malformed.

    Example:
        >>> print(round(expected_calibration_error([0, 1, 1, 1], [0.1, 0.3, 0.8, 0.8], bins=2), 3))
        0.25

    References:
        Guo et al., *On Calibration of Modern Neural Networks*, 2017, section 2; bins of equal mass: Nixon et al.,
        *Measuring Calibration in Deep Learning*, 2019 ("adaptive calibration error").
    """
    rows = _checked(labels, scores, weights, probabilities="ece")
    if bins < 1:
        raise InputError(f"ece: bins must be at least 1, got {bins}. The usual number is 15.")
    hits, alarms, claimed = _accumulated(rows)
    mass, surplus = hits + alarms, hits - claimed
    # The surplus of fakes over what was claimed is a broken line over the mass: read it at the borders of the bins.
    lines = zip(mass.reshape(-1, mass.shape[-1]), surplus.reshape(-1, mass.shape[-1]), strict=True)
    borders = np.array([np.interp(np.linspace(0, m[-1], bins + 1), m, line) for m, line in lines])
    return np.abs(np.diff(borders)).sum(-1).reshape(mass.shape[:-1])[()] / rows.weights.sum()


METRICS: dict[str, Callable[..., Values]] = {
    "auc": auc,
    "accuracy": accuracy,
    "eer": equal_error_rate,
    "ece": expected_calibration_error,
    "nll": negative_log_likelihood,
    "brier": brier,
    "ap": average_precision,
}
"""The metrics by the names that logs, reports and tables use."""


def summary(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None) -> dict[str, Values]:
    """All metrics at once, by the names of `METRICS`: auc, accuracy (at 0.5), eer, ece (15 bins), nll, brier, ap.

    Args:
        labels: 0 (real) or 1 (fake), shape `(rows,)`.
        scores: the probability of fake, in [0, 1], shape `(..., rows)`.
        weights: shape `(rows,)`, at least 0; `None` for 1 each.

    Returns:
        float64 values, each of shape `(...)`.

    Raises:
        InputError: if the rows of positive weight are of one class only, or the input is malformed.

    Example:
        >>> values = summary([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        >>> print(values["auc"], values["accuracy"])
        0.75 0.75
    """
    return {name: metric(labels, scores, weights=weights) for name, metric in METRICS.items()}


def _mean(values: np.ndarray, weights: np.ndarray) -> Values:
    return (values * weights).sum(-1) / weights.sum()


def _accumulated(rows: _Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weight of fakes, weight of reals and sum of scores above each threshold, from the highest threshold down.

    Each has shape `(..., rows + 1)` and starts at 0. A position inside a run of equal scores repeats the value from
    before the run, so that only whole runs make steps, and ties are neither won nor lost.
    """
    order = np.argsort(-rows.scores, axis=-1)
    scores = np.take_along_axis(rows.scores, order, -1)
    fake, weights = rows.fake[order], rows.weights[order]
    whole = np.ones(scores.shape, bool)
    whole[..., :-1] = scores[..., 1:] != scores[..., :-1]
    source = np.maximum.accumulate(np.where(whole, np.arange(1, scores.shape[-1] + 1), 0), axis=-1)
    source = np.concatenate([np.zeros((*source.shape[:-1], 1), int), source], axis=-1)

    def steps(values):
        totals = np.zeros(source.shape)
        np.cumsum(values, axis=-1, out=totals[..., 1:])
        return np.take_along_axis(totals, source, -1)

    return steps(weights * fake), steps(weights * ~fake), steps(weights * scores)


def _checked(labels, scores, weights, *, both_classes: str = "", probabilities: str = "") -> _Rows:
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
    if weights.shape != labels.shape or not (np.isfinite(weights).all() and weights.min() >= 0 and weights.sum() > 0):
        raise InputError(
            f"metrics: weights must be finite, at least 0, not all 0, of shape {labels.shape}. "
            "Give one number for every row."
        )
    fake = labels == FAKE
    if both_classes and not (weights[fake].sum() > 0 and weights[~fake].sum() > 0):
        missing = "real" if weights[fake].sum() > 0 else "fake"
        raise InputError(f"{both_classes}: not defined without {missing} rows. Give rows of both classes.")
    return _Rows(fake, scores, weights)
