"""Moving pixels: sampling, resizing, similarity and thin-plate maps, all as NumPy arrays of grey levels."""

import functools

import numpy as np
from jaxtyping import Float, Float32
from PIL import Image
from scipy import ndimage
from scipy.spatial.distance import cdist


def grid(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows and columns of every pixel, float32, each of shape `(height, width)`."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    return rows, columns


def sample(image: np.ndarray, rows: np.ndarray, columns: np.ndarray, *, outside: str = "nearest") -> np.ndarray:
    """Reads an image between its pixels, linearly.

    Args:
        image: shape `(height, width)` or `(height, width, channels)`.
        rows: where to read, in pixels, shape `(new height, new width)`.
        columns: the same, along the width.
        outside: what lies beyond the image: `"nearest"` repeats its edge, `"mirror"` mirrors it, `"constant"` is 0.

    Returns:
        float32, with the channels of `image`.

    Example:
        >>> image = np.array([[0.0, 10.0], [20.0, 30.0]])
        >>> sample(image, np.array([[0.5]]), np.array([[0.5]])).item()
        15.0
    """
    where = np.stack([rows, columns])
    read = functools.partial(ndimage.map_coordinates, order=1, mode=outside, output=np.float32)
    if image.ndim == 2:
        return read(image, where)
    return np.stack([read(image[..., channel], where) for channel in range(image.shape[2])], axis=2)


def resize(image: np.ndarray, size: tuple[int, int], *, method: str = "bilinear") -> np.ndarray:
    """Resizes to `size` (height, width), anti-aliased when it shrinks, except for `"nearest"`.

    Args:
        image: grey levels, shape `(height, width, channels)`.
        size: the new height and width, pixels.
        method: `"nearest"`, `"bilinear"`, `"bicubic"` or `"box"`.

    Returns:
        float32, shape `(*size, channels)`.
    """
    kernel = Image.Resampling[method.upper()]
    planes = [Image.fromarray(np.ascontiguousarray(plane, np.float32)) for plane in np.moveaxis(image, 2, 0)]
    return np.stack([np.asarray(plane.resize(size[::-1], kernel)) for plane in planes], axis=2)


@functools.lru_cache(maxsize=256)
def linear_weights(new: int, old: int) -> Float32[np.ndarray, "new old"]:
    """The matrix that resizes a line of `old` pixels to `new` by linear interpolation, without anti-aliasing.

    Pixel centres are mapped as OpenCV's `INTER_LINEAR` maps them: new centre i reads at (i + 0.5) old / new - 0.5.

    Example:
        >>> linear_weights(2, 4).tolist()
        [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]
    """
    position = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    first = np.minimum(position.astype(int), old - 1)
    second = np.minimum(first + 1, old - 1)
    weights = np.zeros((new, old), np.float32)
    np.add.at(weights, (np.arange(new), first), 1 - (position - first))
    np.add.at(weights, (np.arange(new), second), position - first)
    weights.setflags(write=False)  # shared by the cache
    return weights


def similarity(source: Float[np.ndarray, "n 2"], target: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "2 3"]:
    """The rotation, scale and shift that best carries the points `source` onto `target`, in least squares.

    Returns:
        A matrix `m` with `m[:, :2] @ source + m[:, 2]` near `target`; points are x, y.

    Example:
        >>> square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
        >>> similarity(square, 2 * square + 3).round(6).tolist()
        [[2.0, 0.0, 3.0], [0.0, 2.0, 3.0]]
    """
    middle, goal = source.mean(0), target.mean(0)
    p, q = source - middle, target - goal
    spread = max(float((p**2).sum()), 1e-12)
    a = float((p * q).sum()) / spread
    b = float((p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]).sum()) / spread
    turn = np.array([[a, -b], [b, a]])
    return np.concatenate([turn, (goal - turn @ middle)[:, None]], axis=1)


def move(image: np.ndarray, matrix: Float[np.ndarray, "2 3"], *, outside: str = "nearest") -> np.ndarray:
    """The image after every point x, y of it has gone to `matrix[:, :2] @ (x, y) + matrix[:, 2]`; same size."""
    inverse = np.linalg.inv(matrix[:, :2])
    rows, columns = grid(*image.shape[:2])
    x, y = columns - matrix[0, 2], rows - matrix[1, 2]
    return sample(
        image, inverse[1, 0] * x + inverse[1, 1] * y, inverse[0, 0] * x + inverse[0, 1] * y, outside=outside
    )


def zoom_about_centre(shape: tuple[int, ...], *, scale: float, shift: tuple[float, float]) -> np.ndarray:
    """The matrix for `move` that scales about the middle of the image and then shifts by x, y pixels."""
    middle = np.array([shape[1] - 1, shape[0] - 1]) / 2
    return np.concatenate([scale * np.eye(2), ((1 - scale) * middle + shift)[:, None]], axis=1)


def thin_plate(
    points: Float[np.ndarray, "n 2"], values: Float[np.ndarray, "n k"], where: Float[np.ndarray, "m 2"]
) -> Float[np.ndarray, "m k"]:
    r"""Interpolates `values` given at `points` with the least bending.

    The interpolant is $f(p) = a + B p + \sum_i w_i\, r_i^2 \log r_i$, $r_i = \lVert p - p_i \rVert$, with
    $\sum_i w_i = 0$ and $\sum_i w_i p_i = 0$. Points must be distinct and not all on one line.

    Example:
        >>> corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
        >>> thin_plate(corners, corners, np.array([[0.25, 0.75]])).round(6).tolist()
        [[0.25, 0.75]]

    References:
        Bookstein, *Principal Warps: Thin-Plate Splines and the Decomposition of Deformations*, 1989.
    """
    affine = np.concatenate([np.ones((len(points), 1)), points], axis=1)
    system = np.block([[_bending(cdist(points, points)), affine], [affine.T, np.zeros((3, 3))]])
    solution = np.linalg.solve(system, np.concatenate([values, np.zeros((3, values.shape[1]))]))
    basis = np.concatenate([_bending(cdist(where, points)), np.ones((len(where), 1)), where], axis=1)
    return basis @ solution


def _bending(distance: np.ndarray) -> np.ndarray:
    return distance**2 * np.log(np.maximum(distance, 1e-12))
