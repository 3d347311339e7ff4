"""Who beats fine-tuned ERM: paired differences in AUC, the mean over held-out methods and each of them.

    python -m paper_figures.forest --run=runs/leave_one_out --out=forest.png

Methods as source validation chose them, sorted by the mean, with the most shots of the study. A filled mark is
significant at 5 % after Holm's correction over the methods; light marks are single held-out methods.
"""

from metaforge.commands import launch, start
from metaforge.errors import InputError
from metaforge.evaluation.interval import Interval
from paper_figures._figure import BLACK, SKY, VERMILLION, sheet
from paper_figures._study import NOTE, Options, named, read_report


def draw(options: Options) -> str:
    """Draws the figure, and says where it is."""
    report, target = read_report(options)
    most = max(report["grid"]["shots"])
    rows = [
        row for row in report["rows"]
        if row["steps"] == "chosen" and row["shots"] in (0, most) and "minus_baseline" in row
    ]  # fmt: skip
    main_rows = sorted((row for row in rows if row["target"] == target), key=lambda row: row["minus_baseline"]["value"])
    if not main_rows:
        raise InputError(f"--run: '{options.run}' compares no method with {report['baseline']}.")
    with sheet("forest", options, size=(4.8, 0.27 * len(main_rows) + 1.3), note=NOTE) as (_, (axes,)):
        for place, row in enumerate(main_rows):
            for single in rows:
                if target == "mean" and single["target"] != "mean" and single["method"] == row["method"]:
                    axes.plot(single["minus_baseline"]["value"], place, ".", color=SKY, ms=4, alpha=0.8, zorder=1)
            value, low, high = Interval.from_json(row["minus_baseline"])
            sure = row.get("holm", 1.0) < 0.05
            axes.plot([low, high], [place, place], color=BLACK, lw=1.3, zorder=2)
            axes.plot(value, place, "o", color=BLACK, mfc=BLACK if sure else "white", ms=5, zorder=3)
        axes.axvline(0.0, color=VERMILLION, lw=1.0, ls="--", zorder=0)
        axes.set_yticks(range(len(main_rows)), [row["method"] for row in main_rows])
        axes.locator_params(axis="x", nbins=5)  # labels of seven signs, which must not touch
        axes.set_ylim(-0.7, len(main_rows) - 0.3)
        axes.set_xlabel(f"AUC minus {report['baseline']}, {most} shots, {named(target, report)}")
        axes.grid(axis="x", color="#dddddd", lw=0.6)
        axes.set_axisbelow(True)
    return f"Wrote {options.out}: {len(main_rows)} methods against {report['baseline']}; {named(target, report)}."


def main(argv: list[str]) -> int:
    """The command."""
    return launch(argv, draw, doc=__doc__ or "", options=Options())


if __name__ == "__main__":
    start(main)
