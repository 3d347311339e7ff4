"""Where a video is cut: frames whose brightness jumps everywhere at once.

Every decoded frame is looked at, in its own brightness plane and at some thousand places, which costs next to nothing
beside decoding it.
"""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64, UInt8

_DOWN, _ACROSS, _EACH = 9, 16, 8  # blocks, and places in a block along each side
_BLOCKS = _DOWN * _ACROSS
_JUMP = 10.0  # levels of 255; two shots of a film differ by more, two frames of one by 0 to 3
_TIMES = 4.0  # above the frames around it: fast motion is no cut
_AROUND = 4

Brief = Float64[np.ndarray, "9 16"]


def brief_of(frame: Any) -> Brief:
    """The brightness of a decoded frame in 9 x 16 blocks, in levels of 255.

    Args:
        frame: as PyAV gives it. Where it has no plane of brightness, its first colour is taken.
    """
    first, plane = frame.format.components[0], frame.planes[0]
    wide = first.bits > 8
    values = np.frombuffer(plane, np.uint16 if wide else np.uint8)
    each = plane.line_size // values.itemsize
    if each < plane.width or len(values) < each * plane.height:  # stored upside down, or several pixels in a byte
        return brief_of_image(frame.to_ndarray(format="rgb24"))
    rows = values[: each * plane.height].reshape(plane.height, each)
    packed = 1 if frame.format.is_planar or len(frame.format.components) == 1 else len(frame.format.components)
    return _brief(rows[:, : packed * plane.width : packed]) / (1 << max(first.bits - 8, 0))


def brief_of_image(image: UInt8[np.ndarray, "height width 3"]) -> Brief:
    """The same of an image: of its green, which is most of its brightness.

    Example:
        >>> brief_of_image(np.full((20, 30, 3), 7, np.uint8)).mean()
        np.float64(7.0)
    """
    return _brief(image[..., 1])


def change(before: Brief | None, after: Brief) -> float:
    """How much half of two frames' blocks differ at least, in levels of 255; 0 for the first.

    Somebody who comes into the picture changes a part of it, and a cut all of it.
    """
    if before is None:
        return 0.0
    # The median; `np.median` takes as long as looking at the frame.
    middle = np.partition(np.abs(after - before), (_BLOCKS // 2 - 1, _BLOCKS // 2), axis=None)
    return float(middle[_BLOCKS // 2 - 1 : _BLOCKS // 2 + 1].mean())


def cuts(frames: Sequence[int], changes: Sequence[float]) -> list[int]:
    """The frames with which a new shot begins.

    Args:
        frames: numbers of frames, rising.
        changes: how much each differs from the one before it (`change`).

    Returns:
        The numbers of those that differ by 10 levels and by four times what is usual around them.

    Example:
        >>> cuts([0, 5, 10, 15, 20], [0.0, 2.0, 40.0, 1.0, 2.0]), cuts([0, 1, 2, 3], [0.0, 30.0, 35.0, 32.0])
        ([10], [])
    """
    values, found = np.asarray(changes, np.float64), []
    for place in np.flatnonzero(values > _JUMP).tolist():
        around = np.concatenate([values[max(1, place - _AROUND) : place], values[place + 1 : place + 1 + _AROUND]])
        if not len(around) or values[place] > _TIMES * float(np.median(around)):
            found.append(frames[place])
    return found


def _brief(plane: np.ndarray) -> Brief:
    # Rows before columns, and the sums one axis after the other: every frame of a video comes by here.
    down, across = _places(*plane.shape)
    places = np.take(plane[down], across, axis=1).astype(np.int64).reshape(_DOWN, _EACH, -1)
    return places.sum(axis=1).reshape(_DOWN, _ACROSS, _EACH).sum(axis=2) / _EACH**2


@functools.lru_cache(maxsize=8)
def _places(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    down = ((np.arange(_DOWN * _EACH) + 0.5) * (height / (_DOWN * _EACH))).astype(int)
    across = ((np.arange(_ACROSS * _EACH) + 0.5) * (width / (_ACROSS * _EACH))).astype(int)
    return down, across
