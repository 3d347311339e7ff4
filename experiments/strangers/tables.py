"""The report for people."""

from collections.abc import Sequence
from typing import Any

from metaforge.evaluation.interval import Interval

OF_ROWS = {
    "auc": "AUC",
    "reals_called_fake": "reals called fake",
    "reals_undecided": "reals, cannot tell",
    "fakes_called_real": "fakes called real",
    "fakes_undecided": "fakes, cannot tell",
    "reals_sure": "reals above .9",
    "brier": "Brier score",
}
"""The columns on the detector without adaptation."""


def markdown(report: dict[str, Any]) -> str:
    """All tables."""
    about, data = report["provenance"], report["data"]
    said = ", ".join(f"{name} {one['faces']} ({one['people']} people)" for name, one in data.items())
    lines = [
        f"`{report['command']}`, commit {about['commit']}, {about['date']}.",
        "",
        f"Faces: {said}. Each is forged by {', '.join(report['methods'])}.",
        "",
        "## Before adaptation",
        "",
        *_before(report["before"]),
    ]
    shots = dict.fromkeys(row["shots_a_class"] for row in report["adapted"])
    lines += ["", "## Gains of AUC over no adaptation", "", *_gains(report["adapted"])]
    for pairing in ("matched", "unmatched"):
        for count in shots:
            rows = [row for row in report["adapted"] if (row["shots_a_class"], row["pairing"]) == (count, pairing)]
            if rows:
                lines += ["", f"## {count} labelled images a class, {pairing}", "", *_adapted(rows, report["methods"])]
    if "unknown" in report:
        lines += ["", f"## {report['unknown']['name']}", "", *_unknown(report["unknown"])]
    return "\n".join(lines) + "\n"


def _before(found: dict[str, Any]) -> list[str]:
    rows = [*found["collections"], {"collection": "mean", **found["mean"], "methods": found["methods"]}]
    kinds = list(found["methods"])
    lines = _head(["left out", *OF_ROWS.values()])
    for row in rows:
        lines.append(_line([row["collection"], *(_show(row[name]) for name in OF_ROWS)]))
    lines += [
        "",
        "The same shares of the source's own images, each scored by a fit without its collection and method:",
        "",
    ]
    names = [name for name in OF_ROWS if name != "auc"]
    lines += _head(["left out", *(OF_ROWS[name] for name in names)])
    for row in found["collections"]:
        lines.append(_line([row["collection"], *(f"{row['source'][name]:.2f}" for name in names)]))
    lines += ["", "AUC by method:", "", *_head(["left out", *kinds])]
    for row in rows:
        lines.append(_line([row["collection"], *(f"{row['methods'][kind]['value']:.2f}" for kind in kinds)]))
    return lines


def _gains(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Rules by budgets; a budget is judged in the collections that have people enough."""
    budgets = {(row["pairing"], row["shots_a_class"]): len(row["collections"]) for row in rows if row["rule"] == "none"}
    found = {(row["rule"], row["pairing"], row["shots_a_class"]): row for row in rows}
    lines = _head(
        ["rule", *(f"{pairing} {shots} (collections: {count})" for (pairing, shots), count in budgets.items())]
    )
    for rule in dict.fromkeys(row["rule"] for row in rows):
        cells = []
        for budget, count in budgets.items():
            row = found.get((rule, *budget), {})
            fewer = f" ({len(row['collections'])})" if row and len(row["collections"]) < count else ""
            cells.append(_show(row.get("gain"), "+.3f") + fewer)
        if rule != "none":
            lines.append(_line([rule, *cells]))
    return lines


def _adapted(rows: Sequence[dict[str, Any]], kinds: Sequence[str]) -> list[str]:
    lines = _head([
        "rule", "collections", "AUC", "gain", "least gain", "over discriminant", "accuracy", "calibration error",
        "Brier score", "two real collections told apart",
    ])  # fmt: skip
    for row in rows:
        least = f"{row['gains'][row['least']]['value']:+.3f} {row['least']}" if "least" in row else "-"
        lines.append(_line([
            row["rule"], str(len(row["collections"])), _show(row["auc"], ".3f"), _show(row.get("gain"), "+.3f"), least,
            _show(row.get("over_discriminant"), "+.3f"), _number(row.get("accuracy")), _number(row.get("ece")),
            _number(row.get("brier")), _number(row["apart"]),
        ]))  # fmt: skip
    lines += ["", "Gains by method:", "", *_head(["rule", *kinds])]
    for row in rows:
        if "gains" in row:
            lines.append(_line([row["rule"], *(f"{row['gains'][kind]['value']:+.3f}" for kind in kinds)]))
    return lines


def _unknown(found: dict[str, Any]) -> list[str]:
    lines = [f"{found['images']} images, all fake, against the real ones of the collection that was left out.", ""]
    lines += _head([
        "left out", "AUC", "fakes called fake", "fakes, cannot tell", "familiarity of fakes", "reals called fake",
        "reals, cannot tell", "familiarity of reals", "reals against other reals, AUC",
    ])  # fmt: skip
    for row in found["collections"]:
        fake, real = row["unknown"], row["real"]
        others = [each["value"] for each in row["real_against_real"].values()]
        lines.append(_line([
            row["collection"], _show(row["auc"]), *(_show(fake[name]) for name in ("called_fake", "undecided")),
            f"{fake['familiarity']['value']:.2f}", *(_show(real[name]) for name in ("called_fake", "undecided")),
            f"{real['familiarity']['value']:.2f}", f"{min(others):.2f} to {max(others):.2f}",
        ]))  # fmt: skip
    return lines


def _head(names: Sequence[str]) -> list[str]:
    return [_line(names), "|---" * len(names) + "|"]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _show(part: dict[str, float] | None, spec: str = ".2f") -> str:
    return "-" if part is None else format(Interval.from_json(part), spec)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
