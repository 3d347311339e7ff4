"""The report for people."""

from typing import Any

from experiments.strangers.cells import head, line, show

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
        *head(["loss", "rate", *(SAID[name] for name in names)]),
    ]  # fmt: skip
    lines += [line([row["loss"], row["schedule"], *(show(row[name], ".3f") for name in names)]) for row in rows]
    lines += [
        "", "## Minus cross-entropy at a constant rate, on the same resamples", "",
        (f"A star stands where Holm's correction over all {report['comparisons']} comparisons leaves p below .05. Of "
        "the Brier score less is better."), "", *head(["loss", "rate", *(SAID[name] for name in names)]),
    ]  # fmt: skip
    for row in rows:
        if "minus_control" in row:
            cells = [
                show(row["minus_control"][name], "+.3f") + (" *" if row["holm"][name] < 0.05 else "") for name in names
            ]
            lines.append(line([row["loss"], row["schedule"], *cells]))
    lines += ["", "## A cosine with warm-up minus a constant rate, of the same loss", "",
              *head(["loss", *(SAID[name] for name in names)])]  # fmt: skip
    for loss, one in report["cosine_minus_constant"].items():
        lines.append(line([loss, *(show(one[name], "+.3f") for name in names)]))
    lines += ["", "## What was chosen inside the source, and in how many folds", "", *head(["loss", "rate", "chosen"])]
    for row in rows:
        chosen = sorted(row["chosen"].items(), key=lambda one: -one[1])
        lines.append(line([row["loss"], row["schedule"], "; ".join(f"{what}: {count}" for what, count in chosen)]))
    if half := report["half"]:
        moves = half["probability_moves"]
        lines += [
            "", "## The network in bfloat16, under the control's heads", "",
            f"{half['folds']} folds, left out: {', '.join(half['collections'])}. The heads were trained on float32.",
            "", *head(["AUC in float32", "in bfloat16, minus it", "a probability moves by, median and most",
                        "decisions at .5 that turn"]),
            line([show(half["auc"], ".3f"), show(half["difference"], "+.4f"),
                   f"{moves['median']:.3f}, {moves['most']:.3f}", f"{half['decisions_turned']:.1%}"]),
        ]  # fmt: skip
    return "\n".join(lines) + "\n"
