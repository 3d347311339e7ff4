"""Forged pairs of every collection as features of a frozen network, each collection in a file of its own."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.strangers.config import Config
from experiments.strangers.faces import acquisitions, methods
from metaforge.backbones import choice
from metaforge.backbones.features import embed
from metaforge.data.faces import split_people
from metaforge.errors import InputError
from metaforge.forgeries.acquisition import WILD, acquire
from metaforge.forgeries.base import Face
from metaforge.forgeries.framing import framed
from metaforge.forgeries.synthesis import augment, synthesise
from metaforge.progress import progress
from metaforge.whole import write_arrays

BATCH = 32
"""Images at a time."""


class Table(NamedTuple):
    """Images as features, a row each.

    Attributes:
        features: float32, `(images, size)`.
        label: 0 for real, 1 for fake.
        kind: the method that an image, or its fake, was forged by.
        collection: where it comes from.
        person: whose face it is.
        pair: a number that a fake and its real image share.
    """

    features: np.ndarray
    label: np.ndarray
    kind: np.ndarray
    collection: np.ndarray
    person: np.ndarray
    pair: np.ndarray

    def take(self, rows: np.ndarray) -> "Table":
        """Some of the rows."""
        return Table(*(column[rows] for column in self))


def embedder(config: Config) -> Callable[[np.ndarray], np.ndarray]:
    """From images to features.

    Raises:
        InputError: for weights that are missing or of another network.
    """
    model = choice.choose(config.model)
    side = config.model.image_size
    params = model.init(jax.random.key(config.seed), np.zeros((1, side, side, 3), np.float32))
    return lambda images: embed(model, params, images, batch=BATCH)


def table_of(config: Config, faces: dict[str, list[Face]], folder: Path, *, quiet: bool = True) -> Table:
    """All collections, forged by all methods; those whose file is there are read.

    A collection is forged in two halves of its people. Donors come from the same half, and a method that learns of
    faces learns of the other half: it has not seen whom it forges, and nobody of another collection.
    """
    made, look = [], None
    for number, (name, mine) in enumerate(faces.items()):
        path = folder / f"features-{number}.npz"  # a name may be no name of a file
        if not path.exists():
            look = look or embedder(config)
            write_arrays(path, **forged(config, name, mine, _single(look), quiet=quiet))
        made.append(_read(path))
    return _together(made)


def kept(workdir: str) -> Table:
    """All collections of a run, as they were kept.

    Raises:
        InputError: when it is not finished.
    """
    if not (Path(workdir) / "report.json").is_file():
        raise InputError(f"--workdir: '{workdir}' holds no finished run. Make one: python -m experiments.strangers.")
    paths = Path(workdir).glob("features-*.npz")
    return _together([_read(path) for path in sorted(paths, key=lambda path: int(path.stem.split("-")[1]))])


def _read(path: Path) -> Table:
    with np.load(path, allow_pickle=False) as found:
        return Table(*(found[column] for column in Table._fields))


def _together(made: list[Table]) -> Table:
    begin = np.cumsum([0, *(each.pair.max() + 1 for each in made)])
    made = [each._replace(pair=each.pair + first) for each, first in zip(made, begin, strict=False)]
    return Table(*(np.concatenate(parts) for parts in zip(*made, strict=True)))


def _single(look: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    return lambda images: {"features": look(images).astype(np.float32)}


def forged(
    config: Config,
    name: str,
    faces: Sequence[Face],
    look: Callable[[np.ndarray], dict[str, np.ndarray]],
    *,
    quiet: bool = True,
) -> dict[str, Any]:
    """What `look` makes of the pairs of one collection, and beside it the other columns of a `Table`.

    A collection is forged as `table_of` says; no more than one method's images are in memory.
    """
    halves = split_people(list(faces), fractions={"first": 0.5, "second": 0.5}, seed=config.seed)
    kinds, kept = methods(config), acquisitions(config)
    total = len(faces) * len(kinds) * len(kept) * config.faces.variants
    parts = []
    with progress(f"forging {name}", total, unit="pair", quiet=quiet) as bar:
        for half, other in (("first", "second"), ("second", "first")):
            # Of each method alone, so that its images and no others are in memory.
            parts += [
                _features(
                    synthesise(
                        halves[half], methods=(kind,), variants=config.faces.variants, seed=config.seed, split="test",
                        acquisitions=kept, fit_faces=halves[other], progress=bar.update,
                    ), look,
                )
                for kind in kinds
            ]  # fmt: skip
    columns = {column: np.concatenate([part[column] for part in parts]) for column in parts[0]}
    _, columns["pair"] = np.unique(columns["pair"], return_inverse=True)
    return {**columns, "collection": np.full(len(columns["label"]), name)}


def _features(records, look) -> dict[str, np.ndarray]:
    return {
        **look(records.image),
        "label": records.label,
        "kind": np.array(records.method.tolist()),
        "person": np.array(records.identity.tolist()),
        "pair": np.array(records.pair.tolist()),
    }


def of_unknown(config: Config, faces: Sequence[Face]) -> np.ndarray:
    """Features of images that nothing is forged of, flipped, lit and treated as the real ones of a pair are."""
    look, seen = embedder(config), []
    for kind in acquisitions(config):
        for number, face in enumerate(faces):
            rng = np.random.default_rng([config.seed, number])
            target = framed(rng, face)[0] if kind == WILD else face
            (image,), _ = acquire(rng, [augment(rng, target).image], kind)
            seen.append(image)
    return look(np.stack(seen)).astype(np.float32)
