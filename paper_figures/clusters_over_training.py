"""FakeRadar's figure of K: how many subclusters there are over training, in all and of each class.

    python -m paper_figures.clusters_over_training --runs='runs/fakeradar/swap/full-*' --out=clusters.png

A class starts with one. Lines are means over seeds; the band is the range of the total.
"""

from metaforge.commands import launch, start
from metaforge.runs import read_rows
from paper_figures._tri import BESIDE, PALETTE, Options, column, page, runs_of


def draw(options: Options, row: str = "full") -> str:
    """Draws the figure, and says where it is."""
    runs = runs_of(options.runs, row)
    steps, total = column(runs, "clusters")
    names = [name for name in read_rows(runs[0])[-1] if name.startswith("clusters/")]
    with page(options.out, size=(5.0, 3.0)) as axes:
        axes.plot(steps, total.mean(0), color="black", lw=2.2, label="all classes")
        axes.fill_between(steps, total.min(0), total.max(0), color="black", alpha=0.12, lw=0)
        for index, name in enumerate(names):
            style = "-" if index < len(PALETTE) else "--"
            values = column(runs, name)[1].mean(0)
            axes.plot(steps, values, style, color=PALETTE[index % len(PALETTE)], lw=1.1, label=name.partition("/")[2])
        axes.set(xlabel="steps", ylabel="subclusters", ylim=(0, None))
        axes.legend(**BESIDE, title=f"mean of {len(runs)} run{'s' * (len(runs) > 1)}")
    return f"Wrote {options.out}: {len(runs)} runs of '{row}'."


def main(argv: list[str]) -> int:
    """The command."""
    return launch(argv, draw, doc=__doc__ or "", options=Options())


if __name__ == "__main__":
    start(main)
