"""A video file to its frames, with PyAV; whatever a decoder raises becomes one line on the file."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from metaforge.data.display import hdr, stretched, the_film
from metaforge.data.formats import is_image, what_it_is
from metaforge.data.images import FilePath
from metaforge.errors import InputError, printable

# Only these are opened, whatever the file is called. Others (play lists, descriptions of sessions) name further files.
_CONTAINERS = "mov,matroska,avi,mpegts,mpeg,flv,asf,ogg,gif,yuv4mpegpipe,h264,hevc"


def decoded(path: FilePath, max_pixels: int) -> Iterator[tuple[Any, Any]]:
    """The decoded frames of a file, in the order in which they are shown, and their stream; at least one."""
    count = 0
    with _opened(path, max_pixels) as (container, stream):
        for packet in container.demux(stream):
            _check_whole(path, packet, count)
            for frame in packet.decode():
                _check_whole(path, frame, count)  # what a decoder guesses of a broken frame would look forged
                _check_size(path, frame, stream, max_pixels)
                yield frame, stream
                count += 1
    if count == 0:
        raise refusal(path, "it has no frame. Copy or download it again.")


def count_packets(path: FilePath, max_pixels: int) -> int:
    """How many coded pictures a file holds, none of which is decoded: nearly always the number of its frames.

    It is not where a picture is coded in two halves, or refers to others that are missing.
    """
    with _opened(path, max_pixels) as (container, stream):
        return sum(1 for packet in container.demux(stream) if packet.size and not packet.is_discard)


@contextmanager
def _opened(path: FilePath, max_pixels: int) -> Iterator[tuple[Any, Any]]:
    """An open file and its film, which may be read."""
    if not os.path.exists(path):
        raise refusal(path, "there is no such file or folder. Check the path.")
    if not os.path.isfile(path):  # a pipe would block for ever
        raise refusal(path, "it is neither a file nor a folder. Give the path of a video.")
    if os.path.getsize(path) == 0:
        raise refusal(path, "it is empty. Copy or download it again.")
    av = pyav()
    options = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}
    with _failures(path, *_what_it_is(path)):
        container = av.open(os.fspath(path), metadata_errors="ignore", options=options)
    with container, _failures(path, "it is cut off or broken", "Copy or download it again."):
        stream, problem = the_film(container.streams.video)
        if problem:
            raise refusal(path, problem)
        if stream.codec_context is None:
            raise refusal(path, "its pictures are in a coding that cannot be read. Convert it to H.264.")
        _check_size(path, stream.codec_context, stream, max_pixels)  # what it claims, before anything is decoded
        if curve := hdr(stream):
            remedy = "Convert it to SDR (BT.709), as a person would see it."
            raise refusal(path, f"it is HDR ({curve}), whose brightness 8 bits do not hold. {remedy}")
        yield container, stream


def _what_it_is(path: FilePath) -> tuple[str, str]:
    """Why a file cannot be opened as a video, and what to do, by its first bytes."""
    with _failures(path, "it cannot be opened", "Check its permissions."), open(path, "rb") as stream:
        head = stream.read(64)
    if is_image(head):
        return "its content is an image, not a video that can be read", "Give it the ending of an image, such as .png."
    found, remedy = what_it_is(head)
    if found and not found.startswith("a video"):
        return f"its content is {found}, not a video that can be read", remedy
    return "its content is not a video that can be read", "Give an MP4, MOV, MKV, WebM, AVI or MPEG file."


@contextmanager
def _failures(path: FilePath, reason: str, remedy: str) -> Iterator[None]:
    """Hostile bytes make a decoder raise nearly anything: to the caller one thing."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        said = " ".join(str(getattr(error, "strerror", None) or error).split())[:200]
        raise refusal(path, f"{reason} ({said}). {remedy}") from error


def pyav() -> Any:
    """PyAV, or the line that says how to install it."""
    try:
        import av
    except ImportError as error:
        raise InputError("video: reading video files needs PyAV. Install the extra `video`.") from error
    return av


def _check_size(path: FilePath, picture: Any, stream: Any, max_pixels: int) -> None:
    width, height = stretched((picture.width, picture.height), stream)
    if width * height > max_pixels:
        claimed = f"it claims frames of {width} x {height} pixels, and {max_pixels} are allowed"
        raise refusal(path, f"{claimed}. Make it smaller, or raise max_pixels.")


def _check_whole(path: FilePath, part: Any, count: int) -> None:
    if part.is_corrupt:
        raise refusal(path, f"it is cut off or broken at frame {count}. Copy or download it again.")


def refusal(path: FilePath, reason: str) -> InputError:
    """Why a video is not read, under its name."""
    return InputError(f"video '{printable(Path(path).as_posix())}': {reason}")
