"""A result: the scores of one method on one held-out method with one seed, in a file of its own."""

import dataclasses
import json
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from experiments.study import data as study_data
from experiments.study import models as study_models
from experiments.study.judging import Grid, TrainedModel, judge, validated
from experiments.study.methods import METHODS, Method
from experiments.study.models import Failure
from metaforge.errors import InputError
from metaforge.runs import Run, write_json
from metaforge.settings import change
from metaforge.training import build
from metaforge.training.config import Config
from metaforge.training.meta_train import IGNORED_FIELDS
from metaforge.whole import write_arrays


class Unit(NamedTuple):
    """What one process does at a time: some methods on one held-out method with one seed, which share images."""

    workdir: str
    target: str
    seed: int
    methods: tuple[str, ...]
    grid: Grid
    config: Config


def run_unit(unit: Unit) -> list[tuple[str, str, int, str]]:
    """Makes the results that are missing; returns `(target, method, seed, "done" or why it failed)`."""
    found = []
    for name in unit.methods:
        place = result_path(unit.workdir, unit.target, name, unit.seed)
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists() and not failed_path(place).exists():
            try:
                _make(place, METHODS[name], unit)
            except Failure as failure:
                write_json(failed_path(place), {"failed": str(failure)})
        failed = failed_path(place)
        state = json.loads(failed.read_text(encoding="utf-8"))["failed"] if failed.exists() else "done"
        found.append((unit.target, name, unit.seed, state))
    return found


def result_path(workdir: str | Path, target: str, method: str, seed: int) -> Path:
    """The file of a result."""
    return Path(workdir) / target / "results" / f"{method.replace(':', '.')}-seed{seed}.npz"


def failed_path(place: Path) -> Path:
    """The file that says why a result failed.

    Delete it to try again. If the model could not be trained, delete the `failed.json` of the model too.
    """
    return place.with_suffix(".failed.json")


def model_path(workdir: str | Path, target: str, method: Method, seed: int) -> Path:
    """The run directory of a result's model."""
    return Path(workdir) / target / "models" / f"{method.model}-seed{seed}"


def _make(place: Path, method: Method, unit: Unit) -> None:
    """Trains at each of the method's inner rates, judges the model that source validation prefers, and writes.

    Of equals it takes the first. Where one of several fails, it chooses from the others.
    """
    made, failures = [], []
    for candidate in method.candidates:
        try:
            model = _trained(candidate, unit)
            made.append((validated(model, unit.grid) if len(method.candidates) > 1 else 0.0, model))
        except Failure as failure:
            failures.append(failure.with_traceback(None))  # or it would hold on to everything that was made
    if not made:
        raise failures[0]
    rows, scores = judge(max(made, key=lambda pair: pair[0])[1], unit.grid)
    if not np.isfinite(scores).all():
        raise Failure("a score on a test episode is not finite")
    write_arrays(place, compressed=True, scores=scores, rows=np.array(json.dumps(rows)))


def _trained(method: Method, unit: Unit) -> TrainedModel:
    config = method.trained(change(study_data.held_out(unit.config, unit.target), {"run.seed": unit.seed}))
    data = study_data.load(config)
    run = Run(
        model_path(unit.workdir, unit.target, method, unit.seed),
        dataclasses.asdict(config),
        ignored_fields=IGNORED_FIELDS,
    )
    if (run.directory / "failed.json").exists():
        raise Failure(json.loads((run.directory / "failed.json").read_text(encoding="utf-8"))["failed"])
    try:
        params = study_models.train(config, data, run, agreement=unit.grid.agreement if unit.seed == 0 else 0)
    except Failure as failure:
        write_json(run.directory / "failed.json", {"failed": str(failure)})
        raise
    return TrainedModel(method, config, params, data)


def read_result(place: Path) -> tuple[list[dict[str, Any]], np.ndarray]:
    """The budgets of a result, with what was chosen for each, and the scores at each of them.

    Raises:
        InputError: when the file is damaged.
    """
    try:
        with np.load(place, allow_pickle=False) as archive:
            return json.loads(str(archive["rows"])), archive["scores"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"study: '{place}' is damaged ({error}). Delete it and call again.") from None


def queries_of(unit: Unit) -> tuple[np.ndarray, np.ndarray]:
    """Labels and people of the query images of a unit's test episodes, `(episodes, queries)`."""
    config = change(study_data.held_out(unit.config, unit.target), {"run.seed": unit.seed})
    test = build.test_split(config)
    rows = study_data.query_sets(config, test, episodes=unit.grid.episodes)
    return test.label[rows], test.identity[rows]
