"""Which domains does a learner work for? Their losses and their weights while it is trained.

    python -m experiments.study --study=task_weighting --workdir=runs/weighting
    python -m paper_figures.task_weights --runs='runs/weighting/swap/models/fomaml-weighting=through-seed*' --out=w.png

Left the query loss of every source domain after adaptation, right the weight of its tasks, 1 for a plain mean: means
over seeds, bands from the smallest seed to the largest.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from metaforge.commands import launch, start
from metaforge.errors import InputError
from metaforge.runs import read_rows
from metaforge.settings import setting
from paper_figures import _curves
from paper_figures._study import PALETTE, sheet

_LINES = ("-", "--", "-.", ":")
_NOTE = "mean of the tasks of each logged stretch; mean and range over seeds; synthesised domains"


@dataclasses.dataclass(frozen=True)
class Options:
    """What to draw."""

    runs: str = setting(
        ..., "Run directories of one setting and several seeds, comma-separated; * for anything.", place="read"
    )
    out: str = setting(..., "The figure: .png or .pdf.", place="file")


def by_domain(folders: Sequence[Path], column: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Domain to (steps, values `(seeds, steps)`); NaN where no task of the domain was drawn.

    Raises:
        InputError: when the logs have no such column by domain, or not the same steps.
    """
    logs = [read_rows(folder) for folder in folders]
    steps = {tuple(row["step"] for row in log) for log in logs}
    if len(steps) != 1:
        raise InputError("runs: these runs logged different steps. Draw runs of one setting that are finished.")
    domains = sorted(
        {name.partition("/")[2] for log in logs for row in log for name in row if name.startswith(f"{column}/")}
    )
    if not domains:
        raise InputError(f"runs: log.jsonl has no '{column}/DOMAIN': this learner has no tasks. Draw another.")
    at = np.array(steps.pop())
    return {name: (at, np.array([[row.get(f"{column}/{name}", np.nan) for row in log] for log in logs]))
            for name in domains}  # fmt: skip


def draw(options: Options) -> str:
    """Draws the figure, and says where it is."""
    folders = _curves.find_runs(options.runs)
    sides = {"query loss (nats)": "query_loss", "weight of a task": "weight"}
    found = {label: by_domain(folders, column) for label, column in sides.items()}
    with sheet(options.out, columns=2, size=(6.4, 3.0), note=_NOTE) as (figure, panels):
        for axes, (label, domains) in zip(panels, found.items(), strict=True):
            for number, (name, (steps, values)) in enumerate(domains.items()):
                seen = np.isfinite(values).any(axis=0)  # a stretch in which no seed drew the domain has no point
                steps, values, colour = steps[seen], values[:, seen], PALETTE[number % len(PALETTE)]
                style = _LINES[number % len(_LINES)]
                axes.plot(steps, np.nanmean(values, axis=0), color=colour, ls=style, lw=1.2, label=name)
                low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
                axes.fill_between(steps, low, high, color=colour, alpha=0.1, lw=0)
            axes.set(xlabel="outer steps", ylabel=label)
        panels[0].set_yscale("log")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=4, frameon=False, fontsize=7)
    return f"Wrote {options.out}: {len(found['weight of a task'])} domains, {len(folders)} seeds."


def main(argv: list[str]) -> int:
    """The command."""
    return launch(argv, draw, doc=__doc__ or "", options=Options())


if __name__ == "__main__":
    start(main)
