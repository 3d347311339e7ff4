"""What more shots and more steps are worth: the AUC of every method at every budget, as heat maps.

    python -m paper_figures.shots_by_steps --run=runs/shots_by_steps --out=shots_by_steps.png

One scale for all panels. A star marks what is above fine-tuned ERM as it was chosen with the same shots, by an interval
that leaves 0 out.
"""

import numpy as np

from metaforge.commands import launch, start
from metaforge.errors import InputError
from metaforge.evaluation.interval import Interval
from paper_figures._figure import sheet
from paper_figures._study import NOTE, Options, named, read_report, row_at


def draw(options: Options) -> str:
    """Draws the figure, and says where it is."""
    report, target = read_report(options)
    shots, steps = report["grid"]["shots"], report["grid"]["steps"]
    grids = {}
    for method in report["methods"]:
        rows = [[row_at(report, target, method, k, s) for s in steps] for k in shots]
        if all(row for line in rows for row in line):
            grids[method] = rows
    if not grids:
        raise InputError(f"--run: no method of '{options.run}' has all shots and steps. Draw another figure of it.")
    values = {name: np.array([[row["auc"]["value"] for row in line] for line in rows]) for name, rows in grids.items()}
    low, high = min(map(np.min, values.values())), max(map(np.max, values.values()))
    size = (0.5 + 1.65 * len(grids), 2.4)
    with sheet("shots_by_steps", options, columns=len(grids), size=size, note=NOTE) as (figure, panels):
        for place, (axes, name) in enumerate(zip(panels, grids, strict=True)):
            image = axes.imshow(values[name], vmin=low, vmax=high, cmap="viridis", aspect="auto", origin="lower")
            for (line, column), value in np.ndenumerate(values[name]):
                above = grids[name][line][column].get("minus_baseline")
                beats = above is not None and Interval.from_json(above).low > 0
                light = value < (low + high) / 2
                axes.text(column, line, f"{value:.2f}{'*' if beats else ''}".lstrip("0"), ha="center", va="center",
                          fontsize=7.5, color="white" if light else "black")  # fmt: skip
            axes.set_title(name)
            axes.set_xticks(range(len(steps)), [str(s) for s in steps])
            axes.set_yticks(range(len(shots)), [str(k) for k in shots] if not place else [])
            axes.set_xlabel("steps")
        panels[0].set_ylabel("labelled images a class")
        figure.colorbar(image, ax=panels, label=f"AUC, {named(target, report)}", fraction=0.03)
    return f"Wrote {options.out}: {', '.join(grids)}; {named(target, report)}."


def main(argv: list[str]) -> int:
    """The command."""
    return launch(argv, draw, doc=__doc__ or "", options=Options())


if __name__ == "__main__":
    start(main)
