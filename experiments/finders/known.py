"""Faces whose boxes and points people marked by hand, and faces whose widths are known."""

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np

from metaforge.data.images import read_image
from metaforge.errors import InputError

OUTLINE = (
    109,
    110,
    111,
    112,
    113,
    114,
    125,
    126,
    127,
    128,
    129,
    130,
    131,
    132,
    133,
    134,
    136,
    137,
    138,
    139,
    140,
    141,
    142,
)
"""Of the 189 points of the Face Research Lab, those on the edge of the face: cheeks, jaw, chin and hairline."""
FIVE = ((0,), (1,), (54, 60), (87,), (93,))
"""Pupils, the tip of the nose and the corners of the mouth, as `Detection.points` orders them."""


class Known(NamedTuple):
    """A photograph of one face.

    Attributes:
        image: uint8 RGB.
        person: who it is; the unit of all intervals.
        source: its collection.
        outline: x and y of points whose smallest box is the face.
        points: the five points, or `None` where nobody marked them.
    """

    image: np.ndarray
    person: str
    source: str
    outline: np.ndarray
    points: np.ndarray | None


def landmarked(folder: str | Path) -> list[Known]:
    """One photograph a person of a set with 189 points each, neutral ones first.

    Raises:
        InputError: when there is no file of landmarks, or no photograph to it.
    """
    file = Path(folder) / "landmarks_xy_resized.npz"
    if not file.is_file():
        raise InputError(f"--faces: '{folder}' has no landmarks_xy_resized.npz.")
    found: dict[str, Known] = {}
    with np.load(file) as marked:
        for key in marked.files:
            place, _, stem = key.partition("__")
            path = Path(folder) / place / f"{stem}.jpg"
            if marked[key].shape != (189, 2) or not path.is_file():
                continue
            points = marked[key].astype(np.float64)
            person = f"{place.split('_')[0]}/{stem.split('_')[0]}"
            five = np.stack([points[list(each)].mean(axis=0) for each in FIVE])
            if person not in found:
                found[person] = Known(read_image(path), person, place.split("_")[0], points[list(OUTLINE)], five)
    if len(found) < 4:
        raise InputError(f"--faces: '{folder}' has photographs to the landmarks of {len(found)} people; 4 are needed.")
    return list(found.values())


def centred(folder: str | Path, *, each: int) -> list[Known]:
    """Photographs that are centred on a face of known width, the first of every person; its outline is a square.

    Raises:
        InputError: when the table is missing or lacks a column.
    """
    table = Path(folder) / "manifest.csv"
    if not table.is_file():
        raise InputError(f"--others: '{folder}' has no manifest.csv.")
    found: dict[str, Known] = {}
    count: dict[str, int] = {}
    with open(table, newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if missing := {"file", "collection", "person", "face"} - set(row):
                raise InputError(f"--others: '{table}' has no column {min(missing)}.")
            if row["person"] in found or count.get(row["collection"], 0) >= each:
                continue
            count[row["collection"]] = count.get(row["collection"], 0) + 1
            image = read_image(Path(folder) / row["file"])
            middle, half = np.array(image.shape[1::-1]) / 2, float(row["face"]) / 2
            outline = middle + half * np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]])
            found[row["person"]] = Known(image, row["person"], row["collection"], outline, None)
    return list(found.values())
