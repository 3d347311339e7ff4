"""Frames of a video: how many there are, which to take, and the pixels of those, one at a time.

A video is a file, or a folder of image files, one a frame, or one image. Files are decoded with PyAV (the extra
`video`), from the first frame on and in the order in which they are shown: jumping to a frame is only as good as a
file's index, and miscounts when frames are stored in another order than they are shown.
"""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Int

from metaforge.data.decoding import decoded, pyav, refusal
from metaforge.data.display import shown, stretched
from metaforge.data.folders import list_images
from metaforge.data.formats import SUFFIXES
from metaforge.data.images import FilePath, read_image
from metaforge.errors import InputError

MAX_PIXELS = 64_000_000
"""Width times height of a frame that is still decoded, unless another bound is given."""


def even_frames(total: int, count: int) -> Int[np.ndarray, " frames"]:
    """Which frames to take: spread evenly over the whole video, the first and the last among them.

    They are `np.linspace(0, total - 1, count)`, rounded down, so fewer frames still span the video. Of a video with no
    more than `count` frames all are taken.

    Args:
        total: how many frames the video has, at least 1.
        count: how many to take, at least 1.

    Returns:
        Indices, int64, rising, `min(total, count)` of them.

    Raises:
        InputError: if either number is below 1.

    Example:
        >>> even_frames(100, 4).tolist(), even_frames(3, 32).tolist()
        ([0, 33, 66, 99], [0, 1, 2])
    """
    if total < 1 or count < 1:
        raise InputError(f"video: {count} frames of {total}. Both must be at least 1.")
    return np.linspace(0, total - 1, min(total, count), dtype=np.int64)


def count_frames(path: FilePath, *, max_pixels: int = MAX_PIXELS) -> int:
    """How many frames a video has: those that decode.

    What a file says of itself may be missing or wrong, so the file is decoded, which takes nearly as long as reading
    all of its frames. Of a folder, the image files are counted and none is opened. The beginning of a Matroska file or
    an MPEG stream is a video, too: that its end is missing cannot be seen. Nor can a few wrong bytes that still decode.

    Args:
        path: a video file, a folder of image files, or an image file.
        max_pixels: width times height of a frame that is still decoded.

    Returns:
        At least 1.

    Raises:
        InputError: if the file is missing, empty, not a video, cut off, broken, without frames, or too large; if it
            holds several films, or HDR; if the folder holds no image file; or if PyAV is not installed.

    Example:
        >>> count_frames("holiday.mp4")
        Traceback (most recent call last):
        metaforge.errors.InputError: video 'holiday.mp4': there is no such file or folder. Check the path.
    """
    if is_drawn(path):
        return len(_images(path))
    return sum(1 for _ in decoded(path, max_pixels))


def frame_names(path: FilePath) -> list[str] | None:
    """What tells the frames of a folder apart, in their order; `None` of a video file, whose frames are only counted.

    It is the last number in each file's name, or, where these do not tell all of them apart, the name without its
    ending.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("frame_0010.png", "frame_0002.png"):
        ...         Path(folder, name).touch()
        ...     frame_names(folder)
        ['2', '10']
    """
    if not os.path.isdir(path):
        return None
    stems = [file.stem for file in _images(path)]
    numbers = last_numbers(stems)
    return list(map(str, numbers)) if len(set(numbers)) == len(stems) else stems


def last_numbers(names: Iterable[str]) -> list[int]:
    """The last number in each name; none at all where one has none, or one of 20 digits and more.

    Example:
        >>> last_numbers(["000_0010", "frame7"]), last_numbers(["000_0010", "frame"])
        ([10, 7], [])
    """
    found = [re.findall(r"[0-9]+", name) for name in names]
    return [int(digits[-1]) for digits in found] if all(digits and len(digits[-1]) < 20 for digits in found) else []


def read_frames(
    path: FilePath, indices: Iterable[int] | np.ndarray, *, max_pixels: int = MAX_PIXELS
) -> Iterator[tuple[int, np.ndarray]]:
    """The frames at `indices`, in the order in which they are shown, each as a person would see it.

    One frame is held at a time, and decoding ends at the last that is wanted. Frames are turned and mirrored if the
    file says how, and stretched where its pixels are not square; colours are by the matrix and range that it names
    (BT.601 if none). A cover is no film, HDR is refused, and interlaced frames stay as they are. The frames of a folder
    may differ in size.

    Args:
        path: a video file, or a folder of image files, whose order is that of `metaforge.data.folders.list_images`;
            images in folders below it count only if none lies in itself.
        indices: whole numbers from 0, in any order; a repeated one counts once.
        max_pixels: width times height of a frame that is still decoded.

    Yields:
        `(index, frame)` with rising index; the frame is uint8 RGB in [0, 255], shape `(height, width, 3)`.

    Raises:
        InputError: as `count_frames`, and if the video has no frame at an index; when the frame's turn comes.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for frame in range(12):
        ...         Image.new("RGB", (8, 6), (frame, 0, 0)).save(Path(folder, f"{frame}.png"))
        ...     [(index, image.shape, int(image.max())) for index, image in read_frames(folder, [11, 2])]
        [(2, (6, 8, 3), 2), (11, (6, 8, 3), 11)]
    """
    wanted = sorted({int(index) for index in indices})
    if wanted and wanted[0] < 0:
        raise refusal(path, f"there is no frame {wanted[0]}. Frames are counted from 0.")
    if is_drawn(path):
        files = _images(path)
        for index in wanted:
            if index >= len(files):
                raise _too_short(path, index, len(files))
            yield index, read_image(files[index], max_pixels=max_pixels)
        return
    seen, left = 0, set(wanted)
    for frame, stream in decoded(path, max_pixels) if wanted else ():
        if seen in left:
            left.remove(seen)
            yield seen, shown(frame, stretched((frame.width, frame.height), stream))
            if not left:
                return
        seen += 1
    if left:
        raise _too_short(path, min(left), seen)


def check_decoder(paths: Iterable[FilePath]) -> None:
    """Asks before hours of work whether these can be read at all: video files need PyAV, folders and images do not.

    Args:
        paths: videos, in the forms that `read_frames` takes. Whether they are there is not asked.

    Raises:
        InputError: if one of them is a video file, and PyAV is not installed.

    Example:
        >>> check_decoder(["portrait.png"])
    """
    if not all(map(is_drawn, paths)):
        pyav()


def is_drawn(path: FilePath) -> bool:
    """Whether it is a folder of images, or one image: its frames are files, and need no decoder of videos."""
    moving = {".gif"}  # of such a file all frames count, not the first alone
    return os.path.isdir(path) or Path(path).suffix.lower() in SUFFIXES - moving


def _images(path: FilePath) -> list[Path]:
    if not os.path.isdir(path):
        return [Path(path)]
    files = list_images(path, what="video")
    # Below a folder with frames of its own lie masks, or another video, which would be in two videos at once.
    files = [file for file in files if file.parent == Path(path)] or files
    if not files:
        raise refusal(path, "the folder holds no image file. Give one image a frame.")
    return files


def _too_short(path: FilePath, index: int, total: int) -> InputError:
    return refusal(path, f"it has no frame {index}, only {total} frames. Ask for frames that are there.")
