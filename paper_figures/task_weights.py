"""Which domains does a learner work for? Their losses and their weights while it is trained.

    python -m experiments.study --study=task_weighting --workdir=runs/weighting
    python -m paper_figures.task_weights --runs='runs/weighting/swap/models/fomaml-weighting=through-seed*' --out=w.png

Left the query loss of every source domain after adaptation, right the weight of its tasks, 1 for a plain mean: means
over seeds, bands from the smallest seed to the largest.
"""

import dataclasses

import numpy as np

from metaforge.commands import launch, start
from metaforge.settings import setting
from paper_figures._figure import PALETTE, OfRuns, mean_and_range, sheet
from paper_figures._runs import columns_of, find_runs

_LINES = ("-", "--", "-.", ":")
_NOTE = "mean of the tasks of each logged stretch; mean and range over seeds; synthesised domains"


@dataclasses.dataclass(frozen=True)
class Options(OfRuns):
    """What to draw."""

    runs: str = setting(
        ..., "Run directories of one setting and several seeds, comma-separated; * for anything.", place="read"
    )


def draw(options: Options) -> str:
    """Draws the figure, and says where it is."""
    folders = find_runs(options.runs)
    sides = {"query loss (nats)": "query_loss", "weight of a task": "weight"}
    found = {label: columns_of(folders, name) for label, name in sides.items()}
    with sheet("task_weights", options, columns=2, size=(6.4, 3.0), note=_NOTE) as (figure, panels):
        for axes, (label, domains) in zip(panels, found.items(), strict=True):
            for number, (name, (steps, values)) in enumerate(domains.items()):
                seen = np.isfinite(values).any(axis=0)  # a stretch in which no seed drew the domain has no point
                look = {"color": PALETTE[number % len(PALETTE)], "ls": _LINES[number % len(_LINES)], "lw": 1.2}
                mean_and_range(axes, steps[seen], values[:, seen], alpha=0.1, label=name, **look)
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
