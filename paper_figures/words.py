"""What captions are worth to a detector: paired differences in AUC to the same training without them.

    python -m paper_figures.words --report=docs/results/words.json,docs/results/words_episodes.json --out=words.png

A panel for each report of `experiments.words` or `experiments.words.episodes`. A mark is the mean over left-out
collections and methods. Its thick line is the interval over people, its thin one that over people and collections. It
is filled where both exclude zero. Light dots are single left-out methods.
"""

from pathlib import Path

from metaforge.commands import launch, start
from metaforge.errors import InputError
from metaforge.evaluation.interval import Interval
from metaforge.runs import read_json
from paper_figures._figure import BLACK, SKY, VERMILLION, OfReport, sheet


def draw(options: OfReport) -> str:
    """Draws the figure, and says where it is."""
    reports = {path: _read(path) for path in options.report.split(",")}
    most = max(len(report["rows"]) for report in reports.values())
    size = (0.6 + 3.4 * len(reports), 0.27 * most + 1.1)
    note = "synthesised forgeries; collections and methods left out together"
    with sheet("words", options, columns=len(reports), size=size, note=note) as (_, panels):
        for axes, report in zip(panels, reports.values(), strict=True):
            first, *rows = report["rows"]
            for place, row in enumerate(reversed(rows)):
                for single in row["methods"].values():
                    axes.plot(single["value"], place, ".", color=SKY, ms=4, alpha=0.8, zorder=1)
                found = [Interval.from_json(row[name]) for name in ("difference_over_collections", "difference")]
                for each, width in zip(found, (0.7, 2.2), strict=True):
                    axes.plot([each.low, each.high], [place, place], color=BLACK, lw=width, zorder=2)
                sure = all(each.low > 0 or each.high < 0 for each in found)
                axes.plot(found[0].value, place, "o", color=BLACK, mfc=BLACK if sure else "white", ms=5, zorder=3)
            axes.axvline(0.0, color=VERMILLION, lw=1.0, ls="--", zorder=0)
            axes.set_yticks(range(len(rows)), [row["way"] for row in reversed(rows)])
            axes.locator_params(axis="x", nbins=5)
            axes.set_ylim(-0.7, len(rows) - 0.3)
            axes.set_xlabel(f"AUC minus that of {first['way']}")
            axes.grid(axis="x", color="#dddddd", lw=0.6)
            axes.set_axisbelow(True)
    return f"Wrote {options.out}: {', '.join(Path(path).stem for path in reports)}."


def _read(path: str):
    if not Path(path).is_file():
        raise InputError(f"--report: no file '{path}'. Give report.json of experiments.words.")
    report = read_json(path)
    rows = report.get("rows") if isinstance(report, dict) else None
    if not rows or "difference_over_collections" not in rows[-1]:
        raise InputError(f"--report: '{path}' is no report of experiments.words.")
    return report


def main(argv: list[str]) -> int:
    """The command."""
    return launch(argv, draw, doc=__doc__ or "", options=OfReport())


if __name__ == "__main__":
    start(main)
