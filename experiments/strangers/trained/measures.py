"""What each way to train is worth beside a fixed batch of untouched images, paired by fold and seed."""

from typing import Any

import numpy as np

from experiments.strangers import resampling
from experiments.strangers.resampling import People
from experiments.strangers.trained import images, training
from experiments.strangers.trained.config import Config
from experiments.strangers.trained.images import texts

SIZE, STEPS, SEEN, SECONDS, LOSS = range(5)
"""Columns of a curve."""


def measure(config: Config, folds, tables, found: dict[tuple[int, str, int], dict[str, np.ndarray]]) -> dict[str, Any]:
    """A row for every arm: AUC on what was left out, and what it took to reach the first arm's loss of half way."""
    names, cells = [*training.arms(config)], [(f, s) for f in range(len(folds)) for s in range(config.seeds)]
    areas = {
        kind: {name: _areas(config, folds, tables, found, name, kind) for name in names}
        for kind in (images.PLAIN, images.TREATED)
    }
    pace = _pace(found)
    took = {name: np.array([_until(found, pace, name, *cell, usual=names[0]) for cell in cells]) for name in names}
    rng = np.random.default_rng([config.seed, 7])
    drawn = np.concatenate([np.arange(len(cells))[None], rng.integers(len(cells), size=(config.resamples, len(cells)))])
    rows = []
    for name in names:
        row: dict[str, Any] = {"arm": name}
        for kind, of in areas.items():
            row[f"auc_{kind}"] = resampling.interval(of[name])
            row[f"gain_{kind}"] = resampling.interval(of[name] - of[names[0]])
        for column, what in enumerate(("tasks", "steps", "seconds")):
            times = np.log(took[name][:, column] / took[names[0]][:, column])
            row[f"{what}_ratio"] = resampling.interval(np.exp(times[drawn].mean(axis=1)))
        row["reached"] = float(took[name][:, 3].mean())
        curves = [found[f, name, s]["curve"] for f, s in cells]
        row["loss"] = float(np.mean([curve[-1, LOSS] for curve in curves]))
        steps = np.concatenate([np.repeat(curve[:, SIZE], curve[:, STEPS].astype(int)) for curve in curves])
        sizes, counts = np.unique(steps, return_counts=True)
        row["steps_by_tasks"] = {f"{size:g}": float(n / len(cells)) for size, n in zip(sizes, counts, strict=True)}
        rows.append(row)
    return {
        "rows": rows,
        "seconds_a_step": {f"{name}: {size:g}": value for (name, size), value in sorted(pace.items())},
    }


def _areas(config: Config, folds, tables, found, name: str, kind: str) -> np.ndarray:
    """The mean AUC over folds on each resample of people and seeds."""
    from experiments.strangers.trained.running import judged

    each = []
    for number, fold in enumerate(folds):
        table = judged(fold, tables, kind)
        person = texts(table.identity)
        weights = People(config.of_strangers(), fold.collection, person).weights(person)
        seeds = [
            resampling.auc(table.label, found[number, name, seed][f"scores_{kind}"].astype(np.float64), weights)
            for seed in range(config.seeds)
        ]
        # The same resamples of seeds for all arms: differences are paired.
        each.append(resampling.over_draws(np.stack(seeds), np.random.default_rng([config.seed, 8, number])))
    return np.mean(each, axis=0)


def _pace(found) -> dict[tuple[str, float], float]:
    """Median seconds of a step of each arm and size: of many, so that compiling and other work do not count."""
    each: dict[tuple[str, float], list[float]] = {}
    for (_, name, _), one in found.items():
        for row in one["curve"]:
            each.setdefault((name, float(row[SIZE])), []).append(row[SECONDS] / row[STEPS])
    return {key: float(np.median(values)) for key, values in each.items()}


def _until(found, pace, name: str, fold: int, seed: int, *, usual: str) -> tuple[float, float, float, float]:
    """Tasks, steps and seconds until the loss is what `usual` had half way, and whether it came there; else all."""
    reference, curve = found[fold, usual, seed]["curve"], found[fold, name, seed]["curve"]
    half = np.searchsorted(reference[:, SEEN], reference[-1, SEEN] / 2)
    wanted = np.minimum.accumulate(reference[:, LOSS])[half]
    there = np.flatnonzero(curve[:, LOSS] <= wanted)
    end = there[0] + 1 if len(there) else len(curve)
    kept = curve[:end]
    seconds = sum(row[STEPS] * pace[name, float(row[SIZE])] for row in kept)
    return float(kept[-1, SEEN]), float(kept[:, STEPS].sum()), float(seconds), float(len(there) > 0)


def markdown(report: dict[str, Any]) -> str:
    """The table."""
    about, show = (
        report["provenance"],
        lambda one, sign: f"{one['value']:{sign}} [{one['low']:{sign}}, {one['high']:{sign}}]",
    )
    head = ("trained with", "AUC, as made", "gain", "AUC, treated", "gain", "loss at the end", "images until the loss",
            "steps", "seconds", "reached", "steps of each size")  # fmt: skip
    lines = [
        f"`{report['command']}`, commit {about['commit']}, {about['date']}.", "", f"| {' | '.join(head)} |",
        "|" + "---|" * len(head),
    ]  # fmt: skip
    for row in report["rows"]:
        cells = [row["arm"], show(row["auc_none"], ".3f"), show(row["gain_none"], "+.3f"), show(row["auc_wild"], ".3f")]
        cells += [show(row["gain_wild"], "+.3f"), f"{row['loss']:.3f}"]
        cells += [show(row[f"{what}_ratio"], ".2f") for what in ("tasks", "steps", "seconds")]
        cells += [
            f"{100 * row['reached']:.0f} %",
            ", ".join(f"{n:.0f} of {k}" for k, n in row["steps_by_tasks"].items()),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
