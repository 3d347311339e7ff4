"""Metrics of probabilities: how far scores can be believed as such.

Arguments, shapes and errors are as `metaforge.evaluation.metrics` says, which lists these metrics by name.
"""

import numpy as np
from numpy.typing import ArrayLike

from metaforge.errors import InputError
from metaforge.evaluation._rows import Rows, Values, accumulated, checked, share, weighted_mean


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
    return weighted_mean(surprise_of(rows), rows.weights)


def surprise_of(rows: Rows) -> np.ndarray:
    """What each row adds to the negative log-likelihood."""
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
    return weighted_mean(squared_error_of(rows), rows.weights)


def squared_error_of(rows: Rows) -> np.ndarray:
    """What each row adds to the Brier score."""
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
    return calibration_error_of(rows, bins)


def calibration_error_of(rows: Rows, bins: int = 15) -> Values:
    """The calibration error of rows that are checked."""
    hits, alarms, claimed = accumulated(rows)
    mass, surplus = hits + alarms, hits - claimed
    # The surplus of fakes over what was claimed is a broken line over the mass: read it at the borders of the bins.
    lines = zip(mass.reshape(-1, mass.shape[-1]), surplus.reshape(-1, mass.shape[-1]), strict=True)
    borders = np.array([np.interp(np.linspace(0, m[-1], bins + 1), m, line) for m, line in lines])
    return share(np.abs(np.diff(borders)).sum(-1).reshape(mass.shape[:-1])[()], mass[..., -1])
