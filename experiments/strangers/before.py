"""The detector without adaptation: ranking, decisions and probabilities on what it knows nothing of."""

from collections import defaultdict
from typing import Any

import numpy as np

from experiments.strangers import resampling
from experiments.strangers.features import Table
from experiments.strangers.resampling import People
from experiments.strangers.scoring import Scores
from metaforge.evaluation.calibration import Judge, fit_judge
from metaforge.evaluation.calibration.judge import probability

SURE = 0.9
"""A real image above it was called fake with confidence."""


def judge_of(table: Table, logits: np.ndarray, distances: np.ndarray, rows: np.ndarray) -> Judge:
    """What turns a source's logits and distances into decisions, fitted to what was left out of it in turn."""
    return fit_judge(logits, table.label[rows], distances=distances, groups=table.collection[rows])


def told(judge: Judge, logits: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """The probabilities as they are told."""
    return probability(judge.weigh(logits, distances)[1])


def row_values(judge: Judge, probabilities: np.ndarray, label: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What is averaged: which rows, and the value of each."""
    said = np.array(judge.bands.decide(probabilities))
    real, fake = np.flatnonzero(label == 0), np.flatnonzero(label > 0)
    every = np.arange(len(label))
    return {
        "reals_called_fake": (real, (said[real] == "fake").astype(float)),
        "reals_undecided": (real, (said[real] == "cannot tell").astype(float)),
        "fakes_called_real": (fake, (said[fake] == "real").astype(float)),
        "fakes_undecided": (fake, (said[fake] == "cannot tell").astype(float)),
        "reals_sure": (real, (probabilities[real] > SURE).astype(float)),
        "brier": (every, np.square(probabilities - (label > 0))),
    }


def measure(table: Table, found: dict[tuple[str, str], Scores], people: dict[str, People]) -> dict[str, Any]:
    """By collection, the AUC of every method, means over methods, and the same of the source's own left-out images."""
    parts: dict[tuple[str, str], dict[str, np.ndarray]] = {}
    own: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for (collection, kind), one in found.items():
        judge = judge_of(table, one.source_logits, one.source_distances, one.source_rows)
        mine = table.collection[one.rows] == collection
        kept = table.take(one.rows[mine])
        weights = people[collection].weights(kept.person)
        values = row_values(judge, told(judge, one.before[mine], one.distances[mine]), kept.label)
        parts[collection, kind] = {
            name: resampling.mean(each, weights[:, rows]) for name, (rows, each) in values.items()
        }
        parts[collection, kind]["auc"] = resampling.auc(kept.label, one.before[mine], weights)
        for name, value in _of_source(judge, table, one).items():
            own[collection][name].append(value)
    kinds = list(dict.fromkeys(kind for _, kind in parts))
    names = list(next(iter(parts.values())))
    rows = []
    for collection in people:
        over = lambda name, c=collection: np.mean([parts[c, kind][name] for kind in kinds], axis=0)
        rows.append({
            "collection": collection,
            "methods": {kind: resampling.interval(parts[collection, kind]["auc"]) for kind in kinds},
            **{name: resampling.interval(over(name)) for name in names},
            "source": {name: float(np.mean(values)) for name, values in own[collection].items()},
        })  # fmt: skip
    whole = {name: resampling.interval(np.mean([each[name] for each in parts.values()], axis=0)) for name in names}
    by_kind = {
        kind: resampling.interval(np.mean([parts[c, kind]["auc"] for c in people], axis=0)) for kind in kinds
    }  # fmt: skip
    return {"collections": rows, "methods": by_kind, "mean": whole}


def _of_source(judge: Judge, table: Table, one: Scores) -> dict[str, float]:
    """The same of the source's images, by fits that left them out; every collection counts alike."""
    where = table.collection[one.source_rows]
    values = row_values(judge, told(judge, one.source_logits, one.source_distances), table.label[one.source_rows])
    return {
        name: float(np.mean([each[where[rows] == c].mean() for c in np.unique(where[rows])]))
        for name, (rows, each) in values.items()
        if len(rows)
    }
