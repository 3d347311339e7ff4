"""Bilinear samples of an image that is not turned, averaged: rows and columns each for themselves, which is quick."""

from typing import Any

import numpy as np
from jaxtyping import UInt8


def sampling(step: float, start: float, size: int, finer: int, length: int) -> Any:
    """What each position of a crop takes of a line of pixels, as Pillow's affine transforms do it.

    Args:
        step: from one sample to the next, in pixels.
        start: where the first sample begins.
        size: positions of the crop.
        finer: samples that are averaged to one position.
        length: of the line, beyond which it is black.

    Returns:
        A sparse matrix, float32, of shape `(size, length)`.

    Example:
        >>> sampling(0.5, 0.0, 2, 2, 3).toarray().tolist()
        [[0.875, 0.125, 0.0], [0.125, 0.75, 0.125]]
    """
    from scipy import sparse

    places = step * (np.arange(size * finer) + 0.5) + start
    inside = (places >= 0) & (places < length)
    left = np.floor(places - 0.5)
    part = (places - 0.5) - left
    columns = np.clip(np.stack([left, left + 1], axis=1), 0, length - 1).astype(np.int32)
    weights = np.stack([1 - part, part], axis=1) * (inside / finer)[:, None]
    # Made row by row at once: SciPy takes four times as long to sort the entries first.
    starts = np.arange(0, 2 * size * finer + 1, 2 * finer, dtype=np.int32)
    return sparse.csr_array((weights.ravel().astype(np.float32), columns.ravel(), starts), shape=(size, length))


def upright_samples(
    part: UInt8[np.ndarray, "height width 3"], down: Any, across: Any
) -> UInt8[np.ndarray, "rows columns 3"]:
    """An image by what each row and each column of the crop takes of it (`sampling`).

    Example:
        >>> image = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
        >>> upright_samples(image, sampling(1.0, 1.0, 2, 1, 3), sampling(1.0, 0.0, 1, 1, 3)).tolist()
        [[[9, 10, 11]], [[18, 19, 20]]]
    """
    height, width = part.shape[:2]
    rows = (down @ part.reshape(height, -1).astype(np.float32)).reshape(-1, width, 3)
    columns = across @ rows.transpose(1, 0, 2).reshape(width, -1)
    return np.rint(columns.reshape(-1, len(rows), 3).transpose(1, 0, 2)).astype(np.uint8)
