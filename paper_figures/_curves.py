"""Run directories to plain data, curves to a figure, and the command that both curve figures are."""

import dataclasses
import glob
from pathlib import Path
from typing import Any

import numpy as np

from metaforge.commands import setting
from metaforge.errors import InputError
from metaforge.runs import read_config, read_rows

COLOURS = {"maml": "#0072b2", "daml": "#d55e00", "erm": "#009e73", "fomaml": "#cc79a7"}
"""Okabe and Ito's palette, which colour-blind readers can tell apart."""

Curves = dict[str, tuple[np.ndarray, np.ndarray]]
"""Learner to (steps, values), values of shape `(seeds, steps)`."""


@dataclasses.dataclass(frozen=True)
class Options:
    """What to draw."""

    runs: str = setting(..., "Run directories, comma-separated; * stands for anything.")
    out: str = setting(..., "The figure: .png or .pdf.")
    learners: str = setting("maml,daml", "Which learners to draw, comma-separated.")


def draw_column(options: Options, column: str, *, ylabel: str) -> None:
    """Draws one column of the logs for the learners asked for, or for all if none of those is there."""
    curves = read_curves(options.runs, column)
    wanted = {name: curve for name, curve in curves.items() if name in options.learners.split(",")}
    draw_curves(wanted or curves, ylabel=ylabel, out=options.out)


def read_curves(patterns: str, column: str) -> Curves:
    """One column of the logs of runs, by learner; runs of one learner are its seeds.

    Args:
        patterns: run directories, comma-separated; `*` stands for anything.
        column: the name of the column, as in log.jsonl.

    Raises:
        InputError: when no run is found, a run lacks the column, or two seeds of a learner logged different steps.
    """
    folders = [
        Path(f) for p in patterns.split(",") for f in sorted(glob.glob(p.strip())) if Path(f, "config.json").exists()
    ]
    if not folders:
        raise InputError(
            f"runs: no run directory matches '{patterns}'. Give folders that hold config.json and log.jsonl."
        )
    found: dict[str, list[list[tuple[int, float]]]] = {}
    for folder in folders:
        config: dict[str, Any] = read_config(folder) or {}
        points = [(row["step"], row[column]) for row in read_rows(folder) if column in row]
        if not points:
            raise InputError(f"runs: log.jsonl in '{folder}' has no '{column}' yet. Let the run go on.")
        found.setdefault(config.get("learner", folder.name), []).append(points)
    curves = {}
    for learner, seeds in found.items():
        steps = [tuple(step for step, _ in points) for points in seeds]
        if len(set(steps)) > 1:
            raise InputError(f"runs: the runs of {learner} logged different steps. Draw finished runs of one setting.")
        curves[learner] = (np.array(steps[0]), np.array([[value for _, value in points] for points in seeds]))
    return curves


def draw_curves(curves: Curves, *, ylabel: str, out: str | Path) -> None:
    """Draws the mean over seeds as a line and the range over seeds as a band; saves a PNG or PDF."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(4.2, 3.0), dpi=150, layout="constrained")
    for learner, (steps, values) in sorted(curves.items()):
        seeds = f"{len(values)} seeds" if len(values) > 1 else "1 seed"
        axes.plot(steps, values.mean(axis=0), color=COLOURS.get(learner), label=f"{learner.upper()} ({seeds})", lw=1.6)
        axes.fill_between(steps, values.min(axis=0), values.max(axis=0), color=COLOURS.get(learner), alpha=0.2, lw=0)
    axes.set(xlabel="outer steps", ylabel=ylabel)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25, lw=0.5)
    axes.legend(frameon=False, fontsize=8)
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    # No software version in the file: the same data give the same bytes.
    figure.savefig(out, metadata={"Software": None} if str(out).endswith(".png") else None)
    plt.close(figure)
