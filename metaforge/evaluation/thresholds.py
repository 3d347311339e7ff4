"""A detector that must decide: what it gets right at a threshold, and which threshold to set.

Arguments, shapes and errors are as in `metaforge.evaluation.metrics`, which lists these metrics by name.
"""

import numpy as np
from numpy.typing import ArrayLike

from metaforge.errors import InputError
from metaforge.evaluation._rows import Rows, Values, accumulated, checked, weighted_mean

RULES = ("balanced", "youden", "eer")
"""How `fit_threshold` may choose."""


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
    rows = checked(labels, scores, weights, probabilities="accuracy")
    return weighted_mean(hits_of(rows, threshold), rows.weights)


def hits_of(rows: Rows, threshold: float = 0.5) -> np.ndarray:
    """Whether each row is called right, bool, shape `(..., rows)`."""
    return (rows.scores > threshold) == rows.fake


def tpr_at_fpr(labels: ArrayLike, scores: ArrayLike, *, weights: ArrayLike | None = None, fpr: float = 0.05) -> Values:
    """The largest share of fakes that a threshold catches while it accuses at most a share `fpr` of the reals.

    In [0, 1]; chance is `fpr`. Only thresholds that the scores allow count: nothing is interpolated, so the value is
    one that a detector in use can have. With fewer than `1 / fpr` reals no real may be accused at all, and the value
    is low and coarse: 1 % asks for several hundred reals.

    Args:
        labels: 0 (real) or 1 (fake), shape `(rows,)`.
        scores: higher for fake, finite, shape `(..., rows)`.
        weights: shape `(rows,)`, at least 0; `None` for 1 each.
        fpr: the largest share of reals that may be accused, in [0, 1].

    Returns:
        float64, shape `(...)`.

    Raises:
        InputError: if the rows of positive weight are of one class only, `fpr` is not in [0, 1], or the input is
            malformed.

    Example:
        >>> print(tpr_at_fpr([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], fpr=0.05))
        0.5
        >>> print(tpr_at_fpr([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], fpr=0.5))
        1.0
    """
    if not 0 <= fpr <= 1:
        raise InputError(f"tpr_at_fpr: fpr is {fpr}. Give the share of reals that may be accused, in [0, 1].")
    rows = checked(labels, scores, weights, both_classes=f"tpr_at_fpr{100 * fpr:g}")
    hits, alarms, _ = accumulated(rows)
    allowed = alarms / alarms[..., -1:] <= fpr + 1e-12  # sums of fractional weights miss the bound by rounding
    return np.where(allowed, hits / hits[..., -1:], 0.0).max(-1)


def eer_knot(labels: ArrayLike, scores: ArrayLike, *, weights: ArrayLike | None = None) -> Values:
    """The equal error rate by the rule of DeepfakeBench, for comparison with its tables only.

    The share of reals accused at the corner of the ROC curve where it is nearest to the share of fakes missed.
    Corners are the points that scikit-learn's `roc_curve` keeps: a point whose steps from and to its neighbours are
    the same is dropped. So the value can be far from the crossing where the curve runs straight, few rows make it
    jump, and a detector that gives every image one score gets 0, the best value. Report `equal_error_rate`.

    Without weights it is the number that code gives, to the last bit.

    Args:
        labels: 0 (real) or 1 (fake), shape `(rows,)`.
        scores: higher for fake, finite, shape `(..., rows)`.
        weights: shape `(rows,)`, at least 0; `None` for 1 each.

    Returns:
        float64, shape `(...)`.

    Raises:
        InputError: if the rows of positive weight are of one class only, or the input is malformed.

    Example:
        >>> print(eer_knot([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]))
        0.5
        >>> print(eer_knot([0, 0, 1, 1], [0.5, 0.5, 0.5, 0.5]))
        0.0
    """
    rows = checked(labels, scores, weights, both_classes="eer_knot")
    hits, alarms, _ = accumulated(rows)
    curves = zip(hits.reshape(-1, hits.shape[-1]), alarms.reshape(-1, hits.shape[-1]), strict=True)
    return np.array([_nearest_corner(*curve) for curve in curves]).reshape(hits.shape[:-1])[()]


def _nearest_corner(hits: np.ndarray, alarms: np.ndarray) -> float:
    """The share of reals accused at one curve's corner that is nearest to "missed = accused"."""
    whole = np.flatnonzero(np.diff(hits + alarms) > 0) + 1  # after every run of equal scores that weighs anything
    hits, alarms = hits[whole], alarms[whole]
    bends = np.abs(np.diff(hits, 2)) + np.abs(np.diff(alarms, 2)) > 1e-10 * (hits[-1] + alarms[-1])
    corner = np.concatenate([[True], bends, [True]])[: len(whole)]
    caught = np.append(0.0, hits[corner] / hits[-1])
    accused = np.append(0.0, alarms[corner] / alarms[-1])
    return accused[np.argmin(np.abs(1 - caught - accused))]


def fit_threshold(
    labels: ArrayLike, scores: ArrayLike, *, weights: ArrayLike | None = None, rule: str = "balanced"
) -> float:
    r"""The threshold for `accuracy`, fitted on rows that are not judged: the validation split of the source domains.

    - `"balanced"`: the highest mean of the share of fakes caught and the share of reals passed, so that the numbers
      of fakes and reals do not matter (four forgeries of every real are usual).
    - `"youden"`: the highest $J$ = caught - accused. As $J$ is twice that mean less 1, this is the same threshold
      under the name that the medical literature uses.
    - `"eer"`: the smallest gap between the shares of fakes missed and reals accused.

    The threshold lies halfway between two neighbouring scores that occur. Of several equally good ones it is the
    highest, which accuses the fewest.

    Args:
        labels: 0 (real) or 1 (fake), shape `(rows,)`.
        scores: higher for fake, finite, shape `(rows,)`: one detector.
        weights: shape `(rows,)`, at least 0; `None` for 1 each.
        rule: one of `RULES`.

    Returns:
        A score; a higher one means fake. If all scores are equal it is that score, and every row is called real.

    Raises:
        InputError: if the rows of positive weight are of one class only, the rule is unknown, or the input is
            malformed.

    Example:
        >>> threshold = fit_threshold([0, 0, 0, 1], [0.1, 0.2, 0.6, 0.8])
        >>> print(round(threshold, 3), accuracy([0, 1], [0.5, 0.9], threshold=threshold))
        0.7 1.0

    References:
        Youden, *Index for rating diagnostic tests*, 1950.
    """
    if rule not in RULES:
        raise InputError(f"fit_threshold: unknown rule {rule!r}. Known: {', '.join(RULES)}.")
    rows = checked(labels, scores, weights, both_classes="fit_threshold")
    if rows.scores.ndim != 1:
        raise InputError(f"fit_threshold: scores of shape {rows.scores.shape}. Give those of one detector, (rows,).")
    counted = rows.weights > 0
    fake, weight = rows.fake[counted], rows.weights[counted]
    levels, level = np.unique(rows.scores[counted], return_inverse=True)
    if len(levels) == 1:
        return float(levels[0])
    # With the threshold just above levels[k], for every k but the last.
    missed, passed = (
        np.cumsum(np.bincount(level, weights=weight * kind))[:-1] / weight[kind].sum() for kind in (fake, ~fake)
    )
    accused = 1 - passed
    cost = np.abs(missed - accused) if rule == "eer" else missed + accused
    cost = np.round(cost, 12)  # equal costs differ by rounding
    best = np.flatnonzero(cost == cost.min())[-1]
    low, high = levels[best], levels[best + 1]
    middle = low / 2 + high / 2  # their sum may be more than a float holds
    return float(middle if low <= middle < high else low)  # between neighbouring floats there is no middle
