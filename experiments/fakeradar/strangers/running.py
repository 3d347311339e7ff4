"""The study from end to end: features, models, controls, the report."""

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from experiments.fakeradar.running import rows_of
from experiments.fakeradar.strangers import ablation, adapted, loading, premise
from experiments.fakeradar.strangers.ablation import CONTROL, Study
from experiments.fakeradar.strangers.config import Config, Options
from experiments.fakeradar.strangers.folds import halves_of, parts_of, source_rows
from experiments.fakeradar.strangers.tables import markdown
from experiments.strangers import features
from experiments.strangers.resampling import People
from metaforge.bounds import check_bounds
from metaforge.commands import flags_of
from metaforge.errors import InputError
from metaforge.progress import progress
from metaforge.provenance import provenance
from metaforge.runs import Run, read_json, write_json
from metaforge.settings import check_settings
from metaforge.whole import write_arrays, write_text

LEAST = 2
"""Methods to train on: one of them is left out to choose by."""
MORE = ("frozen", "adapt")
"""What adds a part to the report, and changes none."""
PEOPLE = 10
"""Of a collection: some to train on, some to choose by, some to judge."""


def run(options: Options, config: Config, *, quiet: bool = False) -> dict[str, Any]:
    """Trains, judges, and writes report.json and report.md; a finished run returns its report at once.

    Args:
        options: where to, and whose features.
        config: what is trained and judged.

    Other Arguments:
        quiet: whether to say nothing on the way.

    Raises:
        InputError: when something that is asked for cannot work, before anything is written.
    """
    began, where = time.time(), provenance()
    check_bounds(options)
    check_settings(config)
    config.recipe.check(prefix="recipe.")
    config.trainings()
    config.of_strangers().numbers()
    rows = rows_of(config.rows)
    about = loading.finished(options, config) if options.features else loading.own(options, config, quiet=quiet)
    asked = config.unseen.split(",")
    known = [name for name in about.methods if name not in asked]
    if odd := [name for name in asked if name not in about.methods]:
        raise InputError(f"--unseen: unknown '{odd[0]}'; known: {', '.join(about.methods)}.")
    if len(known) < LEAST:
        raise InputError(f"--unseen={config.unseen}: leaves {len(known)} methods to train on. Leave {LEAST} or more.")
    if config.recipe.slots < 1 + len(known):
        raise InputError(
            f"--recipe.slots={config.recipe.slots}: give one at least for real and each method, {1 + len(known)}."
        )
    config.seen(about.size)
    for name, count in about.people.items():
        if count < PEOPLE:
            raise InputError(f"collections: '{name}' has {count} people. Leave it out, or give {PEOPLE} or more.")
    whole = json.loads(json.dumps(dataclasses.asdict(config)))
    settings = {"config": whole, "features": about.settings}
    directory = Run(options.workdir, settings, ignored_fields=[f"config.{name}" for name in MORE]).directory
    if (directory / "report.json").exists():
        done = read_json(directory / "report.json")
        if done["config"] == whole:
            return done
    study = study_of(config, about.load(), known, directory)
    report = {
        "command": " ".join([
            "python -m experiments.fakeradar.strangers", *flags_of(options, Options(workdir=""), but=("workdir",)),
            *flags_of(config, Config()),
        ]),
        "config": whole,
        "features": about.settings,
        "provenance": where,
        "sources": {" and ".join(asked): known},
        "held_out": "collections",
    }  # fmt: skip
    report |= _measured(study, rows, quiet=quiet)
    report["minutes"] = (time.time() - began) / 60
    write_text(directory / "report.md", markdown(report))
    write_json(directory / "report.json", report)
    return report


def study_of(config: Config, table: features.Table, known: list[str], directory: Path) -> Study:
    """The study of a table of features, of which the columns that are seen are kept."""
    seen = config.seen(table.features.shape[1])
    table = table._replace(features=np.ascontiguousarray(table.features[:, seen]))
    part, half = parts_of(table, config.seed), halves_of(table, config.seed)
    counted = []
    for name in np.unique(table.collection):
        rows = source_rows(table, known, str(name))
        counted += [np.sum(part[rows] == 0), np.sum(half[rows] == 0), np.sum(half[rows] == 1)]
    return Study(config, table, jnp.asarray(table.features), part, known, int(max(counted)), directory)


def _measured(study: Study, rows: list[str], *, quiet: bool) -> dict[str, Any]:
    """Trains whatever is missing, and measures."""
    table, config = study.table, study.config
    names = [str(name) for name in np.unique(table.collection)]
    # The same seeds and support sets are drawn wherever a mean over them is taken.
    rng = lambda: np.random.default_rng([config.seed, 2])
    people = {name: People(config.of_strangers(), name, table.person[table.collection == name]) for name in names}
    said: dict[str, dict[str, np.ndarray]] = {row: {} for row in (*rows, CONTROL)}
    found: dict[str, dict[str, Any]] = {row: {} for row in rows}
    located, frozen, beside = {}, {}, {}
    with progress("training", len(names) * (len(rows) + 1), unit="row", quiet=quiet) as bar:
        for fold, name in enumerate(names):
            for row in rows:
                path = ablation.score(study, fold, name, row)
                with np.load(path, allow_pickle=False) as archive:
                    said[row][name] = archive["odds"]
                    found[row][name] = {key: archive[key] for key in ("clusters", "refreshed", "taken")}
                if row == "full":
                    located[name] = ablation.located(path)
                bar.update()
            said[CONTROL][name] = ablation.control(study, fold, name)
            bar.update()
    if config.frozen:
        with progress("frozen features", len(names), unit="fold", quiet=quiet) as bar:
            for fold, name in enumerate(names):
                frozen[name] = _frozen(study, fold, name)
                bar.update()
    if config.adapt:
        with progress("adapting", len(names), unit="fold", quiet=quiet) as bar:
            for fold, name in enumerate(names):
                beside[name] = adapted.score(study, fold, name)
                bar.update()
    report = {
        "data": {
            name: {
                "photographs": int(np.sum(table.collection == name)) // (2 * len(np.unique(table.kind))),
                "people": len(people[name].names),
            }
            for name in names
        },
        **_ablation(ablation.measure(study, said, people, rng)),
        "chosen": {
            row: [ablation.chosen(study, fold, name, row)._asdict() for fold, name in enumerate(names)]
            for row in ("full", "binary") if row in rows
        },
        "probing": {row: _probing(list(by.values())) for row, by in found.items() if row != "binary"},
        "premise": {
            name: premise.measure(table, study.part, study.methods, places, people, rng)
            for name, places in (("frozen features", frozen), ("features of full", located)) if places
        },
    }  # fmt: skip
    if beside:
        report["adapted"] = adapted.measure(study, beside, people, rng)
    return report


def _ablation(measured: dict[str, Any]) -> dict[str, Any]:
    """In the form of the ablation on images, whose figures read it."""
    return {
        "cells": measured["cells"], "mean": measured["cells"][ablation.CELLS[0]],
        "targets": measured["collections"], "methods": measured["methods"],
    }  # fmt: skip


def _probing(found: list[dict[str, np.ndarray]]) -> dict[str, float]:
    refreshed = np.concatenate([np.ravel(one["refreshed"]) for one in found])
    taken = np.concatenate([one["taken"] for one in found])
    made = {"clusters": float(np.mean([one["clusters"] for one in found]))}
    made |= {"calibration_low": float(refreshed.min()), "calibration_high": float(refreshed.max())}
    return made | ({"outliers_taken_for_real": float(taken.mean())} if np.isfinite(taken).all() else {})


def _frozen(study: Study, fold: int, name: str) -> premise.Located:
    path = study.folder / f"frozen-{fold}.npz"
    if not path.exists():
        known = study.given(study.training_rows(name))
        config = study.config
        write_arrays(
            path,
            **premise.of_features(config.recipe, study.kinds, config.seed, study.features, known)._asdict(),
        )
    with np.load(path, allow_pickle=False) as found:
        return premise.Located(*(found[key] for key in premise.Located._fields))
