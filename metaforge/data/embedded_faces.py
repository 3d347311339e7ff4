"""Real faces that need no data: 204 colour photographs that ship with metaforge, and 100 grey ones of scikit-image.

`london_faces.zip` beside this module holds the Face Research Lab London Set (DeBruine and Jones, 2017, CC BY 4.0): 102
people who agreed to be shown, original or altered, neutral and smiling, each photograph cut to its face at 160 pixels;
who is on it, the face's box and mesh, and the attribution that goes with it. `datasets/london_faces/embed.py` makes it
of the set's photographs, byte by byte the same.
"""

import csv
import functools
import io
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from metaforge.data.found_faces import FoundFace, cropped, square_of
from metaforge.data.images import decode_image, square
from metaforge.forgeries.base import Face, Frame
from metaforge.forgeries.framing import surroundings

LONDON, LFW = "london", "lfw"
EMBEDDED = (LONDON, LFW)
"""The embedded sets, the default first."""

FILE = Path(__file__).with_name("london_faces.zip")
TABLE, MESHES, ABOUT, CROPS, WHOLE = "faces.csv", "meshes.npy", "README.txt", "crops", "whole"
"""What is in the file: who is on each crop, with the box; the meshes in sixteenths of pixels, in the table's order; the
attribution; the crops; and a few whole photographs."""


class LondonFace(NamedTuple):
    """A photograph of the file.

    Attributes:
        image: the crop, uint8 RGB, with room around the face.
        face: where the face is in it.
        name: of the photograph: the person and the expression.
        person: who it is, by the set's number.
    """

    image: UInt8[np.ndarray, "side side 3"]
    face: FoundFace
    name: str
    person: str


def embedded_faces(source: str, *, size: int, landmarks: bool = True, around: bool = False) -> list[Face]:
    """The faces of an embedded set.

    Args:
        source: one of `EMBEDDED`.

    Other Arguments:
        size: the side of the faces, in pixels.
        landmarks: whether faces get their meshes; those of "lfw" have none.
        around: whether they get what lies around them, as far as the file has it; of "lfw" it has nothing.

    Example:
        >>> faces = embedded_faces("london", size=32)
        >>> len(faces), len({face.identity for face in faces}), faces[0].name, faces[0].landmarks.shape
        (204, 102, '001_neutral', (468, 2))
    """
    if source == LFW:
        return _lfw(size)
    faces = []
    for one in london_faces():
        image, mesh = cropped(one.image, one.face, size=size)
        face = Face(image, mesh if landmarks else None, one.name, one.person)
        if around:
            frame = Frame(*square_of(one.image, one.face))
            face = face._replace(around=surroundings(one.image, frame, size=size))
        faces.append(face)
    return faces


@functools.lru_cache(maxsize=1)
def london_faces() -> tuple[LondonFace, ...]:
    """All crops of the file, in the order of their names."""
    with zipfile.ZipFile(FILE) as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read(TABLE).decode())))
        meshes = np.load(io.BytesIO(archive.read(MESHES)), allow_pickle=False).astype(np.float32) / 16
        return tuple(
            LondonFace(
                decode_image(archive.read(f"{CROPS}/{row['name']}.jpg"), name=row["name"]),
                FoundFace(np.array([row[side] for side in ("x0", "y0", "x1", "y1")], np.float32), mesh),
                row["name"],
                row["person"],
            )
            for row, mesh in zip(rows, meshes, strict=True)
        )


def whole_photographs() -> dict[str, UInt8[np.ndarray, "height width 3"]]:
    """The photographs of the file that are not cut to a face, by name.

    Example:
        >>> [image.shape for image in whole_photographs().values()]
        [(512, 512, 3), (512, 512, 3)]
    """
    with zipfile.ZipFile(FILE) as archive:
        names = sorted(name for name in archive.namelist() if name.startswith(f"{WHOLE}/"))
        return {Path(name).stem: decode_image(archive.read(name), name=name) for name in names}


def attribution() -> str:
    """Whose photographs the file holds, under which licence, and what was changed.

    Example:
        >>> "CC BY 4.0" in attribution()
        True
    """
    with zipfile.ZipFile(FILE) as archive:
        return archive.read(ABOUT).decode()


def _lfw(size: int) -> list[Face]:
    from skimage.data import lfw_subset  # ships inside the wheel: no network

    grey = np.round(lfw_subset()[:100] * 255).astype(np.uint8)
    return [
        Face(square(np.repeat(image[..., None], 3, axis=-1), size=size), None, f"lfw_{i:03d}", f"lfw_{i:03d}")
        for i, image in enumerate(grey)
    ]
