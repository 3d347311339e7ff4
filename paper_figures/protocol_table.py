"""A protocol's table from its report, as Markdown, LaTeX or CSV, by the ending of --out.

    python -m paper_figures.protocol_table --report=runs/table2/report.json --out=table2.tex

The paper's numbers stand beside ours only where both come from the owners' data sets, and then all of them do, those
that beat ours too.
"""

import csv
import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from metaforge.commands import launch, setting, start
from metaforge.errors import InputError
from metaforge.runs import read_json

NAMES: dict[str, str] = {"auc": "AUC", "accuracy": "ACC", "eer": "EER", "nll": "CE", "average_precision": "AP"}


@dataclasses.dataclass(frozen=True)
class Options:
    """Of what, where to."""

    report: str = setting(..., "A report of experiments.protocol.")
    out: str = setting(..., "The file to write: .md, .tex or .csv.")


def rows(report: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """The table as text: a header, and a line for each method; percent, with 95 % intervals where they are ours."""
    cells = report["cells"]
    columns = [(cell, metric) for cell in cells for metric in report["metrics"]]
    several = len({cell["row"] for cell in cells}) > 1
    title = lambda cell, metric: (f"{cell['row']} to " if several else "") + f"{cell['column']} {NAMES[metric]}"
    header = ["method", *(title(cell, metric) for cell, metric in columns)]
    lines = []
    if report["official"]:
        methods = dict.fromkeys(name.rsplit(", ", 1)[0] for cell in cells for name in cell["published"])
        for method in methods:
            values = [cell["published"].get(f"{method}, {metric}") for cell, metric in columns]
            lines.append([f"{method} (published)", *("-" if v is None else f"{100 * v:.2f}" for v in values)])
    for method in cells[0]["table"]:
        values = [cell["table"][method][metric] for cell, metric in columns]
        text = [f"{100 * v['value']:.2f} [{100 * v['low']:.2f}, {100 * v['high']:.2f}]" for v in values]
        lines.append([method, *text])
    return header, lines


def notes(report: dict[str, Any]) -> list[str]:
    """What must be known to read the table."""
    cell, options = report["cells"][0], report["options"]
    chosen = {
        "source_validation": "rate and steps chosen on source validation",
        "oracle": "ORACLE: rate and steps chosen on the test split itself",
    }[report["selection"]]
    found = [
        f"{report['about']}; {report['level']} level; {cell['shots']} labelled target images a class to adapt on; "
        + f"{chosen}; {options['seeds']} seeds, {options['draws']} support sets; percent, with 95 % intervals over "
        + "seeds, support sets and people (videos where people are unknown)."
    ]
    if not report["official"]:
        sizes = ", ".join(f"{c['column']} {c['tested']['videos']}" for c in report["cells"])
        found.append(
            f"The data are not the owners' whole sets (test videos: {sizes}), so no published number stands here."
        )
    elif report["reference"]:
        found.append(f"Published: {report['reference']}. All but DAML appear to have seen no labelled target image.")
    return found


def markdown(report: dict[str, Any]) -> str:
    """As Markdown."""
    header, lines = rows(report)
    table = ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    table += ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([*table, "", *notes(report)]) + "\n"


def latex(report: dict[str, Any]) -> str:
    """As a `tabular` for `booktabs`."""
    header, lines = rows(report)
    escape = lambda text: text.replace("%", r"\%").replace("_", r"\_").replace("&", r"\&")
    row = lambda cells: " & ".join(map(escape, cells)) + r" \\"
    body = [r"\begin{tabular}{l" + "r" * (len(header) - 1) + "}", r"\toprule", row(header), r"\midrule"]
    body += [*map(row, lines), r"\bottomrule", r"\end{tabular}"]
    return "\n".join([*(f"% {note}" for note in notes(report)), *body]) + "\n"


def as_csv(report: dict[str, Any]) -> str:
    """As CSV: a line for each method, cell and metric, with the interval's ends in columns of their own."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["method", "row", "column", "metric", "value", "low", "high", "source"])
    for cell in report["cells"]:
        for name, value in cell["published"].items() if report["official"] else ():
            method, metric = name.rsplit(", ", 1)
            writer.writerow([method, cell["row"], cell["column"], metric, value, "", "", "published"])
        for method, metrics in cell["table"].items():
            for metric, v in metrics.items():
                writer.writerow([method, cell["row"], cell["column"], metric, v["value"], v["low"], v["high"], "ours"])
    return stream.getvalue()


FORMATS = {".md": markdown, ".tex": latex, ".csv": as_csv}


def write(options: Options) -> None:
    """Writes the table."""
    suffix = Path(options.out).suffix
    if suffix not in FORMATS:
        raise InputError(f"--out={options.out}: the ending must be one of {', '.join(FORMATS)}.")
    report = read_json(options.report)
    if "cells" not in report:
        raise InputError(f"--report={options.report}: not a report of experiments.protocol.")
    Path(options.out).write_text(FORMATS[suffix](report))
    print(f"Wrote {options.out}.")


def main(argv: Sequence[str]) -> int:
    """The command."""
    return launch(argv, write, doc=__doc__ or "", options=Options())


if __name__ == "__main__":
    start(main)
