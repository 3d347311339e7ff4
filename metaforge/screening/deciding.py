"""Whether adapting pays: a decision with its intervals, made on images that no support set holds."""

from typing import Any

import numpy as np

from metaforge.evaluation.calibration import Judge, band_rates
from metaforge.evaluation.calibration.judge import probability
from metaforge.evaluation.interval import Interval
from metaforge.evaluation.intervals import paired_difference

WATCHED = {"auc": 1, "accuracy": 1, "ece": -1}
"""What is compared, and whether more of it is better or worse."""


def decide(
    labels: np.ndarray, adapted: np.ndarray, before: np.ndarray, groups: np.ndarray, *,
    force: bool = False, judge: Judge | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Compares a detector before and after on the same images, and says which one to keep.

    Adapting pays if the 95 % interval of the gain in AUC lies above 0, and neither the accuracy nor the calibration
    error is shown to get worse. One rule is tried, so nothing is corrected for; whoever tries several on the same
    images, and keeps the best, has to expect less than the interval says.

    Args:
        labels: of the images, `(images,)`.
        adapted: p(fake), `(1, draws, images)`.
        before: p(fake) without adaptation, `(1, 1, images)`.
        groups: what is resampled.

    Other Arguments:
        force: whether to keep the adapted one in any case.
        judge: the detector's, if it is that of the adapted one too; the accuracy at its threshold is told, of what it
            makes of the logits before it doubts what is unfamiliar.

    Returns:
        JSON-able: the differences as intervals by name, "pays", "saved" ("adapted" or "as it was"), and with a judge
        the accuracy at its threshold before and after.

    Example:
        >>> labels, groups = np.tile([0, 1], 20), np.arange(40) // 2
        >>> before = np.full((1, 1, 40), 0.5)
        >>> found = decide(labels, labels[None, None].astype(float), before, groups)
        >>> found["pays"], found["auc"]["value"]
        (True, 0.5)
    """
    difference = {
        name: paired_difference(labels, adapted, before, groups, metric=name, resample_seeds=False) for name in WATCHED
    }
    ends = {name: difference[name].high if sign > 0 else -difference[name].low for name, sign in WATCHED.items()}
    worse = [name for name, end in ends.items() if end < 0]
    pays = difference["auc"].low > 0 and not worse
    found: dict[str, Any] = {name: each.as_json() for name, each in difference.items()}
    found |= {"worse": worse, "pays": bool(pays), "saved": "adapted" if pays or force else "as it was"}
    if judge is not None:
        accuracy = lambda row: band_rates(_judged(row, judge), labels, judge.bands).accuracy_at_threshold
        rates = [float(np.mean([accuracy(row) for row in each.reshape(-1, len(labels))])) for each in (before, adapted)]
        found["at_threshold"] = {"threshold": judge.bands.fake_above, "before": rates[0], "after": rates[1]}
    return found


def _judged(scores: np.ndarray, judge: Judge) -> np.ndarray:
    """What a judge tells of probabilities that are not calibrated: its thresholds are for these."""
    about = np.finfo(np.float32)
    kept = np.clip(scores, float(about.tiny), 1 - float(about.epsneg) / 2)
    return probability(judge.calibration(np.log(kept) - np.log1p(-kept)))


def said(decision: dict[str, Any]) -> str:
    """The decision in a sentence or two.

    Example:
        >>> interval = {"value": 0.041, "low": 0.01, "high": 0.07}
        >>> told = {"auc": interval, "worse": [], "pays": True, "saved": "adapted"}
        >>> print(said(told))
        **Adapting gains an AUC of 0.041 [0.010, 0.070]: saved adapted.**
    """
    show = lambda name: f"{Interval.from_json(decision[name]):.3f}"
    names = {"auc": "the AUC", "accuracy": "the accuracy", "ece": "the calibration error"}
    if decision["pays"]:
        line = f"**Adapting gains an AUC of {show('auc')}: saved adapted.**"
    else:
        why = f"the gain in AUC is {show('auc')}"
        for name in decision["worse"]:
            why += f", and {names[name]} changes by {Interval.from_json(decision[name]):+.3f}"
        forced = decision["saved"] == "adapted"
        end = "saved adapted all the same (--force)" if forced else "saved as it was; --force saves it adapted"
        line = f"**Adapting is not shown to help ({why}): {end}.**"
    if "at_threshold" in decision:
        at = decision["at_threshold"]
        line += f" Accuracy at the fitted threshold of {at['threshold']:.2f}: {at['before']:.3f} before, "
        line += f"{at['after']:.3f} after."
    return line
