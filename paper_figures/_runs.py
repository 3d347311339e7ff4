"""Run directories to plain data: which runs are meant, and columns of their logs."""

import glob
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from metaforge.errors import InputError
from metaforge.runs import flattened, read_config, read_rows

Curve = tuple[np.ndarray, np.ndarray]
"""Steps, and values of shape `(seeds, steps)`."""


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


def column(runs: Sequence[Path], name: str, *, whose: str = "these runs") -> Curve:
    """A column of the logs of runs that differ in their seed; a row that lacks it is passed over.

    Args:
        runs: run directories.
        name: the column's, as in log.jsonl.

    Other Arguments:
        whose: what an error calls the runs.

    Raises:
        InputError: when a log lacks the column, or the runs logged it at different steps.
    """
    logs = []
    for run in runs:
        points = [(row["step"], row[name]) for row in read_rows(run) if name in row]
        if not points:
            raise InputError(
                f"runs: log.jsonl in '{run}' has no '{name}' yet. Let it go on, or choose runs that have it."
            )
        logs.append(points)
    steps = {tuple(step for step, _ in points) for points in logs}
    if len(steps) > 1:
        raise InputError(f"runs: {whose} logged different steps. Let the unfinished ones go on.")
    return np.array(steps.pop()), np.array([[value for _, value in points] for points in logs], float)


def columns_of(runs: Sequence[Path], name: str) -> dict[str, Curve]:
    """The columns `name/PART` of the logs, by part; NaN where a row has none, as where no task of a domain was drawn.

    Raises:
        InputError: when the logs have no such column, or not the same steps.
    """
    logs = [read_rows(run) for run in runs]
    steps = {tuple(row["step"] for row in log) for log in logs}
    if len(steps) != 1:
        raise InputError("runs: these runs logged different steps. Draw runs of one setting that are finished.")
    parts = sorted({key.partition("/")[2] for log in logs for row in log for key in row if key.startswith(f"{name}/")})
    if not parts:
        raise InputError(f"runs: log.jsonl has no '{name}/DOMAIN': this learner has no tasks. Draw another.")
    at = np.array(steps.pop())
    return {
        part: (at, np.array([[row.get(f"{name}/{part}", np.nan) for row in log] for log in logs])) for part in parts
    }


def read_curves(folders: Sequence[Path], name: str, *, by: str = "learner.name") -> dict[str, Curve]:
    """One column of the logs of runs, by learner; runs of one learner are its seeds.

    Args:
        folders: run directories.
        name: the name of the column, as in log.jsonl.

    Other Arguments:
        by: the setting that tells curves apart.

    Raises:
        InputError: when a run lacks the column or the setting, or two runs of a learner differ in more than their seed.
    """
    settings: dict[str, dict] = {}
    found: dict[str, list[Path]] = {}
    for folder in folders:
        config = flattened(read_config(folder) or {})
        if not isinstance(config.get(by), str):
            raise InputError(f"by: config.json in '{folder}' has no setting '{by}' that is a word. Name another.")
        learner = config[by]
        rest = {key: value for key, value in config.items() if key not in ("seed", "run.seed")}
        if settings.setdefault(learner, rest) != rest:
            raise InputError(f"runs: the runs of {learner} differ in more than their seed. Draw runs of one setting.")
        found.setdefault(learner, []).append(folder)
    return {learner: column(runs, name, whose=f"the runs of {learner}") for learner, runs in found.items()}
