"""FakeRadar's ablation: what each row is worth against plain binary classification, on a kind of forgery never seen.

    python -m paper_figures.ablation_bars --report=runs/fakeradar/report.json --out=ablation.png

Paired differences in AUC with 95 % intervals; a row whose interval leaves out 0 differs from the binary classifier.
"""

import dataclasses

from metaforge.commands import launch, start
from metaforge.errors import InputError
from metaforge.evaluation.interval import Interval
from metaforge.runs import read_json
from metaforge.settings import setting
from paper_figures._fakeradar import COLOURS
from paper_figures._figure import BLACK, DARK, OfReport, page


@dataclasses.dataclass(frozen=True)
class Options(OfReport):
    """What to draw."""

    report: str = setting(..., "report.json of experiments.fakeradar.", place="read")
    target: str = setting("", "A held-out method; default: their mean, or the only one.")


def draw(options: Options) -> str:
    """Draws the figure, and says where it is."""
    report = read_json(options.report)
    targets = report.get("targets")
    if not isinstance(targets, dict) or not targets:
        raise InputError(f"report: '{options.report}' is no report of experiments.fakeradar.")
    if options.target and options.target not in targets:
        raise InputError(f"--target: '{options.target}' is not in the report; it has {', '.join(targets)}.")
    held = f"held-out {report.get('held_out', 'methods')}"
    name = options.target or (f"mean of {len(targets)} {held}" if "mean" in report else next(iter(targets)))
    one = targets[options.target] if options.target else report.get("mean", targets[next(iter(targets))])
    rows = list(one["minus_binary"])
    with page("ablation_bars", options, size=(4.6, 0.34 * len(rows) + 1.0)) as axes:
        for place, row in enumerate(reversed(rows)):
            found = Interval.from_json(one["minus_binary"][row])
            spread = [[found.value - found.low], [found.high - found.value]]
            axes.barh(place, found.value, color=COLOURS.get(row, DARK), alpha=0.85, height=0.6)
            axes.errorbar(found.value, place, xerr=spread, color=BLACK, lw=1.1, capsize=3)
        axes.set_yticks(range(len(rows)), list(reversed(rows)), fontsize=8)
        axes.axvline(0.0, color=BLACK, lw=0.8)
        axes.grid(visible=False, axis="y")
        axes.locator_params(axis="x", nbins=5)
        axes.set_xlabel(f"AUC minus binary ({one['auc']['binary']['value']:.3f})\n{name}", fontsize=8)
    return f"Wrote {options.out}: {', '.join(rows)}; {name}."


def main(argv: list[str]) -> int:
    """The command."""
    return launch(argv, draw, doc=__doc__ or "", options=Options())


if __name__ == "__main__":
    start(main)
