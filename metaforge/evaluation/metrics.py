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
from metaforge.evaluation._rows import Rows, Values, checked
from metaforge.evaluation.probabilities import (
    brier,
    calibration_error_of,
    expected_calibration_error,
    negative_log_likelihood,
    squared_error_of,
    surprise_of,
)
from metaforge.evaluation.ranking import auc, average_precision, equal_error_rate, precision_of
from metaforge.evaluation.thresholds import accuracy, eer_knot, hits_of, tpr_at_fpr

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

ROW_VALUES: dict[str, Callable[[Rows], np.ndarray]] = {
    "accuracy": hits_of,
    "nll": surprise_of,
    "brier": squared_error_of,
}
"""Of metrics that are means over rows: what each row, shape `(..., rows)`, contributes."""

OF_RESAMPLES: dict[str, Callable[[Rows], Values]] = {
    "ap": precision_of,
    "ece": calibration_error_of,
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
