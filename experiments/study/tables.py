"""A study's tables for people: the one that grows while it runs, and those of the report."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.study.report import UNADAPTED, overall
from experiments.study.results import failed_path, read_result, result_path
from metaforge.evaluation.episodes import Queries, episode_auc
from metaforge.evaluation.interval import Interval


def live(
    workdir: str | Path, targets: Sequence[str], methods: Sequence[str], seeds: int, queries: Mapping[str, Queries]
) -> Callable[[], str]:
    """Makes the table of what is there so far: mean AUC as chosen with the most shots, and from how many seeds.

    A result never changes once it is there, so each is read once, however often the table is asked for.
    """
    known: dict[Path, float] = {}

    def read(place: Path, target: str, seed: int) -> float:
        if place not in known:
            rows, scores = read_result(place)
            last = [number for number, row in enumerate(rows) if row["chosen"]][-1]
            known[place] = float(episode_auc(np.asarray(queries[target].labels)[seed], scores[last]).mean())
        return known[place]

    def shown(target: str, method: str) -> str:
        places = [result_path(workdir, target, method, seed) for seed in range(seeds)]
        found = [read(place, target, seed) for seed, place in enumerate(places) if place.exists()]
        failed = sum(failed_path(place).exists() for place in places)
        return (f"{np.mean(found):.3f} ({len(found)})" if found else "") + (f" {failed} failed" if failed else "")

    def table() -> str:
        lines = ["| method | " + " | ".join(targets) + " |", "|---" * (len(targets) + 1) + "|"]
        lines += [f"| {name} | {' | '.join(shown(target, name) for target in targets)} |" for name in methods]
        return "\n".join(lines)

    return table


def markdown(report: dict[str, Any], *, level: int = 1) -> str:
    """The report for people; `level` is that of its title."""
    title, head = "#" * level, "#" * (level + 1)
    where, grid = report["provenance"], report["grid"]
    ran = f"commit {where['commit']}, {where['date']}, jax {where['jax']} on {where['device']}"
    queries, kind = report["config"]["episodes"]["queries"], report["config"]["model"]["normalisation"]
    how = (
        f"Mean AUC of an episode ({queries} query images a class), {report['seeds']} seeds of "
        f"{grid['episodes']} episodes each, the same episodes for every method. Intervals (95 %) over seeds, support "
        f"sets and the people in the queries. Rates and steps were chosen on source validation ({grid['tuning']} "
        f"episodes, three rates for everybody); normalisation {kind} unless a method's name says otherwise."
    )
    if any(name.endswith(":tuned") for name in report["methods"]):
        how += (
            " Methods with `:tuned` in their name choose between two models, trained at the inner rate and at a tenth "
            "of it; a model's rates of adaptation are 0.1, 1 and 10 times its own inner rate."
        )
    took = f"{report['minutes']:.0f} minute{'s' * (round(report['minutes']) != 1)}"
    if earlier := report.get("results_of_earlier_calls", 0):
        took = f"the last call took {took}, and earlier ones had made {earlier} results"
    lines = [
        f"{title} {report['question']}",
        "",
        f"`{report['command']}`, {ran}; {took}.",
        f"Data: {report['data']}; these numbers say nothing about published deepfakes.",
        how,
    ]
    target = overall(report["rows"])
    judged = "mean over the held-out methods" if target == "mean" else f"on {target}"
    lines += ["", *report["verdict"]]
    for shots in grid["shots"]:
        lines += [
            "",
            f"{head} {shots} labelled image{'s' * (shots > 1)} a class, rate and steps as chosen on source validation",
            "",
        ]
        lines += chosen_table(report, shots)
    if len(grid["steps"]) > 2:
        lines += ["", f"{head} Shots by steps: {judged}", "", *_grid(report)]
    if report["pairs"]:
        lines += ["", f"{head} Differences, {judged}", ""]
        lines += [
            f"- {one['method']} minus {one['other']}, {one['shots']} shots: {_signed(one['difference'])}"
            for one in report["pairs"]
        ]
    if taken := _inner_rates(report):
        lines += ["", f"{head} Inner rates that source validation took", "", *taken]
    if report["failed"]:
        lines += ["", f"{head} Failed", ""]
        lines += [
            f"- {one['target']}, {one['method']}, seed {one['seed']}: {one['failed']}" for one in report["failed"]
        ]
    return "\n".join(lines) + "\n"


def rows_at(report: dict[str, Any], shots: int, *, target: str | None = None) -> list[dict[str, Any]]:
    """The entries of methods as they were chosen, with so many shots or with none."""
    rows = [row for row in report["rows"] if row["steps"] == "chosen" and row["shots"] in (0, shots)]
    return [row for row in rows if target is None or row["target"] == target]


def choices(report: dict[str, Any]) -> list[str]:
    """The lines of a table of recipes: how all models of a study were trained, and each method at its most shots."""
    config, shots = report["config"], max(report["grid"]["shots"])
    trained = config["learner"]["trainable"].replace("|", r"\|")  # or the table would have more columns
    recipe = f"`{trained}` | {config['run']['iterations']} at {config['learner']['outer_lr']:g} | "
    recipe += config["episodes"]["lead"] or "none"
    found = {
        (row["method"], row["target"]): Interval.from_json(row["auc"])
        for row in report["rows"]
        if row["steps"] == "chosen" and row["shots"] in (0, shots)
    }
    targets = (*report["targets"], "mean")
    cells = {name: " | ".join(f"{found[name, target]:.3f}" for target in targets) for name in report["methods"]}
    return [f"| {recipe} | {name} | {cells[name]} |" for name in report["methods"]]


def chosen_table(report: dict[str, Any], shots: int) -> list[str]:
    """Every method as it was chosen, best first: every target, their mean, differences to the baseline and to ERM."""
    rows = rows_at(report, shots)
    if not rows:
        return ["No method has a result of every seed."]
    targets = [name for name in [*report["targets"], "mean"] if any(row["target"] == name for row in rows)]
    by = {(row["method"], row["target"]): row for row in rows}
    last = targets[-1]
    # Methods with equal means are in the order of the report, not in that of a set, which differs from call to call.
    names = dict.fromkeys(row["method"] for row in rows)
    methods = sorted(names, key=lambda name: -by.get((name, last), {"auc": {"value": 0}})["auc"]["value"])
    against = {"baseline": report["baseline"]}
    if any("minus_unadapted" in row for row in rows):
        against["unadapted"] = UNADAPTED
    heads = [f"minus {name} ({last}) | Holm p" for name in against.values()]
    lines = ["| " + " | ".join(["method", *targets, *heads]) + " |"]
    lines += ["|---" * (len(targets) + 1 + 2 * len(against)) + "|"]
    for method in methods:
        cells = []
        for target in targets:
            row = by.get((method, target))
            cells.append(f"{Interval.from_json(row['auc']):.3f}" if row else "failed")
        cells += [_difference(by.get((method, last), {}), name) for name in against]
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return lines


def _signed(found: dict[str, float]) -> str:
    return f"{Interval.from_json(found):+.3f}"


def _difference(row: dict[str, Any], name: str) -> str:
    """By how much a method is above the one of this name, and Holm's p; empty for that one itself."""
    if f"minus_{name}" not in row:
        return " | "
    return f"{_signed(row[f'minus_{name}'])} | {row['holm' if name == 'baseline' else f'holm_{name}']:.3f}"


def _grid(report: dict[str, Any]) -> list[str]:
    target = overall(report["rows"])
    rows = [row for row in report["rows"] if row["target"] == target and row["steps"] != "chosen"]
    budgets = sorted({(row["shots"], row["steps"]) for row in rows})
    by = {(row["method"], row["shots"], row["steps"]): row for row in rows}
    lines = ["| method | " + " | ".join(f"{shots} x {steps}" for shots, steps in budgets) + " |"]
    lines.append("|---" * (len(budgets) + 1) + "|")
    for method in report["methods"]:
        cells = [by.get((method, *budget)) for budget in budgets]
        if any(cells):
            said = [f"{Interval.from_json(row['auc']):.3f}" if row else "" for row in cells]
            lines.append(f"| {method} | " + " | ".join(said) + " |")
    return lines


def _inner_rates(report: dict[str, Any]) -> list[str]:
    """Of methods that were trained at several: how often each was taken, with the most shots."""
    taken: dict[str, Counter[float]] = {}
    for one in report["rules"]:
        if "inner_lrs" in one and one["shots"] == max(report["grid"]["shots"]):
            taken.setdefault(one["method"], Counter()).update(one["inner_lrs"])
    return [
        f"- {name}: "
        + ", ".join(f"{rate:g} in {count} of {found.total()} results" for rate, count in found.most_common())
        for name, found in taken.items()
    ]


def verdict(report: dict[str, Any]) -> list[str]:
    """Who wins at each number of shots, by how much, and whether that is significant; and where DAML and MAML are."""
    target = overall(report["rows"])
    judged = {row["target"] for row in report["rows"]} - {"mean"}
    where = f"over {len(judged)} held-out methods" if target == "mean" else f"on {target}"
    said = []
    if missing := [name for name in report["targets"] if name not in judged]:
        said.append(f"Nothing could be judged on {', '.join(missing)}: no method has a result of every seed.")
    for shots in report["grid"]["shots"]:
        rows = rows_at(report, shots, target=target)
        if not rows:
            continue
        best = max(rows, key=lambda row: row["auc"]["value"])
        sentence = f"With {shots} image{'s' * (shots > 1)} a class, {best['method']} has the highest mean AUC {where}: "
        sentence += f"{best['auc']['value']:.3f}"
        if "minus_baseline" in best:
            sentence += (
                f", {_signed(best['minus_baseline'])} above {report['baseline']}. {_significance(best, rows, 'holm')}"
            )
        said.append(sentence + ".")
        if "minus_unadapted" in best:
            said.append(
                f"It is {_signed(best['minus_unadapted'])} above {UNADAPTED}, which has seen no image of the "
                f"held-out method. {_significance(best, rows, 'holm_unadapted')}."
            )
        for name in ("daml", "maml", "daml:tuned", "maml:tuned"):
            row = next((row for row in rows if row["method"] == name), None)
            if row and "minus_baseline" in row:
                difference = Interval.from_json(row["minus_baseline"])
                zero = "excludes" if difference.low > 0 or difference.high < 0 else "includes"
                learner, *tuned = name.split(":")
                who = learner.upper()
                if tuned:
                    who += ", trained at whichever of two inner rates source validation took,"
                said.append(
                    f"{who} differs from {report['baseline']} there by {difference:+.3f}; the interval {zero} zero."
                )
    return said


def _significance(best: dict[str, Any], rows: Sequence[dict[str, Any]], holm: str) -> str:
    said = "significant" if best[holm] < 0.05 else "not significant"
    family = sum(holm in row for row in rows)
    return f"This difference is {said} (p {best[holm]:.3f} by Holm's rule over {family} comparisons)"
