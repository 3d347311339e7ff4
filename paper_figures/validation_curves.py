"""DAML's figure 3: accuracy on validation, MAML against DAML, mean and range over seeds.

    python -m paper_figures.validation_curves --runs='runs/demo/*-seed*' --out=validation_curves.png

Validation is on source domains, on people who are not trained on, after adaptation to the support set of each episode.
"""

from collections.abc import Sequence
from pathlib import Path

from metaforge.commands import launch, start
from paper_figures._curves import Options, draw_column, find_runs


def draw(options: Options) -> str:
    """Draws the figure of the runs that the command names."""
    return draw_runs(find_runs(options.runs), options.out, learners=options.learners, by=options.by)


def draw_runs(runs: Sequence[Path], out: str | Path, *, learners: str = "maml,daml", by: str = "learner.name") -> str:
    """Draws the figure of some run directories; returns a line that says what was drawn."""
    return draw_column(runs, "val_accuracy", ylabel="validation accuracy, adapted", learners=learners, by=by, out=out)


def main(argv: list[str]) -> int:
    """The command."""
    return launch(argv, draw, doc=__doc__ or "", options=Options())


if __name__ == "__main__":
    start(main)
