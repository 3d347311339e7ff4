"""The face of a photograph as the finder has it: its box and mesh, found once and remembered, and the crop by them.

What was found lies in the user's cache under the SHA-256 of the pixels and of the finder's models. So a second run is
spared the finding, whatever the photograph is called there, and other models find anew.
"""

import contextlib
import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, UInt8

from metaforge.data.crops import apply_crop, crop_transform
from metaforge.data.detection import check_finder, find_face
from metaforge.data.detection.model_files import MODELS
from metaforge.errors import InputError
from metaforge.face_regions import MESH_POINTS
from metaforge.places import cache_folder
from metaforge.whole import whole_file

CROP = "ffpp"
"""How faces that were found are cut out: as `prepare` does by default."""

_FORM = "1"  # of what is remembered; another one is found anew


class FoundFace(NamedTuple):
    """The largest face of a photograph, rounded so that the last bits of another processor change nothing.

    Attributes:
        box: x0, y0, x1, y1 in whole pixels.
        mesh: 468 points, x and y in eighths of pixels; the first pixel covers [0, 1).
    """

    box: Float32[np.ndarray, "4"]
    mesh: Float32[np.ndarray, "468 2"]


def check_found() -> None:
    """Holds that faces can be found at all.

    Raises:
        InputError: when the finder is not installed, or its models cannot be had; it also says how to do without.
    """
    try:
        check_finder()
    except InputError as error:
        raise InputError(f"{error} Or take crops as they are, by landmarks 'none'.") from None


def models_key() -> str:
    """What the finder's models are remembered by."""
    return hashlib.sha256("".join([_FORM, *(model.sha256 for model in MODELS.values())]).encode()).hexdigest()[:16]


def found_face(image: UInt8[np.ndarray, "height width 3"], *, key: str) -> FoundFace | None:
    """The largest face of a photograph, or `None` if there is none.

    Args:
        image: uint8 RGB.

    Other Arguments:
        key: `metaforge.data.copies.picture_key` of the image; "" to remember nothing.
    """
    root = cache_folder()
    path = root / "found_faces" / models_key() / key[:2] / f"{key}.npy" if root and key else None
    if path is not None and (known := _remembered(path)) is not None:
        return _face(known)
    face = find_face(image)
    rows = np.zeros((0, 2), np.float32)
    if face is not None and face.mesh is not None:
        rows = np.concatenate([np.round(face.box.reshape(2, 2)), np.round(8 * face.mesh) / 8]).astype(np.float32)
    if path is not None:
        with contextlib.suppress(OSError), whole_file(path, ending=False) as made, open(made, "wb") as stream:
            np.save(stream, rows, allow_pickle=False)
    return _face(rows)


def cropped(
    image: UInt8[np.ndarray, "height width 3"], face: FoundFace, *, size: int
) -> tuple[UInt8[np.ndarray, "size size 3"], Float32[np.ndarray, "468 2"]]:
    """The crop of a face by the convention `CROP`, and its mesh there: 0 is the middle of the first pixel.

    Raises:
        InputError: when the box lies outside the image.

    Example:
        >>> face = FoundFace(np.array([20, 20, 60, 60], np.float32), np.full((468, 2), 40, np.float32))
        >>> crop, mesh = cropped(np.zeros((80, 80, 3), np.uint8), face, size=26)
        >>> crop.shape, mesh[0].tolist()
        ((26, 26, 3), [12.5, 12.5])
    """
    transform = crop_transform(face.box, None, convention=CROP, size=size, image_size=image.shape[:2])
    mesh = (face.mesh - transform[:, 2]) / np.diag(transform) - 0.5
    return apply_crop(image, transform, size), mesh.astype(np.float32)


def square_of(image: UInt8[np.ndarray, "height width 3"], face: FoundFace) -> tuple[float, float, float]:
    """Left, top and side of what `cropped` cuts out, in pixels.

    Example:
        >>> face = FoundFace(np.array([20, 20, 60, 60], np.float32), np.full((468, 2), 40, np.float32))
        >>> square_of(np.zeros((80, 80, 3), np.uint8), face)
        (14.0, 14.0, 52.0)
    """
    transform = crop_transform(face.box, None, convention=CROP, size=1, image_size=image.shape[:2])
    return float(transform[0, 2]), float(transform[1, 2]), float(transform[0, 0])


def _face(rows: np.ndarray) -> FoundFace | None:
    return FoundFace(rows[:2].reshape(4), rows[2:]) if len(rows) else None


def _remembered(path: Path) -> np.ndarray | None:
    try:
        rows = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    good = rows.dtype == np.float32 and rows.shape in ((0, 2), (2 + MESH_POINTS, 2)) and np.isfinite(rows).all()
    return rows if good else None
