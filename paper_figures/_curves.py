"""What the two curve figures share: one column of the logs, by learner, mean and range over seeds."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from metaforge.errors import InputError
from metaforge.settings import setting
from paper_figures._figure import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    OfRuns,
    mean_and_range,
    page,
)
from paper_figures._runs import Curve, find_runs, read_curves

COLOURS = {"maml": BLUE, "daml": VERMILLION, "erm": GREEN, "fomaml": PURPLE}
"""The learners that have a colour of their own."""

_OTHERS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK)


@dataclasses.dataclass(frozen=True)
class Options(OfRuns):
    """What to draw."""

    learners: str = setting("maml,daml", "Which curves to draw, comma-separated, or 'all'.")
    by: str = setting("learner.name", "The setting that tells curves apart, such as learner.weighting.")


def draw_column(figure: str, options: Options, column: str, *, ylabel: str, runs: Sequence[Path] | None = None) -> str:
    """Draws one column of the logs for the learners asked for; says which were drawn and which were not.

    Args:
        figure: the name of the module that draws.
        options: its options.
        column: the name of the column, as in log.jsonl.

    Other Arguments:
        ylabel: what the column is.
        runs: run directories whose names are no pattern; without them, those of the options.

    Raises:
        InputError: for a file that is neither PNG nor PDF, learners that are not there, or runs that do not compare.
    """
    curves = read_curves(find_runs(options.runs) if runs is None else runs, column, by=options.by)
    asked = options.learners.split(",")
    wanted = {name: curve for name, curve in curves.items() if options.learners == "all" or name in asked}
    if not wanted:
        raise InputError(
            f"learners: none of '{options.learners}' among the runs; there are {', '.join(sorted(curves))}."
        )
    with page(figure, options) as axes:
        _draw(axes, wanted)
        axes.set(xlabel="outer steps", ylabel=ylabel)
        axes.legend(frameon=False, fontsize=8, title="mean; band: range over seeds", title_fontsize=7)
    rest = sorted({*curves} - {*wanted})
    more = f"; not drawn: {', '.join(rest)} (see --learners)" if rest else ""
    return f"Wrote {options.out}: {', '.join(sorted(wanted))}{more}."


def _draw(axes, curves: dict[str, Curve]) -> None:
    free = [colour for colour in _OTHERS if colour not in {COLOURS.get(learner) for learner in curves}]
    others = [learner for learner in sorted(curves) if learner not in COLOURS]
    colours = COLOURS | {learner: free[place % len(free)] for place, learner in enumerate(others)}
    alpha = 0.2 if len(curves) < 5 else 0.08  # many bands over each other hide the lines
    for learner, (steps, values) in sorted(curves.items()):
        seeds = f"{len(values)} seeds" if len(values) > 1 else "1 seed"
        name = learner.upper() if learner in COLOURS else learner
        mean_and_range(axes, steps, values, alpha=alpha, color=colours[learner], label=f"{name} ({seeds})", lw=1.6)
