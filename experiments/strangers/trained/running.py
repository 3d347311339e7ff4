"""All folds, arms and seeds, each training in a file of its own; then the report."""

import dataclasses
import time
from itertools import product
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from experiments.strangers.faces import methods
from experiments.strangers.trained import images, training
from experiments.strangers.trained.config import Config, Options
from experiments.strangers.trained.images import texts
from experiments.strangers.trained.measures import measure
from metaforge.commands import flags_of
from metaforge.data.records import Records, concatenate
from metaforge.errors import InputError
from metaforge.labels import FAKE
from metaforge.progress import progress
from metaforge.provenance import provenance
from metaforge.runs import Run, read_json
from metaforge.settings import check_settings
from metaforge.whole import write_arrays

VALIDATION = 0.2
"""The share of people of the source who are not trained on."""


class Fold(NamedTuple):
    """What is left out.

    Attributes:
        collection: whose photographs are judged.
        methods: of forgery, that they are judged on.
    """

    collection: str
    methods: tuple[str, ...]


def run(options: Options, config: Config, *, quiet: bool = False) -> dict[str, Any]:
    """Trains, judges and measures; a finished run returns its report at once.

    Raises:
        InputError: for settings that cannot work, before anything is written.
    """
    check_settings(config)
    where, began = provenance(), time.time()
    unseen = halves(config)
    for arm in training.arms(config).values():
        training.settings(config, arm, 0).check()
    directory = Run(options.workdir, dataclasses.asdict(config))
    folder = directory.directory
    if (folder / "report.json").exists():
        return read_json(folder / "report.json")
    tables = images.tables(config, folder, quiet=quiet)
    left_out = config.collections.split(",") if config.collections else [*tables]
    if unknown := sorted({*left_out} - {*tables}):
        raise InputError(f"--collections: unknown '{unknown[0]}'; there are {', '.join(tables)}.")
    folds = [Fold(*place) for place in product(left_out, unseen[: config.halves])]
    plain = concatenate([one[images.PLAIN] for one in tables.values()])
    pool = training.Pool(plain, jnp.asarray(plain.image), jnp.asarray(plain.label))
    work = [*product(range(len(folds)), training.arms(config), range(config.seeds))]
    with progress("training", len(work), unit="model", quiet=quiet) as bar:
        for number, name, seed in work:
            path = folder / f"{file_of(number, name, seed)}.npz"
            if not path.exists():
                write_arrays(path, compressed=False, **_trained(config, folds[number], name, seed, tables, pool))
            bar.update()
    found = {key: dict(np.load(folder / f"{file_of(*key)}.npz", allow_pickle=False)) for key in work}
    report = {
        "command": " ".join(["python -m experiments.strangers.trained", *flags_of(config, Config())]),
        "config": dataclasses.asdict(config),
        "provenance": where,
        "folds": [{"collection": fold.collection, "methods": list(fold.methods)} for fold in folds],
        **measure(config, folds, tables, found),
        "minutes": (time.time() - began) / 60,
    }
    directory.finish(report)
    return report


def halves(config: Config) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The methods that are left out together, and the others, which are left out the other time.

    Raises:
        InputError: for an unknown method, or where one half is empty.
    """
    known = methods(config.of_strangers())
    asked = tuple(name for name in known if name in config.unseen.split(","))
    if len(asked) != len(config.unseen.split(",")) or not 0 < len(asked) < len(known):
        raise InputError(f"--unseen={config.unseen}: name some of {', '.join(known)}, and not all.")
    return asked, tuple(name for name in known if name not in asked)


def file_of(number: int, name: str, seed: int) -> str:
    """The name of a training's file."""
    return f"trained-{number}-{name.replace(' ', '_').replace(',', '')}-{seed}"


def judged(fold: Fold, tables: dict[str, dict[str, Records]], treatment: str) -> Records:
    """What a fold is judged on."""
    table = tables[fold.collection][treatment]
    return table.take(np.flatnonzero(np.isin(texts(table.method), fold.methods)))


def _trained(config: Config, fold: Fold, name: str, seed: int, tables, pool: training.Pool) -> dict[str, np.ndarray]:
    train, validation = _rows(config, fold, pool.records)
    arm = training.arms(config)[name]
    made = training.train(config, arm, seed, pool, train, validation)
    found = {
        f"scores_{kind}": training.scores(config, made.params, np.asarray(judged(fold, tables, kind).image))
        for kind in (images.PLAIN, images.TREATED)
    }
    return {"curve": made.curve, **found}


def _rows(config: Config, fold: Fold, records: Records) -> tuple[np.ndarray, np.ndarray]:
    """The rows that are trained on, and those of other people of the same collections and methods."""
    collection = np.array([domain.split("/")[0] for domain in records.domain.tolist()])
    mine = (collection != fold.collection) & ~np.isin(texts(records.method), fold.methods)
    people = np.unique(texts(records.identity)[mine])
    aside = np.random.default_rng([config.seed, 6]).permutation(people)[: round(VALIDATION * len(people))]
    # Whoever lends a face to somebody else's is in that image too.
    inside = np.isin(texts(records.identity), aside)
    lent = np.isin(texts(records.donor), aside) & (records.label == FAKE)
    return np.flatnonzero(mine & ~inside & ~lent), np.flatnonzero(mine & inside)
