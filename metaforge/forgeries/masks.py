"""Where a forgery goes: the hull of the landmarks or an ellipse, facial regions, and soft edges."""

import numpy as np
from jaxtyping import Float, Float32
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError
from skimage.draw import polygon

from metaforge.errors import InputError
from metaforge.forgeries.base import Face

REGIONS = ("eyes", "nose", "mouth")
"""The facial regions that `region_mask` knows."""

# dlib's points, from and to, and how much wider and higher than their hull the region is.
_DLIB = {"eyes": (36, 48, 1.25, 2.2), "nose": (27, 36, 1.4, 1.1), "mouth": (48, 68, 1.3, 1.4)}
# Otherwise: centre x, centre y, half width, half height as fractions of the facial box, from 0 at its top left.
_BANDS = {"eyes": (0.5, 0.36, 0.42, 0.12), "nose": (0.5, 0.55, 0.19, 0.17), "mouth": (0.5, 0.79, 0.31, 0.12)}
_VERTICES = 64


def ellipse_outline(
    centre: tuple[float, float], half_axes: tuple[float, float], *, vertices: int = _VERTICES
) -> Float[np.ndarray, "vertices 2"]:
    """Points x, y on an ellipse; `centre` and `half_axes` are x, y in pixels."""
    angle = 2 * np.pi * np.arange(vertices) / vertices
    return np.stack([centre[0] + half_axes[0] * np.cos(angle), centre[1] + half_axes[1] * np.sin(angle)], axis=1)


def face_outline(rng: np.random.Generator, face: Face) -> Float[np.ndarray, "vertices 2"]:
    """The border of a face: the convex hull of three landmarks or more, else an ellipse for a crop of a face.

    The ellipse is centred, with half-axes of about 0.35 of the width and 0.45 of the height; its centre and
    axes are drawn within a few per cent.

    Returns:
        Points x, y in pixels, evenly spread along the border.

    Raises:
        InputError: if the landmarks lie on one line, or outside the image.

    Example:
        >>> face = Face(np.zeros((32, 32, 3), np.uint8), np.array([[8.0, 8], [24, 8], [16, 28]]), "a", "a")
        >>> face_outline(np.random.default_rng(0), face).max(axis=0).tolist()
        [24.0, 28.0]
    """
    height, width = face.image.shape[:2]
    if face.landmarks is None or len(face.landmarks) < 3:
        shift, size = rng.uniform(-0.02, 0.02, 2), rng.uniform(0.94, 1.04, 2)
        centre = ((0.5 + shift[0]) * width - 0.5, (0.5 + shift[1]) * height - 0.5)
        return ellipse_outline(centre, (0.35 * size[0] * width, 0.45 * size[1] * height))
    points = np.asarray(face.landmarks, float)
    if not np.isfinite(points).all():
        raise InputError(f"forgeries: a landmark of '{face.name}' is not a number. Leave the face's landmarks out.")
    inside = ((points >= 0) & (points <= [width - 1, height - 1])).all(axis=1)
    if not inside.any():
        raise InputError(f"forgeries: no landmark of '{face.name}' is in its image. Give x, y in pixels of the image.")
    try:
        return points[ConvexHull(points).vertices]
    except QhullError:
        message = f"forgeries: the landmarks of '{face.name}' lie on a line. Give points around the face, or none."
        raise InputError(message) from None


def facial_box(outline: Float[np.ndarray, "vertices 2"]) -> tuple[float, float, float, float]:
    """The least x, the least y, the width and the height of a border, pixels."""
    low, high = outline.min(0), outline.max(0)
    return float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])


def deform(
    rng: np.random.Generator, outline: Float[np.ndarray, "vertices 2"], *, scale: float, amount: float
) -> Float[np.ndarray, "points 2"]:
    """Scales a border about its middle and makes it wavy.

    Args:
        rng: draws the waves: harmonics 2 to 5 of the angle, less of the higher ones.
        outline: points x, y of a convex border.
        scale: 1 keeps the size, less erodes.
        amount: the standard deviation of the waves, as a fraction of the radius.

    Returns:
        Points x, y, of which there are 64 or a few more.
    """
    closed = np.concatenate([outline, outline[:1]])
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    at = np.linspace(0, length[-1], _VERTICES, endpoint=False)
    dense = np.stack([np.interp(at, length, closed[:, axis]) for axis in (0, 1)], axis=1)
    middle = dense.mean(0)
    order = np.arange(2, 6)
    waves = rng.normal(size=(2, len(order))) / order
    waves *= amount / np.sqrt((1.0 / order**2).sum())
    angle = np.arctan2(dense[:, 1] - middle[1], dense[:, 0] - middle[0])[:, None] * order
    radius = scale * (1 + np.clip(np.cos(angle) @ waves[0] + np.sin(angle) @ waves[1], -0.3, 0.3))
    return middle + radius[:, None] * (dense - middle)


def fill(outline: Float[np.ndarray, "vertices 2"], shape: tuple[int, int]) -> Float32[np.ndarray, "h w"]:
    """1 inside a border (points x, y in pixels), 0 outside.

    Example:
        >>> fill(np.array([[1.0, 1.0], [3.0, 1.0], [3.0, 2.0], [1.0, 2.0]]), (4, 5)).sum().item()
        6.0
    """
    mask = np.zeros(shape, np.float32)
    mask[polygon(outline[:, 1], outline[:, 0], shape)] = 1
    return mask


def soften(mask: Float[np.ndarray, "h w"], sigma: float) -> Float32[np.ndarray, "h w"]:
    """Blurs a mask by a Gaussian of `sigma` pixels, cut at three of them; exactly 0 further away, exactly 1 inside."""
    blurred = ndimage.gaussian_filter(mask.astype(np.float32), sigma, mode="nearest", truncate=3.0)
    # The last digits of a float32 sum: without this a wide, invisible veil would count as forged.
    blurred[blurred < 1e-3] = 0
    blurred[blurred > 1 - 1e-3] = 1
    return blurred


def face_mask(
    rng: np.random.Generator,
    face: Face,
    *,
    scale: tuple[float, float] = (0.82, 1.0),
    amount: float = 0.05,
    softness: tuple[float, float] = (0.015, 0.04),
) -> Float32[np.ndarray, "h w"]:
    """A soft mask of the face: its border deformed, filled and blurred.

    Args:
        rng: draws the size, the waves and the softness.
        face: whose landmarks, or else whose crop, give the border.
        scale: from and to: the size of the mask, relative to the face.
        amount: how wavy the border is, as in `deform`.
        softness: from and to: the standard deviation of the blur, as a fraction of the image's height.

    Returns:
        float32 in [0, 1].

    Raises:
        InputError: as `face_outline`.

    Example:
        >>> face = Face(np.zeros((32, 32, 3), np.uint8), None, "a", "a")
        >>> mask = face_mask(np.random.default_rng(0), face)
        >>> mask.shape, float(mask[16, 16]), float(mask[0, 0])
        ((32, 32), 1.0, 0.0)
    """
    height, width = face.image.shape[:2]
    outline = deform(rng, face_outline(rng, face), scale=rng.uniform(*scale), amount=amount)
    return soften(fill(outline, (height, width)), rng.uniform(*softness) * height)


def region_outline(rng: np.random.Generator, face: Face, region: str) -> Float[np.ndarray, "vertices 2"]:
    """The border of a facial region: an ellipse about dlib's points of it, or at its usual place in the face.

    Args:
        rng: draws the face's ellipse where there are no landmarks.
        face: with 68 or 81 landmarks, dlib's layout; with others, their box; with none, the crop.
        region: one of `REGIONS`.
    """
    if region not in REGIONS:
        raise InputError(f"forgeries: unknown region '{region}'. Choose among {', '.join(REGIONS)}.")
    if face.landmarks is not None and len(face.landmarks) in (68, 81):
        first, last, wider, higher = _DLIB[region]
        x, y, width, height = facial_box(np.asarray(face.landmarks[first:last], float))
        return ellipse_outline((x + width / 2, y + height / 2), (wider * width / 2, higher * height / 2))
    x, y, width, height = facial_box(face_outline(rng, face))
    middle_x, middle_y, half_width, half_height = _BANDS[region]
    return ellipse_outline((x + middle_x * width, y + middle_y * height), (half_width * width, half_height * height))


def region_mask(
    rng: np.random.Generator,
    face: Face,
    regions: tuple[str, ...],
    *,
    softness: tuple[float, float] = (0.015, 0.03),
) -> Float32[np.ndarray, "h w"]:
    """A soft mask, float32 in [0, 1], of one or more of `REGIONS`, a little deformed."""
    height, width = face.image.shape[:2]
    mask = np.zeros((height, width), np.float32)
    for region in regions:
        outline = deform(rng, region_outline(rng, face, region), scale=rng.uniform(0.95, 1.15), amount=0.05)
        mask = np.maximum(mask, fill(outline, (height, width)))
    return soften(mask, rng.uniform(*softness) * height)
