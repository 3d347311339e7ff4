"""The share of synthetic outliers that the classifier takes for real faces, over training.

    python -m paper_figures.outliers_taken_for_real --runs='runs/fakeradar/swap/*' --out=taken_for_real.png

Below the dashed line at one half, most outliers are told from real faces. Mean and range over seeds.
"""

from metaforge.commands import launch, start
from metaforge.errors import InputError
from metaforge.runs import read_config
from paper_figures._curves import find_runs
from paper_figures._tri import COLOURS, Options, column, page, runs_of

NAME = "outliers_taken_for_real"


def draw(options: Options) -> str:
    """Draws the figure, and says where it is."""
    rows = {(read_config(run) or {}).get("row") for run in find_runs(options.runs)}
    # Rows that draw outliers and have a class for them.
    wanted = [row for row in ("full", "no contrastive loss", "fixed clusters") if row in rows]
    if not wanted:
        raise InputError(f"runs: '{options.runs}' has no row with outliers and a third class. Give WORKDIR/TARGET/*.")
    with page(options.out) as axes:
        for row in wanted:
            steps, values = column(runs_of(options.runs, row), NAME)
            # In the first epoch there are no outliers yet.
            steps, values = steps[1:], values[:, 1:]
            axes.plot(steps, values.mean(0), color=COLOURS[row], lw=1.6, label=f"{row} ({len(values)} seeds)")
            axes.fill_between(steps, values.min(0), values.max(0), color=COLOURS[row], alpha=0.2, lw=0)
        axes.axhline(0.5, color="black", lw=0.8, ls="--")
        axes.set(xlabel="steps", ylabel="outliers taken for real", ylim=(0, 1))
        axes.legend(frameon=False, fontsize=7, title="mean; band: range over seeds", title_fontsize=7)
    return f"Wrote {options.out}: {', '.join(wanted)}."


def main(argv: list[str]) -> int:
    """The command."""
    return launch(argv, draw, doc=__doc__ or "", options=Options())


if __name__ == "__main__":
    start(main)
