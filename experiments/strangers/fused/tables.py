"""The report for people."""

from typing import Any

from experiments.strangers.cells import head, line, show

NAMES = {
    "top": "head on the top's embedding", "pooled": "head on pooled depths side by side",
    "levels": "head on levels", "equal": "fusion, equal weights", "gated": "fusion, weights by the image",
    "attended": "the same, and spatial attention", "discriminant": "discriminant on levels, closed form",
}  # fmt: skip
HEADS = {"auc": "AUC", "accuracy": "accuracy", "brier": "Brier"}


def markdown(report: dict[str, Any]) -> str:
    """All tables."""
    about, config = report["provenance"], report["config"]
    data = ", ".join(f"{name} {one['faces']} ({one['people']} people)" for name, one in report["data"].items())
    blocks = [f"block {number}" for number in report["blocks"].split(",")]
    model, seeds = config["model"], config["seeds"]
    lines = [
        f"`{report['command']}`, commit {about['commit']}, {about['date']}.",
        "",
        f"Photographs: {data}.",
        f"{model['backbone']}, frozen, at {model['image_size']} pixels. Fused to {config['fusion_width']} channels:",
        f"{', '.join(blocks)}; larger maps are averaged to {config['grid']} positions a side.",
        f"One half of the methods is {config['unseen'].replace(',', ', ')}.",
        f"Means over {len(report['chosen'])} folds; 95 % intervals over people and {seeds} seeds.",
    ]
    for scope, cells in report["scopes"].items():
        lines += ["", f"## The left-out collection, {scope}", "", *head(["", *HEADS.values()])]
        for row, one in cells["rows"].items():
            lines.append(line([NAMES[row], *(show(one[metric], ".3f") for metric in HEADS)]))
        lines += ["", *head(["paired difference", *HEADS.values()])]
        for name, one in cells["differences"].items():
            lines.append(line([name, *(show(one[metric], "+.3f") for metric in HEADS)]))
    unseen = next(iter(report["scopes"].values()))["folds"]
    lines += ["", "## AUC by fold, unseen methods", "", *head(["left out", *NAMES])]
    for one in unseen:
        name = f"{one['collection']}; {', '.join(one['methods'])}"
        lines.append(line([name, *(f"{one['auc'][row]:.3f}" for row in NAMES)]))
    lines += ["", "## What weight the depths have, by kind of forgery", ""]
    for row, by in report["weights"].items():
        lines += [f"{NAMES[row]}:", "", *head(["method", *blocks, *(f"{name}, fake minus real" for name in blocks)])]
        for kind, one in by.items():
            cells = [show(part, ".3f") for part in one["fakes"]] + [
                show(part, "+.3f") for part in one["more than real"]
            ]
            lines.append(line([kind, *cells]))
        lines.append("")
    lines += ["## What it costs", ""]
    lines += head(["network", "parameters", *(f"ms an image, {name} | times top" for name in ("batch 1", "batch 16"))])
    lines[-1] = "|---" * 6 + "|"
    for name, one in report["cost"].items():
        cells = [f"{one['parameters']:,}"]
        for batch in ("batch 1", "batch 16"):
            cells += [f"{one[batch]['ms']:.2f}", show(one[batch]["times_top"], ".2f")]
        lines.append(line([name, *cells]))
    lines += ["", "## What was chosen", "", *head(["fold", *report["chosen"][0]])]
    for one, fold in zip(report["chosen"], unseen, strict=True):
        name = f"{fold['collection']}; {', '.join(fold['methods'])}"
        lines.append(line([name, *(f"{part['rate']:g}, {part['share']:.0%}" for part in one.values())]))
    return "\n".join(lines) + "\n"
