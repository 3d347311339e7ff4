"""Forgeries of texture: the traces of generators and editors, without another face."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from PIL import Image
from scipy.interpolate import RBFInterpolator
from scipy.ndimage import gaussian_filter, map_coordinates, median_filter, zoom

from metaforge.forgeries.base import Face, Forged, Forgery, compose
from metaforge.forgeries.masks import face_box, face_mask, soften


def warp(faces: Sequence[Face] = ()) -> Forgery:
    """Re-enactment by warping: a thin-plate spline moves points of the face by 2 to 5 % of the image.

    References:
        Bookstein, *Principal Warps: Thin-Plate Splines and the Decomposition of Deformations*, 1989.
    """

    def forge(rng: np.random.Generator, target: Face, donor: Face | None) -> Forged:
        size = target.image.shape[0]
        left, right, top, bottom = face_box(target)
        # Around the eyes and the mouth, where expressions move.
        anchors = np.array([[0.32, 0.25], [0.32, 0.75], [0.60, 0.5], [0.78, 0.3], [0.78, 0.7]])
        points = [top, left] + anchors * [bottom - top, right - left]
        moves = rng.uniform(0.02, 0.05, (5, 1)) * size * _directions(rng, 5)
        soft, parameters = soften(rng, face_mask(rng, target))
        content = _moved(target.image.astype(np.float64), points, moves)
        parameters["moves"] = np.round(moves, 2).tolist()
        return compose(target.image, content, soft, parameters)

    return Forgery("warp", False, forge)


def resample(faces: Sequence[Face] = ()) -> Forgery:
    """Up-convolution: the face shrunk and enlarged again by a transposed convolution whose overlap is uneven.

    A kernel that does not divide evenly by its stride lends more weight to every other pixel: the checkerboard of
    generators' decoders.

    References:
        Odena, Dumoulin and Olah, *Deconvolution and Checkerboard Artifacts*, Distill, 2016.
    """

    def forge(rng: np.random.Generator, target: Face, donor: Face | None) -> Forged:
        factor, uneven = float(rng.uniform(1.2, 2.0)), float(rng.uniform(0.01, 0.04))
        soft, parameters = soften(rng, face_mask(rng, target))
        parameters |= {"factor": round(factor, 2), "uneven": round(uneven, 3)}
        return compose(target.image, up_convolve(target.image, factor=factor, uneven=uneven), soft, parameters)

    return Forgery("resample", False, forge)


def smooth(faces: Sequence[Face] = ()) -> Forgery:
    """Smoothing inside the mask: a median or a Gaussian filter takes skin texture and sensor noise away.

    Rendered forgeries are smoother than real faces where blended ones are rougher; this is the other direction.
    """

    def forge(rng: np.random.Generator, target: Face, donor: Face | None) -> Forged:
        image = target.image.astype(np.float64)
        size = image.shape[0]
        soft, parameters = soften(rng, face_mask(rng, target))
        if rng.random() < 0.5:
            side = 2 * max(1, round(size / 64)) + 1
            content, parameters["filter"] = median_filter(image, (side, side, 1)), f"median {side}"
        else:
            sigma = float(rng.uniform(0.6, 1.2)) * max(1.0, size / 64)
            content, parameters["filter"] = gaussian_filter(image, (sigma, sigma, 0)), f"gaussian {sigma:.2f}"
        return compose(target.image, content, soft, parameters)

    return Forgery("smooth", False, forge)


def up_convolve(image: np.ndarray, *, factor: float, uneven: float) -> Float[np.ndarray, "height width 3"]:
    """Shrinks by `factor`, then doubles by a transposed convolution of kernel (1-u, 2+2u, 1-u)/2 and resizes back.

    Example:
        >>> flat = np.full((8, 8, 3), 100, np.uint8)
        >>> sorted(set(np.round(up_convolve(flat, factor=2.0, uneven=0.1)[2:6, 2:6, 0]).ravel().tolist()))
        [81.0, 99.0, 121.0]
    """
    size = image.shape[0]
    small = max(4, round(size / factor))
    shrunk = Image.fromarray(image).resize((small, small), Image.Resampling.BOX)
    grid = np.asarray(shrunk, np.float64)
    doubled = _double(_double(grid, uneven).swapaxes(0, 1), uneven).swapaxes(0, 1)
    if len(doubled) == size:
        return doubled
    ratio = (size / len(doubled), size / len(doubled), 1)
    return np.asarray(zoom(doubled, ratio, order=1, mode="nearest", grid_mode=True))


def _double(grid: np.ndarray, uneven: float) -> np.ndarray:
    """One axis of the transposed convolution: even rows from one pixel, odd rows from two."""
    doubled = np.repeat(grid, 2, axis=0)
    following = np.concatenate([grid[1:], grid[-1:]])
    doubled[0::2] = (1 + uneven) * grid
    doubled[1::2] = (1 - uneven) * (grid + following) / 2
    return doubled


def _directions(rng: np.random.Generator, count: int) -> np.ndarray:
    angle = rng.uniform(0, 2 * np.pi, count)
    return np.column_stack([np.sin(angle), np.cos(angle)])


def _moved(image: np.ndarray, points: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """An image whose `points` (row, column) moved by `moves`, and whose border stayed."""
    size = image.shape[0]
    edge = np.linspace(0, size - 1, 4)
    border = np.array([(r, c) for r in edge for c in edge if r in (0, size - 1) or c in (0, size - 1)])
    known = np.concatenate([points + moves, border])
    spline = RBFInterpolator(known, np.concatenate([-moves, np.zeros_like(border)]), kernel="thin_plate_spline")
    # The field is smooth: it is worth no more than 24 x 24 evaluations.
    nodes = np.linspace(0, size - 1, 24)
    coarse = spline(np.stack(np.meshgrid(nodes, nodes, indexing="ij"), -1).reshape(-1, 2)).reshape(24, 24, 2)
    at = np.linspace(0, 23, size)
    places = np.stack(np.meshgrid(at, at, indexing="ij"))
    field = np.stack([map_coordinates(coarse[..., axis], places, order=1) for axis in range(2)])
    source = np.mgrid[:size, :size] + field
    return np.stack([map_coordinates(image[..., c], source, order=1, mode="nearest") for c in range(3)], axis=-1)
