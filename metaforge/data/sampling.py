"""Bilinear samples of an image that is not turned, averaged: rows and columns each for themselves, which is quick."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int32, UInt8

_BLOCK = 1 << 16
"""Numbers that are summed at a time: what a core keeps close to itself."""


class Samples(NamedTuple):
    """What each position of a crop takes of a line of pixels: a sparse matrix whose rows have equally many entries.

    SciPy's would do, but takes as long to import as NumPy, and everybody who screens a photograph waits for that.

    Attributes:
        places: which pixels.
        weights: how much of each.
    """

    places: Int32[np.ndarray, "positions entries"]
    weights: Float32[np.ndarray, "positions entries"]

    def of(self, lines: Float32[np.ndarray, "length numbers"]) -> Float32[np.ndarray, "positions numbers"]:
        """The weighted sums of lines, entry by entry in their order."""
        made = np.zeros((len(self.places), lines.shape[1]), np.float32)
        step = max(1, _BLOCK // max(lines.shape[1], 1))
        for start in range(0, len(made), step):
            rows = slice(start, start + step)
            for place, weight in zip(self.places[rows].T, self.weights[rows].T, strict=True):
                made[rows] += lines[place] * weight[:, None]
        return made


def sampling(step: float, start: float, size: int, finer: int, length: int) -> Samples:
    """What each position of a crop takes of a line of pixels, as Pillow's affine transforms do it.

    Args:
        step: from one sample to the next, in pixels.
        start: where the first sample begins.
        size: positions of the crop.
        finer: samples that are averaged to one position.
        length: of the line, beyond which it is black.

    Example:
        >>> sampling(0.5, 0.0, 2, 2, 3).of(np.eye(3, dtype=np.float32)).tolist()
        [[0.875, 0.125, 0.0], [0.125, 0.75, 0.125]]
    """
    places = step * (np.arange(size * finer) + 0.5) + start
    inside = (places >= 0) & (places < length)
    left = np.floor(places - 0.5)
    part = (places - 0.5) - left
    columns = np.clip(np.stack([left, left + 1], axis=1), 0, length - 1).astype(np.int32)
    weights = np.stack([1 - part, part], axis=1) * (inside / finer)[:, None]
    return Samples(columns.reshape(size, -1), weights.astype(np.float32).reshape(size, -1))


def upright_samples(
    part: UInt8[np.ndarray, "height width 3"], down: Samples, across: Samples
) -> UInt8[np.ndarray, "rows columns 3"]:
    """An image by what each row and each column of the crop takes of it (`sampling`).

    Example:
        >>> image = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
        >>> upright_samples(image, sampling(1.0, 1.0, 2, 1, 3), sampling(1.0, 0.0, 1, 1, 3)).tolist()
        [[[9, 10, 11]], [[18, 19, 20]]]
    """
    height, width = part.shape[:2]
    rows = down.of(part.reshape(height, -1).astype(np.float32)).reshape(-1, width, 3)
    columns = across.of(rows.transpose(1, 0, 2).reshape(width, -1))
    return np.rint(columns.reshape(-1, len(rows), 3).transpose(1, 0, 2)).astype(np.uint8)
