"""DAML's figure 3: accuracy on validation, MAML against DAML, mean and range over seeds.

    python -m paper_figures.validation_curves --runs='runs/demo/*-seed*' --out=validation_curves.png

Validation is on source domains, on people who are not trained on, after adaptation to the support set of each episode.
"""

import sys

from metaforge.commands import launch
from paper_figures._curves import Options, draw_column


def draw(options: Options) -> None:
    """Reads runs and draws the figure."""
    draw_column(options, "val_accuracy", ylabel="validation accuracy, adapted")


def main(argv: list[str]) -> int:
    """The command."""
    return launch(argv, draw, doc=__doc__ or "", options=Options())


if __name__ == "__main__":
    sys.exit(main(sys.argv))
