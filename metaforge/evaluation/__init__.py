"""What a detector is worth: metrics of its scores, and intervals that say how sure one can be of them."""

from metaforge.evaluation.intervals import Interval, bootstrap, paired_difference
from metaforge.evaluation.metrics import (
    METRICS,
    accuracy,
    auc,
    average_precision,
    brier,
    equal_error_rate,
    expected_calibration_error,
    negative_log_likelihood,
    summary,
)

__all__ = [
    "METRICS",
    "Interval",
    "accuracy",
    "auc",
    "average_precision",
    "bootstrap",
    "brier",
    "equal_error_rate",
    "expected_calibration_error",
    "negative_log_likelihood",
    "paired_difference",
    "summary",
]
