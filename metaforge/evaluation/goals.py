"""What decisions are worth, held against stated goals: met, not met, or not to be told with so few images.

A detector that says "cannot tell" makes few mistakes because it decides little. So beside every rate stands the share
that was left open, and the same goals are held against decisions at 0.5, which leave nothing open.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from metaforge.errors import InputError
from metaforge.evaluation.interval import Interval
from metaforge.evaluation.shares import auc_interval, rows_without_a_mistake, share_interval

SAID = ("real", "cannot tell", "fake", "not judged")
"""What can be said of an image; the last, of one that could not be read."""

DECIDED, FORCED = "as decided", "at 0.5"
"""Two ways to decide: by the detector's thresholds, and by `p_fake` above 0.5."""


class Goal(NamedTuple):
    """A number to be reached.

    Attributes:
        measure: "accuracy", "fpr", "fnr" or "auc".
        bound: the number.
        least: whether at least that is asked for; otherwise less than that.
    """

    measure: str
    bound: float
    least: bool

    def answer(self, found: Interval | None) -> str:
        """Whether the interval lies on the right side of the bound, on the wrong side, or on both.

        Example:
            >>> goal = Goal("fpr", 0.03, False)
            >>> [goal.answer(Interval(*found)) for found in ((0.01, 0, 0.02), (0.01, 0, 0.03), (0.05, 0.03, 0.1))]
            ['met', 'cannot be told', 'not met']
        """
        if found is None:
            return UNKNOWN
        if self.least:
            return MET if found.low >= self.bound else MISSED if found.high < self.bound else UNKNOWN
        return MET if found.high < self.bound else MISSED if found.low >= self.bound else UNKNOWN

    def distance(self, value: float) -> float:
        """How far a value is from the goal; 0 where it is there.

        Example:
            >>> round(Goal("auc", 0.98, True).distance(0.9), 2), Goal("auc", 0.98, True).distance(0.99)
            (0.08, 0.0)
        """
        return max(0.0, self.bound - value if self.least else value - self.bound)


MET, MISSED, UNKNOWN = "met", "not met", "cannot be told"

GOALS = (Goal("accuracy", 0.95, True), Goal("fpr", 0.03, False), Goal("fnr", 0.02, False), Goal("auc", 0.98, True))
"""Accuracy of 95 %, less than 3 % false alarms, less than 2 % misses, and an AUC of 0.98."""


def worth(
    labels: ArrayLike, said: Sequence[str], p_fake: ArrayLike, clusters: ArrayLike, *, seed: int = 0
) -> dict[str, Any]:
    """What is right, what is wrong and what is left open, with 95 % intervals over people, and whether it is enough.

    Rates are shares of the images that were judged. As decided, what is left open is in the denominator of every rate,
    and is not right; "of_decided" is the accuracy of the others alone. At 0.5, images without a `p_fake` are left out,
    and so they are of the AUC.

    Args:
        labels: 0 (real) or 1 (fake), shape `(rows,)`.
        said: of each row, one of `SAID`.
        p_fake: of each row; not a number where there is none.
        clusters: the person of each row, or what else rows have in common.

    Other Arguments:
        seed: of resamples.

    Returns:
        JSON-able: "matrix", counts by label and by what was said; "rates", by way and measure; "open", the shares that
        were left open as decided; "of_decided"; "auc"; "without_score", by label; and "goals", for each way and measure
        the `bound`, the `found` interval, the `answer`, and how `short` it is. What has no rows is `None`.

    Raises:
        InputError: if the input is malformed.

    Example:
        >>> found = worth([0, 0, 1, 1], ["real", "cannot tell", "fake", "real"], [0.1, 0.6, 0.9, 0.2], [1, 2, 3, 4])
        >>> found["matrix"]["fake"]["real"], found["rates"]["as decided"]["accuracy"]["value"], found["auc"]["value"]
        (1, 0.5, 0.75)
        >>> {goal["measure"]: goal["answer"] for goal in found["goals"]}
        {'accuracy': 'not met', 'fpr': 'cannot be told', 'fnr': 'cannot be told', 'auc': 'cannot be told'}
    """
    fake, shown, names, called = np.asarray(labels) > 0, np.asarray(p_fake, float), np.asarray(clusters), np.array(said)
    if not len(fake) or not fake.shape == shown.shape == names.shape == called.shape:
        raise InputError("worth: give a label, a decision, a p_fake or none, and a person of every row.")
    if unknown := set(called.tolist()) - set(SAID):
        raise InputError(f"worth: '{min(unknown)}' is no decision. Known: {', '.join(SAID)}.")
    judged, scored = called != "not judged", np.isfinite(shown)

    def share(hits: np.ndarray, of: np.ndarray) -> dict[str, float] | None:
        return share_interval(hits[of], names[of]).as_json() if of.any() else None

    def rates(fakes: np.ndarray, reals: np.ndarray, of: np.ndarray) -> dict[str, Any]:
        return {
            "accuracy": share(np.where(fake, fakes, reals), of),
            "fpr": share(fakes, of & ~fake),
            "fnr": share(reals, of & fake),
        }

    left = called == "cannot tell"
    both = fake[scored].any() and not fake[scored].all() and len(np.unique(names[scored])) > 1
    area = auc_interval(fake[scored].astype(int), shown[scored], names[scored], seed=seed).as_json() if both else None
    found: dict[str, Any] = {
        "matrix": {
            kind: {word: int((called[rows] == word).sum()) for word in SAID}
            for kind, rows in (("real", ~fake), ("fake", fake))
        },
        "rates": {
            DECIDED: rates(called == "fake", called == "real", judged),
            FORCED: rates(shown > 0.5, shown <= 0.5, scored),
        },
        "open": {
            "accuracy": share(left, judged),
            "fpr": share(left, judged & ~fake),
            "fnr": share(left, judged & fake),
        },
        "of_decided": share(np.where(fake, called == "fake", called == "real"), judged & ~left),
        "auc": area,
        "without_score": {"real": int((~scored & ~fake).sum()), "fake": int((~scored & fake).sum())},
    }
    ways = [(way, goal) for goal in GOALS for way in (DECIDED, FORCED)[goal.measure == "auc" :]]
    found["goals"] = [_held(goal, way, area if goal.measure == "auc" else found["rates"][way][goal.measure])
                      for way, goal in ways]  # fmt: skip
    return found


def _held(goal: Goal, way: str, found: dict[str, float] | None) -> dict[str, Any]:
    interval = None if found is None else Interval.from_json(found)
    short = None if interval is None else goal.distance(interval.value)
    return {"measure": goal.measure, "way": way, "bound": goal.bound, "found": found,
            "answer": goal.answer(interval), "short": short}  # fmt: skip


_WORDS = {
    "accuracy": "right, {bound:.0%} or more",
    "fpr": "reals called fake, below {bound:.0%}",
    "fnr": "fakes called real, below {bound:.0%}",
    "auc": "AUC, {bound:.2f} or more",
}


def markdown(found: dict[str, Any]) -> str:
    """What `worth` found, as two tables.

    Args:
        found: by `worth`.
    """
    lines = [f"| | {' | '.join(SAID)} |", "|---" * (1 + len(SAID)) + "|"]
    for kind, counts in found["matrix"].items():
        lines.append(f"| {kind} | {' | '.join(str(counts[word]) for word in SAID)} |")
    lines += ["", "| goal | as decided | left open beside it | goal | at 0.5, nothing left open | goal |",
              "|---|---|---|---|---|---|"]  # fmt: skip
    by_way = {(goal["measure"], goal["way"]): goal for goal in found["goals"]}
    for goal in GOALS:
        cells = ["-", "-", "-"]
        if goal.measure != "auc":
            decided = by_way[goal.measure, DECIDED]
            cells = [_shown(decided["found"]), _shown(found["open"][goal.measure]), _said(decided)]
        forced = by_way[goal.measure, FORCED]
        cells += [_shown(forced["found"], percent=goal.measure != "auc"), _said(forced)]
        lines.append(f"| {_WORDS[goal.measure].format(bound=goal.bound)} | {' | '.join(cells)} |")
    if found["of_decided"] is not None:
        lines += ["", f"Of those that were decided, {_shown(found['of_decided'])} are right."]
    without = found["without_score"]
    if sum(without.values()):
        counts = f"{without['real']} real, {without['fake']} fake"
        lines += ["", f"Without a score, and so not in the columns at 0.5: {counts}."]
    if any(goal["answer"] == UNKNOWN for goal in found["goals"]):
        reals, fakes = (rows_without_a_mistake(bound) for bound in (0.03, 0.02))
        held = f'"{UNKNOWN}": the interval holds the bound. If no mistake at all is made, it takes'
        lines += ["", f"{held} {reals} reals and {fakes} fakes, all of different people, to show both as met."]
    return "\n".join(lines)


def _shown(found: dict[str, float] | None, *, percent: bool = True) -> str:
    return "none" if found is None else format(Interval.from_json(found), ".1%" if percent else ".3f")


def _said(goal: dict[str, Any]) -> str:
    if not goal["short"]:
        return goal["answer"]
    short = f"{goal['short']:.3f}" if goal["measure"] == "auc" else f"{100 * goal['short']:.1f} points"
    return f"{goal['answer']}, short by {short}"
