"""DAML's figure 2: the loss while meta-training, MAML against DAML, mean and range over seeds.

    python -m paper_figures.loss_curves --runs='runs/demo/*-seed*' --out=loss_curves.png

Drawn is the mean query loss after adaptation, unweighted, so that learners of different weightings compare.
"""

import sys

from metaforge.commands import launch
from paper_figures._curves import Options, draw_column


def draw(options: Options) -> None:
    """Reads runs and draws the figure."""
    draw_column(options, "query_loss", ylabel="query loss while training (nats)")


def main(argv: list[str]) -> int:
    """The command."""
    return launch(argv, draw, doc=__doc__ or "", options=Options())


if __name__ == "__main__":
    sys.exit(main(sys.argv))
