"""Forged pairs of every collection as values of all features, each collection and acquisition in a file of its own."""

import dataclasses
import functools
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from experiments.evidence.config import Config
from experiments.strangers.config import Config as Strangers
from experiments.strangers.faces import acquisitions
from experiments.strangers.features import forged
from metaforge.data.detection import find_face
from metaforge.errors import InputError
from metaforge.forgeries.base import Face
from metaforge.screening.evidence.features import FEATURES
from metaforge.screening.evidence.shape import points_of
from metaforge.screening.evidence.view import view_of
from metaforge.whole import write_arrays

POINTS = "points"
"""The column of landmarks, of which a prior makes the values of the feature without `measure`."""


class Values(NamedTuple):
    """Images as values, a row each.

    Attributes:
        found: by the name of a feature its numbers, and the 68 points.
        label: 0 for real, 1 for fake.
        kind: the method that an image, or its fake, was forged by.
        collection: where it comes from.
        person: whose face it is.
        acquisition: what happened to it afterwards.
    """

    found: dict[str, np.ndarray]
    label: np.ndarray
    kind: np.ndarray
    collection: np.ndarray
    person: np.ndarray
    acquisition: np.ndarray

    def take(self, rows: np.ndarray) -> "Values":
        """Some of the rows."""
        label, kind, collection, person, acquisition = (each[rows] for each in self[1:])
        found = {name: each[rows] for name, each in self.found.items()}
        return Values(found, label, kind, collection, person, acquisition)


def as_strangers(config: Config, acquisition: str = "") -> Strangers:
    """The settings by which `experiments.strangers` forges, with one acquisition or all."""
    faces = dataclasses.replace(config.faces, acquisitions=acquisition) if acquisition else config.faces
    model = dataclasses.replace(Strangers().model, image_size=config.image_size)
    return dataclasses.replace(Strangers(), faces=faces, model=model, seed=config.seed)


def some(config: Config, faces: Sequence[Face]) -> list[Face]:
    """One photograph each of some people, by a seed."""
    once = {face.identity: face for face in sorted(faces, key=lambda face: face.name, reverse=True)}
    return random.Random(config.seed).sample([once[person] for person in sorted(once)], min(config.each, len(once)))


def values_of(config: Config, faces: dict[str, list[Face]], folder: Path, *, quiet: bool = True) -> tuple[Values, int]:
    """All collections by all methods; those whose file is there are read.

    Features that a file lacks are measured on the same images and added to it.

    Returns:
        The values, and of how many images none could be measured since no face was found in them; they are left out.
    """
    made = []
    for number, (name, mine) in enumerate(faces.items()):
        for kind in acquisitions(as_strangers(config)):
            path = folder / f"values-{number}-{kind}.npz"  # a collection's name may be no name of a file
            columns = _kept(path)
            if missing := [column for column in (*_measured(), POINTS) if column not in columns]:
                look = functools.partial(look_at, names=[*missing, POINTS])
                fresh = forged(as_strangers(config, kind), name, some(config, mine), look, quiet=quiet)
                columns = completed(columns, fresh, path)
                write_arrays(path, **columns)
            found = {column: columns[column] for column in (*_measured(), POINTS)}
            rest = [columns[column] for column in ("label", "kind", "collection", "person")]
            label, method, place, person = rest
            made.append(Values(found, label, method, place, person, np.full(len(label), kind)))
    found = {name: np.concatenate([each.found[name] for each in made]) for name in made[0].found}
    rest = zip(*(each[1:] for each in made), strict=True)
    label, kind, place, person, way = (np.concatenate(parts) for parts in rest)
    values = Values(found, label, kind, place, person, way)
    seen = np.isfinite(values.found[POINTS]).all(axis=(1, 2))
    return values.take(np.flatnonzero(seen)), int((~seen).sum())


def _kept(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    with np.load(path, allow_pickle=False) as read:
        return {column: read[column] for column in read.files}


def completed(old: dict[str, Any], fresh: dict[str, Any], path: Path) -> dict[str, Any]:
    """Values that were kept, and beside them those of features that are newer.

    Args:
        old: the columns of a file; none if there is no file.
        fresh: the same images measured anew.
        path: the file, for the message.

    Raises:
        InputError: if these are other images, by their landmarks.
    """
    same = not old or (
        old[POINTS].shape == fresh[POINTS].shape and np.allclose(old[POINTS], fresh[POINTS], atol=0.1, equal_nan=True)
    )
    if not same:
        raise InputError(f"'{path}' holds values of other images than these. Give a directory that is new.")
    return fresh | old


def look_at(images: np.ndarray, *, names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """Features of images and landmarks, not a number where no face is found in one.

    Args:
        images: uint8 RGB in [0, 255].

    Other Arguments:
        names: of features; all if left out.
    """
    names = [name for name in _measured() if names is None or name in names]
    rows = [_of_one(image, names) for image in images]
    return {name: np.stack([row[name] for row in rows]).astype(np.float32) for name in rows[0]}


def _of_one(image: np.ndarray, names: list[str]) -> dict[str, np.ndarray]:
    face = find_face(image)
    view = None if face is None else view_of(image, face)
    if view is None:
        return {**{name: np.full(3, np.nan) for name in names}, POINTS: np.full((68, 2), np.nan)}
    found = {each.name: each.measure(view) for each in FEATURES if each.measure is not None and each.name in names}
    return {**found, POINTS: points_of(view)}


def _measured() -> list[str]:
    return [each.name for each in FEATURES if each.measure is not None]
