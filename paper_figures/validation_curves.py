"""DAML's figure 3: accuracy on validation, MAML against DAML, mean and range over seeds.

    python -m paper_figures.validation_curves --runs='runs/demo/*-seed*' --out=validation_curves.png

Validation is on source domains, on people who are not trained on, after adaptation to the support set of each episode.
"""

from collections.abc import Sequence
from pathlib import Path

from metaforge.commands import launch, start
from paper_figures._curves import Options, draw_column


def draw(options: Options, *, runs: Sequence[Path] | None = None) -> str:
    """Draws the figure of the runs that the options name, or of `runs`; says what was drawn."""
    return draw_column("validation_curves", options, "val_accuracy", ylabel="validation accuracy, adapted", runs=runs)


def main(argv: list[str]) -> int:
    """The command."""
    return launch(argv, draw, doc=__doc__ or "", options=Options())


if __name__ == "__main__":
    start(main)
