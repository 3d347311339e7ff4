r"""DAML's figure 2: the loss while meta-training, MAML against DAML, mean and range over seeds.

    python -m paper_figures.loss_curves --runs='runs/demo/*-seed*' --out=loss_curves.png
    python -m paper_figures.loss_curves --runs='runs/weighting/swap/models/fomaml-weighting=*' --by=weighting \
        --learners=all --out=loss_by_weighting.png

Drawn is the mean query loss after adaptation, unweighted, so that learners of different weightings compare.
"""

from collections.abc import Sequence
from pathlib import Path

from metaforge.commands import launch, start
from paper_figures._curves import Options, draw_column


def draw(options: Options, *, runs: Sequence[Path] | None = None) -> str:
    """Draws the figure of the runs that the options name, or of `runs`; says what was drawn."""
    return draw_column("loss_curves", options, "query_loss", ylabel="query loss while training (nats)", runs=runs)


def main(argv: list[str]) -> int:
    """The command."""
    return launch(argv, draw, doc=__doc__ or "", options=Options())


if __name__ == "__main__":
    start(main)
