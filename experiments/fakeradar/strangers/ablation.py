"""The ablation: what is chosen, what is trained, and AUC by what a model knows of an image's method and collection."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.fakeradar.strangers import mapped, premise
from experiments.fakeradar.strangers.config import Config, Training
from experiments.fakeradar.strangers.folds import TEST, TRAIN, VALIDATION, Given, given, source_rows
from experiments.fakeradar.strangers.premise import Located
from experiments.fakeradar.strangers.training import OF_TWO, odds, train
from experiments.strangers import resampling
from experiments.strangers.features import Table
from experiments.strangers.resampling import People
from metaforge.adaptation.gaussian import fit, head_of
from metaforge.evaluation import ranking
from metaforge.runs import read_json, write_json
from metaforge.whole import write_arrays

CONTROL = "discriminant, closed form"
"""The name of what is not trained at all."""
CELLS = (
    "unseen methods, unknown collection",
    "unseen methods, known collections",
    "known methods, unknown collection",
    "known methods, known collections",
)


class Study(NamedTuple):
    """What every step of the study needs.

    Attributes:
        config: the settings.
        table: all images; of their features the columns that are seen.
        features: the same, on the device.
        part: of each row, where its person is.
        methods: that are trained on.
        size: rows that a model is trained on, at most.
        folder: the run's.
    """

    config: Config
    table: Table
    features: jax.Array
    part: np.ndarray
    methods: list[str]
    size: int
    folder: Path

    @property
    def kinds(self) -> int:
        """Classes of the clusters."""
        return 1 + len(self.methods)

    def given(self, rows: np.ndarray) -> Given:
        """What is trained on where these rows are."""
        return given(self.table, rows, self.methods, size=self.size)

    def training_rows(self, without: str) -> np.ndarray:
        """Rows of the people that a fold is trained on."""
        rows = source_rows(self.table, self.methods, without)
        return rows[self.part[rows] == TRAIN]


def slug(row: str) -> str:
    """A row as part of a file's name."""
    return row.replace(" ", "_")


def chosen(study: Study, fold: int, without: str, row: str) -> Training:
    """Length and rate of a row: the best mean AUC on one source method after the other, which was not trained on.

    Judged are people who are not trained on, within each known collection. The rows other than "binary" take what
    is chosen for "full", of which they are parts.
    """
    config, row = study.config, row if row == "binary" else "full"
    tried = config.trainings()
    path = study.folder / f"chosen-{fold}-{row}.json"
    if not path.exists():
        found = [{"steps": one.steps, "rate": one.rate, "auc": 0.0} for one in tried]
        rows = study.training_rows(without)
        for name in study.methods if len(tried) > 1 else []:
            known = study.given(rows[study.table.kind[rows] != name])
            for each, one in zip(found, tried, strict=True):
                model = train(config.recipe, row, study.kinds, one, config.epochs, config.seed, study.features, known)
                scores = odds(config.recipe, row, study.kinds, model, study.features, known)
                each["auc"] += _validation(study, scores, without, name) / len(study.methods)
        write_json(path, {"tried": found})
    found = read_json(path)["tried"]
    best = max(found, key=lambda one: one["auc"])
    return Training(best["steps"], best["rate"])


def _validation(study: Study, scores: np.ndarray, without: str, method: str) -> float:
    table, found = study.table, []
    for name in np.unique(table.collection[table.collection != without]):
        rows = (table.collection == name) & (study.part == VALIDATION) & (table.kind == method)
        found.append(float(ranking.auc(table.label[rows], scores[rows])))
    return float(np.mean(found))


def score(study: Study, fold: int, without: str, row: str) -> Path:
    """The file of a row: what models of all seeds say of all images, and for "full" where these lie."""
    path = study.folder / f"fold-{fold}-{slug(row)}.npz"
    if path.exists():
        return path
    config, known = study.config, study.given(study.training_rows(without))
    training = chosen(study, fold, without, row)
    said, located, clusters, calibration, taken = [], [], [], [], []
    for seed in range(config.seeds):
        model = train(config.recipe, row, study.kinds, training, config.epochs, seed, study.features, known)
        said.append(odds(config.recipe, row, study.kinds, model, study.features, known))
        if row == "full":
            located.append(premise.of_model(config.recipe, study.kinds, model, study.features, known))
            if not seed:
                place = study.folder / f"map-{fold}"
                mapped.write(config.recipe, study.methods, model, study.table, study.features, known, without, place)
        last = model.log[-1]
        clusters.append(last.get("clusters", 0.0))
        calibration.append([one["calibration"] for one in model.log if "calibration" in one])
        # The first epoch has none.
        taken.append(last.get("outliers_taken_for_real", np.nan) if row not in (*OF_TWO, "no outliers") else np.nan)
    more = Located(*map(np.concatenate, zip(*located, strict=True)))._asdict() if located else {}
    write_arrays(
        path, odds=np.stack(said), clusters=np.array(clusters), refreshed=np.array(calibration), taken=np.array(taken),
        **{f"located_{name}": value for name, value in more.items()},
    )  # fmt: skip
    return path


def control(study: Study, fold: int, without: str) -> np.ndarray:
    """What the discriminant in closed form, fitted to the same images, says of all."""
    path = study.folder / f"control-{fold}.npz"
    if not path.exists():
        table, rows = study.table, study.training_rows(without)
        mine = table.take(rows)
        source = fit(mine.features, mine.label, mine.kind, collections=mine.collection, pairs=mine.pair)
        head = head_of(source.prior)
        write_arrays(path, odds=table.features @ np.asarray(head.weights) + float(head.bias))
    with np.load(path, allow_pickle=False) as found:
        return found["odds"][None]


def located(path: Path) -> Located:
    """Where the images lie in the models of a file."""
    with np.load(path, allow_pickle=False) as found:
        return Located(*(found[f"located_{name}"] for name in Located._fields))


def cells(study: Study, without: str) -> Iterator[tuple[str, str, str, np.ndarray]]:
    """Of a fold: the cell, a collection, a method, and the rows that are judged."""
    table = study.table
    for kind in np.unique(table.kind):
        method = "known methods" if kind in study.methods else "unseen methods"
        mine = table.kind == kind
        yield f"{method}, unknown collection", without, kind, np.flatnonzero(mine & (table.collection == without))
        for other in np.unique(table.collection[table.collection != without]):
            rows = np.flatnonzero(mine & (table.collection == other) & (study.part == TEST))
            yield f"{method}, known collections", str(other), kind, rows


def measure(study: Study, said: dict[str, dict[str, np.ndarray]], people: dict[str, People], rng) -> dict[str, Any]:
    """AUC of every row in every cell, and its difference to the binary classifier on the same resamples.

    Args:
        study: the study.
        said: by row and left-out collection, scores `(seeds, images)`.
        people: of each collection.
        rng: a generator of the same resamples of seeds at each call.
    """
    table = study.table
    parts: dict[str, dict[tuple[str, str, str, str], np.ndarray]] = {row: {} for row in said}
    for row, by_fold in said.items():
        for without, scores in by_fold.items():
            for cell, collection, kind, rows in cells(study, without):
                label, weights = table.label[rows], people[collection].weights(table.person[rows])
                each = [resampling.auc(label, one[rows], weights) for one in scores]
                parts[row][cell, without, collection, kind] = premise.over_models(each, rng())
    names = sorted({kind for _, _, _, kind in parts["binary"]})
    first = CELLS[0]
    return {
        "cells": {cell: _compared(parts, lambda place, cell=cell: place[0] == cell) for cell in CELLS},
        "collections": {
            name: _compared(parts, lambda place, name=name: place[:2] == (first, name)) for name in people
        },
        "methods": {
            kind: _compared(parts, lambda place, kind=kind: place[0].endswith("unknown collection") and kind in place)
            for kind in names
        },
    }  # fmt: skip


def _compared(parts, wanted) -> dict[str, Any]:
    mean = {
        row: np.nanmean([value for place, value in mine.items() if wanted(place)], axis=0)
        for row, mine in parts.items()
    }
    return {
        "auc": {row: resampling.interval(each) for row, each in mean.items()},
        "minus_binary": {
            row: resampling.interval(each - mean["binary"]) for row, each in mean.items() if row != "binary"
        },
    }
