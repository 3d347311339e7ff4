"""Forged pairs of every collection as images, each collection in a file of its own."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.strangers.config import Config
from experiments.strangers.faces import acquisitions, methods
from metaforge.data.faces import split_people
from metaforge.forgeries.base import Face
from metaforge.forgeries.synthesis import synthesise
from metaforge.progress import progress
from metaforge.runs import read_json, write_json
from metaforge.whole import write_arrays

NAMES = "collections.json"
"""The names of all collections, once the images of all are there."""


class Images(NamedTuple):
    """Images, a row each; all but the first as in `experiments.strangers.features.Table`."""

    image: np.ndarray
    label: np.ndarray
    kind: np.ndarray
    collection: np.ndarray
    person: np.ndarray
    pair: np.ndarray

    def take(self, rows: np.ndarray) -> "Images":
        """Some of the rows."""
        return Images(*(column[rows] for column in self))


def known(folder: Path) -> dict[str, list[Face]]:
    """The collections whose images are all there, without faces; none before."""
    path = folder / NAMES
    return {name: [] for name in read_json(path)["collections"]} if path.exists() else {}


def images_of(config: Config, faces: dict[str, list[Face]], folder: Path, *, quiet: bool = True) -> Images:
    """All collections, forged by all methods, as `experiments.strangers.features.table_of` forges them."""
    made, done = [], known(folder)
    for number, (name, mine) in enumerate(faces.items()):
        path = folder / f"images-{number}.npz"
        if not path.exists():
            write_arrays(path, compressed=False, **_collection(config, name, mine, quiet=quiet)._asdict())
            if number + 1 == len(faces) and not done:
                write_json(folder / NAMES, {"collections": list(faces)})
        with np.load(path, allow_pickle=False) as found:
            made.append(Images(*(found[column] for column in Images._fields)))
    begin = np.cumsum([0, *(each.pair.max() + 1 for each in made)])
    made = [each._replace(pair=each.pair + first) for each, first in zip(made, begin, strict=False)]
    return Images(*(np.concatenate(parts) for parts in zip(*made, strict=True)))


def _collection(config: Config, name: str, faces: Sequence[Face], *, quiet: bool) -> Images:
    halves = split_people(list(faces), fractions={"first": 0.5, "second": 0.5}, seed=config.seed)
    kinds, kept = methods(config), acquisitions(config)
    total = len(faces) * len(kinds) * len(kept) * config.faces.variants
    parts = []
    with progress(f"forging {name}", total, unit="pair", quiet=quiet) as bar:
        for half, other in (("first", "second"), ("second", "first")):
            records = synthesise(
                halves[half], methods=kinds, variants=config.faces.variants, seed=config.seed, split="test",
                acquisitions=kept, fit_faces=halves[other], progress=bar.update,
            )  # fmt: skip
            parts.append((
                np.asarray(records.image), np.asarray(records.label), np.array(records.method.tolist()),
                np.array(records.identity.tolist()), np.array(records.pair.tolist()),
            ))  # fmt: skip
    image, label, kind, person, pair = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    _, pair = np.unique(pair, return_inverse=True)
    return Images(image, label, kind, np.full(len(label), name), person, pair)
