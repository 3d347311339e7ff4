"""A video from its first frame to its last in one decode: the pixels of a few frames, and of each how much changed.

How many frames a video has is known only when all of them are decoded, and which are wanted depends on it. Files say
how many coded pictures they hold, which takes no decoding and is nearly always the same; so that is taken for granted,
and looked at again when the video is through (`watch` goes to its end). Where it was wrong, the caller watches once
more. Nothing is skipped and no place jumped to, and one frame is held at a time.
"""

import contextlib
from collections.abc import Generator, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from metaforge.data.ahead import ahead
from metaforge.data.decoding import count_packets, decoded
from metaforge.data.display import shown, stretched
from metaforge.data.images import FilePath
from metaforge.data.shots import brief_of, brief_of_image, change
from metaforge.data.video import MAX_PIXELS, count_frames, is_drawn, read_frames

_TOGETHER = 64  # frames that are handed over at once where none is wanted


class Glance(NamedTuple):
    """A frame that went by.

    Attributes:
        frame: its number.
        change: how much it differs from the one before it that was seen, in levels of 255 (`metaforge.data.shots`).
        image: uint8 RGB if it is wanted, else `None`.
    """

    frame: int
    change: float
    image: np.ndarray | None


def expected_frames(path: FilePath, *, max_pixels: int = MAX_PIXELS) -> int:
    """How many frames a video has, nearly always; of a folder always. Nothing is decoded.

    Raises:
        InputError: as `metaforge.data.video.count_frames`, where it can be seen.

    Example:
        >>> expected_frames("holiday.mp4")
        Traceback (most recent call last):
        metaforge.errors.InputError: video 'holiday.mp4': there is no such file or folder. Check the path.
    """
    return count_frames(path) if is_drawn(path) else max(count_packets(path, max_pixels), 1)


def watch(path: FilePath, frames: Iterable[int], *, max_pixels: int = MAX_PIXELS) -> Iterator[Glance]:
    """All frames of a video file, with the pixels of some; of a folder of images those alone that are wanted.

    Args:
        path: as in `metaforge.data.video.read_frames`.
        frames: the numbers of those whose pixels are wanted. A file may turn out to lack some of them.

    Other Arguments:
        max_pixels: width times height of a frame that is still decoded.

    Raises:
        InputError: as `metaforge.data.video.read_frames`, but for a file that lacks a frame.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for frame in range(12):
        ...         Image.new("RGB", (8, 6), (0, 5 * frame, 0)).save(Path(folder, f"{frame}.png"))
        ...     [(seen.frame, seen.change) for seen in watch(folder, [2, 11])]
        [(2, 0.0), (11, 45.0)]
    """
    if is_drawn(path):
        yield from glances(read_frames(path, frames, max_pixels=max_pixels))
        return
    pieces = ahead(_pieces(path, {int(frame) for frame in frames}, max_pixels), most=2)
    with contextlib.closing(pieces):
        for numbers, changes, frame, size in pieces:
            last = len(numbers) - 1
            for place, (number, changed) in enumerate(zip(numbers, changes, strict=True)):
                image = shown(frame, size) if frame is not None and place == last else None
                yield Glance(number, changed, image)


class _Piece(NamedTuple):
    """Frames after each other, of which the last may be wanted: as PyAV gives it, and how large it is to be shown."""

    numbers: list[int]
    changes: list[float]
    frame: Any
    size: tuple[int, int]


def _pieces(path: FilePath, wanted: set[int], max_pixels: int) -> Generator[_Piece]:
    before, piece = None, _Piece([], [], None, (0, 0))
    for number, (frame, stream) in enumerate(decoded(path, max_pixels)):
        now = brief_of(frame)
        piece.numbers.append(number)
        piece.changes.append(change(before, now))
        before = now
        if number in wanted:
            yield piece._replace(frame=frame, size=stretched((frame.width, frame.height), stream))
        elif len(piece.numbers) == _TOGETHER:
            yield piece
        else:
            continue
        piece = _Piece([], [], None, (0, 0))
    yield piece


def glances(frames: Iterable[tuple[int, np.ndarray]]) -> Iterator[Glance]:
    """Images with their numbers as glances, where there are no frames between them."""
    before = None
    for number, image in frames:
        now = brief_of_image(image)
        yield Glance(number, change(before, now), image)
        before = now
