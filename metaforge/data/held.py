"""Images of a folder that are held while a program runs: in memory, or where they are many, in a file without a name.

Such a file goes when the program does, however it ends; the system keeps of it in memory what there is room for.
"""

import tempfile
from collections.abc import Iterator, Sequence

import numpy as np

from metaforge.data.files import ImageFiles

IN_MEMORY = 256_000_000
"""Bytes of images up to which they are held in memory."""


def room(count: int, size: int) -> np.ndarray:
    """An array for so many images of `size` x `size`, uint8 RGB; of more than `IN_MEMORY` bytes it is a file's.

    Example:
        >>> room(2, 8).shape
        (2, 8, 8, 3)
    """
    shape = (count, size, size, 3)
    if count * size * size * 3 <= IN_MEMORY:
        return np.empty(shape, np.uint8)
    with tempfile.TemporaryFile() as file:  # what is mapped stays
        return np.memmap(file, np.uint8, mode="w+", shape=shape)


def together(parts: Sequence[np.ndarray]) -> "np.ndarray | HeldImages":
    """Several tables of images of one size as one: an array where all are in memory, else one that stays in its files.

    Example:
        >>> together([np.zeros((2, 8, 8, 3), np.uint8), np.ones((1, 8, 8, 3), np.uint8)]).shape
        (3, 8, 8, 3)
    """
    if sum(part.nbytes for part in parts) <= IN_MEMORY:
        return np.concatenate(parts)
    return HeldImages(parts, np.arange(sum(map(len, parts))))


class HeldImages(ImageFiles):
    """Rows of several arrays of images as one table: choosing rows copies nothing, `np.asarray` does.

    Args:
        parts: uint8 `(images, size, size, 3)` each.
        rows: which of all of them, counted through.

    Example:
        >>> images = HeldImages([np.zeros((2, 8, 8, 3), np.uint8), np.ones((2, 8, 8, 3), np.uint8)], np.arange(4))
        >>> images[[1, 2]].shape, np.asarray(images[[1, 2]])[:, 0, 0, 0].tolist()
        ((2, 8, 8, 3), [0, 1])
    """

    def __init__(self, parts: Sequence[np.ndarray], rows: np.ndarray):
        """Keeps the arrays; nothing is read."""
        super().__init__(rows.astype(str), size=parts[0].shape[1])
        self.parts, self.rows = parts, rows
        self.ends = np.cumsum([len(part) for part in parts])

    def __getitem__(self, rows) -> "HeldImages":
        """Some of the images: indices, a slice or a mask."""
        return HeldImages(self.parts, self.rows[rows])

    def __iter__(self) -> Iterator[np.ndarray]:
        """The images, one at a time."""
        return map(self._image, self.rows.tolist())

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        """All of them, in memory."""
        found = np.empty(self.shape, np.uint8)
        for place, image in enumerate(self):
            found[place] = image
        return found.astype(dtype or np.uint8, copy=False)

    def _image(self, row: int) -> np.ndarray:
        part = int(np.searchsorted(self.ends, row, side="right"))
        return self.parts[part][row - self.ends[part]]
