"""The report for people."""

from collections.abc import Sequence
from typing import Any

from metaforge.evaluation.interval import Interval


def markdown(report: dict[str, Any]) -> str:
    """All tables."""
    about, data = report["provenance"], report["data"]
    folds, people = report["folds"], ", ".join(f"{name} {count}" for name, count in data["people"].items())
    count = lambda values: ", ".join(f"{one:g} in {values.count(one)}" for one in sorted({*values}))
    rows = report["rows"]
    chosen = lambda way: count([one["weights"][way] for one in folds])
    by_way = (f"; weight of the words, {way}: {chosen(way)}" for way in folds[0]["weights"])
    about_data = (
        f"People: {people}. {data['captions']} forgeries by {len(data['methods'])} methods, with {data['different']} "
        f"captions. {len(folds)} folds, {report['config']['seeds']} models of each way in each."
    )
    about_choice = (
        f"Chosen by folds: steps {count([one['steps'] for one in folds])}; rate {count([one['rate'] for one in folds])}"
    )
    lines = [
        f"`{report['command']}`, commit {about['commit']}, {about['date']}.",
        "",
        about_data,
        "",
        about_choice + "".join(by_way) + ".",
        "",
        *differences(rows, first="way", than="the image alone"),
    ]
    told = {row["way"]: row["over_shuffled"] for row in rows if "over_shuffled" in row}
    lines += ["", "Less the same with captions shuffled among fakes:", ""]
    lines += _head(["way", "difference", "the same, collections drawn too"])
    lines += [_line([way, *(_show(part, "+.3f") for part in one.values())]) for way, one in told.items()]
    for title, name in (("collection", "collections"), ("method", "methods")):
        places = list(rows[1][name])
        lines += ["", f"Less the image alone, by left-out {title}:", "", *_head(["way", *places])]
        lines += [_line([row["way"], *(_show(row[name][one], "+.3f") for one in places)]) for row in rows[1:]]
    return "\n".join(lines) + "\n"


def differences(rows: Sequence[dict[str, Any]], *, first: str, than: str) -> list[str]:
    """A line for each row: its AUC, and how much more that is than the first row's."""
    lines = _head([first, "AUC", f"less {than}", "the same, collections drawn too", "by seed"])
    for row in rows:
        seeds = ", ".join(f"{value:+.3f}" for value in row.get("seeds", ())) or "-"
        differences = (_show(row.get(name), "+.3f") for name in ("difference", "difference_over_collections"))
        lines.append(_line([row["way"], _show(row["auc"], ".3f"), *differences, seeds]))
    return lines


def _head(names: Sequence[str]) -> list[str]:
    return [_line(names), "|---" * len(names) + "|"]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _show(part: dict[str, float] | None, spec: str) -> str:
    return "-" if part is None else format(Interval.from_json(part), spec)
