"""The regions of a face and its landmarks: MediaPipe's mesh of 468 points, the 68 points of iBUG and dlib, and parts.

Left and right are those of the image of an upright face, as in `metaforge.data.detection.Detection`. The points were
found from geometry: which two are mirror images, from the meshes of 204 photographs and of their mirror images; which
point of the mesh is which of the 68, from hand-marked points of 142 photographs where these have one, and by length
along the outline elsewhere. `docs/data.md` has a drawing, and how far the two are apart.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from metaforge.errors import InputError

MESH_POINTS = 468
"""Points of MediaPipe's face mesh, without its irises."""

_MIDDLE = (
    0,
    1,
    2,
    4,
    5,
    6,
    8,
    9,
    10,
    11,
    12,
    13,
    14,
    15,
    16,
    17,
    18,
    19,
    94,
    151,
    152,
    164,
    168,
    175,
    195,
    197,
    199,
    200,
)
_LEFT = [point for point in range(248) if point not in _MIDDLE]

MESH_MIRROR: Int[np.ndarray, "468"] = np.arange(MESH_POINTS)
"""For each point of the mesh, the one that it becomes when the image is mirrored."""
# The points of the right half, 248 to 467, stand in the order of their mirror images.
MESH_MIRROR[_LEFT] = np.arange(248, MESH_POINTS)
MESH_MIRROR[248:] = _LEFT

MIRROR_68: Int[np.ndarray, "68"] = np.array(
    [*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, *range(35, 30, -1), 45, 44, 43, 42, 47, 46, 39, 38, 37, 36,
     41, 40, 54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65]
)  # fmt: skip
"""The same of the 68 points."""

_HALF = {
    **dict(zip(range(9), (127, 234, 93, 132, 58, 172, 150, 176, 152), strict=True)),  # jaw, from ear to chin
    **dict(zip(range(17, 22), (156, 63, 105, 66, 55), strict=True)),  # brow, from the temple to the nose
    **dict(zip(range(27, 34), (6, 197, 5, 4, 98, 97, 2), strict=True)),  # bridge and tip; below the nose
    **dict(zip(range(36, 42), (33, 160, 158, 133, 153, 144), strict=True)),  # eye
    **dict(zip((48, 49, 50, 51, 57, 58, 59), (61, 39, 37, 0, 17, 84, 181), strict=True)),  # lips outside
    **dict(zip((60, 61, 62, 66, 67), (78, 81, 13, 14, 178), strict=True)),  # lips inside
}

MESH_TO_68: Int[np.ndarray, "68"] = np.zeros(68, int)
"""The points of the mesh that are the 68, in their order: `mesh[MESH_TO_68]` are a face's 68 points."""
for _point, _mesh in _HALF.items():
    MESH_TO_68[_point], MESH_TO_68[MIRROR_68[_point]] = _mesh, MESH_MIRROR[_mesh]

_OVAL = (10, 109, 67, 103, 54, 21, 162, 127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152)
_BROW = (46, 53, 52, 65, 55, 107, 66, 105, 63, 70)
_EYE = (46, 124, 113, 226, 31, 228, 229, 230, 231, 232, 233, 245, 193, 55, 65, 52, 53)
_NOSE = (168, 193, 245, 188, 174, 217, 126, 129, 98, 97, 2)
_MOUTH = (2, 97, 98, 165, 92, 186, 57, 43, 106, 182, 83, 18)
_CHIN = (18, 83, 182, 106, 204, 211, 170, 149, 176, 148, 152)
_FOREHEAD = (10, 109, 67, 103, 54, 21, 162, 156, 124, 46, 70, 63, 105, 66, 107, 55, 193, 168)
_JAW = (57, 212, 214, 192, 58, 172, 136, 150, 149, 170, 211, 204, 106, 43)
_CHEEK = (162, 127, 234, 93, 132, 58, 192, 214, 212, 57, 186, 92, 165, 98, 129, 126, 217, 174, 188, 245, 233, 232, 231,
          230, 229, 228, 31, 226, 113, 124, 156)  # fmt: skip


class Region(NamedTuple):
    """A part of a face.

    Attributes:
        mesh: its outline as points of the mesh, one after the other.
        points: its outline as some of the 68 points; empty where these do not reach, as on the forehead.
    """

    mesh: tuple[int, ...]
    points: tuple[int, ...]


def _mirrored(half: tuple[int, ...], mirror: np.ndarray) -> tuple[int, ...]:
    return tuple(int(point) for point in mirror[list(half)][::-1])


def _whole(half: tuple[int, ...]) -> tuple[int, ...]:
    """An outline from its left half, which begins and ends in the middle of the face."""
    return half + _mirrored(half, MESH_MIRROR)[1:-1]


def _pair(name: str, mesh: tuple[int, ...], points: tuple[int, ...]) -> dict[str, Region]:
    return {
        f"left_{name}": Region(mesh, points),
        f"right_{name}": Region(_mirrored(mesh, MESH_MIRROR), _mirrored(points, MIRROR_68)),
    }


REGIONS: dict[str, Region] = {
    "forehead": Region(_whole(_FOREHEAD), ()),
    **_pair("brow", _BROW, ()),
    **_pair("eye", _EYE, (17, 36, 41, 40, 39, 27, 21, 20, 19, 18)),
    "nose": Region(_whole(_NOSE), (27, 39, 31, 32, 33, 34, 35, 42)),
    **_pair("cheek", _CHEEK, (17, 0, 1, 2, 3, 4, 48, 31, 39, 40, 41, 36)),
    "mouth": Region(_whole(_MOUTH), (33, 32, 31, 48, 59, 58, 57, 56, 55, 54, 35, 34)),
    **_pair("jaw", _JAW, (4, 5, 6, 59, 48)),
    "chin": Region(_whole(_CHIN), (6, 7, 8, 9, 10, 55, 56, 57, 58, 59)),
}
"""The parts of a face by name. On the mesh they tile its oval: where one ends, the next begins."""

OVAL: tuple[int, ...] = _whole(_OVAL)
"""The outline of the face as points of the mesh, from the middle of the forehead over the left."""

GROUPS: dict[str, tuple[str, ...]] = {
    "mouth": ("mouth",),
    "nose": ("nose",),
    "eyes": ("left_eye", "right_eye"),
    "brows": ("left_brow", "right_brow"),
    "cheeks": ("left_cheek", "right_cheek"),
    "forehead": ("forehead",),
    "chin": ("chin",),
    "jaw": ("left_jaw", "right_jaw"),
}
"""The words for parts, with both sides where there are two."""


def region_outline(landmarks: Float[np.ndarray, "points 2"], name: str) -> Float[np.ndarray, "corners 2"] | None:
    """The outline of a part of a face.

    Args:
        landmarks: the 468 points of the mesh, or the 68 points of iBUG and dlib; x and y. Whoever mirrors an image
            moves its points, and then those of a left eye lie on the right: it is told by where they lie.
        name: one of `REGIONS`.

    Returns:
        The corners of a polygon, in the landmarks' pixels; `None` where so few landmarks do not tell: other counts than
        468 and 68, and forehead and brows of 68.

    Raises:
        InputError: for an unknown name.

    Example:
        >>> region_outline(np.zeros((68, 2)), "mouth").shape, region_outline(np.zeros((5, 2)), "mouth") is None
        ((12, 2), True)
    """
    if name not in REGIONS:
        raise InputError(f"region: unknown '{name}'; known: {', '.join(REGIONS)}.")
    side, _, part = name.partition("_")
    if part and _are_mirrored(landmarks):
        name = f"{'right' if side == 'left' else 'left'}_{part}"
    corners = {MESH_POINTS: REGIONS[name].mesh, 68: REGIONS[name].points}.get(len(landmarks), ())
    return landmarks[list(corners)] if corners else None


def _are_mirrored(landmarks: np.ndarray) -> bool:
    """Whether the outer corner of the left eye lies right of that of the right eye."""
    corners = {MESH_POINTS: (33, 263), 68: (36, 45)}.get(len(landmarks))
    return corners is not None and bool(landmarks[corners[0], 0] > landmarks[corners[1], 0])
