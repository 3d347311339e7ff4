"""Who is trained on and who judges: twelve folds, and the pairs of collections that choices are made on."""

from typing import NamedTuple

import numpy as np

from experiments.strangers.features import Table
from experiments.strangers.hard_samples.config import Config
from metaforge.errors import InputError


class Fold(NamedTuple):
    """What is left out.

    Attributes:
        collections: that nothing is trained on.
        methods: that are trained on.
        unseen: that are not.
    """

    collections: tuple[str, ...]
    methods: tuple[str, ...]
    unseen: tuple[str, ...]

    def source(self, table: Table) -> np.ndarray:
        """The rows to train on."""
        return np.flatnonzero(np.isin(table.kind, self.methods) & ~np.isin(table.collection, self.collections))


def halves(config: Config, table: Table) -> list[tuple[str, ...]]:
    """The methods in two halves.

    Raises:
        InputError: for unknown methods, or fewer than two in a half.
    """
    kinds = [str(kind) for kind in np.unique(table.kind)]
    for flag in ("unseen", "hard"):
        for name in getattr(config, flag).split(","):
            if name not in kinds:
                raise InputError(f"--{flag}: unknown '{name}'; known: {', '.join(kinds)}.")
    first = config.unseen.split(",")
    found = [tuple(kind for kind in kinds if (kind in first) == wanted) for wanted in (True, False)]
    if min(map(len, found)) < 2:
        raise InputError(
            f"--unseen={config.unseen}: leaves a half of fewer than two methods. Name two or more, not all."
        )
    return found


def folds(config: Config, table: Table) -> list[Fold]:
    """Every collection left out with either half."""
    one, other = halves(config, table)
    names = [str(name) for name in np.unique(table.collection)]
    return [Fold((name,), seen, unseen) for unseen, seen in ((one, other), (other, one)) for name in names]


def inner(config: Config, table: Table) -> list[Fold]:
    """Neighbours in a ring of the collections, left out together with one method of those that are trained on.

    Of two neighbours each judges for the fold of the other, so that a fold has two that choose for it.
    """
    one, other = halves(config, table)
    names = [str(name) for name in np.unique(table.collection)]
    made = []
    for seen in (other, one):
        for place, name in enumerate(names):
            left = seen[place % len(seen)]
            rest = tuple(kind for kind in seen if kind != left)
            made.append(Fold((name, names[(place + 1) % len(names)]), rest, (left,)))
    return made


def choosing(fold: Fold, made: list[Fold]) -> list[tuple[int, str]]:
    """Which inner folds choose for a fold, and the collection of each that judges: not the fold's own."""
    (mine,) = fold.collections
    return [
        (number, next(name for name in one.collections if name != mine))
        for number, one in enumerate(made)
        if mine in one.collections and {*one.methods, *one.unseen} == {*fold.methods}
    ]


def batches(config: Config, table: Table, rows: np.ndarray, *, steps: int, seed: int) -> np.ndarray:
    """Rows for so many steps, `(steps, batch)`, real ones first; every collection and method counts alike."""
    rng = np.random.default_rng([config.seed, seed, 5])
    half, parts = config.batch // 2, []
    for label in (0, 1):
        mine = rows[table.label[rows] == label]
        _, cell, count = np.unique(
            np.stack([table.collection[mine], table.kind[mine]]), axis=1, return_inverse=True, return_counts=True
        )
        weight = 1 / count[cell]
        parts.append(rng.choice(mine, (steps, half), p=weight / weight.sum()))
    return np.concatenate(parts, axis=1)
