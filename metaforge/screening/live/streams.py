"""Frames with their times from a file, a pipe or a camera, as they come: never the whole, and no way back."""

import contextlib
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from metaforge.data.decoding import pyav
from metaforge.data.display import hdr, shown, stretched, the_film
from metaforge.data.images import one_line, printable
from metaforge.data.shots import brief_of, change
from metaforge.data.video import MAX_PIXELS
from metaforge.data.watching import Glance
from metaforge.errors import InputError

# What may come through a pipe; play lists, which name further files, are not among them.
_CONTAINERS = "mov,matroska,avi,mpegts,mpeg,flv,asf,ogg,gif,yuv4mpegpipe,h264,hevc,mjpeg,mpjpeg"
_RATE = 25.0


class Timed(NamedTuple):
    """A frame that went by.

    Attributes:
        seconds: since the first frame.
        glance: its number, how much changed, and its pixels if it is one of those that are looked at.
    """

    seconds: float
    glance: Glance


def frames_of(video: str, *, rate: float, raw: str = "", max_pixels: int = MAX_PIXELS) -> Iterator[Timed]:
    """The frames of a stream, with the pixels of `rate` of them a second. Those that cannot be decoded are left out.

    Args:
        video: a file; a named pipe; "-" for standard input; or a camera, such as /dev/video0.

    Other Arguments:
        rate: frames a second that are looked at.
        raw: width and height, such as "640x480", of frames that come as bare bytes, three a pixel (rgb24), 25 a second.
        max_pixels: width times height of a frame that is still decoded.

    Raises:
        InputError: when it is none of these, or holds no film that can be read.

    Example:
        >>> next(frames_of("nowhere.mp4", rate=1.0))
        Traceback (most recent call last):
        metaforge.errors.InputError: video: 'nowhere.mp4' does not exist. Give a file, a camera, or - for a pipe.
    """
    av, name = pyav(), "standard input" if video == "-" else printable(Path(video).as_posix())
    with contextlib.ExitStack() as held:
        try:
            container = held.enter_context(_opened(av, video, raw))
        except InputError:
            raise
        except (av.error.FFmpegError, OSError, ValueError) as error:
            remedy = (
                "Give MP4 as a file, and through a pipe Matroska, MPEG-TS or MJPEG, or bare frames with their size."
            )
            raise InputError(f"video: {name} cannot be read as a film ({one_line(error)}). {remedy}") from None
        stream, problem = the_film(container.streams.video)
        if problem:
            raise InputError(f"video: {name}: {problem}")
        if curve := hdr(stream):
            raise InputError(f"video: {name}: it is HDR ({curve}), whose brightness 8 bits do not hold.")
        yield from _timed(av, container, stream, name, rate, max_pixels)


def is_live(video: str) -> bool:
    """Whether frames come at their own pace: from a pipe or a camera."""
    return video == "-" or not os.path.isfile(video)


def _timed(av: Any, container: Any, stream: Any, name: str, rate: float, max_pixels: int) -> Iterator[Timed]:
    start, due, before, number = None, 0.0, None, 0
    usual = float(stream.average_rate or _RATE)
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.error.FFmpegError:  # a stream that was joined late begins with pieces
            continue
        for frame in frames:
            if frame.is_corrupt:
                continue
            size = stretched((frame.width, frame.height), stream)
            if size[0] * size[1] > max_pixels:
                claimed = f"it has frames of {size[0]} x {size[1]} pixels, and {max_pixels} are allowed"
                raise InputError(f"video: {name}: {claimed}. Make them smaller.")
            at = frame.time if frame.time is not None else number / usual
            start = at if start is None else start
            now = brief_of(frame)
            wanted = at - start >= due - 1e-6
            image: np.ndarray | None = None
            if wanted:
                # From when it was due: from the frame's time, the rate would come out too low.
                due = due + 1 / rate if due + 1 / rate > at - start else at - start + 1 / rate
                image = shown(frame, size)
            yield Timed(at - start, Glance(number, change(before, now), image))
            before, number = now, number + 1


def _opened(av: Any, video: str, raw: str) -> Any:
    options = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}
    how: dict[str, Any] = {"options": options}
    if raw:
        how = {
            "format": "rawvideo",
            "options": {"video_size": raw, "pixel_format": "rgb24", "framerate": str(int(_RATE))},
        }
    if video == "-":
        if sys.stdin is None:
            raise InputError("video: standard input is closed. Give a file or a camera.")
        return av.open(sys.stdin.buffer, "r", metadata_errors="ignore", **how)
    if not os.path.exists(video):
        raise InputError(f"video: '{printable(video)}' does not exist. Give a file, a camera, or - for a pipe.")
    kind = os.stat(video).st_mode
    if stat.S_ISCHR(kind):
        return av.open(video, "r", format="v4l2")
    if not (stat.S_ISREG(kind) or stat.S_ISFIFO(kind)):
        raise InputError(f"video: '{printable(video)}' is no file, no pipe and no camera.")
    return av.open(video, "r", metadata_errors="ignore", **how)
