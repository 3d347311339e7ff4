"""A report of experiments.protocol: read with care, and said in words what must be known to read its numbers."""

from collections.abc import Iterable
from typing import Any

from metaforge.errors import InputError
from metaforge.runs import read_json

NAMES: dict[str, str] = {
    "auc": "AUC", "accuracy": "ACC", "accuracy_fitted": "ACC (fitted)", "ap": "AP", "eer": "EER",
    "eer_knot": "EER (knot)", "tpr_at_fpr1": "TPR at FPR 1 %", "tpr_at_fpr5": "TPR at FPR 5 %", "ece": "ECE",
    "nll": "NLL", "brier": "Brier",
}  # fmt: skip
"""The metrics as tables name them."""

PLAIN = ("nll", "brier")
"""Printed as they are, with three digits; all others are shares, and printed in percent."""

LOWER = ("eer", "eer_knot", "ece", "nll", "brier")
"""Where lower is better."""

_KEYS = ("about", "axes", "cells", "dealt", "level", "metrics", "normalisation", "official", "options", "reference",
         "remark", "selection", "unofficial")  # fmt: skip
_OF_A_CELL = ("row", "column", "shots", "steps", "support", "table", "tested", "published")


def read_report(path: str) -> dict[str, Any]:
    """A report of `experiments.protocol`.

    Raises:
        InputError: when it cannot be read, or is something else.
    """
    report = read_json(path)
    lacks = [name for name in _KEYS if name not in report]
    cells = report.get("cells")
    if not lacks and not (isinstance(cells, list) and cells and all(isinstance(cell, dict) for cell in cells)):
        lacks = ["cells"]
    if not lacks:
        lacks = [f"{name} of a cell" for name in _OF_A_CELL if any(name not in cell for cell in report["cells"])]
    if lacks:
        raise InputError(
            f"--report={path}: not a report of experiments.protocol, or another version's (it has no {lacks[0]}). Give "
            "WORKDIR/report.json of a table; experiments.protocol, called again, writes it anew."
        )
    return report


def notes(report: dict[str, Any]) -> list[str]:
    """What must be known to read the table, a sentence or two each."""
    cells, options, metrics = report["cells"], report["options"], report["metrics"]
    shots = _several(cell["shots"] for cell in cells)
    fixed = all(cell["steps"] for cell in cells)
    chosen = "rate" if fixed else "rate and steps"
    chosen = {
        "source_validation": f"{chosen} chosen on source validation",
        "oracle": f"ORACLE: {chosen} chosen on the test split itself",
    }[report["selection"]]
    plural = lambda count, word: f"{count} {word}{'s' * (count != 1)}"
    first = (
        f"{report['about']}; {report['level']} level; {shots} labelled target images a class to adapt on; {chosen}; "
        f"{plural(options['seeds'], 'seed')}, {plural(options['draws'], 'support set')}. Values "
        f"{'' if all(metric in PLAIN for metric in metrics) else 'in percent '}with 95 % intervals over seeds, support "
        "sets and people (videos where people are unknown)."
    )
    details = ["ACC is at a threshold of 0.5"] if "accuracy" in metrics else []
    plain = [NAMES[metric] for metric in metrics if metric in PLAIN]
    details += [f"{_listed(plain)} not in percent"] if plain and len(plain) < len(metrics) else []
    lower = [NAMES[metric] for metric in metrics if metric in LOWER]
    details += [f"of {_listed(lower)} lower is better"] if lower else []
    details += [f'normalisation "{report["normalisation"]}"']
    if report["dealt"]:
        details[-1] += f": test images normalise each other, at most {report['dealt']} at a time, dealt by a fixed seed"
    found = [f"{first[0].upper()}{first[1:]}", _sentence("; ".join(details))]
    without = {f"{name}: {why}": None for cell in cells for name, why in cell.get("without_threshold", {}).items()}
    if without:
        found.append(f"No accuracy at a fitted threshold for {'; '.join(without)}.")
    if options["support"]:
        where = dict.fromkeys(f"{cell['support']['from']} ({cell['column']})" for cell in cells)
        found.append(f"Labelled target images are from {_listed(list(where))}.")
    has_numbers = any(cell["published"] for cell in cells)
    if report["unofficial"]:
        some = "; ".join(report["unofficial"][:4]) + ("; and more" if len(report["unofficial"]) > 4 else "")
        videos = {cell["column"]: cell["tested"]["videos"] for cell in cells}
        sizes = ", ".join(f"{column} {count}" for column, count in videos.items())
        sizes = sizes if len(set(videos.values())) > 1 else f"{next(iter(videos.values()))} each"
        found.append(
            f"The data are not the owners' whole sets as the table means them (test videos: {sizes})"
            + (", so no published number stands here" if has_numbers else "")
            + f": {some}."
        )
    elif has_numbers:
        found.append(" ".join(part for part in (f"Published: {report['reference']}.", report["remark"]) if part))
    return found


def _several(values: Iterable[int]) -> str:
    different = sorted(set(values))
    return str(different[0]) if len(different) == 1 else f"{_listed([str(value) for value in different])} (by cell)"


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
