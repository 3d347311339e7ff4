"""The share of synthetic outliers that the classifier takes for real faces, over training.

    python -m paper_figures.outliers_taken_for_real --runs='runs/fakeradar/swap/*' --out=taken_for_real.png

Below the dashed line at one half, most outliers are told from real faces. Mean and range over seeds.
"""

from metaforge.commands import launch, start
from metaforge.errors import InputError
from metaforge.runs import read_config
from paper_figures._fakeradar import COLOURS, runs_of
from paper_figures._figure import BLACK, OfRuns, mean_and_range, page
from paper_figures._runs import column, find_runs

NAME = "outliers_taken_for_real"


def draw(options: OfRuns) -> str:
    """Draws the figure, and says where it is."""
    rows = {(read_config(run) or {}).get("row") for run in find_runs(options.runs)}
    # Rows that draw outliers and have a class for them.
    wanted = [row for row in ("full", "no contrastive loss", "fixed clusters") if row in rows]
    if not wanted:
        raise InputError(f"runs: '{options.runs}' has no row with outliers and a third class. Give WORKDIR/TARGET/*.")
    with page("outliers_taken_for_real", options) as axes:
        for row in wanted:
            steps, values = column(runs_of(options.runs, row), NAME)
            # In the first epoch there are no outliers yet.
            look = {"color": COLOURS[row], "lw": 1.6, "label": f"{row} ({len(values)} seeds)"}
            mean_and_range(axes, steps[1:], values[:, 1:], **look)
        axes.axhline(0.5, color=BLACK, lw=0.8, ls="--")
        axes.set(xlabel="steps", ylabel="outliers taken for real", ylim=(0, 1))
        axes.legend(frameon=False, fontsize=7, title="mean; band: range over seeds", title_fontsize=7)
    return f"Wrote {options.out}: {', '.join(wanted)}."


def main(argv: list[str]) -> int:
    """The command."""
    return launch(argv, draw, doc=__doc__ or "", options=OfRuns())


if __name__ == "__main__":
    start(main)
