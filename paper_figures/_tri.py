"""What the figures of the FakeRadar experiment share: runs of a row, a column of a log, and a page to draw on."""

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from metaforge.errors import InputError
from metaforge.runs import read_config, read_rows
from metaforge.settings import setting
from metaforge.whole import whole_file
from paper_figures._curves import find_runs

COLOURS = {
    "full": "#0072b2", "binary": "#d55e00", "no contrastive loss": "#009e73", "no third class": "#cc79a7",
    "no outliers": "#56b4e9", "fixed clusters": "#666666",
}  # fmt: skip
"""The rows' colours, of Okabe and Ito's palette."""

PALETTE = ("#000000", "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#999999")
"""That palette, real in black first, for kinds of forgery."""

BESIDE: dict[str, Any] = {
    "frameon": False, "fontsize": 6.5, "title_fontsize": 7, "loc": "center left", "bbox_to_anchor": (1.0, 0.5),
}  # fmt: skip
"""Where a long legend goes."""


@dataclasses.dataclass(frozen=True)
class Options:
    """What to draw."""

    runs: str = setting(..., "Runs of experiments.fakeradar, comma-separated; * stands for anything.", place="read")
    out: str = setting(..., "The figure: .png or .pdf.", place="file")


def runs_of(patterns: str, row: str) -> list[Path]:
    """The run directories of one row of the ablation.

    Raises:
        InputError: when none of them is.
    """
    found = [run for run in find_runs(patterns) if (read_config(run) or {}).get("row") == row]
    if not found:
        raise InputError(f"runs: none that '{patterns}' matches is a run of '{row}'. Give WORKDIR/TARGET/*.")
    return found


def column(runs: list[Path], name: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps, and a column of the logs of runs that share them, shape `(runs, steps)`.

    Raises:
        InputError: when a log lacks the column, or the runs differ in their steps.
    """
    steps, values = [], []
    for run in runs:
        rows = [row for row in read_rows(run) if name in row]
        if not rows:
            raise InputError(f"runs: log.jsonl in '{run}' has no '{name}'. Choose runs of a row that has it.")
        steps.append(tuple(row["step"] for row in rows))
        values.append([row[name] for row in rows])
    if len(set(steps)) > 1:
        raise InputError("runs: they logged different steps. Let the unfinished ones go on.")
    return np.array(steps[0]), np.array(values, float)


@contextlib.contextmanager
def page(out: str | Path, *, size: tuple[float, float] = (4.2, 3.0)) -> Iterator[Any]:
    """Axes to draw on; the figure is saved at the end.

    Raises:
        InputError: for a file that is neither PNG nor PDF.
    """
    if Path(out).suffix not in (".png", ".pdf"):
        raise InputError(f"out: '{out}' is neither .png nor .pdf. Choose one of them.")
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=size, dpi=150, layout="constrained")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25, lw=0.5)
    try:
        yield axes
        # No version and no date in the file: the same data give the same bytes.
        with whole_file(out) as made:
            figure.savefig(made, metadata={"Software": None} if str(out).endswith(".png") else {"CreationDate": None})
    finally:
        plt.close(figure)
