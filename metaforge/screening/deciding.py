"""Whether adapting pays: a decision with its intervals, made on images that no support set holds."""

from typing import Any

import numpy as np

from metaforge.evaluation.interval import Interval
from metaforge.evaluation.intervals import paired_differences
from metaforge.screening.telling import Told

LEVEL = 0.05
"""The chance, at most, that a gain is said to be shown where there is none; with few groups it is larger (`decide`)."""

MARGIN = 0.01
"""The AUC that may be lost, where something else is gained."""

AUC, HALF, THRESHOLD, BRIER = "auc", "accuracy", "accuracy_at_threshold", "brier"
METRICS = {AUC: ("auc", 1), HALF: ("accuracy", 1), THRESHOLD: ("accuracy", 1), BRIER: ("brier", -1)}
"""What is compared: the metric that it is, and whether more of it is better or worse."""

NAMES = {AUC: "the AUC", HALF: "the accuracy", THRESHOLD: "the accuracy at the threshold", BRIER: "the Brier score"}


def at_threshold(told: Told) -> np.ndarray:
    """1 where an image is called fake at the detector's own threshold, else 0."""
    return (told.said > told.threshold).astype(np.float64)


def decide(
    labels: np.ndarray, adapted: Told, before: Told, groups: np.ndarray, *,
    force: bool = False, resamples: int = 2000,
) -> dict[str, Any]:  # fmt: skip
    """Compares a detector before and after on the same images, and says which one to keep.

    A gain is looked for in three places: the AUC, the accuracy (at the detector's own threshold, if it has one before
    and after, and else at 0.5), and the Brier score. Each has to be shown by an interval of 1 - `LEVEL` / 3
    (Bonferroni), so that the chance of any false one is at most `LEVEL`. Adapting pays if one is shown, no accuracy nor
    the Brier score is shown to get worse by its 95 % interval, and the AUC gains, or the low end of its 95 % interval
    lies above -`MARGIN`.

    The Brier score stands for calibration. It is a mean over images, lowest for the true probabilities and the same on
    many images as on few. The calibration error is not: its bins make it larger the fewer images there are, and larger
    again where images are resampled, and a detector that says 0.5 of everything has none.

    The intervals are a bootstrap's over groups, and with fewer than about ten of them too narrow. Of two detectors that
    were drawn equally good, with a real and a fake image in each group, a gain was said to be shown in about one of
    five trials with two groups, in one of ten with five, and in one of twenty with ten (150 trials each).

    One rule is tried; whoever tries several on the same images, and keeps the best, has to expect less than the
    intervals say.

    Args:
        labels: of the images, `(images,)`.
        adapted: what is told of them after each draw.
        before: what is told without adaptation.
        groups: what is resampled.

    Other Arguments:
        force: whether to keep the adapted one in any case.
        resamples: of each interval.

    Returns:
        JSON-able: the changes by name as 95 % intervals, "threshold" (`None` without one), "level" and "corrected" (the
        intervals of that level, where gains are looked for), "gained" and "worse" (what is shown), "pays", and "saved"
        ("adapted" or "as it was").

    Example:
        >>> labels, groups = np.tile([0, 1], 20), np.arange(40) // 2
        >>> before, after = np.full((1, 1, 40), 0.5), labels[None, None].astype(float)
        >>> found = decide(labels, Told(after, after), Told(before, before), groups)
        >>> found["pays"], found["gained"], found["auc"]["value"]
        (True, ['auc', 'accuracy', 'brier'], 0.5)
    """
    decides = adapted.threshold is not None and before.threshold is not None
    sides = {AUC: (adapted.ranked, before.ranked), HALF: (adapted.said, before.said)}
    if decides:
        sides[THRESHOLD] = (at_threshold(adapted), at_threshold(before))
    sides[BRIER] = sides[HALF]
    looked_for = (AUC, THRESHOLD if decides else HALF, BRIER)
    level = 1 - LEVEL / len(looked_for)

    changes, corrected = {}, {}
    for name, (after, first) in sides.items():
        how = {"metric": METRICS[name][0], "levels": (0.95, level), "resamples": resamples}
        changes[name], wide = paired_differences(labels, after, first, groups, resample_seeds=False, **how)
        if name in looked_for:
            corrected[name] = wide
    better = lambda name, each: each.low > 0 if METRICS[name][1] > 0 else each.high < 0
    gained = [name for name, each in corrected.items() if better(name, each)]
    worse = [
        name for name, each in changes.items()
        if name != AUC and (each.high < 0 if METRICS[name][1] > 0 else each.low > 0)
    ]  # fmt: skip
    pays = bool(gained) and not worse and (AUC in gained or changes[AUC].low > -MARGIN)
    return {name: each.as_json() for name, each in changes.items()} | {
        "threshold": adapted.threshold if decides else None,
        "level": level,
        "corrected": {name: each.as_json() for name, each in corrected.items()},
        "gained": gained,
        "worse": worse,
        "pays": pays,
        "saved": "adapted" if pays or force else "as it was",
    }


def said(decision: dict[str, Any]) -> str:
    """The decision in a sentence or two.

    Example:
        >>> interval = {"value": 0.041, "low": 0.01, "high": 0.07}
        >>> looked_for = dict.fromkeys(("auc", "accuracy", "brier"), interval)
        >>> told = {"corrected": looked_for, "level": 1 - 0.05 / 3, "gained": ["auc"], "worse": [], "pays": True}
        >>> print(said(told | {"threshold": None, "saved": "adapted"}))
        **Adapting gains an AUC of 0.041 [0.010, 0.070]: saved adapted.** (98.3 % intervals, as 3 gains are looked for.)
    """
    looked_for = {name: Interval.from_json(each) for name, each in decision["corrected"].items()}
    at = "" if decision["threshold"] is None else f" at the threshold of {decision['threshold']:.2f}"
    if decision["pays"]:
        fall = lambda each: Interval(-each.value, -each.high, -each.low)
        shown = {
            AUC: lambda each: f"gains an AUC of {each:.3f}",
            HALF: lambda each: f"gains an accuracy of {each:.3f}",
            THRESHOLD: lambda each: f"gains an accuracy of {each:.3f}{at}",
            BRIER: lambda each: f"lowers the Brier score by {fall(each):.3f}",
        }
        parts = [shown[name](looked_for[name]) for name in decision["gained"]]
        line = (
            f"**Adapting {' and '.join([', '.join(parts[:-1]), parts[-1]] if parts[1:] else parts)}: saved adapted.**"
        )
    else:
        why = ", ".join(f"{NAMES[name]} changes by {each:+.3f}" for name, each in looked_for.items())
        for name in decision["worse"]:
            why += f"; {NAMES[name]} gets worse, by {Interval.from_json(decision[name]):+.3f} at 95 %"
        if decision["gained"] and AUC not in decision["gained"] and decision[AUC]["low"] <= -MARGIN:
            why += f"; the AUC may lose more than {MARGIN:g}"
        forced = decision["saved"] == "adapted"
        end = "saved adapted all the same (--force)" if forced else "saved as it was; --force saves it adapted"
        line = f"**Adapting is not shown to help ({why}): {end}.**"
    return f"{line} ({100 * decision['level']:.1f} % intervals, as {len(looked_for)} gains are looked for.)"
