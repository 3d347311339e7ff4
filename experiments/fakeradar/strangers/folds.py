"""Who is trained on and who is judged, where a collection and some methods are left out."""

import zlib
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.strangers.features import Table

TRAIN, VALIDATION, TEST = 0, 1, 2
SHARES = (0.6, 0.2, 0.2)
"""Of the people of each collection: to train on, to choose by, to judge as people of a known collection."""


class Given(NamedTuple):
    """What a model is trained on, on the device, with shapes that all folds share.

    Attributes:
        rows: of the table, filled up with row 0.
        where: which of them count.
        kind: 0 for real, or one more than the place of the method among those that are trained on.
        sides: rows of real and of fake images, filled up, `(2, size)`.
        counts: how many of each count.
        mean: of the training images' features.
        scale: their standard deviation; 1 for a feature that never changes.
    """

    rows: jax.Array
    where: jax.Array
    kind: jax.Array
    sides: jax.Array
    counts: jax.Array
    mean: jax.Array
    scale: jax.Array

    def standard(self, features: jax.Array) -> jax.Array:
        """Features in units of the training images."""
        return (features - self.mean[None]) / self.scale[None]


def parts_of(table: Table, seed: int) -> np.ndarray:
    """Of each row the part that its person is in. Who is where depends on the collection and the seed alone."""
    found = np.empty(len(table.label), int)
    for name in np.unique(table.collection):
        mine = table.collection == name
        people = np.unique(table.person[mine])
        order = np.random.default_rng([seed, zlib.crc32(str(name).encode()), 3]).permutation(len(people))
        edges = np.round(np.cumsum(SHARES)[:2] * len(people))
        part = np.searchsorted(edges, order, side="right")
        found[mine] = part[np.searchsorted(people, table.person[mine])]
    return found


def halves_of(table: Table, seed: int) -> np.ndarray:
    """Of each row the half that its person is in, 0 or 1."""
    found = np.empty(len(table.label), int)
    for name in np.unique(table.collection):
        mine = table.collection == name
        people = np.unique(table.person[mine])
        order = np.random.default_rng([seed, zlib.crc32(str(name).encode()), 4]).permutation(len(people))
        found[mine] = (order % 2)[np.searchsorted(people, table.person[mine])]
    return found


def source_rows(table: Table, methods: list[str], without: str) -> np.ndarray:
    """Rows of these methods, and of all collections but one."""
    return np.flatnonzero(np.isin(table.kind, methods) & (table.collection != without))


def given(table: Table, rows: np.ndarray, methods: list[str], *, size: int) -> Given:
    """What is trained on where these rows are. Methods of which there is no row keep their number."""
    kept = table.features[rows].astype(np.float64)
    deviation = kept.std(axis=0)
    place = {name: number + 1 for number, name in enumerate(methods)}
    kind = np.array(
        [place[name] if label else 0 for name, label in zip(table.kind[rows], table.label[rows], strict=True)]
    )
    fill = lambda values: np.concatenate([values, np.zeros(size - len(values), int)])
    sides = [rows[table.label[rows] == label] for label in (0, 1)]
    single, whole = (lambda value, to=to: jnp.asarray(value, to) for to in (jnp.float32, jnp.int32))
    return Given(
        rows=whole(fill(rows)), where=jnp.arange(size) < len(rows), kind=whole(fill(kind)),
        sides=whole(np.stack([fill(side) for side in sides])), counts=whole([len(side) for side in sides]),
        mean=single(kept.mean(axis=0)), scale=single(np.where(deviation > 0, deviation, 1.0)),
    )  # fmt: skip
