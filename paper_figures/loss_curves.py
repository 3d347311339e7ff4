r"""DAML's figure 2: the loss while meta-training, MAML against DAML, mean and range over seeds.

    python -m paper_figures.loss_curves --runs='runs/demo/*-seed*' --out=loss_curves.png
    python -m paper_figures.loss_curves --runs='runs/weighting/swap/models/fomaml-weighting=*' --by=weighting \
        --learners=all --out=loss_by_weighting.png

Drawn is the mean query loss after adaptation, unweighted, so that learners of different weightings compare.
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
    return draw_column(runs, "query_loss", ylabel="query loss while training (nats)", learners=learners, by=by, out=out)


def main(argv: list[str]) -> int:
    """The command."""
    return launch(argv, draw, doc=__doc__ or "", options=Options())


if __name__ == "__main__":
    start(main)
