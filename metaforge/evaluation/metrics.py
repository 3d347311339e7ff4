"""Metrics of scores: how well they rank fakes above reals, and how far they can be believed as probabilities.

All take `labels`, shape `(rows,)`, 0 for real and 1 for fake, and `scores`, shape `(..., rows)`: the probability of
fake. The leading axes are free and are kept, so a stack of `(seeds, draws, rows)` is one call. `weights`, shape
`(rows,)`, not negative, count every row; whole numbers mean that a row is there so many times. The arithmetic is
float64, whatever the scores were. A metric that does not exist for the rows given raises `InputError`, and is
never NaN. `auc`, `equal_error_rate`, `eer_knot`, `average_precision` and `tpr_at_fpr` only look at the order of the
scores, and take logits too.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from metaforge.errors import InputError
from metaforge.evaluation._rows import Rows, Values, accumulated, checked, share, weighted_mean
from metaforge.evaluation.thresholds import accuracy, eer_knot, hits_of, tpr_at_fpr


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
    rows = checked(labels, scores, weights, both_classes="auc")
    hits, alarms, _ = accumulated(rows)
    area = (np.diff(alarms) * (hits[..., 1:] + hits[..., :-1]) / 2).sum(-1)
    return share(area, hits[..., -1] * alarms[..., -1])


def equal_error_rate(labels: ArrayLike, scores: ArrayLike, *, weights: ArrayLike | None = None) -> Values:
    """The error rate at the threshold where as many fakes are missed as reals are accused, in [0, 1]; 0.5 is chance.

    Between two neighbouring points of the ROC curve the rates are interpolated linearly, so the value is where the
    curve of `auc` crosses the line "missed = accused". (DeepfakeBench takes a nearby corner of the curve instead; that
    rule is `eer_knot`. Say beside a table which one it holds.)

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
    return _crossing(checked(labels, scores, weights, both_classes="eer"))


def _crossing(rows: Rows) -> Values:
    hits, alarms, _ = accumulated(rows)
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
    return _average_precision(checked(labels, scores, weights, both_classes="ap"))


def _average_precision(rows: Rows) -> Values:
    hits, alarms, _ = accumulated(rows)
    called = hits + alarms
    precision = np.divide(hits, called, out=np.zeros_like(hits), where=called > 0)
    return share((np.diff(hits) * precision[..., 1:]).sum(-1), hits[..., -1])


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
    rows = checked(labels, scores, weights, probabilities="nll")
    return weighted_mean(_surprise(rows), rows.weights)


def _surprise(rows: Rows) -> np.ndarray:
    tiny = np.finfo(np.float64).eps
    kept = np.clip(rows.scores, tiny, 1 - tiny)
    return -np.where(rows.fake, np.log(kept), np.log1p(-kept))


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
    rows = checked(labels, scores, weights, probabilities="brier")
    return weighted_mean(_squared_error(rows), rows.weights)


def _squared_error(rows: Rows) -> np.ndarray:
    return (rows.scores - rows.fake) ** 2


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
    rows = checked(labels, scores, weights, probabilities="ece")
    if bins < 1:
        raise InputError(f"ece: bins must be at least 1, got {bins}. The usual number is 15.")
    return _calibration_error(rows, bins)


def _calibration_error(rows: Rows, bins: int = 15) -> Values:
    hits, alarms, claimed = accumulated(rows)
    mass, surplus = hits + alarms, hits - claimed
    # The surplus of fakes over what was claimed is a broken line over the mass: read it at the borders of the bins.
    lines = zip(mass.reshape(-1, mass.shape[-1]), surplus.reshape(-1, mass.shape[-1]), strict=True)
    borders = np.array([np.interp(np.linspace(0, m[-1], bins + 1), m, line) for m, line in lines])
    return share(np.abs(np.diff(borders)).sum(-1).reshape(mass.shape[:-1])[()], mass[..., -1])


METRICS: dict[str, Callable[..., Values]] = {
    "auc": auc,
    "accuracy": accuracy,
    "eer": equal_error_rate,
    "ece": expected_calibration_error,
    "nll": negative_log_likelihood,
    "brier": brier,
    "ap": average_precision,
    "tpr_at_fpr1": partial(tpr_at_fpr, fpr=0.01),
    "tpr_at_fpr5": partial(tpr_at_fpr, fpr=0.05),
    "eer_knot": eer_knot,
}
"""The metrics by the names that logs, reports and tables use. `eer` is interpolated, `eer_knot` is not."""

ROW_VALUES: dict[str, Callable[[Rows], np.ndarray]] = {"accuracy": hits_of, "nll": _surprise, "brier": _squared_error}
"""Of metrics that are means over rows: what each row, shape `(..., rows)`, contributes."""

OF_RESAMPLES: dict[str, Callable[[Rows], Values]] = {
    "ap": _average_precision,
    "ece": _calibration_error,
}
"""Metrics of many resamples at once: of `Rows` with weights `(resamples, rows)`. Accuracy, NLL and the Brier score are
sums over clusters, and AUC and EER have ways of their own; the rest are taken of one resample after the other."""


def summary(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None) -> dict[str, Values]:
    """All metrics at once, by the names of `METRICS`: `accuracy` at 0.5, `ece` with 15 bins.

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


def per_method(
    labels: ArrayLike, scores: ArrayLike, methods: ArrayLike, metric: str, *, weights: ArrayLike | None = None
) -> dict[str, Values]:
    """A metric for each forgery method: its fakes against all reals.

    Every value has the same reals, so the values are not independent of each other.

    Args:
        labels: 0 (real) or 1 (fake), shape `(rows,)`.
        scores: the probability of fake, shape `(..., rows)`.
        methods: text, shape `(rows,)`: how each fake was forged; what it says of a real is not looked at.
        metric: a name in `METRICS`.
        weights: shape `(rows,)`, at least 0; `None` for 1 each.

    Returns:
        Method to float64 of shape `(...)`, sorted by method.

    Raises:
        InputError: if a fake has no method, there is no fake, the metric is unknown, or the metric refuses the rows.

    Example:
        >>> found = per_method([0, 0, 1, 1], [0.1, 0.4, 0.3, 0.8], ["", "", "swap", "reenact"], "auc")
        >>> {method: float(value) for method, value in found.items()}
        {'reenact': 1.0, 'swap': 0.5}
    """
    if metric not in METRICS:
        raise InputError(f"per_method: unknown metric {metric!r}. Known: {', '.join(METRICS)}.")
    rows, methods = checked(labels, scores, weights), np.asarray(methods)
    if methods.shape != rows.fake.shape:
        raise InputError(f"per_method: {methods.shape} methods for {rows.fake.shape} rows. Give one for every row.")
    names = set(methods[rows.fake].tolist())
    if not names or not all(isinstance(name, str) and name for name in names):
        raise InputError("per_method: a fake has no method, or there is no fake. Name the method of every fake row.")
    found = {}
    for name in sorted(names):
        kept = ~rows.fake | (methods == name)
        found[name] = METRICS[metric](rows.fake[kept], rows.scores[..., kept], weights=rows.weights[kept])
    return found
