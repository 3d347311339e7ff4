"""The report for people."""

from collections.abc import Sequence
from typing import Any

from metaforge.evaluation.interval import Interval


def markdown(report: dict[str, Any]) -> str:
    """All tables."""
    about, config = report["provenance"], report["config"]
    data = ", ".join(f"{name} {one['photographs']} ({one['people']} people)" for name, one in report["data"].items())
    sources = next(iter(report["sources"].values()))
    lines = [
        f"`{report['command']}`, commit {about['commit']}, {about['date']}.",
        "",
        f"Photographs: {data}. Trained on {', '.join(sources)}; unseen: {config['unseen'].replace(',', ', ')}.",
        f"Means over methods and left-out collections; 95 % intervals over people and {config['seeds']} seeds.",
        "",
        "## AUC",
        "",
        *_cells(report["cells"]),
        "",
        "## Minus binary, the same resamples",
        "",
        *_cells(report["cells"], "minus_binary"),
        "",
        "## Unseen methods, by collection that was left out",
        "",
        *_cells(report["targets"]),
        "",
        "## By method, in the collection that was left out",
        "",
        *_cells(report["methods"]),
        "",
        "Minus binary:",
        "",
        *_cells(report["methods"], "minus_binary"),
        "",
        "## What was chosen by leaving out one method that is trained on",
        "",
        *_chosen(report["chosen"], list(report["data"])),
        "",
        "## Outlier probing while training",
        "",
        *_probing(report["probing"]),
    ]
    for name, one in report["premise"].items():
        lines += ["", f"## Where images lie beside the outliers: {name}", "", *_premise(one)]
    if "adapted" in report:
        lines += [
            "",
            "## A few labelled images of the left-out collection and method",
            "",
            *_adapted(report["adapted"]),
        ]
    return "\n".join(lines) + "\n"


def _cells(found: dict[str, Any], what: str = "auc") -> list[str]:
    lines = _head(["variant", *found])
    for row in next(iter(found.values()))[what]:
        lines.append(
            _line([row, *(_show(one[what][row], "+.3f" if what != "auc" else ".3f") for one in found.values())])
        )
    return lines


def _chosen(found: dict[str, list[dict[str, float]]], names: Sequence[str]) -> list[str]:
    lines = _head(["variant", *names])
    for row, each in found.items():
        lines.append(_line([row, *(f"{one['steps']} steps at {one['rate']:g}" for one in each)]))
    return lines


def _probing(found: dict[str, dict[str, float]]) -> list[str]:
    lines = _head(
        ["variant", "subclusters at the end", "d^2 / D of held-out rows, all refreshes", "outliers taken for real"]
    )
    for row, one in found.items():
        taken = f"{one['outliers_taken_for_real']:.0%}" if "outliers_taken_for_real" in one else "-"
        span = f"{one['calibration_low']:.2f} to {one['calibration_high']:.2f}"
        lines.append(_line([row, f"{one['clusters']:.1f}", span, taken]))
    return lines


def _premise(found: dict[str, Any]) -> list[str]:
    low, high = found["calibration"]
    lines = _head(["images", "inside", "in the shell", "beyond", "distance, sigma"])
    for name, one in found["shares"].items():
        places = [_show(one[place], ".3f") for place in ("inside", "in the shell", "beyond")]
        lines.append(_line([name, *places, _show(one["sigma"])]))
    drawn = found["outliers"]
    places = [f"{drawn[place]:.3f}" for place in ("inside", "in the shell", "beyond")]
    lines.append(_line(["outliers", *places, f"{drawn['sigma']:.2f}"]))
    lines += ["", f"d^2 / D of held-out rows at the last refresh: {low:.2f} to {high:.2f}."]
    if "outliers_taken_for_real" in found:
        lines[-1] += f" Outliers taken for real: {found['outliers_taken_for_real']:.0%}."
    pairs = next(iter(found["told_apart"].values()))
    lines += ["", *_head(["told apart by, AUC", *pairs])]
    for score, one in found["told_apart"].items():
        lines.append(_line([score, *(_show(value, ".3f") for value in one.values())]))
    return lines


def _adapted(rows: Sequence[dict[str, Any]]) -> list[str]:
    names = list(rows[0]["after"])
    over = list(rows[0]["over_features_alone"])
    lines = _head(
        ["support set", "collections", *(f"{name}: AUC before" for name in names), *("after" for name in names)]
    )
    label = lambda row: f"{row['pairing']}, {row['shots_a_class']} a class"
    for row in rows:
        cells = [_show(row[what][name], ".3f") for what in ("before", "after") for name in names]
        lines.append(_line([label(row), str(len(row["collections"])), *cells]))
    lines += ["", *_head(["support set", *(f"gain, {name}" for name in names)])]
    for row in rows:
        lines.append(_line([label(row), *(_show(row["gain"][name], "+.3f") for name in names)]))
    said = {name: f"{name}, over features alone" if name in names else name for name in over}
    lines += ["", *_head(["AUC after, difference", *said.values()])]
    for row in rows:
        lines.append(_line([label(row), *(_show(row["over_features_alone"][name], "+.3f") for name in over)]))
    lines += ["", *_head(["gain, difference", *said.values()])]
    for row in rows:
        lines.append(_line([label(row), *(_show(row["gain_over_features_alone"][name], "+.3f") for name in over)]))
    return lines


def _head(names: Sequence[str]) -> list[str]:
    return [_line(names), "|---" * len(names) + "|"]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _show(part: dict[str, float], spec: str = ".2f") -> str:
    return format(Interval.from_json(part), spec)
