"""Forgeries of one part of a face by one change, whose parameters say what is true of them.

Methods that cover the whole face cannot tell a good annotation from the guess "everywhere". Here the part, the change
and its strength are drawn or given, and what counts as true of them is fixed: `true_types`.
"""

from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter, shift
from skimage.color import lab2rgb, rgb2lab

from metaforge.errors import InputError
from metaforge.face_regions import MESH_POINTS
from metaforge.forgeries.alignment import align, transfer_colour
from metaforge.forgeries.base import Face, Forged, compose
from metaforge.forgeries.masks import filled, hull_mask, outlines_of

PARTS: dict[str, tuple[str, ...]] = {
    "mouth": ("mouth",),
    "nose": ("nose",),
    "left_eye": ("left_eye",),
    "right_eye": ("right_eye",),
    "eyes": ("left_eye", "right_eye"),
    "cheeks": ("left_cheek", "right_cheek"),
    "left_half": (),
    "right_half": (),
}
"""Parts that are forged alone, and the regions of `metaforge.face_regions` that they are; halves are cut along the
middle of the face. Left is the image's."""

STRENGTHS: dict[str, tuple[float, float]] = {
    "colour": (4.0, 15.0),
    "blur": (1.0, 3.0),
    "texture": (6.0, 20.0),
    "structure": (2.0, 5.0),
    "splice": (1.0, 1.0),
}
"""The changes, and between which strengths one is drawn: CIE76 distance in Lab; standard deviation in pixels; standard
deviation of added noise in grey levels; pixels that the content moves. A splice is another person's part, which has no
strength. Pixels are those of a 160-pixel image and grow with it."""

EDGES = 0.5, 4.0
"""Between which widths (standard deviations in pixels, as above) the soft edge is drawn."""

_MIDDLE = {MESH_POINTS: (10, 152), 68: (27, 8)}  # two points on the middle line, the upper one first
_PIXELS = 160


def part_mask(face: Face, part: str) -> Float[np.ndarray, "height width"]:
    """A part of a face, in [0, 1]: how much of each pixel lies in it; not softened.

    Args:
        face: with the 468 points of the mesh or the 68 of iBUG and dlib.
        part: one of `PARTS`.

    Raises:
        InputError: for an unknown part, or landmarks that do not tell it.

    Example:
        >>> from metaforge.data.embedded_faces import embedded_faces
        >>> face = embedded_faces("london", size=32)[0]
        >>> left, right = (part_mask(face, half) for half in ("left_half", "right_half"))
        >>> float((left * right).max()), bool(left[:, :10].sum() > left[:, 22:].sum())
        (0.0, True)
    """
    if part not in PARTS:
        raise InputError(f"part: unknown '{part}'; known: {', '.join(PARTS)}.")
    marks, size = face.landmarks, face.image.shape[0]
    if marks is None or len(marks) not in _MIDDLE:
        raise InputError(f"part: '{part}' of '{face.name}' needs the 468 or 68 landmarks. Find them first.")
    if names := PARTS[part]:
        return np.max([filled(size, outline) for outline in outlines_of(marks, names)], axis=0)
    (x, y), (u, v) = (marks[point].astype(np.float64) for point in _MIDDLE[len(marks)])
    rows, columns = np.mgrid[:size, :size]
    # Positive on the image's left of the line that runs down.
    side = (columns - x) * (v - y) - (rows - y) * (u - x)
    return hull_mask(size, marks) * (side < 0 if part == "left_half" else side > 0)


def forge_part(
    rng: np.random.Generator,
    face: Face,
    part: str,
    change: str,
    *,
    donor: Face | None = None,
    strength: float | None = None,
    edge: float | None = None,
) -> Forged:
    """Forges one part of a face by one change, blended with a soft edge.

    Args:
        rng: draws strength and edge, where they are not given, and the direction.
        face: the real face, with landmarks.
        part: one of `PARTS`.
        change: one of `STRENGTHS`.

    Other Arguments:
        donor: for "splice": another person's face.
        strength: of the change, as `STRENGTHS` has it; drawn from there if `None`.
        edge: width of the soft edge, as `EDGES` has it; drawn from there if `None`.

    Returns:
        A `Forged`; its parameters are `part`, `change`, `strength` and `edge`, in pixels of this image where they are
        lengths.

    Raises:
        InputError: for an unknown part or change, landmarks that do not tell the part, or a splice without donor.

    Example:
        >>> from metaforge.data.embedded_faces import embedded_faces
        >>> face = embedded_faces("london", size=32)[0]
        >>> forged = forge_part(np.random.default_rng(0), face, "mouth", "colour")
        >>> sorted(forged.parameters), true_types(forged.parameters, size=32)[0]
        (['change', 'edge', 'part', 'strength'], 'colour')
    """
    if change not in STRENGTHS:
        raise InputError(f"change: unknown '{change}'; known: {', '.join(STRENGTHS)}.")
    scale = face.image.shape[0] / _PIXELS
    mask = part_mask(face, part)
    power = float(rng.uniform(*STRENGTHS[change])) if strength is None else strength
    power *= scale if change in ("blur", "structure") else 1.0
    width = scale * (float(rng.uniform(*EDGES)) if edge is None else edge)
    content = _changed(rng, face, change, power, mask, donor)
    parameters: dict[str, Any] = {
        "part": part, "change": change, "strength": round(power, 3), "edge": round(width, 3)
    }  # fmt: skip
    return compose(face.image, content, np.asarray(gaussian_filter(mask, width)), parameters)


def true_types(parameters: dict[str, Any], *, size: int) -> tuple[str, ...]:
    """What is true of a forged part, from its parameters alone.

    - colour: it moved by more than 2.3 in Lab, which is just noticeable;
    - blur: the standard deviation is more than 0.7 pixels;
    - texture: the added noise has more than 5 grey levels' deviation;
    - structure: the content moved by more than a pixel, or is another person's;
    - boundary: the edge is narrower than a pixel and the content beside it another: its colour moved by more than 5, it
      moved by more than a pixel, or is another person's.

    Pixels are those of a 160-pixel image. What a splice does to colour, blur and texture is not known from its
    parameters, and is not said.

    Args:
        parameters: of `forge_part`.

    Other Arguments:
        size: the side of the image.

    Returns:
        Names; that of the change first, if its strength is enough.

    Example:
        >>> true_types({"change": "colour", "strength": 6.0, "edge": 0.8}, size=160)
        ('colour', 'boundary')
    """
    change, strength, edge = parameters["change"], parameters["strength"], parameters["edge"] * _PIXELS / size
    pixels = strength * _PIXELS / size
    moved = change == "splice" or (change == "structure" and pixels > 1)
    found = {
        "colour": change == "colour" and strength > 2.3,
        "blur": change == "blur" and pixels > 0.7,
        "texture": change == "texture" and strength > 5,
        "structure": moved,
        "boundary": edge < 1 and (moved or (change == "colour" and strength > 5)),
    }
    return tuple(name for name, true in found.items() if true)


def _changed(
    rng: np.random.Generator, face: Face, change: str, strength: float, mask: np.ndarray, donor: Face | None
) -> np.ndarray:
    image = face.image.astype(np.float64)
    if change == "colour":
        way = rng.normal(size=3)
        return 255 * np.clip(lab2rgb(rgb2lab(face.image) + strength * way / np.linalg.norm(way)), 0, 1)
    if change == "blur":
        return np.asarray(gaussian_filter(image, (strength, strength, 0)))
    if change == "texture":
        return image + rng.normal(0, strength, image.shape[:2])[..., None]
    if change == "structure":
        angle = rng.uniform(0, 2 * np.pi)
        way = strength * np.array([np.sin(angle), np.cos(angle), 0])
        return np.asarray(shift(image, way, order=1, mode="nearest"))
    if donor is None:
        raise InputError(f"change: a splice onto '{face.name}' needs another person's face. Give a donor.")
    return transfer_colour(align(face, donor), image, mask)
