"""A face as evidence is measured on it: its pixels as the picture has them, its mesh, and parts of it as masks."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image, ImageDraw
from scipy.ndimage import distance_transform_edt

from metaforge.data.crops import crop_transform
from metaforge.data.detection import Detection
from metaforge.errors import InputError
from metaforge.face_regions import OVAL, region_outline

LEAST, MOST = 96, 256
"""Pixels of the square around a face: a smaller one shows too little, and a larger one is made smaller."""

_USUAL = 224
_SKIN = ("forehead", "left_cheek", "right_cheek", "left_jaw", "right_jaw", "chin")


class View(NamedTuple):
    """A face and a little around it.

    Attributes:
        image: RGB in [0, 255].
        mesh: x and y of the 468 points, in its pixels.
        depth: how far each pixel lies inside the face's contour, by half the face's width; below 0 it lies outside.
    """

    image: Float[np.ndarray, "height width 3"]
    mesh: Float[np.ndarray, "468 2"]
    depth: Float[np.ndarray, "height width"]

    @property
    def luma(self) -> Float[np.ndarray, "height width"]:
        """How bright each pixel is, in [0, 255] (ITU-R BT.601)."""
        return self.image @ np.array([0.299, 0.587, 0.114])


def view_of(picture: UInt8[np.ndarray, "height width 3"], face: Detection) -> View | None:
    """The square of FaceForensics++ around a face, in the picture's own pixels unless they are very many.

    Args:
        picture: uint8 RGB in [0, 255].
        face: where it is.

    Returns:
        `None` where the face has no mesh, is too small to be measured, or lies outside the picture.

    Example:
        >>> view_of(np.zeros((300, 300, 3), np.uint8), Detection(np.zeros(4), np.zeros((5, 2)), 1.0)) is None
        True
    """
    if face.mesh is None:
        return None
    shape = (picture.shape[0], picture.shape[1])
    try:
        placed = crop_transform(face.box, None, convention="ffpp", size=1, image_size=shape)
    except InputError:
        return None
    left, top = (max(round(float(place)), 0) for place in placed[:, 2])
    side = round(float(placed[0, 0]))
    part = picture[top : top + side, left : left + side]
    if min(part.shape[:2]) < LEAST:
        return None
    mesh = np.asarray(face.mesh, np.float64) - [left, top]
    if side > MOST:
        mesh *= _USUAL / np.array(part.shape[1::-1])
        part = np.asarray(Image.fromarray(part).resize((_USUAL, _USUAL), Image.Resampling.BOX))
    return looked_at(part, mesh)


def looked_at(image: np.ndarray, mesh: np.ndarray) -> View:
    """The same of a square that has been cut out already."""
    inside = filled(mesh[list(OVAL)], (image.shape[0], image.shape[1]))
    depth = distance_transform_edt(inside) - distance_transform_edt(~inside)  # type: ignore[operator]
    half = max(float(np.ptp(mesh[list(OVAL), 0])) / 2, 1.0)
    return View(np.asarray(image, np.float64), mesh, depth / half)


def filled(corners: Float[np.ndarray, "corners 2"], shape: tuple[int, int]) -> Bool[np.ndarray, "height width"]:
    """The pixels inside a polygon.

    Example:
        >>> int(filled(np.array([[1.0, 1.0], [3.0, 1.0], [3.0, 3.0], [1.0, 3.0]]), (6, 6)).sum())
        9
    """
    sheet = Image.new("1", (shape[1], shape[0]))
    ImageDraw.Draw(sheet).polygon([(float(x), float(y)) for x, y in corners], fill=1)
    return np.array(sheet, bool)


def part(view: View, *names: str) -> Bool[np.ndarray, "height width"]:
    """The pixels of some parts of the face, by their names in `metaforge.face_regions.REGIONS`."""
    shape = (view.image.shape[0], view.image.shape[1])
    found = np.zeros(shape, bool)
    for name in names:
        corners = region_outline(view.mesh, name)
        if corners is not None:
            found |= filled(corners, shape)
    return found


def skin(view: View) -> Bool[np.ndarray, "height width"]:
    """Forehead, cheeks, jaw and chin."""
    return part(view, *_SKIN)


def neck(view: View) -> Bool[np.ndarray, "height width"]:
    """What lies below the chin, as wide as the mouth is twice; it may be a beard or a collar."""
    mouth, chin = view.mesh[[61, 291], 0], view.mesh[152]
    rows, columns = np.indices(view.depth.shape)
    wide = abs(mouth[1] - mouth[0])
    return (view.depth < -0.04) & (rows > chin[1]) & (abs(columns - chin[0]) < wide)


def mean_of(values: np.ndarray, mask: np.ndarray, *, least: int = 30) -> np.ndarray:
    """The median of values under a mask; not a number where it covers hardly anything."""
    if mask.sum() < least:
        return np.full(values.shape[2:], np.nan)
    return np.asarray(np.median(values[mask], axis=0))
