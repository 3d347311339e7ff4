"""What a detector is worth: metrics of its scores, and intervals that say how sure one can be of them."""

from metaforge.evaluation.intervals import (
    Interval,
    Target,
    bootstrap,
    macro_bootstrap,
    paired_difference,
    paired_p,
)
from metaforge.evaluation.joint import joint_bootstrap
from metaforge.evaluation.metrics import (
    METRICS,
    accuracy,
    auc,
    average_precision,
    brier,
    eer_knot,
    equal_error_rate,
    expected_calibration_error,
    negative_log_likelihood,
    per_method,
    summary,
    tpr_at_fpr,
)
from metaforge.evaluation.multiple import Decision, bootstrap_p, holm
from metaforge.evaluation.thresholds import fit_threshold
from metaforge.evaluation.tri import forgery_log_odds, forgery_score, tri_log_odds
from metaforge.evaluation.video_level import VideoScores, video_scores

__all__ = [
    "METRICS",
    "Decision",
    "Interval",
    "Target",
    "VideoScores",
    "accuracy",
    "auc",
    "average_precision",
    "bootstrap",
    "bootstrap_p",
    "brier",
    "eer_knot",
    "equal_error_rate",
    "expected_calibration_error",
    "fit_threshold",
    "forgery_log_odds",
    "forgery_score",
    "holm",
    "joint_bootstrap",
    "macro_bootstrap",
    "negative_log_likelihood",
    "paired_difference",
    "paired_p",
    "per_method",
    "summary",
    "tpr_at_fpr",
    "tri_log_odds",
    "video_scores",
]
