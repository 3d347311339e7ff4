"""How a video file wants to be shown: which of its streams is the film, which way up, and how wide a pixel is."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from metaforge.data.formats import HDR
from metaforge.data.pixels import over_black

_SQUARE = 0.01  # how far the sides of a pixel may differ before frames are stretched, which blurs them a little


def the_film(streams: Sequence[Any]) -> tuple[Any, str]:
    """The video stream that a player would show, and what is wrong if there is none to be named, or "".

    Covers, thumbnails and still pictures are none, wherever in the file they stand. Of several films that is taken
    which the file marks as the default; if it marks none or several, nobody knows which is meant.

    Args:
        streams: the video streams of an open file, as PyAV gives them.
    """
    if not streams:
        return None, "it holds no video stream. Give a file with pictures."
    films = [stream for stream in streams if not _beside(stream)]
    if not films:
        return None, "its only picture is a cover. Give a file with a film."
    marked = [stream for stream in films if _is(stream, "default")] or films
    if len(marked) > 1:
        places = ", ".join(str(stream.index) for stream in marked)
        return (
            None,
            f"it holds {len(marked)} films (streams {places}), and which is meant is not said. Keep one of them.",
        )
    return marked[0], ""


def hdr(stream: Any) -> str:
    """The name of the HDR curve that a stream's brightness follows, "" for usual (SDR) pictures."""
    return HDR.get(int(stream.codec_context.color_trc), "")


def stretched(size: tuple[int, int], stream: Any) -> tuple[int, int]:
    """Width and height of a picture of this stored size once its pixels are square: one of them grows, none shrinks."""
    width, height = size
    context = stream.codec_context
    aspect = float(stream.sample_aspect_ratio or context.sample_aspect_ratio or 1)
    if aspect <= 0 or abs(aspect - 1) <= _SQUARE:
        return size
    return (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))


def shown(frame: Any, size: tuple[int, int]) -> UInt8[np.ndarray, "height width 3"]:
    """A decoded frame as a person sees it: square pixels, the right way up and not mirrored, RGB.

    What is transparent is laid over black, as of images. Two fields of an interlaced frame stay woven.

    Args:
        frame: as PyAV gives it. The file that it is from may be closed.
        size: its width and height once its pixels are square (`stretched`).
    """
    if any(part.is_alpha for part in frame.format.components):
        pixels = over_black(frame.to_ndarray(format="rgba"))
    else:
        pixels = frame.to_ndarray(format="rgb24")
    if size != (frame.width, frame.height):
        pixels = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))
    return np.ascontiguousarray(_turned(pixels, frame))


def _turned(pixels: np.ndarray, frame: Any) -> np.ndarray:
    """Undoes what the display matrix asks for: the point (x, y) is shown at (a x + c y, b x + d y), y downwards.

    An angle says not enough: half of the eight ways to show a picture mirror it.
    """
    matrix = next((bytes(data) for data in frame.side_data if data.type.name == "DISPLAYMATRIX"), None)
    if matrix is None or len(matrix) < 36:
        return pixels
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].astype(np.int64).tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):  # x and y change places
        pixels, a, d = pixels.transpose(1, 0, 2), c, b
    return pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]


def _beside(stream: Any) -> bool:
    names = ("attached_pic", "timed_thumbnails", "still_image", "dependent")
    return any(_is(stream, name) for name in names)


def _is(stream: Any, name: str) -> bool:
    flag = getattr(type(stream.disposition), name, 0)  # older releases of PyAV know fewer of them
    return bool(stream.disposition & flag)
