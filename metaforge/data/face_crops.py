"""From a picture to its faces as a detector takes them: found, cropped by a convention, and what is amiss with each."""

import contextlib
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageFilter

from metaforge.data.crops import CROPS, Crop, apply_crop, crop_transform
from metaforge.data.detection import Detection, find_faces
from metaforge.data.images import square
from metaforge.errors import InputError

SMALL = 64
"""Pixels of a face's longer side below which it is said to be small, or a third of the crop's side if that is less."""

BLURRED = 0.06
"""Sharpness below which a face is said to be blurred: that of a sharp photograph after a Gaussian of 3 % of the face's
width. Of 134 portraits of six open collections, the least sharp one has 0.09."""

DOUBTFUL = 0.7
"""Score of the finder below which a face is said to be perhaps none: so are two thirds of the false boxes, and one face
in a hundred (docs/tables/finders.md)."""

NO_FACE = "no face was found"
"""What is said of a picture without one."""

_OUTSIDE = 0.05  # of the box, from which on a face is cut off at the picture's border
_SEEN = 96  # pixels at which sharpness is measured


class FaceCrop(NamedTuple):
    """A face as a detector takes it.

    Attributes:
        image: uint8 RGB in [0, 255], shape `(size, size, 3)`.
        face: where it is in the picture; `None` where no face was looked for.
        notes: what makes its score doubtful, in words: "small", "cut off", "blurred", "perhaps no face"; empty
            for a good one.
    """

    image: UInt8[np.ndarray, "size size 3"]
    face: Detection | None
    notes: tuple[str, ...]


def face_crops(
    image: UInt8[np.ndarray, "height width 3"],
    *,
    size: int,
    crop: Crop = "ffpp",
) -> list[FaceCrop]:
    """Finds the faces in a picture, and crops them.

    Args:
        image: uint8 RGB in [0, 255].

    Other Arguments:
        size: the side of the crops, in pixels.
        crop: the convention (`metaforge.data.crops`); "whole" looks for no face and takes the picture's middle.

    Returns:
        The faces, the largest first; none where the picture shows none. A face that cannot be cropped, since its box
        lies outside the picture, is left out.

    Raises:
        InputError: as `metaforge.data.detection.find_faces`, or if the convention is unknown.

    Example:
        >>> from skimage.data import astronaut
        >>> (found,) = face_crops(astronaut(), size=64)
        >>> found.image.shape, found.notes
        ((64, 64, 3), ())
        >>> face_crops(np.zeros((90, 90, 3), np.uint8), size=64)
        []
    """
    if crop not in CROPS:
        raise InputError(f"crop: '{crop}' is unknown; known: {', '.join(CROPS)}.")
    if crop == "whole":
        return [FaceCrop(square(image, size=size), None, ())]
    return [_cut(image, face, transform, size) for face, transform in _placed(image, size, crop)]


def largest_crop(
    image: UInt8[np.ndarray, "height width 3"], *, size: int, crop: Crop = "ffpp"
) -> tuple[FaceCrop | None, int]:
    """The first of `face_crops`, `None` where there is none, and how many there are; the others are not cut out.

    Args:
        image: as there.

    Other Arguments:
        size: as there.
        crop: as there, but "whole".

    Example:
        >>> from skimage.data import astronaut
        >>> found, number = largest_crop(np.concatenate([astronaut()[:256], astronaut()[:256]], axis=1), size=64)
        >>> found.image.shape, number
        ((64, 64, 3), 2)
    """
    found = _placed(image, size, crop)
    return (_cut(image, *found[0], size) if found else None), len(found)


def _placed(image: np.ndarray, size: int, crop: Crop) -> list[tuple[Detection, np.ndarray]]:
    found = []
    for face in find_faces(image):
        # A box that lies outside the picture has no crop.
        with contextlib.suppress(InputError):
            shape = image.shape[0], image.shape[1]
            found.append((face, crop_transform(face.box, face.points, convention=crop, size=size, image_size=shape)))
    return found


def _cut(image: np.ndarray, face: Detection, transform: np.ndarray, size: int) -> FaceCrop:
    return FaceCrop(apply_crop(image, transform, size), face, _notes(image, face, size))


def sharpness(image: UInt8[np.ndarray, "height width 3"], box: np.ndarray) -> float:
    """How much of a face's contrast is in its fine detail, in [0, 1].

    The face is brought to 96 x 96 pixels. Sharpness is the standard deviation of what a Gaussian of 1.5 pixels takes
    away, by that of the whole.

    Args:
        image: uint8 RGB in [0, 255].
        box: x0, y0, x1, y1 in its pixels.

    Example:
        >>> checks = np.kron(np.indices((8, 8)).sum(0) % 2, np.ones((12, 12))).astype(np.uint8) * 255
        >>> sharp = np.repeat(checks[..., None], 3, axis=-1)
        >>> sharpness(sharp, np.array([0, 0, 96, 96])) > 0.2, sharpness(sharp * 0 + 9, np.array([0, 0, 96, 96]))
        (True, 0.0)
    """
    height, width = image.shape[:2]
    low = np.clip(np.floor(box[:2]), 0, [width - 1, height - 1]).astype(int)
    high = np.clip(np.ceil(box[2:]), low + 1, [width, height]).astype(int)
    part = Image.fromarray(np.ascontiguousarray(image[low[1] : high[1], low[0] : high[0]])).convert("L")
    small = part.resize((_SEEN, _SEEN), Image.Resampling.BOX if min(part.size) > _SEEN else Image.Resampling.BICUBIC)
    values = np.asarray(small, np.float64)
    fine = values - np.asarray(small.filter(ImageFilter.GaussianBlur(1.5)), np.float64)
    return float(np.clip(fine.std() / max(values.std(), 1.0), 0.0, 1.0))


def _notes(image: np.ndarray, face: Detection, size: int) -> tuple[str, ...]:
    height, width = image.shape[:2]
    sides = face.box[2:] - face.box[:2]
    beyond = np.concatenate([-face.box[:2], face.box[2:] - [width, height]]) / np.tile(sides, 2)
    told = {
        "small": float(sides.max()) < min(SMALL, size / 3),
        "cut off": bool((beyond > _OUTSIDE).any()),
        "blurred": sharpness(image, face.box) < BLURRED,
        "perhaps no face": face.score < DOUBTFUL,
    }
    return tuple(name for name, so in told.items() if so)
