"""The study from end to end: maps, folds, the report."""

import dataclasses
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from experiments.strangers.faces import collections, methods
from experiments.strangers.fused import cost, maps, measuring, training
from experiments.strangers.fused.config import Config, Options
from experiments.strangers.fused.folds import Fold, folds
from experiments.strangers.fused.training import DISCRIMINANT, FUSED, ROWS, VECTORS, Choice, Study
from metaforge.backbones import choice, weight_files
from metaforge.bounds import check_bounds
from metaforge.commands import flags_of
from metaforge.errors import InputError
from metaforge.progress import progress
from metaforge.provenance import provenance
from metaforge.runs import Run, read_json, write_json
from metaforge.settings import check_settings
from metaforge.whole import write_arrays, write_text

THREADS = 2
"""Folds that are trained at a time."""


def run(options: Options, config: Config, *, quiet: bool = False) -> dict[str, Any]:
    """Makes maps, trains, judges, and writes report.json and report.md; a finished run returns its report at once.

    Raises:
        InputError: when something that is asked for cannot work, before anything is written.
    """
    began, where = time.time(), provenance()
    check_bounds(options)
    check_settings(config)
    config.speeds()
    study = config.of_strangers()
    fused = dataclasses.replace(config.model, levels="", fusion=config.fusion, fusion_width=config.fusion_width)
    for spec, prefix in ((config.model, "model."), (fused, "")):
        try:
            choice.check(spec)
        except InputError as error:
            raise InputError(f"--{prefix}{error}") from None
    if not config.model.levels:
        raise InputError("--model.levels: the discriminant that stands beside needs them. Give such as 2,4,6.")
    asked, known = tuple(config.unseen.split(",")), methods(study)
    if odd := [name for name in asked if name not in known]:
        raise InputError(f"--unseen: unknown '{odd[0]}'; known: {', '.join(known)}.")
    if min(len(asked), len(known) - len(asked)) < 2:
        raise InputError(f"--unseen={config.unseen}: leave two methods or more on either side of {', '.join(known)}.")
    settings = {"config": json.loads(json.dumps(dataclasses.asdict(config)))}
    settings["weights"] = weight_files.fingerprint(config.model)
    faces, _ = collections(study, quiet=quiet)
    directory = Run(options.workdir, settings, ignored_fields=["config.seeds"]).directory
    if (directory / "report.json").exists():
        return read_json(directory / "report.json")
    plan = choice.plan(fused)
    folds_there = len(list(directory.glob("fold-*.npz"))) >= config.seeds * len(faces) * (2 - config.alternating)
    kept = maps.kept(study, plan.fused, faces, directory, grid=config.grid, whole=not folds_there, quiet=quiet)
    made = Study(
        kept._replace(maps=()), tuple(map(jnp.asarray, kept.maps)), training.vectors(kept) if kept.maps else {},
        jnp.asarray(kept.table.label, jnp.int32), plan, config.steps, config.batch, config.speeds(), config.seed,
    )  # fmt: skip
    left = folds(kept.table, asked, alternating=config.alternating)
    scores, picked = _scored(made, left, config.seeds, directory, quiet=quiet)
    report = {
        "command": " ".join(["python -m experiments.strangers.fused", *flags_of(config, Config())]),
        "config": settings["config"],
        "provenance": where,
        "data": {name: {"faces": len(mine), "people": len({face.identity for face in mine})}
                 for name, mine in faces.items()},
        "blocks": ",".join(map(str, plan.fused)),
        "scopes": measuring.measure(study, kept.table, left, config.seeds, scores),
        "chosen": picked,
        "weights": measuring.weighed(study, kept.table, left, config.seeds, scores, plan.fused),
        "cost": cost.measure(config.model, config.fusion, config.fusion_width, seed=config.seed),
    }  # fmt: skip
    report["minutes"] = (time.time() - began) / 60
    from experiments.strangers.fused.tables import markdown

    write_text(directory / "report.md", markdown(report))
    write_json(directory / "report.json", report)
    return report


def _scored(
    study: Study, left: list[Fold], seeds: int, folder: Path, *, quiet: bool
) -> tuple[measuring.Scores, list[dict[str, dict[str, float]]]]:
    """What every row says in every fold, each fold and seed in a file of its own; and what was chosen."""
    with progress("training", len(left) * seeds, unit="fold", quiet=quiet) as bar, ThreadPoolExecutor(THREADS) as pool:

        def one(asked: tuple[int, int]) -> None:
            seed, number = asked
            path = folder / f"fold-{number}-{seed}.npz"
            if not path.exists():
                picked = _chosen(study, left[number], folder / f"chosen-{number}.json")
                write_arrays(path, **_rows(study, left[number], seed, picked))
            bar.update()

        for seed in range(seeds):  # what the second takes from the first is there then
            list(pool.map(one, [(seed, number) for number in range(len(left))]))
    scores = {}
    for number in range(len(left)):
        for seed in range(seeds):
            with np.load(folder / f"fold-{number}-{seed}.npz", allow_pickle=False) as found:
                scores[number, seed] = {name: found[name] for name in found.files}
        # No seed changes it.
        scores |= {(number, seed): {**scores[number, 0], **scores[number, seed]} for seed in range(seeds)}
    return scores, [read_json(folder / f"chosen-{number}.json") for number in range(len(left))]


def _chosen(study: Study, fold: Fold, path: Path) -> dict[str, dict[str, float]]:
    if not path.exists():
        # All fusions train as the one with equal weights does best.
        found = {row: training.chosen(study, fold, row)._asdict() for row in (*VECTORS, "equal")}
        write_json(path, found)
    return read_json(path)


def _rows(study: Study, fold: Fold, seed: int, picked: dict[str, dict[str, float]]) -> dict[str, Any]:
    found = {}
    for row in ROWS:
        if row == DISCRIMINANT and seed:
            continue
        if row == DISCRIMINANT:
            said = training.discriminant(study.kept, fold)
        else:
            taken = Choice(**picked["equal" if row in FUSED else row])
            stops = training.trained(study, row, taken.rate, fold.train, fold.shown, seed)
            said = stops[training.SHARES.index(taken.share)]
        found[row] = said.logits
        if said.weights is not None:
            found[f"weights {row}"] = said.weights
    return found
