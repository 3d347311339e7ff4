"""Run directories to plain data, and curves to a figure."""

import dataclasses
import glob
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from metaforge.errors import InputError
from metaforge.runs import flattened, read_config, read_rows
from metaforge.settings import setting
from metaforge.whole import whole_file

COLOURS = {"maml": "#0072b2", "daml": "#d55e00", "erm": "#009e73", "fomaml": "#cc79a7"}
"""Okabe and Ito's palette, which colour-blind readers can tell apart."""

_OTHERS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")

Curves = dict[str, tuple[np.ndarray, np.ndarray]]
"""Learner, or what else tells curves apart, to (steps, values), values of shape `(seeds, steps)`."""


@dataclasses.dataclass(frozen=True)
class Options:
    """What to draw."""

    runs: str = setting(..., "Run directories, comma-separated; * stands for anything.", place="read")
    out: str = setting(..., "The figure: .png or .pdf.", place="file")
    learners: str = setting("maml,daml", "Which curves to draw, comma-separated, or 'all'.")
    by: str = setting("learner.name", "The setting that tells curves apart, such as learner.weighting.")


def find_runs(patterns: str) -> list[Path]:
    """Run directories by comma-separated patterns, each once.

    Raises:
        InputError: when there is none.
    """
    found = []
    for pattern in [patterns] if Path(patterns).is_dir() else map(str.strip, patterns.split(",")):
        # What looks like a pattern may be a folder's name; then that is meant.
        as_it_stands = glob.escape(pattern).replace("[*]", "*")
        found += [Path(name) for name in sorted(glob.glob(as_it_stands) or glob.glob(pattern))]
    folders = {folder.resolve(): folder for folder in found if (folder / "config.json").exists()}
    if not folders:
        raise InputError(f"runs: no run matches '{patterns}'. Give folders that hold config.json and log.jsonl.")
    return list(folders.values())


def draw_column(
    runs: Sequence[Path], column: str, *, learners: str, ylabel: str, out: str | Path, by: str = "learner.name"
) -> str:
    """Draws one column of the logs for the learners asked for; says which were drawn and which were not.

    Raises:
        InputError: for a file that is neither PNG nor PDF, learners that are not there, or runs that do not compare.
    """
    if Path(out).suffix not in (".png", ".pdf"):
        raise InputError(f"out: '{out}' is neither .png nor .pdf. Choose one of them.")
    curves = read_curves(runs, column, by=by)
    wanted = {name: curve for name, curve in curves.items() if learners == "all" or name in learners.split(",")}
    if not wanted:
        raise InputError(f"learners: none of '{learners}' among the runs; there are {', '.join(sorted(curves))}.")
    draw_curves(wanted, ylabel=ylabel, out=out)
    rest = sorted({*curves} - {*wanted})
    more = f"; not drawn: {', '.join(rest)} (see --learners)" if rest else ""
    return f"Wrote {out}: {', '.join(sorted(wanted))}{more}."


def read_curves(folders: Sequence[Path], column: str, *, by: str = "learner.name") -> Curves:
    """One column of the logs of runs, by learner; runs of one learner are its seeds.

    Args:
        folders: run directories.
        column: the name of the column, as in log.jsonl.

    Other Arguments:
        by: the setting that tells curves apart.

    Raises:
        InputError: when a run lacks the column or the setting, or two runs of a learner differ in more than their seed.
    """
    settings: dict[str, dict] = {}
    found: dict[str, list[list[tuple[int, float]]]] = {}
    for folder in folders:
        config = flattened(read_config(folder) or {})
        if not isinstance(config.get(by), str):
            raise InputError(f"by: config.json in '{folder}' has no setting '{by}' that is a word. Name another.")
        learner = config[by]
        rest = {name: value for name, value in config.items() if name not in ("seed", "run.seed")}
        if settings.setdefault(learner, rest) != rest:
            raise InputError(f"runs: the runs of {learner} differ in more than their seed. Draw runs of one setting.")
        points = [(row["step"], row[column]) for row in read_rows(folder) if column in row]
        if not points:
            raise InputError(f"runs: log.jsonl in '{folder}' has no '{column}' yet. Let the run go on.")
        found.setdefault(learner, []).append(points)
    curves = {}
    for learner, seeds in found.items():
        steps = {tuple(step for step, _ in points) for points in seeds}
        if len(steps) > 1:
            raise InputError(f"runs: the runs of {learner} logged different steps. Let the unfinished ones go on.")
        curves[learner] = (np.array(steps.pop()), np.array([[value for _, value in points] for points in seeds]))
    return curves


def draw_curves(curves: Curves, *, ylabel: str, out: str | Path) -> None:
    """Draws the mean over seeds as a line and the range over seeds as a band; saves a PNG or PDF."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(4.2, 3.0), dpi=150, layout="constrained")
    free = [colour for colour in _OTHERS if colour not in {COLOURS.get(learner) for learner in curves}]
    others = [learner for learner in sorted(curves) if learner not in COLOURS]
    colours = COLOURS | {learner: free[place % len(free)] for place, learner in enumerate(others)}
    for learner, (steps, values) in sorted(curves.items()):
        seeds = f"{len(values)} seeds" if len(values) > 1 else "1 seed"
        name, colour = learner.upper() if learner in COLOURS else learner, colours[learner]
        # Many bands over each other hide the lines.
        axes.plot(steps, values.mean(axis=0), color=colour, label=f"{name} ({seeds})", lw=1.6)
        low, high, alpha = values.min(axis=0), values.max(axis=0), 0.2 if len(curves) < 5 else 0.08
        axes.fill_between(steps, low, high, color=colour, alpha=alpha, lw=0)
    axes.set(xlabel="outer steps", ylabel=ylabel)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25, lw=0.5)
    axes.legend(frameon=False, fontsize=8, title="mean; band: range over seeds", title_fontsize=7)
    # No version and no date in the file: the same data give the same bytes.
    with whole_file(out) as made:
        figure.savefig(made, metadata={"Software": None} if str(out).endswith(".png") else {"CreationDate": None})
    plt.close(figure)
