"""A target of real images alone: how many of them are called fake, before adapting and after; of fakes nothing."""

from typing import Any

import numpy as np

from metaforge.data.domains import TestSplit
from metaforge.evaluation.calibration import Bands
from metaforge.evaluation.interval import Interval
from metaforge.evaluation.intervals import bootstrap, paired_difference
from metaforge.screening import from_run, telling
from metaforge.screening.finished_run import FinishedRun

AT_HALF, AT_THRESHOLD = "called_fake_at_half", "called_fake_at_threshold"
OPEN, UNLIKE = "cannot_tell", "unlike_the_source"
"""The shares that are measured: called fake at 0.5, and at the detector's own threshold; left open, and of all images
those that are left open for being so unlike the source, which no head changes."""


def judged(
    trained: FinishedRun, images: Any, labels: np.ndarray, test: TestSplit, groups: np.ndarray, *,
    force: bool, **drawing: Any,
) -> tuple[dict[str, Any], dict[str, Any]]:  # fmt: skip
    """The table of a report, method to `shares`, and what `decide` says; arguments as of `measured` and there."""
    scores, judge = measured(trained, images, labels, test, **drawing), from_run.detector(trained).judge
    bands = None if judge is None else judge.bands
    table = {f"{trained.name}, {state}": shares(each, groups, bands) for state, each in scores.items()}
    after, before = scores[from_run.ADAPTED], scores[from_run.UNADAPTED]
    return table, decide(after, before, groups, bands=bands, force=force)


def measured(
    trained: FinishedRun, images: Any, labels: np.ndarray, test: TestSplit, *,
    shots: int, draws: int, seed: int, unlabelled: np.ndarray | None = None,
) -> dict[str, np.ndarray]:  # fmt: skip
    """p(fake) of set-aside real images as `metaforge predict` tells it: calibrated, and with doubt.

    Args:
        trained: a run with a prior, or its detector.
        images: real ones, to draw support sets from.
        labels: theirs, 0 each.
        test: real images that are judged; they share nobody with those.

    Other Arguments:
        shots: real images of a support set.
        draws: how many support sets.
        seed: which.
        unlabelled: real images beside the support set.

    Returns:
        State to float64 `(1, draws, images)`; "not adapted" has one draw.
    """
    found = telling.over_draws(
        trained, (images, labels), test, rule="discriminant", shots=shots, draws=draws, seed=seed, unlabelled=unlabelled
    )
    return {state: told.said for state, told in found.items()}


def shares(scores: np.ndarray, groups: np.ndarray, bands: Bands | None) -> dict[str, Any]:
    """The share of real images of each kind of `_kinds`, JSON-able intervals over groups and draws.

    Args:
        scores: p(fake), `(1, draws, images)`.
        groups: what is resampled.
        bands: the detector's thresholds, if it has any.

    Example:
        >>> found = shares(np.array([[[0.1, 0.6, 0.9, 0.9]]]), np.arange(4), Bands(0.2, 0.8, {}))
        >>> {name: share["value"] for name, share in found.items()}
        {'called_fake_at_half': 0.75, 'called_fake_at_threshold': 0.5, 'cannot_tell': 0.25, 'unlike_the_source': 0.0}
    """
    return {
        name: bootstrap(_none_fake(groups), called, groups, metric="brier", resample_seeds=False).as_json()
        for name, called in _kinds(scores, bands).items()
    }


def _kinds(scores: np.ndarray, bands: Bands | None) -> dict[str, np.ndarray]:
    """1 where an image is called so, else 0."""
    found = {AT_HALF: scores > 0.5}
    if bands is not None:
        above = scores > bands.fake_above
        found |= {AT_THRESHOLD: above, OPEN: ~above & (scores >= bands.real_below)}
        found[UNLIKE] = scores == 0.5  # whole doubt makes the logit 0
    # The squared error of a 1 that is said of a real image is 1: its mean is the share.
    return {name: called.astype(np.float64) for name, called in found.items()}


def _none_fake(groups: np.ndarray) -> np.ndarray:
    return np.zeros(len(groups), np.int32)


def decide(
    adapted: np.ndarray, before: np.ndarray, groups: np.ndarray, *, bands: Bands | None, force: bool = False
) -> dict[str, Any]:
    """Whether adapting pays: whether fewer real images are called fake, beyond doubt.

    It pays if the 95 % interval of the change lies below 0, at the detector's own threshold or, of one that has none,
    at 0.5; and if at 0.5 it is not shown to rise. Whether fakes are still found is not known.

    Args:
        adapted: p(fake) of real images, `(1, draws, images)`.
        before: p(fake) without adaptation, `(1, 1, images)`.
        groups: what is resampled.

    Other Arguments:
        bands: the detector's thresholds.
        force: whether to keep the adapted one in any case.

    Returns:
        JSON-able: the changes of the shares as intervals by name, "threshold", "worse", "pays", and "saved" ("adapted"
        or "as it was").

    Example:
        >>> found = decide(np.full((1, 1, 20), 0.1), np.full((1, 1, 20), 0.9), np.arange(20), bands=None)
        >>> found["pays"], found["called_fake_at_half"]["value"]
        (True, -1.0)
    """
    after, first = _kinds(adapted, bands), _kinds(before, bands)
    change = {
        name: paired_difference(
            _none_fake(groups), after[name], first[name], groups, metric="brier", resample_seeds=False
        )
        for name in after
    }
    watched = AT_HALF if bands is None else AT_THRESHOLD
    worse = [name for name in (AT_HALF, AT_THRESHOLD) if name in change and change[name].low > 0]
    pays = change[watched].high < 0 and not worse
    found: dict[str, Any] = {name: each.as_json() for name, each in change.items()}
    found["threshold"] = 0.5 if bands is None else bands.fake_above
    return found | {"worse": worse, "pays": bool(pays), "saved": "adapted" if pays or force else "as it was"}


def said(decision: dict[str, Any]) -> str:
    """The decision in a few sentences.

    Example:
        >>> change = {"value": -0.31, "low": -0.4, "high": -0.2}
        >>> told = {"called_fake_at_half": change, "threshold": 0.5, "worse": [], "pays": True, "saved": "adapted"}
        >>> print(said(told).splitlines()[0])
        **The share of real images called fake above 0.50 changes by -31.0% [-40.0%, -20.0%]: saved adapted.**
    """
    name = AT_THRESHOLD if AT_THRESHOLD in decision else AT_HALF
    change = f"{Interval.from_json(decision[name]):+.1%}"
    if decision["pays"]:
        line = f"**The share of real images called fake above {decision['threshold']:.2f} changes by {change}: saved "
        line += "adapted.**"
    else:
        forced = decision["saved"] == "adapted"
        end = "saved adapted all the same (--force)" if forced else "saved as it was; --force saves it adapted"
        why = f"the share of real images called fake above {decision['threshold']:.2f} changes by {change}"
        if AT_HALF in decision["worse"] and name != AT_HALF:
            why += f", and above 0.50 by {Interval.from_json(decision[AT_HALF]):+.1%}"
        line = f"**Adapting is not shown to help ({why}): {end}.**"
    return (
        f"{line}\n\nNothing was measured about fakes: the target has none. How many of them the adapted detector still "
        "finds, this report does not know."
    )


def table(report: dict[str, Any]) -> list[str]:
    """The lines of the shares before and after."""
    threshold = report["decision"]["threshold"]
    heads = {AT_HALF: "called fake above 0.50", AT_THRESHOLD: f"above its threshold of {threshold:.2f}",
             OPEN: "cannot tell", UNLIKE: "of all, unlike the source"}  # fmt: skip
    names = [name for name in heads if all(name in row for row in report["table"].values())]
    lines = [f"| real images | {' | '.join(heads[name] for name in names)} |", "|---" * (1 + len(names)) + "|"]
    for method, row in report["table"].items():
        lines.append(f"| {method} | " + " | ".join(f"{Interval.from_json(row[name]):.1%}" for name in names) + " |")
    return lines
