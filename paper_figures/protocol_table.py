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

from metaforge.commands import launch, start
from metaforge.errors import InputError
from metaforge.evaluation.interval import Interval
from metaforge.settings import setting
from metaforge.whole import write_text
from paper_figures._protocol_report import NAMES, PLAIN, notes, read_report


@dataclasses.dataclass(frozen=True)
class Options:
    """Of what, where to."""

    report: str = setting(..., "A report of experiments.protocol.", place="read")
    out: str = setting(..., "The file to write: .md, .tex or .csv.", place="file")


def rows(report: dict[str, Any]) -> tuple[list[str], list[list[list[str]]]]:
    """The table as text: a header, and for each row of cells a block of lines, one a method.

    A number of ours stands with its 95 % interval. Published ones stand above, where they may be compared.
    """
    cells, metrics = report["cells"], report["metrics"]
    names = list(dict.fromkeys(cell["row"] for cell in cells))
    columns = [(column, metric) for column in dict.fromkeys(cell["column"] for cell in cells) for metric in metrics]
    header = [report["axes"][0]] * (len(names) > 1) + ["method"]
    header += [f"{column} {NAMES.get(metric, metric)}" for column, metric in columns]
    blocks = []
    for name in names:
        mine = {cell["column"]: cell for cell in cells if cell["row"] == name}
        lines = []
        for method in dict.fromkeys(
            key.rsplit(", ", 1)[0] for cell in mine.values() for key in _published(report, cell)
        ):
            values = [
                _published(report, mine[column]).get(f"{method}, {metric}") if column in mine else None
                for column, metric in columns
            ]
            shown = [_number(value, metric) for value, (_, metric) in zip(values, columns, strict=True)]
            lines.append([f"{method} (published)", *shown])
        for method in dict.fromkeys(method for cell in mine.values() for method in cell["table"]):
            values = [
                mine[column]["table"][method].get(metric) if column in mine else None for column, metric in columns
            ]
            shown = [_interval(value, metric) for value, (_, metric) in zip(values, columns, strict=True)]
            lines.append([method, *shown])
        blocks.append([[name, *line] for line in lines] if len(names) > 1 else lines)
    return header, blocks


def _published(report: dict[str, Any], cell: dict[str, Any]) -> dict[str, float]:
    return cell["published"] if report["official"] else {}


def _number(value: float | None, metric: str) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if metric in PLAIN else f"{100 * value:.2f}"


def _interval(value: dict[str, float] | None, metric: str) -> str:
    if value is None:
        return "-"
    middle, low, high = (_number(number, metric) for number in Interval.from_json(value))
    return f"{middle} [{low}, {high}]"


def markdown(report: dict[str, Any]) -> str:
    """As Markdown."""
    header, blocks = rows(report)
    table = ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    table += ["| " + " | ".join(line) + " |" for block in blocks for line in block]
    return "\n".join([*table, *(part for note in notes(report) for part in ("", note))]) + "\n"


_ESCAPES = str.maketrans(
    {letter: f"\\{letter}" for letter in "%_&#${}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
)


def latex(report: dict[str, Any]) -> str:
    """As a `tabular` for `booktabs`, with the notes as comments above it."""
    header, blocks = rows(report)
    words = header.index("method") + 1
    row = lambda cells: " & ".join(cell.translate(_ESCAPES) for cell in cells) + r" \\"
    body = [r"\begin{tabular}{" + "l" * words + "r" * (len(header) - words) + "}", r"\toprule", row(header)]
    for block in blocks:
        # The name of a block stands in its first line alone.
        lines = [line if words == 1 or not number else ["", *line[1:]] for number, line in enumerate(block)]
        body += [r"\midrule", *map(row, lines)]
    body += [r"\bottomrule", r"\end{tabular}"]
    return "\n".join([*(f"% {note}" for note in notes(report)), *body]) + "\n"


def as_csv(report: dict[str, Any]) -> str:
    """As CSV: a line for each method, cell and metric, in the metric's own units, the interval's ends beside it."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["method", "row", "column", "metric", "value", "low", "high", "source"])
    for cell in report["cells"]:
        where = [cell["row"], cell["column"]]
        for name, value in _published(report, cell).items():
            method, metric = name.rsplit(", ", 1)
            writer.writerow([method, *where, metric, value, "", "", "published"])
        for method, metrics in cell["table"].items():
            for metric, found in metrics.items():
                writer.writerow([method, *where, metric, *Interval.from_json(found), "ours"])
    return stream.getvalue()


FORMATS = {".md": markdown, ".tex": latex, ".csv": as_csv}


def write(options: Options) -> str:
    """Writes the table, and says where it is."""
    suffix = Path(options.out).suffix
    if suffix not in FORMATS:
        raise InputError(f"--out={options.out}: the ending must be one of {', '.join(FORMATS)}.")
    write_text(options.out, FORMATS[suffix](read_report(options.report)))
    return f"Wrote {options.out}."


def main(argv: Sequence[str]) -> int:
    """The command."""
    return launch(argv, write, doc=__doc__ or "", options=Options())


if __name__ == "__main__":
    start(main)
