"""The report for people."""

from collections.abc import Sequence
from typing import Any

from metaforge.evaluation.interval import Interval

SAID = {
    "auc": "AUC", "accuracy": "accuracy at .5", "brier": "Brier score", "hard_unseen": "AUC, hard methods left out too",
    "hard_seen": "AUC, hard methods trained on",
}  # fmt: skip
"""The measures, in words."""


def markdown(report: dict[str, Any]) -> str:
    """All tables."""
    about, rows = report["provenance"], report["rows"]
    names = [name for name in SAID if name in rows[0]]
    data = ", ".join(f"{name} {count} people" for name, count in report["data"].items())
    lines = [
        f"`{report['command']}`, commit {about['commit']}, {about['date']}.", "",
        (f"{report['folds']} folds; {data}. Means over folds, methods and {report['config']['seeds']} seeds; 95 % "
        "intervals over people and seeds."), "",
        *_head(["loss", "rate", *(SAID[name] for name in names)]),
    ]  # fmt: skip
    lines += [_line([row["loss"], row["schedule"], *(_show(row[name], ".3f") for name in names)]) for row in rows]
    lines += [
        "", "## Minus cross-entropy at a constant rate, on the same resamples", "",
        (f"A star stands where Holm's correction over all {report['comparisons']} comparisons leaves p below .05. Of "
        "the Brier score less is better."), "", *_head(["loss", "rate", *(SAID[name] for name in names)]),
    ]  # fmt: skip
    for row in rows:
        if "minus_control" in row:
            cells = [
                _show(row["minus_control"][name], "+.3f") + (" *" if row["holm"][name] < 0.05 else "") for name in names
            ]
            lines.append(_line([row["loss"], row["schedule"], *cells]))
    lines += ["", "## A cosine with warm-up minus a constant rate, of the same loss", "",
              *_head(["loss", *(SAID[name] for name in names)])]  # fmt: skip
    for loss, one in report["cosine_minus_constant"].items():
        lines.append(_line([loss, *(_show(one[name], "+.3f") for name in names)]))
    lines += ["", "## What was chosen inside the source, and in how many folds", "", *_head(["loss", "rate", "chosen"])]
    for row in rows:
        chosen = sorted(row["chosen"].items(), key=lambda one: -one[1])
        lines.append(_line([row["loss"], row["schedule"], "; ".join(f"{what}: {count}" for what, count in chosen)]))
    if half := report["half"]:
        moves = half["probability_moves"]
        lines += [
            "", "## The network in bfloat16, under the control's heads", "",
            f"{half['folds']} folds, left out: {', '.join(half['collections'])}. The heads were trained on float32.",
            "", *_head(["AUC in float32", "in bfloat16, minus it", "a probability moves by, median and most",
                        "decisions at .5 that turn"]),
            _line([_show(half["auc"], ".3f"), _show(half["difference"], "+.4f"),
                   f"{moves['median']:.3f}, {moves['most']:.3f}", f"{half['decisions_turned']:.1%}"]),
        ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _head(names: Sequence[str]) -> list[str]:
    return [_line(names), "|---" * len(names) + "|"]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _show(part: dict[str, float], spec: str) -> str:
    return format(Interval.from_json(part), spec)
