"""Can a probability be believed where nobody has been? Reliability diagrams of a study, adapted as it chose to.

    python -m experiments.study --study=shots_by_steps --workdir=runs/shots_by_steps
    python -m paper_figures.reliability --run=runs/shots_by_steps --out=reliability.png

The test images of all held-out methods are put in ten bins of equal size by their probability of being fake; a point is
a bin, as high as its share of fakes. Half of all are fake. On the diagonal a probability is a frequency; below it, on
the right, fakes are claimed too surely. `ECE` is the mean distance of the points from the diagonal.
"""

import dataclasses

from metaforge.commands import launch, start
from metaforge.errors import InputError
from metaforge.settings import setting
from paper_figures import _study
from paper_figures._figure import GREY, PALETTE, OfRun, sheet


@dataclasses.dataclass(frozen=True)
class Options(OfRun):
    """What to draw."""

    methods: str = setting("", "Rows of the study, comma-separated; the baseline and at most four others by default.")


def draw(options: Options) -> str:
    """Draws the figure, and says where it is."""
    report, _ = _study.read_report(_study.Options(run=options.run, out=options.out))
    others = [name for name in report["methods"] if name != report["baseline"]]
    methods = [name.strip() for name in options.methods.split(",") if name.strip()] or [report["baseline"], *others[:4]]
    for name in methods:
        if not any(key.startswith(f"{name}|") for key in report["reliability"]):
            raise InputError(f"--methods: '{name}' has no finished row in the report of '{options.run}'.")
    note = f"{_study.named('mean', report).removeprefix('mean over ')}, together; synthesised domains"
    size = (0.4 + 1.6 * len(methods), 2.3)
    with sheet("reliability", options, columns=len(methods), size=size, note=note) as (_, axes):
        for panel, method in zip(axes, methods, strict=True):
            panel.plot([0, 1], [0, 1], color=GREY, lw=0.8)
            for number, shots in enumerate((0, *report["grid"]["shots"])):
                found = report["reliability"].get(f"{method}|{shots}")
                if found:
                    label = f"{shots}: {found['ece']:.2f}"
                    x, y = zip(*found["points"], strict=True)
                    panel.plot(x, y, color=PALETTE[number], marker="xosD^v"[number % 6], ms=2.5, lw=1, label=label)
            panel.set(title=method, xlim=(0, 1), ylim=(0, 1), xlabel="probability of fake", aspect="equal")
            panel.legend(fontsize=6, frameon=False, loc="lower right", handlelength=1.2, borderpad=0,
                         title="shots: ECE", title_fontsize=6)  # fmt: skip
        axes[0].set_ylabel("share of fakes")
    return f"Wrote {options.out}: {', '.join(methods)}."


def main(argv: list[str]) -> int:
    """The command."""
    return launch(argv, draw, doc=__doc__ or "", options=Options())


if __name__ == "__main__":
    start(main)
