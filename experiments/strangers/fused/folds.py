"""Who is trained on, chosen by and judged, where a collection and half of the methods are left out."""

from typing import NamedTuple

import numpy as np

from experiments.strangers.features import Table


class Fold(NamedTuple):
    """What is left out, and rows of the table.

    Attributes:
        collection: that is left out.
        methods: that are left out, all of whose pairs in that collection are judged.
        train: the source's rows: other methods of other collections.
        first: those of them that are trained on when a rate is chosen: without one more method and collection.
        second: rows of these two, by which it is chosen.
        judged: rows of the left-out methods in the left-out collection.
        shown: all rows of the left-out collection.
    """

    collection: str
    methods: tuple[str, ...]
    train: np.ndarray
    first: np.ndarray
    second: np.ndarray
    judged: np.ndarray
    shown: np.ndarray


def folds(table: Table, unseen: tuple[str, ...], *, alternating: bool = False) -> list[Fold]:
    """Every collection with each half of the methods, by name; or, alternating, with one of them in turn.

    Example:
        >>> kinds, names = np.tile(list("pqrs"), 3), np.repeat(list("xyz"), 4)
        >>> table = Table(*[np.zeros(12)] * 2, kinds, names, *[np.arange(12)] * 2)
        >>> made = folds(table, ("p", "q"))
        >>> len(made), made[0].judged.tolist(), made[0].train.tolist(), made[0].second.tolist()
        (6, [0, 1], [6, 7, 10, 11], [6])
    """
    names, kinds = ([str(one) for one in np.unique(column)] for column in (table.collection, table.kind))
    halves = (unseen, tuple(kind for kind in kinds if kind not in unseen))
    found = []
    for place, name in enumerate(names):
        for left, known in (halves, halves[::-1]):
            if alternating and left != halves[place % 2]:
                continue
            mine = table.collection == name
            source = np.isin(table.kind, known) & ~mine
            # The next collection, and a method that changes with it: one choice a fold, and none the same for all.
            next_name, next_kind = names[(place + 1) % len(names)], known[place % len(known)]
            other, odd = table.collection == next_name, table.kind == next_kind
            found.append(
                Fold(
                    name,
                    left,
                    *map(np.flatnonzero, (source, source & ~other & ~odd, source & other & odd)),
                    *map(np.flatnonzero, (mine & np.isin(table.kind, left), mine)),
                )
            )
    return found
