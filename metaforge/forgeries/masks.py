"""Where a face is forged: hulls and parts of landmarks, or ellipses where there are none, deformed and softened."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial import ConvexHull, QhullError
from skimage.draw import polygon

from metaforge.errors import InputError
from metaforge.face_regions import GROUPS, region_outline
from metaforge.forgeries.base import Face, Frame

REGIONS = {
    "eyes": (0.08, 0.92, 0.22, 0.46),
    "nose": (0.32, 0.68, 0.36, 0.68),
    "mouth": (0.24, 0.76, 0.66, 0.90),
}
"""Where parts lie that can be forged alone, as fractions (left, right, top, bottom) of the face's box; for faces whose
landmarks do not say it."""

_FINER = 4  # samples across a pixel, of which an outline covers some


def face_mask(rng: np.random.Generator, face: Face) -> Float[np.ndarray, "height width"]:
    """The face, 1 inside and 0 outside: the convex hull of its landmarks, or else an ellipse, slightly jittered.

    The hull is drawn in by 5 to 15 %, since landmarks run along the outline and the blend needs some of the face.

    Raises:
        InputError: when the landmarks enclose no pixel of the image.

    Example:
        >>> face = Face(np.zeros((32, 32, 3), np.uint8), None, "a", "a")
        >>> mask = face_mask(np.random.default_rng(0), face)
        >>> mask.shape, bool(0.2 < mask.mean() < 0.6)
        ((32, 32), True)
    """
    size = face.image.shape[0]
    if face.landmarks is not None and len(face.landmarks) >= 3:
        points = face.landmarks
        centre = points.mean(axis=0)
        scaled = centre + (points - centre) * rng.uniform(0.85, 0.95)
        mask = np.zeros((size, size))
        try:
            hull = scaled[ConvexHull(scaled).vertices]
            mask[polygon(hull[:, 1], hull[:, 0], mask.shape)] = 1.0
        except (QhullError, ValueError):
            pass
        if not mask.any():
            raise InputError(f"landmarks: those of '{face.name}' enclose no pixel of it. Check their units and order.")
        return mask
    left, right, top, bottom = face_box(face)
    jitter = rng.uniform(-0.03, 0.03, 4) * size
    return _ellipse(size, left + jitter[0], right + jitter[1], top + jitter[2], bottom + jitter[3])


def face_box(face: Face) -> tuple[float, float, float, float]:
    """Left, right, top and bottom of the face in pixels: of its landmarks, or where a centred crop has it."""
    size = face.image.shape[0]
    if face.landmarks is not None and len(face.landmarks) >= 3:
        (left, top), (right, bottom) = face.landmarks.min(axis=0), face.landmarks.max(axis=0)
        return float(left), float(right), float(top), float(bottom)
    left, top, side = face.frame or Frame(0, 0, size)
    return left + 0.18 * side, left + 0.82 * side, top + 0.10 * side, top + 0.92 * side


def region_mask(rng: np.random.Generator, face: Face, names: list[str]) -> Float[np.ndarray, "height width"]:
    """Some regions of `REGIONS`, softened: as the mesh or 68 points have them, or else as ellipses."""
    mask = np.max([_region(face, name) for name in names], axis=0)
    return soften(rng, mask, low=0.01, high=0.03)[0]


def _region(face: Face, name: str) -> np.ndarray:
    size = face.image.shape[0]
    if face.landmarks is not None:
        parts = [filled(size, outline) for outline in outlines_of(face.landmarks, GROUPS[name])]
        if parts and all(part.any() for part in parts):
            return np.max(parts, axis=0)
    left, right, top, bottom = face_box(face)
    width, height = right - left, bottom - top
    x0, x1, y0, y1 = REGIONS[name]
    return _ellipse(size, left + x0 * width, left + x1 * width, top + y0 * height, top + y1 * height)


def outlines_of(landmarks: Float[np.ndarray, "points 2"], names: Sequence[str]) -> list[np.ndarray]:
    """The outlines of regions of `metaforge.face_regions`, of those that the landmarks tell."""
    return [outline for name in names if (outline := region_outline(landmarks, name)) is not None]


def hull_mask(size: int, landmarks: Float[np.ndarray, "points 2"]) -> Float[np.ndarray, "size size"]:
    """How much of each pixel lies inside the convex hull of landmarks."""
    return filled(size, landmarks[ConvexHull(landmarks).vertices])


def filled(size: int, outline: Float[np.ndarray, "corners 2"]) -> Float[np.ndarray, "size size"]:
    """How much of each pixel lies inside an outline; landmarks are 0 in the middle of the first pixel.

    Example:
        >>> filled(4, np.array([[0.5, -0.5], [2.5, -0.5], [2.5, 1.5], [0.5, 1.5]])).sum(axis=0)
        array([0., 2., 2., 0.])
    """
    fine = np.zeros((size * _FINER, size * _FINER))
    corners = (outline + 0.5) * _FINER - 0.5
    fine[polygon(corners[:, 1], corners[:, 0], fine.shape)] = 1.0
    return fine.reshape(size, _FINER, size, _FINER).mean(axis=(1, 3))


def soften(
    rng: np.random.Generator, mask: Float[np.ndarray, "height width"], *, low: float = 0.02, high: float = 0.06
) -> tuple[Float[np.ndarray, "height width"], dict[str, Any]]:
    """Deforms a mask elastically and blurs its edge by a drawn share of the image size."""
    share = float(rng.uniform(low, high))
    size = mask.shape[0]
    return gaussian_filter(elastic(rng, mask), share * size), {"edge": round(share * size, 2)}


def elastic(
    rng: np.random.Generator, mask: Float[np.ndarray, "height width"], *, alpha: float = 50.0, sigma: float = 7.0
) -> Float[np.ndarray, "height width"]:
    """Moves a mask's pixels along a smooth random field; `alpha` and `sigma` are in pixels of a 256-pixel image."""
    size = mask.shape[0]
    scale = size / 256
    noise = rng.uniform(-1, 1, (2, size, size))
    # Blurring noise over more pixels leaves less of it, so small images keep the displacement of large ones.
    field = gaussian_filter(noise, (0, sigma * scale, sigma * scale)) * alpha * scale * min(scale, 1.0)
    grid = np.mgrid[:size, :size]
    return map_coordinates(mask, grid + field, order=1, mode="constant")


def sbi_blend_mask(
    rng: np.random.Generator, mask: Float[np.ndarray, "height width"]
) -> tuple[Float[np.ndarray, "height width"], dict[str, Any]]:
    """The blending mask of self-blended images: eroded by blur and threshold, blurred again, times a ratio.

    It is resized to a square of 192 to 256 pixels, blurred with a kernel of 5 to 25 pixels, everything below
    its maximum set to 0, blurred again with a standard deviation of 5 to 45 pixels, resized back, and multiplied by a
    ratio out of 0.25, 0.5, 0.75, 1, 1, 1.

    References:
        Shiohara and Yamasaki, *Detecting Deepfakes with Self-Blended Images*, CVPR 2022, section 3.
    """
    size = mask.shape[0]
    side = int(rng.integers(192, 257))
    first, second = (int(k) for k in rng.choice(np.arange(5, 26, 2), 2))
    sigma = float(rng.uniform(5, 45))
    ratio = float(rng.choice([0.25, 0.5, 0.75, 1.0, 1.0, 1.0]))
    big = _resize(mask, side)
    # The standard deviation that goes with a kernel of k pixels is customarily 0.3 ((k - 1) / 2 - 1) + 0.8.
    blurred = gaussian_filter(big, 0.3 * ((first - 1) / 2 - 1) + 0.8, radius=first // 2)
    kept = np.where(blurred < blurred.max() - 1e-6, 0.0, 1.0)
    soft = gaussian_filter(kept, sigma, radius=second // 2)
    small = np.clip(_resize(soft / max(float(soft.max()), 1e-9), size), 0, 1)
    small = small / max(float(small.max()), 1e-9) * ratio
    return small, {"kernels": [first, second], "sigma": round(sigma, 2), "ratio": ratio, "side": side}


def _resize(mask: np.ndarray, side: int) -> np.ndarray:
    image = Image.fromarray(mask.astype(np.float32))
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR), np.float32)


def _ellipse(size: int, left: float, right: float, top: float, bottom: float) -> np.ndarray:
    y, x = np.mgrid[:size, :size] + 0.5
    inside = ((x - (left + right) / 2) / ((right - left) / 2)) ** 2 + (
        (y - (top + bottom) / 2) / ((bottom - top) / 2)
    ) ** 2
    return (inside <= 1).astype(np.float64)
