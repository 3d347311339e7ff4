"""Do the source domains pull the same way? Cosines between their outer gradients while a model is trained.

    python -m experiments.study --study=shots_by_steps --workdir=runs/shots_by_steps --agreement=100
    python -m paper_figures.gradient_agreement --run=runs/shots_by_steps/swap/models/daml-seed0 --out=agreement.png

One panel for each look at it. Blue domains pull together, red ones against each other.
"""

import dataclasses
from pathlib import Path

import numpy as np

from metaforge.commands import launch, start
from metaforge.errors import InputError
from metaforge.runs import read_rows
from metaforge.settings import setting
from paper_figures._figure import OfRun, sheet


@dataclasses.dataclass(frozen=True)
class Options(OfRun):
    """What to draw."""

    run: str = setting(..., "A model's folder in a study's --workdir.", place="read")


def draw(options: Options) -> str:
    """Draws the figure, and says where it is."""
    rows = read_rows(options.run, name="agreement.jsonl") if Path(options.run).is_dir() else []
    if not rows:
        raise InputError(f"--run: no agreement.jsonl in '{options.run}'. Run the study with --agreement=100, and give "
                         "WORKDIR/TARGET/models/MODEL-seed0.")  # fmt: skip
    names = rows[0]["domains"]
    note = "cosine of the domains' first-order outer gradients, 8 episodes each; synthesised domains"
    size = (1.6 + 1.45 * len(rows), 2.6)
    with sheet("gradient_agreement", options, columns=len(rows), size=size, note=note) as (figure, panels):
        for place, (axes, row) in enumerate(zip(panels, rows, strict=True)):
            image = axes.imshow(np.array(row["cosine"]), vmin=-1, vmax=1, cmap="RdBu")
            axes.set_title(f"step {row['step']}")
            axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
            axes.set_yticks(range(len(names)), names if not place else [], fontsize=7)
        figure.colorbar(image, ax=panels, label="cosine", fraction=0.03)
    return f"Wrote {options.out}: {len(names)} domains at steps {', '.join(str(row['step']) for row in rows)}."


def main(argv: list[str]) -> int:
    """The command."""
    return launch(argv, draw, doc=__doc__ or "", options=Options())


if __name__ == "__main__":
    start(main)
