"""Images of a generator that nothing is known of, beside real images of a collection that was left out."""

from pathlib import Path
from typing import Any

import numpy as np

from experiments.strangers import resampling
from experiments.strangers.before import judge_of, told
from experiments.strangers.config import Config
from experiments.strangers.features import Table
from experiments.strangers.resampling import People
from metaforge.adaptation.gaussian import distances, fit, head_of
from metaforge.progress import progress
from metaforge.whole import write_arrays

COLUMNS = (
    "logits",
    "distances",
    "unknown_logits",
    "unknown_distances",
    "source_rows",
    "source_logits",
    "source_distances",
)


def score(table: Table, unknown: np.ndarray, folder: Path, *, quiet: bool = True) -> dict[str, dict[str, np.ndarray]]:
    """For every collection what a head that does not know it says of all images and of the unknown ones."""
    names, made = np.unique(table.collection).tolist(), {}
    with progress("unknown", len(names), unit="collection", quiet=quiet) as bar:
        for number, name in enumerate(names):
            path = folder / f"unknown-{number}.npz"
            if not path.exists():
                write_arrays(path, compressed=True, **_scores(table, unknown, name))
            with np.load(path, allow_pickle=False) as found:
                made[name] = {column: found[column] for column in COLUMNS}
            bar.update()
    return made


def _scores(table: Table, unknown: np.ndarray, name: str) -> dict[str, np.ndarray]:
    mine = np.flatnonzero(table.collection != name)
    known = table.take(mine)
    source = fit(known.features, known.label, known.kind, collections=known.collection, pairs=known.pair)
    head = head_of(source.prior)
    logits = lambda seen: np.asarray(seen @ np.asarray(head.weights) + float(head.bias), np.float64)
    return {
        "logits": logits(table.features), "distances": distances(source.prior, table.features),
        "unknown_logits": logits(unknown), "unknown_distances": distances(source.prior, unknown),
        "source_rows": mine[source.rows], "source_logits": source.logits, "source_distances": source.distances,
    }  # fmt: skip


def measure(
    config: Config, table: Table, found: dict[str, dict[str, np.ndarray]], people: dict[str, People], images: int
) -> list[dict[str, Any]]:
    """By left-out collection: the ranking, what is said of the unknown and of the real images, and the control.

    Args:
        config: says how many resamples.
        table: the collections.
        found: of `score`.
        people: of each collection.
        images: how many unknown images there were; one of them may stand there several times, treated otherwise.
    """
    rows = []
    for name, one in found.items():
        judge = judge_of(table, one["source_logits"], one["source_distances"], one["source_rows"])
        real = np.flatnonzero((table.collection == name) & (table.label == 0))
        theirs, ours = one["unknown_logits"], one["logits"][real]
        each = np.arange(len(theirs)) % images
        weights = people[name].weights(table.person[real])
        of_unknown = People(config, "unknown", each).weights(each)
        label, scores = np.repeat([1, 0], [len(theirs), len(ours)]), np.concatenate([theirs, ours])
        both = np.concatenate([of_unknown, weights], axis=1)
        row: dict[str, Any] = {"collection": name, "auc": resampling.interval(resampling.auc(label, scores, both))}
        for who, logits, far, weight in (
            ("unknown", theirs, one["unknown_distances"], of_unknown), ("real", ours, one["distances"][real], weights),
        ):  # fmt: skip
            said = np.array(judge.bands.decide(told(judge, logits, far)))
            familiarity = judge.weigh(logits, far)[2]
            share = lambda values, weight=weight: resampling.interval(resampling.mean(values, weight))
            row[who] = {
                "called_fake": share((said == "fake").astype(float)),
                "called_real": share((said == "real").astype(float)),
                "undecided": share((said == "cannot tell").astype(float)),
                "familiarity": share(np.asarray(familiarity)),
            }
        row["real_against_real"] = _against(table, one["logits"], name, people)
        rows.append(row)
    return rows


def _against(table: Table, logits: np.ndarray, name: str, people: dict[str, People]) -> dict[str, dict[str, float]]:
    """The AUC of the left-out collection's real images, taken for fakes, against each other's under the same head."""
    made = {}
    ours = np.flatnonzero((table.collection == name) & (table.label == 0))
    for other in people:
        if other == name:
            continue
        theirs = np.flatnonzero((table.collection == other) & (table.label == 0))
        label = np.repeat([1, 0], [len(ours), len(theirs)])
        weights = [people[c].weights(table.person[rows]) for c, rows in ((name, ours), (other, theirs))]
        scores = logits[np.concatenate([ours, theirs])]
        made[other] = resampling.interval(resampling.auc(label, scores, np.concatenate(weights, axis=1)))
    return made
