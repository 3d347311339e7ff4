"""Which parts of a face a mask covers, by its landmarks."""

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial import ConvexHull, QhullError

from metaforge.captions.shapes import inside_of, spread
from metaforge.errors import InputError
from metaforge.face_regions import GROUPS, MESH_POINTS, OVAL, REGIONS, region_outline

_AROUND = 0.03  # of the side: how far beyond the landmarks' hull the face still reaches
_CUT_OUT = ("eyes", "brows", "mouth")


def region_masks(
    landmarks: Float[np.ndarray, "points 2"], shape: tuple[int, int]
) -> dict[str, Bool[np.ndarray, "height width"]]:
    """The parts of a face as masks.

    - Each of `metaforge.face_regions.REGIONS` that the landmarks tell and that lies in the image: `left_eye`,
      `right_eye`, brows, cheeks, jaws, `forehead`, `nose`, `mouth`, `chin`. Left is the image's.
    - `eyes`, `brows`, `cheeks` and `jaw`: both sides.
    - `face`: inside the outline of the face (of other landmarks than the mesh: their hull); `skin`: the face without
      eyes, brows and mouth, as far as they are known.

    Args:
        landmarks: 468 points of the mesh or the 68 of iBUG and dlib; x and y in pixels, 0 in the first pixel's middle.
        shape: rows and columns.

    Returns:
        By name; none for other counts of landmarks but `face` and `skin`.

    Raises:
        InputError: if landmarks enclose no pixel.

    Example:
        >>> found = region_masks(np.random.default_rng(0).uniform(0, 20, (68, 2)), (20, 20))
        >>> bool((found["eyes"] == found["left_eye"] | found["right_eye"]).all()), "forehead" in found
        (True, False)
    """
    found = {}
    for name in REGIONS:
        outline = region_outline(landmarks, name)
        if outline is not None and (filled := inside_of(outline, shape)).any():
            found[name] = filled
    for group, names in GROUPS.items():
        there = [found[name] for name in names if name in found]
        if len(names) > 1 and there:
            found[group] = np.logical_or.reduce(there)
    face = inside_of(landmarks[list(OVAL)], shape) if len(landmarks) == MESH_POINTS else _hull(landmarks, shape)
    if not face.any():
        raise InputError("landmarks: they enclose no pixel of the image. Check their units and order.")
    cut = [found[name] for name in _CUT_OUT if name in found]
    return found | {"face": face, "skin": face & ~np.logical_or.reduce(cut) if cut else face}


def outside_of(
    landmarks: Float[np.ndarray, "points 2"] | None, shape: tuple[int, int]
) -> Bool[np.ndarray, "height width"]:
    """Where the face is not: beyond the hull of the landmarks and a margin of 3 % of the shorter side.

    Without landmarks it is what lies beyond the ellipse that fills the image from border to border: the corners.

    Example:
        >>> round(float(outside_of(None, (100, 100)).mean()), 2)  # 1 - pi / 4
        0.21
    """
    if landmarks is None:
        y, x = ((np.arange(side) + 0.5) / side * 2 - 1 for side in shape)
        return y[:, None] ** 2 + x[None] ** 2 > 1
    return ~spread(_hull(landmarks, shape), max(1, round(_AROUND * min(shape))))


def region_coverage(
    mask: Bool[np.ndarray, "height width"], regions: dict[str, Bool[np.ndarray, "height width"]]
) -> dict[str, float]:
    """The share of each region's pixels that a mask covers, in [0, 1].

    Example:
        >>> mask = np.array([[True, False], [False, False]])
        >>> region_coverage(mask, {"nose": np.array([[True, True], [False, False]])})
        {'nose': 0.5}
    """
    return {
        name: int(np.count_nonzero(mask & inside)) / int(np.count_nonzero(inside)) for name, inside in regions.items()
    }


def _hull(landmarks: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    try:
        return inside_of(landmarks[ConvexHull(landmarks).vertices], shape)
    except (QhullError, ValueError):
        raise InputError("landmarks: they enclose no area. Give at least three points that are not in line.") from None
