"""Which collection and methods a fold leaves out, and which of its source it chooses by."""

from typing import NamedTuple

import numpy as np

from experiments.words.config import Config
from experiments.words.material import PART, Table


class Fold(NamedTuple):
    """A fold.

    Attributes:
        collection: that is left out.
        kinds: the methods that are left out.
        source: rows of all other collections and methods.
        judged: rows of that collection, forged by these methods.
        fit: rows of the source that train while rate, steps and weight are chosen.
        chosen_by: rows of the source, of a collection and methods that are not in `fit`.
    """

    collection: str
    kinds: tuple[str, ...]
    source: np.ndarray
    judged: np.ndarray
    fit: np.ndarray
    chosen_by: np.ndarray


def folds(config: Config, table: Table) -> list[Fold]:
    """All folds: every collection with both halves of the methods, so that each pair of them is judged once.

    The first as many as there are collections have every collection, and the halves in turn.
    """
    names = np.unique(table.collection).tolist()
    both, rng = halves(np.unique(table.kind).tolist(), np.random.default_rng([config.seed, 2])), None
    made = []
    for turn in range(2):
        for number, name in enumerate(names):
            out, known = both[(number + turn) % 2], both[(number + turn + 1) % 2]
            source = (table.collection != name) & np.isin(table.kind, known)
            rng = np.random.default_rng([config.seed, 3, turn, number])
            other = names[(number + 1 + int(rng.integers(len(names) - 1))) % len(names)]
            apart, rest = halves(list(known), rng)
            made.append(Fold(
                name, tuple(out), np.flatnonzero(source),
                np.flatnonzero((table.collection == name) & np.isin(table.kind, out)),
                np.flatnonzero(source & (table.collection != other) & np.isin(table.kind, rest)),
                np.flatnonzero(source & (table.collection == other) & np.isin(table.kind, apart)),
            ))  # fmt: skip
    return made[: config.folds or len(made)]


def halves(kinds: list[str], rng: np.random.Generator) -> tuple[list[str], list[str]]:
    """Methods dealt to two halves, whole-face ones and parts each evenly."""
    dealt: tuple[list[str], list[str]] = ([], [])
    for group in ([k for k in kinds if not k.startswith(PART)], [k for k in kinds if k.startswith(PART)]):
        for kind in rng.permutation(sorted(group)).tolist():
            min(dealt, key=len).append(kind)
    return dealt
