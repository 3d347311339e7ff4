"""What each row is worth on what was left out, and what it gains over plain cross-entropy at a constant rate."""

from collections import Counter
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit

from experiments.strangers import resampling
from experiments.strangers.config import Config as StudyConfig
from experiments.strangers.features import Table
from experiments.strangers.hard_samples.config import CONTROL, ROWS, Config, Recipe
from experiments.strangers.hard_samples.folds import Fold
from experiments.strangers.resampling import People
from metaforge.evaluation.multiple import bootstrap_p, holm

MEASURES = ("auc", "accuracy", "brier", "hard_unseen", "hard_seen")
"""On methods that were left out: AUC, accuracy at 0.5 and Brier score, and AUC on the hard ones among them.

The last one is AUC on the hard ones where they were trained on, and the collection alone was left out.
"""


class Heads(NamedTuple):
    """The heads of a fold.

    Attributes:
        fold: what is left out.
        chosen: the recipe of each row.
        weights: `(seeds, rows, numbers of a feature)`.
        biases: `(seeds, rows)`.
    """

    fold: Fold
    chosen: list[Recipe]
    weights: np.ndarray
    biases: np.ndarray

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Log-odds of a forgery, `(seeds, rows, images)`."""
        return self.weights @ features.astype(np.float64).T + self.biases[:, :, None]


def measure(config: Config, table: Table, found: list[Heads]) -> dict[str, Any]:
    """The rows of the report."""
    parts: dict[str, list[np.ndarray]] = {name: [] for name in MEASURES}
    for number, heads in enumerate(found):
        for name, values in _of_fold(config, table, heads, number).items():
            parts[name].append(values)
    # Folds count alike; `(rows, resamples + 1)`.
    means = {name: np.mean(each, axis=0) for name, each in parts.items() if each}
    control = ROWS.index(CONTROL)
    gains = {
        (row, name): values[place] - values[control]
        for name, values in means.items() for place, row in enumerate(ROWS) if row != CONTROL
    }  # fmt: skip
    said = {" ".join((*row, name)): bootstrap_p(each[1:]) for (row, name), each in gains.items()}
    believed = holm(said)
    rows = []
    for place, row in enumerate(ROWS):
        chosen = Counter(_options(heads.chosen[place]) for heads in found)
        one: dict[str, Any] = {"loss": row.loss, "schedule": row.schedule, "chosen": dict(sorted(chosen.items()))}
        one |= {name: resampling.interval(values[place]) for name, values in means.items()}
        if row != CONTROL:
            one["minus_control"] = {name: resampling.interval(gains[row, name]) for name in means}
            one["holm"] = {name: believed[" ".join((*row, name))].adjusted for name in means}
        rows.append(one)
    pairs = [
        (loss, ROWS.index((loss, "constant")), ROWS.index((loss, "cosine")))  # type: ignore[arg-type]
        for loss in dict.fromkeys(row.loss for row in ROWS)
    ]
    cosine = {
        loss: {name: resampling.interval(values[b] - values[a]) for name, values in means.items()}
        for loss, a, b in pairs
    }
    return {"folds": len(found), "comparisons": len(gains), "rows": rows, "cosine_minus_constant": cosine}


def _options(recipe: Recipe) -> str:
    option = "" if recipe.loss == CONTROL.loss else f"{recipe.option:g}, "
    return f"{option}{recipe.steps} steps at {recipe.rate:g}"


def _of_fold(config: Config, table: Table, heads: Heads, number: int) -> dict[str, np.ndarray]:
    """Of each measure the values of all rows on each resample, means over methods and seeds."""
    fold, hard = heads.fold, config.hard.split(",")
    (name,) = fold.collections
    mine = np.flatnonzero(table.collection == name)
    people = People(StudyConfig(resamples=config.resamples, seed=config.seed), name, table.person[mine])
    made: dict[str, list[np.ndarray]] = {measure: [] for measure in MEASURES}
    for kind in (*fold.unseen, *(kind for kind in fold.methods if kind in hard)):
        rows = mine[table.kind[mine] == kind]
        label, weights = table.label[rows], people.weights(table.person[rows])
        logits = heads.logits(table.features[rows])
        flat = logits.reshape(-1, len(rows))
        auc = np.stack([resampling.auc(label, one, weights) for one in flat]).reshape(*logits.shape[:2], -1)
        if kind in fold.unseen:
            made["auc"].append(auc)
            right = (flat > 0) == (label > 0)
            made["accuracy"].append(_means(right, weights, logits.shape))
            made["brier"].append(_means(np.square(expit(flat) - (label > 0)), weights, logits.shape))
        if kind in hard:
            made["hard_unseen" if kind in fold.unseen else "hard_seen"].append(auc)
    # The same seeds are drawn for every row and measure of a fold.
    over = lambda each: np.stack([
        resampling.over_draws(each[:, row], np.random.default_rng([config.seed, 2, number]))
        for row in range(len(ROWS))
    ])  # fmt: skip
    return {measure: over(np.mean(each, axis=0)) for measure, each in made.items() if each}


def _means(values: np.ndarray, weights: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return np.stack([resampling.mean(one.astype(float), weights) for one in values]).reshape(*shape[:2], -1)
