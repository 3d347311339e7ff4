"""The priors of all sources that lack one collection and one kind of forgery, at the cost of few."""

import itertools
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from metaforge.adaptation.gaussian._moments import fitted, moments_of, total
from metaforge.adaptation.gaussian._source import SHRINKAGE, Rows, Scored, Source, scored, source_of
from metaforge.errors import InputError
from metaforge.types import FAKE

LEAST = 3
"""Collections and kinds that there must be: a source without one of each leaves one more of each out."""


class Fold(NamedTuple):
    """A source, and what it knows nothing of.

    Attributes:
        collection: the one that is left out.
        kind: the kind of forgery that is left out.
        source: as `fit` makes it of the other images; its `rows` count all images.
    """

    collection: str
    kind: str
    source: Source


def folds(
    embeddings: Float[np.ndarray, "images features"],
    labels: np.ndarray,
    kinds: np.ndarray,
    collections: np.ndarray,
    *,
    pairs: np.ndarray | None = None,
    shrinkage: float = SHRINKAGE,
) -> Iterator[Fold]:
    """What `fit` says of the images without each collection and each kind of forgery, both left out together.

    A source leaves one more collection and one more kind out for its calibration. The fit without two collections and
    two kinds serves four sources, so all of them together take about a quarter of the fits that they would alone.

    Args:
        embeddings: as in `fit`.
        labels: as there.
        kinds: as there, three or more.
        collections: as there, three or more; every kind is in every collection, with both classes.

    Other Arguments:
        pairs: as there.
        shrinkage: as there.

    Yields:
        A `Fold` for every collection and kind, by name. All are begun with the first.

    Raises:
        InputError: for fewer than three collections or kinds, or one without both classes of another.

    Example:
        >>> rng, labels = np.random.default_rng(0), np.tile([0, 1], 90)
        >>> seen = rng.normal(size=(180, 3)) + 2 * labels[:, None]
        >>> kinds, places = np.repeat(["a", "b", "c"], 60), np.tile(np.repeat(["x", "y", "z"], 20), 3)
        >>> made = list(folds(seen, labels, kinds, places))
        >>> len(made), made[0].collection, made[0].kind, len(made[0].source.rows)
        (9, 'x', 'a', 80)
    """
    places, where = np.unique(collections, return_inverse=True)
    names, kind = np.unique(kinds, return_inverse=True)
    if min(len(places), len(names)) < LEAST:
        raise InputError(
            f"discriminant: {len(places)} collections and {len(names)} kinds of forgery. Give {LEAST} or more of each."
        )
    x, fake = np.asarray(embeddings, np.float64), np.asarray(labels) >= FAKE
    every = list(itertools.product(range(len(places)), range(len(names))))
    rows = {(c, k): np.flatnonzero((where == c) & (kind == k)) for c, k in every}
    for (c, k), mine in rows.items():
        if np.bincount(fake[mine].astype(int), minlength=2).min() < 2:
            raise InputError(
                f"discriminant: '{places[c]}' has fewer than two real or fake images of '{names[k]}'. Leave one out."
            )
    origin = x.mean(axis=0)
    cells = {cell: moments_of(x[mine], fake[mine], origin) for cell, mine in rows.items()}
    left = _left_out(x, rows, cells, len(places), len(names), shrinkage)
    for c, k in every:
        mine = np.flatnonzero((where != c) & (kind != k))
        others = [(c2, k2) for c2, k2 in every if c2 != c and k2 != k]
        seen = [left[c, k][cell] for cell in others]
        seen = [each._replace(rows=np.searchsorted(mine, each.rows)) for each in seen]
        images = Rows(x[mine], fake[mine], kind[mine], where[mine], None if pairs is None else np.asarray(pairs)[mine])
        source = source_of(images, total(cells[cell] for cell in others), seen, shrinkage)
        yield Fold(str(places[c]), str(names[k]), source._replace(rows=mine[source.rows]))


def _left_out(x, rows, cells, places: int, kinds: int, shrinkage: float):
    """For the source without each cell, what is said of every other cell by a fit without both."""
    found: dict[tuple[int, int], dict[tuple[int, int], Scored]] = defaultdict(dict)
    for two, both in itertools.product(
        itertools.combinations(range(places), 2), itertools.combinations(range(kinds), 2)
    ):
        # With three of each, one cell is left.
        fit = fitted(total(part for (c, k), part in cells.items() if c not in two and k not in both), shrinkage)
        assert fit is not None
        for c, k in itertools.product(two, both):
            other = (two[0] + two[1] - c, both[0] + both[1] - k)
            found[other][c, k] = scored(fit, x, rows[c, k])
    return found
