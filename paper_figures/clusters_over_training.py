"""FakeRadar's figure of K: how many subclusters there are over training, in all and of each class.

    python -m paper_figures.clusters_over_training --runs='runs/fakeradar/swap/full-*' --out=clusters.png

A class starts with one. Lines are means over seeds; the band is the range of the total.
"""

from metaforge.commands import launch, start
from metaforge.runs import read_rows
from paper_figures._fakeradar import KINDS, runs_of
from paper_figures._figure import BESIDE, BLACK, OfRuns, mean_and_range, page
from paper_figures._runs import column


def draw(options: OfRuns, row: str = "full") -> str:
    """Draws the figure, and says where it is."""
    runs = runs_of(options.runs, row)
    steps, total = column(runs, "clusters")
    names = [name for name in read_rows(runs[0])[-1] if name.startswith("clusters/")]
    with page("clusters_over_training", options, size=(5.0, 3.0)) as axes:
        mean_and_range(axes, steps, total, alpha=0.12, color=BLACK, lw=2.2, label="all classes")
        for index, name in enumerate(names):
            style = "-" if index < len(KINDS) else "--"
            values = column(runs, name)[1].mean(0)
            axes.plot(steps, values, style, color=KINDS[index % len(KINDS)], lw=1.1, label=name.partition("/")[2])
        axes.set(xlabel="steps", ylabel="subclusters", ylim=(0, None))
        axes.legend(**BESIDE, title=f"mean of {len(runs)} run{'s' * (len(runs) > 1)}")
    return f"Wrote {options.out}: {len(runs)} runs of '{row}'."


def main(argv: list[str]) -> int:
    """The command."""
    return launch(argv, draw, doc=__doc__ or "", options=OfRuns())


if __name__ == "__main__":
    start(main)
