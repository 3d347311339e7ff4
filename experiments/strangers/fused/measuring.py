"""AUC, accuracy and Brier score of every row, paired on the same people and seeds, and what the gate weighed."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.strangers.config import Config
from experiments.strangers.features import Table
from experiments.strangers.fused.folds import Fold
from experiments.strangers.fused.training import DISCRIMINANT, FUSED, ROWS
from experiments.strangers.resampling import People, auc, interval, mean, over_draws

METRICS = ("auc", "accuracy", "brier")
SCOPES = ("unseen methods", "known methods")
"""Of the left-out collection: methods that are left out too, and those that are trained on."""

AGAINST = {
    "equal": "pooled", "gated": "equal", "attended": "gated", "attended ": "top", "attended  ": "pooled",
    "attended   ": DISCRIMINANT, "levels": "pooled",
}  # fmt: skip
"""Which row is held against which; blanks tell keys apart."""

Scores = dict[tuple[int, int], dict[str, np.ndarray]]
"""By fold and seed, by row: logits of `Fold.shown`, and weights of the depths under "weights ROW"."""


def measure(config: Config, table: Table, folds: Sequence[Fold], seeds: int, scores: Scores) -> dict[str, Any]:
    """All cells and their differences, means over folds and seeds."""
    people = {
        name: People(config, str(name), table.person[table.collection == name]) for name in np.unique(table.collection)
    }
    found = {}
    for scope in SCOPES:
        each = {row: {metric: [] for metric in METRICS} for row in ROWS}
        for number, fold in enumerate(folds):
            for row in ROWS:
                worth = [
                    _worth(table, fold, scope, people[fold.collection], scores[number, seed][row])
                    for seed in range(seeds)
                ]
                for metric in METRICS:
                    rng = np.random.default_rng([config.seed, 2])  # the same seeds are drawn for every row
                    each[row][metric].append(over_draws(np.stack([one[metric] for one in worth]), rng))
        cells = {row: {metric: np.mean(each[row][metric], axis=0) for metric in METRICS} for row in ROWS}
        found[scope] = {
            "rows": {row: {metric: interval(cells[row][metric]) for metric in METRICS} for row in ROWS},
            "differences": {
                f"{row.strip()} minus {other}": {
                    metric: interval(cells[row.strip()][metric] - cells[other][metric]) for metric in METRICS
                }
                for row, other in AGAINST.items()
            },
            "folds": [
                {"collection": fold.collection, "methods": list(fold.methods),
                 "auc": {row: float(each[row]["auc"][number][0]) for row in ROWS}}
                for number, fold in enumerate(folds)
            ],
        }  # fmt: skip
    return found


def _worth(table: Table, fold: Fold, scope: str, people: People, logits: np.ndarray) -> dict[str, np.ndarray]:
    """Means over the methods of a scope, on each resample."""
    kinds = np.unique(table.kind[fold.shown])
    asked = [kind for kind in kinds if (kind in fold.methods) == (scope == SCOPES[0])]
    parts = []
    for kind in asked:
        mine = table.kind[fold.shown] == kind
        rows, said = fold.shown[mine], logits[mine]
        label, weights = table.label[rows], people.weights(table.person[rows])
        probability = 1 / (1 + np.exp(-np.clip(said, -50, 50)))
        parts.append({
            "auc": auc(label, said, weights),
            "accuracy": mean(((probability > 0.5) == (label > 0)).astype(float), weights),
            "brier": mean(np.square(probability - label), weights),
        })  # fmt: skip
    return {metric: np.mean([part[metric] for part in parts], axis=0) for metric in METRICS}


def weighed(
    config: Config, table: Table, folds: Sequence[Fold], seeds: int, scores: Scores, blocks: Sequence[int]
) -> dict[str, Any]:
    """Of each method the mean weight of each depth over its fakes, and how much more than over their real images."""
    people = {
        name: People(config, str(name), table.person[table.collection == name]) for name in np.unique(table.collection)
    }
    found = {}
    for row in [row for row in FUSED if row != "equal"]:
        found[row] = {}
        for kind in np.unique(table.kind):
            fakes, more = [], []
            for number, fold in enumerate(folds):
                mine = table.kind[fold.shown] == kind
                rows = fold.shown[mine]
                given = np.mean([scores[number, seed][f"weights {row}"][mine] for seed in range(seeds)], axis=0)
                drawn = people[fold.collection].weights(table.person[rows])
                fake = table.label[rows] > 0
                each = [
                    np.stack([mean(given[side, depth], drawn[:, side]) for depth in range(len(blocks))])
                    for side in (fake, ~fake)
                ]
                fakes.append(each[0])
                more.append(each[0] - each[1])
            found[row][str(kind)] = {
                name: [interval(one) for one in np.mean(parts, axis=0)]
                for name, parts in (("fakes", fakes), ("more than real", more))
            }
    return found
