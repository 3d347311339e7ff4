"""Crops that are kept until it is known whether they are wanted: as pixels of the image, or made already.

Whichever is smaller is kept, so that many faces of large frames, or a few of large crops, take little memory; the crop
that is made later has the same bits.
"""

from typing import NamedTuple

import numpy as np

from metaforge.data.crops import apply_crop, reach


class Patch(NamedTuple):
    """What is kept of a crop.

    Attributes:
        pixels: uint8 RGB: the crop, or the part of the image that it is made of.
        transform: from the crop to `pixels`; `None` where they are the crop.
        size: side of the crop, in pixels.
    """

    pixels: np.ndarray
    transform: np.ndarray | None
    size: int


def patch_of(image: np.ndarray, transform: np.ndarray, size: int) -> Patch:
    """Keeps what a crop is made of, or the crop where that is smaller; both are copies.

    Args:
        image: uint8 RGB.
        transform: from the crop's pixels to the image's (`metaforge.data.crops.crop_transform`).
        size: side of the crop, in pixels.

    Example:
        >>> image = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
        >>> transform = np.array([[0.25, 0, 2], [0, 0.25, 3]])
        >>> kept = patch_of(image, transform, 16)
        >>> kept.pixels.shape, bool((crop_of(kept) == apply_crop(image, transform, 16)).all())
        ((7, 8, 3), True)
    """
    low, high = reach(transform, size, (image.shape[0], image.shape[1]))
    if (high <= low).any() or (high - low).prod() >= size * size:
        return Patch(apply_crop(image, transform, size), None, size)
    moved = transform - np.column_stack([np.zeros((2, 2)), low])
    return Patch(image[low[1] : high[1], low[0] : high[0]].copy(), moved, size)


def crop_of(patch: Patch) -> np.ndarray:
    """The crop, uint8 RGB, `size` x `size`."""
    return patch.pixels if patch.transform is None else apply_crop(patch.pixels, patch.transform, patch.size)
