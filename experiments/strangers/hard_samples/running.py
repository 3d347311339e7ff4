"""The study from end to end: choices inside the source, heads of every fold, the report."""

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from experiments.strangers import config as of_strangers
from experiments.strangers.features import Table, table_of
from experiments.strangers.hard_samples import halving, measuring
from experiments.strangers.hard_samples.config import ROWS, Config, Options, Recipe
from experiments.strangers.hard_samples.folds import Fold, choosing, folds, halves, inner
from experiments.strangers.hard_samples.tables import markdown
from experiments.strangers.hard_samples.training import trained
from metaforge.commands import flags_of
from metaforge.errors import InputError
from metaforge.evaluation import ranking
from metaforge.progress import progress
from metaforge.provenance import provenance
from metaforge.runs import Run, read_config, read_json, write_json
from metaforge.settings import check_settings, from_nested
from metaforge.whole import write_arrays, write_text


def run(options: Options, config: Config, *, quiet: bool = False) -> dict[str, Any]:
    """Chooses, trains, measures, and writes report.json and report.md.

    Raises:
        InputError: for settings that cannot work, or when there is no finished study.
    """
    began, where = time.time(), provenance()
    check_settings(config)
    recipes = config.recipes()
    study, table = _study(Path(options.features))
    halves(config, table)
    asked = halving.asked(config, table)
    directory = Run(options.workdir, dataclasses.asdict(config), ignored_fields=["half", "resamples"]).directory
    tried = _tried(config, table, recipes, directory, quiet=quiet)
    found: list[measuring.Heads] = []
    with progress("training", len(folds(config, table)), unit="fold", quiet=quiet) as bar:
        for number, fold in enumerate(folds(config, table)):
            chosen = _chosen(config, table, recipes, fold, tried)
            found.append(_heads(config, table, fold, chosen, directory / f"fold-{number}.npz"))
            bar.update()
    halved = halving.features(study, table, asked, directory, quiet=quiet)
    report = {
        "command": " ".join([
            "python -m experiments.strangers.hard_samples",
            *flags_of(options, Options(features="", workdir=""), but=("workdir",)), *flags_of(config, Config()),
        ]),
        "config": dataclasses.asdict(config),
        "provenance": where,
        "data": {
            str(name): len(np.unique(table.person[table.collection == name]))
            for name in np.unique(table.collection)
        },
        **measuring.measure(config, table, found),
        "half": halving.measure(config, table, found, halved),
        "minutes": (time.time() - began) / 60,
    }  # fmt: skip
    write_text(directory / "report.md", markdown(report))
    write_json(directory / "report.json", report)
    return report


def _study(folder: Path) -> tuple[of_strangers.Config, Table]:
    said = read_config(folder, missing_ok=True)
    if not isinstance(said, dict) or "config" not in said or not (folder / "report.json").exists():
        raise InputError(f"--features: '{folder}' has no finished study. Run python -m experiments.strangers there.")
    known = dataclasses.asdict(of_strangers.Config())
    # A study of before a setting was there has it as it usually is.
    whole = {name: part | said["config"][name] if isinstance(part, dict) else said["config"][name]
             for name, part in known.items()}  # fmt: skip
    study = from_nested(of_strangers.Config(), whole, name=f"--features: '{folder}'")
    names = read_json(folder / "report.json")["data"]
    return study, table_of(study, {name: [] for name in names}, folder)


def _tried(config: Config, table: Table, recipes: tuple[Recipe, ...], folder: Path, *, quiet: bool) -> list[np.ndarray]:
    """Of every inner fold and each of its collections the AUC of each recipe, `(collections, recipes)`."""
    found = []
    with progress("choosing", len(inner(config, table)), unit="pair", quiet=quiet) as bar:
        for number, fold in enumerate(inner(config, table)):
            path = folder / f"inner-{number}.npz"
            if not path.exists():
                weights, biases = trained(config, table, fold.source(table), recipes, seed=0)
                rows = [_judged(table, name, fold.unseen[0]) for name in fold.collections]
                each = [
                    [float(ranking.auc(table.label[mine], score)) for score in _scores(table, mine, weights, biases)]
                    for mine in rows
                ]
                write_arrays(path, auc=np.array(each))
            with np.load(path, allow_pickle=False) as archive:
                found.append(archive["auc"])
            bar.update()
    return found


def _chosen(config: Config, table: Table, recipes, fold: Fold, tried: list[np.ndarray]) -> list[Recipe]:
    """The best recipe of each row where another collection and one of the fold's own methods were left out."""
    made = inner(config, table)
    auc = np.mean(
        [tried[number][made[number].collections.index(name)] for number, name in choosing(fold, made)], axis=0
    )
    best = lambda row: max((n for n, one in enumerate(recipes) if one.row == row), key=lambda n: auc[n])
    return [recipes[best(row)] for row in ROWS]


def _heads(config: Config, table: Table, fold: Fold, chosen: list[Recipe], path: Path) -> measuring.Heads:
    if not path.exists():
        made = [
            trained(config, table, fold.source(table), tuple(chosen), seed=config.seed + 1 + number)
            for number in range(config.seeds)
        ]
        weights, biases = (np.stack(parts) for parts in zip(*made, strict=True))
        write_arrays(path, weights=weights, biases=biases, chosen=np.array(json.dumps(chosen)))
    with np.load(path, allow_pickle=False) as found:
        kept = [Recipe(*one) for one in json.loads(str(found["chosen"]))]
        return measuring.Heads(fold, kept, found["weights"], found["biases"])


def _judged(table: Table, collection: str, kind: str) -> np.ndarray:
    return np.flatnonzero((table.collection == collection) & (table.kind == kind))


def _scores(table: Table, rows: np.ndarray, weights: np.ndarray, biases: np.ndarray) -> np.ndarray:
    return weights @ table.features[rows].astype(np.float64).T + biases[:, None]
