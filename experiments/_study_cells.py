"""A cell: one method on one held-out method with one seed. It is trained, tuned on its sources, judged, and kept."""

import dataclasses
import json
import os
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from experiments import _setup, _study_data, _study_models, _study_rules
from experiments._study_methods import METHODS, Method
from experiments.config import LATER, Config
from metaforge.errors import InputError
from metaforge.evaluation.episodes import episode_auc
from metaforge.runs import Run, write_json


class Grid(NamedTuple):
    """The budgets of a study.

    Attributes:
        shots: labelled images a class.
        steps: steps of adaptation.
        episodes: test episodes of every cell.
        tuning: episodes of source validation on which a rule's knob and steps are chosen.
        agreement: outer steps between measurements of how far the domains' gradients agree, of seed 0; 0 for never.
    """

    shots: tuple[int, ...]
    steps: tuple[int, ...]
    episodes: int
    tuning: int
    agreement: int = 0


class Unit(NamedTuple):
    """What one process does at a time: some methods on one held-out method with one seed, which share images."""

    workdir: str
    target: str
    seed: int
    methods: tuple[str, ...]
    grid: Grid
    config: Config


def run_unit(unit: Unit) -> list[tuple[str, str, int, str]]:
    """Makes the cells that are not there yet; returns `(target, method, seed, "done" or why it failed)`."""
    found = []
    for name in unit.methods:
        place = cell_path(unit.workdir, unit.target, name, unit.seed)
        place.parent.mkdir(parents=True, exist_ok=True)
        method = METHODS[name]
        config = method.trained(dataclasses.replace(_study_data.held_out(unit.config, unit.target), seed=unit.seed))
        if not place.exists() and not failed_path(place).exists():
            try:
                _make(place, method, config, unit)
            except _study_models.Failure as failure:
                write_json(failed_path(place), {"failed": str(failure)})
        failed = failed_path(place)
        state = json.loads(failed.read_text())["failed"] if failed.exists() else "done"
        found.append((unit.target, name, unit.seed, state))
    return found


def cell_path(workdir: str | Path, target: str, method: str, seed: int) -> Path:
    """Where a cell's scores are."""
    return Path(workdir) / target / "cells" / f"{method.replace(':', '.')}-seed{seed}.npz"


def failed_path(place: Path) -> Path:
    """Where it is said why a cell has no scores.

    Deleting it has the cell tried again; where its model could not be trained, `failed.json` of that has to go too.
    """
    return place.with_suffix(".failed.json")


def model_path(workdir: str | Path, target: str, method: Method, seed: int) -> Path:
    """The run directory of a cell's model."""
    return Path(workdir) / target / "models" / f"{method.model}-seed{seed}"


def settings(config: Config) -> dict[str, Any]:
    """What a directory belongs to: settings that came after studies were begun only where they say something."""
    said = {name for name in LATER if getattr(config, name) != getattr(Config(), name)} - {"keeps"}
    return {name: value for name, value in dataclasses.asdict(config).items() if name in said or name not in LATER}


def _make(place: Path, method: Method, config: Config, unit: Unit) -> None:
    material = _study_data.material(config)
    run = Run(model_path(unit.workdir, unit.target, method, unit.seed), settings(config))
    if (run.directory / "failed.json").exists():
        raise _study_models.Failure(json.loads((run.directory / "failed.json").read_text())["failed"])
    try:
        agreement = unit.grid.agreement if unit.seed == 0 else 0
        params = _study_models.train(config, material, run, agreement=agreement)
    except _study_models.Failure as failure:
        write_json(run.directory / "failed.json", {"failed": str(failure)})
        raise
    rows, scores = _judge(method, config, params, material, unit.grid)
    if not np.isfinite(scores).all():
        raise _study_models.Failure("a score on a test episode is not finite")
    temporary = place.with_suffix(f".{os.getpid()}.tmp")
    with open(temporary, "wb") as file:
        np.savez_compressed(file, scores=scores, rows=np.array(json.dumps(rows)))
    os.replace(temporary, place)


def _judge(method: Method, config: Config, params, material: _study_data.Material, grid: Grid):
    """The rows of a cell, what was chosen for each, and the scores `(rows, episodes, queries)`, float32."""
    if method.rule != "own":
        params = _setup.learner(config).model(params)
    steps = _study_rules.budgets(method.rule, config, grid.steps)
    program = _study_rules.program(_study_rules.program_key(config, method.rule), method.rule, steps)
    context = jnp.asarray(_setup.source_context(config, material.train))
    most = _study_data.support_sets(config, material.support, shots=max(grid.shots), episodes=grid.episodes)
    queries = _study_data.query_sets(config, material.test, episodes=grid.episodes)
    held, rows, scores = np.asarray(material.support.image), [], []
    for shots in grid.shots if _uses_labels(method.rule) else (max(grid.shots),):
        knob, best, tried = _choose(method, config, params, material, program, steps, context, shots, grid.tuning)
        support = _study_data.fewer(most, shots)

        def scorer(part, images, support=support, knob=knob):
            chosen = support[part]
            return program(params, context, held[chosen], material.support.label[chosen], images, knob)

        scores.append(material.test.score_episodes(scorer, queries, block=_study_data.BLOCK))
        rows += [
            {"shots": shots if _uses_labels(method.rule) else 0, "steps": count, "knob": knob, "chosen": count == best,
             "validation": tried}
            for count in steps
        ]  # fmt: skip
    return rows, np.concatenate(scores).astype(np.float32)


def _uses_labels(rule: str) -> bool:
    return rule not in ("none", "tent", "bn_query")


def _choose(method: Method, config: Config, params, material, program, steps, context, shots: int, tuning: int):
    """The knob and the number of steps with the highest mean AUC on source validation; ties go to the smaller.

    Raises:
        Failure: when all of them diverge.
    """
    tried: list[dict[str, Any]] = []
    options = _study_rules.knobs(method.rule, config)
    if len(options) == len(steps) == 1:
        return options[0], steps[0], tried
    try:
        support, query = _study_data.validation_episodes(config, material, shots=shots, episodes=tuning)
    except InputError as error:
        raise _study_models.Failure(str(error)) from error
    images, labels = np.asarray(material.validation.image), material.validation.label
    for knob in options:
        parts = [slice(at, at + _study_data.BLOCK) for at in range(0, tuning, _study_data.BLOCK)]
        sides = [(support[part], query[part]) for part in parts]
        found = np.concatenate(
            [program(params, context, images[s], labels[s], images[q], knob) for s, q in sides], axis=1
        )
        for count, scores in zip(steps, found, strict=True):
            # A rule that diverges is the worst there is, on whichever episode.
            finite = np.isfinite(scores).all(axis=-1)
            each = episode_auc(labels[query], np.where(finite[:, None], scores, 0.5))
            tried.append({"knob": knob, "steps": count, "auc": float(np.mean(np.where(finite, each, 0.0)))})
    if not any(row["auc"] > 0 for row in tried):
        raise _study_models.Failure("every rate and number of steps diverged on source validation")
    best = max(tried, key=lambda row: (round(row["auc"], 6), -row["steps"], -row["knob"]))
    return best["knob"], best["steps"], tried


def read_cell(place: Path) -> tuple[list[dict[str, Any]], np.ndarray]:
    """The rows of a cell and their scores.

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
    config = dataclasses.replace(_study_data.held_out(unit.config, unit.target), seed=unit.seed)
    test = _setup.test_split(config)
    rows = _study_data.query_sets(config, test, episodes=unit.grid.episodes)
    return test.label[rows], test.identity[rows]
