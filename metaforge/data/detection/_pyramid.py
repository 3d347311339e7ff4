"""The image at many sizes: a pyramid laid out in one sheet, for windows, and halves of halves, for patches."""

import functools
import math
from typing import NamedTuple

import numpy as np
from PIL import Image

CELL = 12
"""The window of the first network, in pixels."""

_STEP = 0.709  # from one level of the pyramid to the next: half the area


class Slot(NamedTuple):
    """Where a level of the pyramid lies in the sheet: top row, left column, and the side of the square kept for it."""

    top: int
    left: int
    side: int


@functools.cache
def layout(first: int) -> tuple[list[Slot], tuple[int, int, int]]:
    """Places for all levels of a square canvas of `first` pixels, and the shape of the sheet that holds them.

    A level goes into the first column that has room below. Sides are even, so that windows begin where levels begin.
    """
    slots, columns = [], []  # a column: left, right, first free row
    side = float(first)
    height = 2 * math.ceil(first / 2)
    while side >= CELL:
        even = 2 * math.ceil(side / 2)
        room = (c for c in columns if c[1] - c[0] >= even and height - c[2] >= even)
        column = next(room, None)
        if column is None:
            left = columns[-1][1] if columns else 0
            column = [left, left + even, 0]
            columns.append(column)
        slots.append(Slot(column[2], column[0], even))
        column[2] += even
        side *= _STEP
    return slots, (height, columns[-1][1], 3)


def cut_patches(halves: list[np.ndarray], boxes: np.ndarray, side: int) -> np.ndarray:
    """What lies in square boxes, as `side` x `side` pixels, uint8; black beyond the image.

    Taken from the reduction that has one to two pixels for one of the patch, so that averaging is done.
    """
    patches = np.zeros((len(boxes), side, side, 3), np.uint8)
    widths = np.maximum(boxes[:, 2] - boxes[:, 0], 1e-3)
    level = np.clip(np.floor(np.log2(widths / side)), 0, len(halves) - 1).astype(int)
    steps = (np.arange(side) + 0.5) / side
    for chosen in np.unique(level):
        mine, image = level == chosen, halves[chosen]
        x, y = ((boxes[mine, axis, None] + steps * widths[mine, None]) / 2**chosen - 0.5 for axis in (0, 1))
        blended = np.zeros((mine.sum(), side, side, 3))
        for row, down in _neighbours(y, image.shape[0]):
            for column, across in _neighbours(x, image.shape[1]):
                weight = down[:, :, None] * across[:, None, :]
                blended += weight[..., None] * image[row[:, :, None], column[:, None, :]]
        patches[mine] = np.rint(blended)
    return patches


def _neighbours(place: np.ndarray, length: int):
    """The pixels on both sides of a place, and their shares; a pixel that does not exist has none."""
    low = np.floor(place).astype(int)
    for index, share in ((low, low + 1 - place), (low + 1, place - low)):
        yield np.clip(index, 0, length - 1), np.where((index >= 0) & (index < length), share, 0.0)


def halves_of(image: np.ndarray) -> list[np.ndarray]:
    """The image, its half, its quarter, ... each pixel the mean of four."""
    levels = [image]
    while min(levels[-1].shape[:2]) >= 2 * CELL:
        levels.append(np.asarray(Image.fromarray(levels[-1]).reduce(2)))
    return levels


def resized(image: np.ndarray, scale: float) -> np.ndarray:
    """The image at another size, whole pixels on both sides, averaged when it shrinks."""
    height, width = (max(1, round(length * scale)) for length in image.shape[:2])
    if (height, width) == image.shape[:2]:
        return image
    # With a gap, it is reduced by a whole number first: nearly the same pixels, sooner.
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0))
