"""How methods adapt: AUC against steps for every number of shots, and against shots as chosen, with 95 % bands.

python -m paper_figures.adaptation_curves --run=runs/shots_by_steps --out=curves.png
"""

from metaforge.commands import launch, start
from metaforge.evaluation.interval import Interval
from paper_figures._figure import PALETTE, sheet
from paper_figures._study import NOTE, Options, named, read_report, row_at

_MARKS, _LINES = "osD^vP*X", ("-", "--", "-.", ":")


def draw(options: Options) -> str:
    """Draws the figure, and says where it is."""
    report, target = read_report(options)
    shots, steps = report["grid"]["shots"], report["grid"]["steps"]
    ordered = sorted(report["methods"], key=lambda name: name != report["baseline"])
    columns = len(shots) + 1
    size = (1.75 * columns + 0.6, 2.7)
    with sheet("adaptation_curves", options, columns=columns, size=size, note=NOTE) as (figure, panels):
        for axes in panels[1:]:
            axes.sharey(panels[0])
            axes.tick_params(labelleft=False)
        for number, method in enumerate(ordered):
            look = {"color": PALETTE[number % len(PALETTE)], "marker": _MARKS[number % len(_MARKS)], "ms": 3.5,
                    "ls": _LINES[number % len(_LINES)], "lw": 1.2, "label": method}  # fmt: skip
            for axes, count in zip(panels, shots, strict=False):
                _line(axes, [(s, row_at(report, target, method, count, s)) for s in steps], look)
            _line(panels[-1], [(k, row_at(report, target, method, k, "chosen")) for k in shots], look)
        for axes, count in zip(panels, shots, strict=False):
            axes.set_title(f"{count} {'shot' if count == 1 else 'shots'}")
            axes.set_xlabel("steps")
        panels[-1].set_title("as chosen")
        panels[-1].set_xlabel("shots")
        panels[0].set_ylabel(f"AUC, {named(target, report)}", fontsize=7)
        handles, labels = panels[-1].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=min(len(labels), 6), frameon=False, fontsize=7)
    return f"Wrote {options.out}: {', '.join(ordered)}; {named(target, report)}."


def _line(axes, points, look) -> None:
    points = [(x, Interval.from_json(row["auc"])) for x, row in points if row]
    if points:
        x, found = zip(*points, strict=True)
        value, low, high = zip(*found, strict=True)
        axes.fill_between(x, low, high, color=look["color"], alpha=0.08, lw=0)
        axes.plot(x, value, **look)


def main(argv: list[str]) -> int:
    """The command."""
    return launch(argv, draw, doc=__doc__ or "", options=Options())


if __name__ == "__main__":
    start(main)
