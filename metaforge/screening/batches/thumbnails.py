"""Small pictures of faces that stand in a page itself, so that it asks no other place for them."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from metaforge.data.images import decode_image
from metaforge.data.video import read_frames
from metaforge.errors import InputError
from metaforge.screening.batches.summary import worst_face
from metaforge.screening.verdicts.identity import read_through, read_whole

SIDE = 144
"""Pixels of the longer side."""

AROUND = 0.5
"""How much of the face's width and height is shown around it."""


def thumbnail(record: dict[str, Any], root: str) -> str:
    """The face by which a file was decided, as the address of an image (`data:image/jpeg;base64,...`).

    Args:
        record: of the file.
        root: the folder that its name is relative to.

    Returns:
        "" where the file cannot be read any more, or is another than the one that was judged.
    """
    face = worst_face(record)
    path = Path(root, record["file"])
    try:
        if record["kind"] == "video":
            if read_through(path).sha256 != record["sha256"]:
                return ""
            frames = face["frames"] if face else []
            _, picture = next(iter(read_frames(path, frames[:1] or [0])))
        else:
            data, found = read_whole(path)
            if found.sha256 != record["sha256"]:
                return ""
            picture = decode_image(data, name=path.as_posix())
    except (InputError, StopIteration):
        return ""
    return address(cut(picture, face["box"] if face else None))


def cut(picture: np.ndarray, box: list[float] | None) -> np.ndarray:
    """The part of a picture around a face, or all of it."""
    if not box:
        return picture
    x0, y0, x1, y1 = box
    wide, high = AROUND * (x1 - x0), AROUND * (y1 - y0)
    top, left = max(int(y0 - high), 0), max(int(x0 - wide), 0)
    part = picture[top : max(int(y1 + high), top + 1), left : max(int(x1 + wide), left + 1)]
    return part if part.size else picture


def address(picture: np.ndarray) -> str:
    """A picture made small, in the address that shows it."""
    small = Image.fromarray(np.ascontiguousarray(picture))
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    held = io.BytesIO()
    small.save(held, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(held.getvalue()).decode()
