"""Where images lie beside synthetic outliers: nearer to known images than these, among them, or beyond.

    python -m paper_figures.outlier_places --report=runs/tri/report.json --out=outlier_places.png

Shares of each group of images; outliers below. If unseen forgeries were where outliers are put, their bars would be
alike, and those of real images would be "inside".
"""

import numpy as np

from metaforge.commands import launch, start
from metaforge.errors import InputError
from metaforge.runs import read_json
from paper_figures._figure import BLACK, GREY, SKY, VERMILLION, OfReport, sheet

PLACES = {"inside": SKY, "in the shell": VERMILLION, "beyond": GREY}


def draw(options: OfReport) -> str:
    """Draws the figure, and says where it is."""
    found = read_json(options.report).get("premise")
    if not isinstance(found, dict) or not found:
        raise InputError(f"report: '{options.report}' is no report of experiments.fakeradar.strangers.")
    with sheet("outlier_places", options, size=(4.4 * len(found) + 1.2, 2.6), columns=len(found)) as (_, panels):
        for number, (axes, (name, one)) in enumerate(zip(panels, found.items(), strict=True)):
            rows = list(one["shares"])
            shares = {place: [one["shares"][row][place]["value"] for row in rows] for place in PLACES}
            left, order = np.zeros(len(rows) + 1), np.arange(len(rows) + 1)[::-1]
            for place, colour in PLACES.items():
                width = np.array([*shares[place], one["outliers"][place]])
                axes.barh(order, width, left=left, color=colour, height=0.7, label=place, edgecolor=BLACK, lw=0.4)
                left += width
            axes.set_yticks(order, [*rows, "outliers"] if not number else [""] * len(order), fontsize=7)
            axes.set(xlim=(0, 1), xlabel="share", title=name)
            axes.grid(visible=False)
        panels[-1].legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    return f"Wrote {options.out}: {', '.join(found)}."


def main(argv: list[str]) -> int:
    """The command."""
    return launch(argv, draw, doc=__doc__ or "", options=OfReport())


if __name__ == "__main__":
    start(main)
