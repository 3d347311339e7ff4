"""What a study found: every mean AUC with its interval, and differences on the same resamples."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.study.methods import METHODS
from experiments.study.results import failed_path, read_result, result_path
from metaforge.evaluation.episodes import Queries, Resampled, episode_bootstrap, mean_of
from metaforge.evaluation.multiple import holm
from metaforge.runs import read_json

Key = tuple[str, int, int | str]
"""A method, its shots, and its steps: a number, or "chosen" for what source validation took, seed by seed."""

ALSO = (
    ("daml", "maml"), ("daml", "fomaml"), ("maml", "fomaml"), ("through", "detached"), ("through", "normalised"),
    ("daml:tuned", "maml:tuned"), ("daml:tuned", "fomaml:tuned"), ("maml:tuned", "fomaml:tuned"),
    ("maml:tuned", "maml"), ("fomaml:tuned", "fomaml"), ("daml:tuned", "daml"), ("reptile:tuned", "reptile"),
    ("anil:tuned", "anil"),
)  # fmt: skip
"""Comparisons besides those with the baseline, where both methods are there."""
UNADAPTED = "erm"
"""Has seen no image of the held-out method: does a method, training and adapting together, beat doing nothing?"""


def collect(
    workdir: str | Path, targets: Sequence[str], methods: Sequence[str], seeds: int
) -> tuple[dict[str, dict[Key, np.ndarray]], list[dict[str, Any]], list[dict[str, Any]]]:
    """Scores `(seeds, episodes, queries)` of methods that have a result of every seed, the choices, and what failed."""
    scores: dict[str, dict[Key, np.ndarray]] = {target: {} for target in targets}
    rules, failed = [], []
    for target in targets:
        for method in methods:
            results = []
            for seed in range(seeds):
                place = result_path(workdir, target, method, seed)
                if place.exists():
                    results.append(read_result(place))
                elif failed_path(place).exists():
                    failed.append({"target": target, "method": method, "seed": seed} | read_json(failed_path(place)))
            if len(results) < seeds:
                continue
            for number, row in enumerate(results[0][0]):
                scores[target][method, row["shots"], row["steps"]] = np.stack([result[1][number] for result in results])
            for shots in sorted({row["shots"] for row in results[0][0]}):
                picked = [
                    next((i, row) for i, row in enumerate(rows) if row["chosen"] and row["shots"] == shots)
                    for rows, _ in results
                ]
                scores[target][method, shots, "chosen"] = np.stack(
                    [result[1][i] for result, (i, _) in zip(results, picked, strict=True)]
                )
                said = {name: [row.get(name) for _, row in picked] for name in ("steps", "knob", "inner_lr")}
                rules.append(
                    {"target": target, "method": method, "shots": shots, "steps": said["steps"], "knobs": said["knob"]}
                )
                if len(METHODS[method].candidates) > 1:
                    rules[-1]["inner_lrs"] = said["inner_lr"]
    return scores, rules, failed


def measure(
    scores: dict[str, dict[Key, np.ndarray]],
    queries: dict[str, Queries],
    *,
    baseline: str,
    shots: Sequence[int],
    resamples: int,
) -> dict[str, Any]:
    """Intervals for every method and budget, on every target and their mean, and differences to the baseline.

    Where methods are ranked, also differences to `UNADAPTED`, if it was asked for: `minus_unadapted`. Each kind of
    difference is corrected by Holm's rule as a family of its own.
    """
    targets = [target for target in scores if scores[target]]
    if not targets:
        return {"rows": [], "pairs": [], "reliability": {}}
    named = {target: {_text(key): value for key, value in scores[target].items()} for target in targets}
    found = episode_bootstrap({name: queries[name] for name in targets}, named, resamples=resamples)
    keys = sorted({key for target in targets for key in scores[target]}, key=_text)
    rows = []
    for key in keys:
        whole = [target for target in targets if key in scores[target]]
        against = _baseline(key, baseline, shots)
        for target in whole:
            base = found[target].get(_text(against)) if against else None
            rows.append(_row(target, key, found[target][_text(key)], base))
        if len(whole) == len(targets) > 1:
            base = _mean(found, against) if against and _everywhere(found, against) else None
            rows.append(_row("mean", key, _mean(found, key), base))
    if _everywhere(found, unadapted := (UNADAPTED, 0, "chosen")):
        last = overall(rows)
        for row in rows:
            if row["target"] == last and row["steps"] == "chosen" and row["method"] != UNADAPTED:
                difference = _mean(found, (row["method"], row["shots"], "chosen")).minus(_mean(found, unadapted))
                row |= {"minus_unadapted": difference.interval().as_json(), "p_unadapted": difference.p()}
    correct(rows, shots)
    correct(rows, shots, of="_unadapted")
    return {"rows": rows, "pairs": _pairs(found, scores, targets, shots), "reliability": _reliability(scores, queries)}


def _baseline(key: Key, baseline: str, shots: Sequence[int]) -> Key | None:
    """What a method is compared with: the baseline with the same shots and steps, or as it was chosen."""
    method, count, steps = key
    if method == baseline:
        return None
    # A method without labels, or with a number of steps of its own, is compared with the baseline as it was chosen.
    return (baseline, count if count in shots else max(shots), steps if steps == "chosen" else "chosen")


def _everywhere(found: Mapping[str, Mapping[str, Resampled]], key: Key) -> bool:
    return all(_text(key) in one for one in found.values())


def _mean(found: Mapping[str, Mapping[str, Resampled]], key: Key) -> Resampled:
    """The mean over targets of what is there for every target."""
    return mean_of([one[_text(key)] for one in found.values()])


def _row(target: str, key: Key, found: Resampled, base: Resampled | None) -> dict[str, Any]:
    row: dict[str, Any] = {"target": target, "method": key[0], "shots": key[1], "steps": key[2]}
    row["auc"] = found.interval().as_json()
    if base is not None:
        difference = found.minus(base)
        row |= {"minus_baseline": difference.interval().as_json(), "p": difference.p()}
    return row


def correct(rows: list[dict[str, Any]], shots: Sequence[int], *, of: str = "") -> None:
    """Holm's correction of what was chosen, in place: `holm` of every `p`, both with the ending `of`.

    Where a winner is named, on the mean over targets or on the only target, all methods at one number of shots are a
    family, those that take no labels among them; these are in the family of every number of shots, and have the highest
    of their p-values. On the single targets of several, a family is one method on all of them.
    """
    p, adjusted = f"p{of}", f"holm{of}"
    chosen = [row for row in rows if row["steps"] == "chosen" and p in row]
    last = overall(rows)
    families = [[row for row in chosen if row["target"] == last and row["shots"] in (0, count)] for count in shots]
    singles: dict[Any, list[dict[str, Any]]] = {}
    for row in chosen:
        if row["target"] != last:
            singles.setdefault((row["method"], row["shots"]), []).append(row)
    for row in chosen:
        row[adjusted] = 0.0
    for family in filter(None, [*families, *singles.values()]):
        decided = holm({str(number): row[p] for number, row in enumerate(family)})
        for number, row in enumerate(family):
            row[adjusted] = max(row[adjusted], decided[str(number)].adjusted)


def overall(rows: Sequence[dict[str, Any]]) -> str:
    """Where methods are ranked: "mean", over targets, or the only target that was judged."""
    targets = list(dict.fromkeys(row["target"] for row in rows))
    return "mean" if "mean" in targets or not targets else targets[0]


def _pairs(found, scores, targets: Sequence[str], shots: Sequence[int]) -> list[dict[str, Any]]:
    """Further comparisons, of the mean over targets."""
    pairs = []
    for one, other in ALSO:
        for count in shots:
            keys = [(name, count, "chosen") for name in (one, other)]
            if all(key in scores[target] for key in keys for target in targets):
                ours, theirs = (_mean(found, key) for key in keys)
                difference = ours.minus(theirs)
                pairs.append({"method": one, "other": other, "shots": count,
                              "difference": difference.interval().as_json(), "p": difference.p()})  # fmt: skip
    return pairs


def _reliability(scores, queries: dict[str, Queries], bins: int = 10) -> dict[str, Any]:
    """Of the scores as chosen, over all targets: bins of equal counts, mean score against share of fakes."""
    found = {}
    for method, shots in sorted({key[:2] for one in scores.values() for key in one if key[2] == "chosen"}):
        have = [target for target in scores if (method, shots, "chosen") in scores[target]]
        values = np.concatenate([scores[t][method, shots, "chosen"].ravel() for t in have])
        labels = np.concatenate([np.ravel(queries[t].labels) for t in have])
        parts = np.array_split(np.argsort(values, kind="stable"), bins)
        points = [[float(values[part].mean(dtype=np.float64)), float(labels[part].mean())] for part in parts]
        gap = float(np.mean([abs(score - share) for score, share in points]))
        found[f"{method}|{shots}"] = {"points": points, "ece": gap, "images": len(values)}
    return found


def _text(key: Key) -> str:
    return "|".join(str(part) for part in key)
