"""One photograph to the face that a run learns from: read, found or cropped by landmarks, with what lies around it."""

import threading
from pathlib import Path
from typing import NamedTuple

import numpy as np

from metaforge.data.copies import picture_key
from metaforge.data.found_faces import cropped, found_face, square_of
from metaforge.data.images import read_image, square
from metaforge.data.landmarks import check_landmarks, crop_to_landmarks, square_around
from metaforge.errors import InputError
from metaforge.forgeries.base import Face, Frame
from metaforge.forgeries.framing import surroundings


class Photograph(NamedTuple):
    """What came of a file.

    Attributes:
        key: `metaforge.data.copies.picture_key` of its pixels; `None` of a file that cannot be read.
        face: its face, without a name; `None` where there is none.
        why: why there is none.
        fault: what is wrong with its landmarks, to be raised unless the picture is a copy.
    """

    key: str | None
    face: Face | None = None
    why: str = ""
    fault: InputError | None = None


def looked_at(
    path: Path,
    name: str,
    marks: np.ndarray | None,
    *,
    find: bool,
    size: int,
    around: bool,
    busy: dict[str, threading.Lock],
) -> Photograph:
    """Reads a photograph and cuts its face out, by landmarks, by the finder, or as the square in its middle.

    Args:
        path: of the file.
        name: what messages call it.
        marks: its landmarks, if there are any.

    Other Arguments:
        find: whether its face is looked for where there are none.
        size: side of the crop, in pixels.
        around: whether it gets what lies around it.
        busy: of the pictures at work in other threads; copies wait for each other, and the later ones remember.
    """
    try:
        image = read_image(path)
    except InputError as error:
        return Photograph(None, why=str(error))
    key, place = picture_key(image), None
    if marks is not None:
        try:
            check_landmarks(marks, name)
        except InputError as error:
            return Photograph(key, fault=error)
        place = square_around(image, marks)
        crop, marks = crop_to_landmarks(image, marks, size=size)
    elif not find:
        crop = square(image, size=size)
    else:
        with busy.setdefault(key, threading.Lock()):
            found = found_face(image, key=key)
        if found is None:
            return Photograph(key, why="no face is found in it. Left out; crops are taken whole by landmarks 'none'.")
        place = square_of(image, found)
        crop, marks = cropped(image, found, size=size)
    wider = surroundings(image, Frame(*place), size=size) if around and place else None
    return Photograph(key, Face(crop, marks, "", "", around=wider))
