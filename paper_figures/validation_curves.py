"""DAML's figure 3: accuracy on validation, MAML against DAML, mean and range over seeds.

    python -m paper_figures.validation_curves --runs='runs/demo/*-seed*' --out=validation_curves.png

Validation is on source domains, on people who are not trained on, after adaptation to the support set of each episode.
"""

import dataclasses
import sys

from metaforge.commands import launch, setting
from paper_figures._read import draw_curves, read_curves


@dataclasses.dataclass(frozen=True)
class Options:
    """What to draw."""

    runs: str = setting(..., "Run directories, comma-separated; * stands for anything.")
    out: str = setting(..., "The figure: .png or .pdf.")
    learners: str = setting("maml,daml", "Which learners to draw, comma-separated.")


def main(argv: list[str]) -> int:
    """The command."""
    return launch(
        argv, lambda options: draw(options.runs, options.out, options.learners), doc=__doc__ or "", options=Options()
    )


def draw(runs: str, out: str, learners: str = "maml,daml") -> None:
    """Reads runs and draws the figure."""
    curves = read_curves(runs, "val_accuracy")
    wanted = {name: curve for name, curve in curves.items() if name in learners.split(",")}
    draw_curves(wanted or curves, ylabel="validation accuracy, adapted", out=out)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
