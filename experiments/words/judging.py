"""What each way of training is worth on what was left out: AUC, and its difference from the image alone."""

import zlib
from typing import Any

import numpy as np

from experiments.words.config import Config
from experiments.words.folds import Fold
from experiments.words.material import Table
from experiments.words.ways import WAYS
from metaforge.evaluation.people import People, auc, interval

Found = dict[str, np.ndarray]
"""What a fold's models say of its judged rows: way to scores `(seeds, rows)`."""


def measure(config: Config, table: Table, made: list[Fold], found: list[Found], names: list[str]) -> list[dict]:
    """A row for each way: AUC and difference, over all folds, by collection and by method; resamples are shared.

    Args:
        config: says how many resamples.
        table: all images.
        made: the folds.
        found: what their models say.
        names: the ways, that of comparison first.
    """
    places, values = _replicates(config, table, made, found, names)
    rows = compare(config, places, values, names)
    for row in rows[1:]:
        seeds = _by_seed(config, table, made, found, (names[0], row["way"]))
        row["seeds"] = [float(value) for value in seeds]
    for way in WAYS:
        control = next((one.name for one in WAYS if one == way._replace(name=one.name, shuffled="within")), "")
        if not way.shuffled and {way.name, control} <= {*names}:
            both = [names.index(control), names.index(way.name)]
            row = compare(config, places, values[both], [control, way.name])[1]
            rows[both[1]]["over_shuffled"] = {
                name: row[name] for name in ("difference", "difference_over_collections")
            }  # fmt: skip
    return rows


def compare(config: Config, places: list[tuple[str, str]], values: np.ndarray, names: list[str]) -> list[dict]:
    """A row for each way, of replicates `(ways, places, resamples + 1)` at collections and methods."""
    collections, kinds = (sorted({place[at] for place in places}) for at in (0, 1))
    # Folds of one collection are drawn together, since they share its people.
    of = {one: np.mean([values[:, i] for i, (c, _) in enumerate(places) if c == one], axis=0) for one in collections}
    each = np.stack([of[one] for one in collections], axis=1)
    drawn = np.random.default_rng([config.seed, 5]).multinomial(
        len(collections), np.full(len(collections), 1 / len(collections)), size=config.resamples
    )
    share = np.concatenate([np.ones((1, len(collections))), drawn]) / len(collections)
    over_both = np.einsum("wcr,rc->wr", each, share)
    over_people = each.mean(axis=1)
    rows = []
    for number, name in enumerate(names):
        row: dict[str, Any] = {"way": name, "auc": interval(over_people[number])}
        if number:
            less = lambda of, number=number: interval(of[number] - of[0])
            row["difference"] = less(over_people)
            row["difference_over_collections"] = less(over_both)
            row["collections"] = {one: less(of[one]) for one in collections}
            row["methods"] = {
                one: less(np.mean([values[:, i] for i, (_, k) in enumerate(places) if k == one], axis=0))
                for one in kinds
            }
        rows.append(row)
    return rows


def people_of(config: Config, table: Table) -> dict[str, People]:
    """The resamples of each collection's people, the same whatever is measured."""
    return {
        name: People(
            table.person[table.collection == name], resamples=config.resamples,
            seed=[config.seed, zlib.crc32(name.encode()), 1],
        )
        for name in np.unique(table.collection).tolist()
    }  # fmt: skip


def _replicates(config: Config, table: Table, made: list[Fold], found: list[Found], names: list[str]):
    """Collection and method of each cell, and its AUC of each way on each resample, a mean over seeds."""
    people, places, values = people_of(config, table), [], []
    for fold, said in zip(made, found, strict=True):
        for kind in fold.kinds:
            mine = table.kind[fold.judged] == kind
            rows = fold.judged[mine]
            weights = people[fold.collection].weights(table.person[rows])
            per_seed = lambda name, rows=rows, mine=mine, weights=weights, said=said: np.mean(
                [auc(table.label[rows], scores[mine], weights) for scores in said[name]], axis=0
            )
            places.append((fold.collection, kind))
            values.append([per_seed(name) for name in names])
    return places, np.array(values).transpose(1, 0, 2)


def _by_seed(config: Config, table: Table, made: list[Fold], found: list[Found], names: tuple[str, str]) -> np.ndarray:
    """The difference of each seed, a mean over collections."""
    kept: dict[str, list[np.ndarray]] = {}
    for fold, said in zip(made, found, strict=True):
        for kind in fold.kinds:
            mine = table.kind[fold.judged] == kind
            label, one = table.label[fold.judged[mine]], np.ones((1, int(mine.sum())))
            first, second = ([auc(label, scores[mine], one)[0] for scores in said[name]] for name in names)
            kept.setdefault(fold.collection, []).append(np.subtract(second, first))
    return np.mean([np.mean(each, axis=0) for each in kept.values()], axis=0)


def mean_auc(table: Table, rows: np.ndarray, scores: np.ndarray) -> float:
    """Over the methods among some rows."""
    kinds = table.kind[rows]
    one = np.ones((1, len(rows)))
    return float(np.mean([
        auc(table.label[rows[kinds == k]], scores[kinds == k], one[:, kinds == k])[0] for k in np.unique(kinds)
    ]))  # fmt: skip


def shares(captions: np.ndarray) -> dict[str, int]:
    """How many captions there are, and how many differ."""
    return {"captions": len(captions), "different": len(np.unique(captions))}
