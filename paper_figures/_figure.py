"""The one scaffold of the figures: what a command takes, the colours, a sheet of panels, and the file that is written.

A figure's module reads runs or a report (`_runs`, `_study`), draws on a `sheet` or a `page`, and says in a line what it
drew. The file holds no version and no date, so the same data give the same bytes, and the command that made it.
"""

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from metaforge.commands import flags_of
from metaforge.errors import InputError
from metaforge.settings import setting
from metaforge.whole import whole_file

BLACK, GREY, DARK = "#000000", "#999999", "#666666"
BLUE, SKY, GREEN = "#0072b2", "#56b4e9", "#009e73"
VERMILLION, ORANGE, YELLOW, PURPLE = "#d55e00", "#e69f00", "#f0e442", "#cc79a7"
"""Okabe and Ito's palette, which colour-blind readers can tell apart, and two greys."""

PALETTE = (BLACK, BLUE, VERMILLION, GREEN, PURPLE, SKY, ORANGE, GREY)
"""The colours in the order in which they are taken, where a figure has no order of its own; the baseline is black."""


@dataclasses.dataclass(frozen=True)
class OfRuns:
    """What to draw."""

    runs: str = setting(..., "Run directories, comma-separated; * stands for anything.", place="read")
    out: str = setting(..., "The figure: .png or .pdf.", place="file")


@dataclasses.dataclass(frozen=True)
class OfRun:
    """What to draw."""

    run: str = setting(..., "The --workdir of a finished study.", place="read")
    out: str = setting(..., "The figure: .png or .pdf.", place="file")


@dataclasses.dataclass(frozen=True)
class OfReport:
    """What to draw."""

    report: str = setting(..., "report.json of an experiment.", place="read")
    out: str = setting(..., "The figure: .png or .pdf.", place="file")


def command(figure: str, options: Any) -> str:
    """The command that draws a figure, without where to: the file may be moved."""
    words = [f"python -m paper_figures.{figure}", *flags_of(options, type(options)(), but=("out",))]
    # A folder's name may hold bytes that are no text, which neither kind of file takes.
    return " ".join(words).encode("utf-8", "backslashreplace").decode("utf-8")


@contextlib.contextmanager
def sheet(
    figure: str,
    options: Any,
    *,
    size: tuple[float, float],
    columns: int = 1,
    note: str = "",
    dpi: int = 200,
    font: float = 8,
) -> Iterator[Any]:
    """A figure and its panels, side by side; written whole at the end, under a note on what it can say.

    Args:
        figure: the name of the module that draws.
        options: its options; `out` is the file.

    Other Arguments:
        size: width and height in inches.
        columns: how many panels.
        note: the line below.
        dpi: pixels an inch.
        font: points of the text.

    Raises:
        InputError: for a file that is neither PNG nor PDF.
    """
    kind = Path(options.out).suffix
    if kind not in (".png", ".pdf"):
        raise InputError(f"--out: '{options.out}' is neither .png nor .pdf. Choose one of them.")
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    made_by = command(figure, options)
    about: dict[str, Any] = {"Software": None, "Description": made_by}
    if kind == ".pdf":
        about = {"Creator": None, "Producer": None, "CreationDate": None, "Subject": made_by}
    with plt.rc_context({"font.size": font, "axes.titlesize": font, "axes.labelsize": font}):
        drawn, axes = plt.subplots(1, columns, figsize=size, dpi=dpi, squeeze=False, layout="constrained")
        try:
            yield drawn, axes[0]
            if note:
                drawn.supxlabel(note, fontsize=6.5, color="#555555")
            with whole_file(options.out) as made:
                drawn.savefig(made, metadata=about)
        finally:
            plt.close(drawn)


@contextlib.contextmanager
def page(figure: str, options: Any, *, size: tuple[float, float] = (4.2, 3.0)) -> Iterator[Any]:
    """One set of axes with a light grid, for a column of text; as `sheet` else."""
    with sheet(figure, options, size=size, dpi=150, font=10) as (_, (axes,)):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25, lw=0.5)
        yield axes


def mean_and_range(axes: Any, steps: np.ndarray, values: np.ndarray, *, alpha: float = 0.2, **line: Any) -> None:
    """The mean over seeds as a line, their range as a band; `values` are `(seeds, steps)`, NaN where one has none."""
    axes.plot(steps, np.nanmean(values, axis=0), **line)
    low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
    axes.fill_between(steps, low, high, color=line["color"], alpha=alpha, lw=0)


BESIDE: dict[str, Any] = {
    "frameon": False, "fontsize": 6.5, "title_fontsize": 7, "loc": "center left", "bbox_to_anchor": (1.0, 0.5),
}  # fmt: skip
"""Where a long legend goes."""
