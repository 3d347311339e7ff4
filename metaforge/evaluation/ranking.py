"""Metrics of a ranking: how well scores rank fakes above reals. Logits are scores, too.

Arguments, shapes and errors are as `metaforge.evaluation.metrics` says, which lists these metrics by name.
"""

import numpy as np
from numpy.typing import ArrayLike

from metaforge.evaluation._rows import Rows, Values, accumulated, checked, share


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
    return precision_of(checked(labels, scores, weights, both_classes="ap"))


def precision_of(rows: Rows) -> Values:
    """The average precision of rows that are checked."""
    hits, alarms, _ = accumulated(rows)
    called = hits + alarms
    precision = np.divide(hits, called, out=np.zeros_like(hits), where=called > 0)
    return share((np.diff(hits) * precision[..., 1:]).sum(-1), hits[..., -1])
