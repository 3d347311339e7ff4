"""JPEG and H.264 on one picture: coded as photographs and videos are, and decoded again."""

import io
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from metaforge.data.decoding import pyav
from metaforge.errors import InputError

Subsampling = Literal["4:4:4", "4:2:2", "4:2:0"]
"""How many colour values JPEG keeps: all; one for two pixels of a row; one for a square of four."""

# BT.709: brightness from 16 to 235 and two differences of colour from 16 to 240, as videos have them.
_TO_YUV = np.array([[0.2126, 0.7152, 0.0722], [-0.114572, -0.385428, 0.5], [0.5, -0.454153, -0.045847]]) * (
    np.array([[219], [224], [224]]) / 255
)
_TO_RGB = np.linalg.inv(_TO_YUV)
_BLACK = np.array([16.0, 128.0, 128.0])


def jpeg(
    image: UInt8[np.ndarray, "height width 3"],
    quality: int,
    *,
    subsampling: Subsampling = "4:2:0",
    offset: tuple[int, int] = (0, 0),
) -> UInt8[np.ndarray, "height width 3"]:
    """A picture coded as JPEG and decoded again.

    Args:
        image: uint8 RGB.
        quality: from 1 to 95, as libjpeg counts it.

    Other Arguments:
        subsampling: of the colours.
        offset: by how many rows and columns the grid of 8 x 8 blocks begins earlier: of a picture that was cut after
            it was compressed, the grid does not begin at its corner.

    Example:
        >>> flat = np.full((12, 10, 3), 90, np.uint8)
        >>> bool((jpeg(flat, 75, offset=(3, 5)) == flat).all())
        True
    """
    down, across = offset
    buffer = io.BytesIO()
    padded = np.pad(image, ((down, 0), (across, 0), (0, 0)), mode="edge")
    Image.fromarray(padded).save(buffer, "JPEG", quality=quality, subsampling=subsampling)
    return np.asarray(Image.open(buffer).convert("RGB"))[down:, across:]


def h264(
    image: UInt8[np.ndarray, "height width 3"], crf: int, *, frames: int = 1, motion: tuple[int, int] = (0, 0)
) -> UInt8[np.ndarray, "height width 3"]:
    """A picture coded as a short H.264 video and decoded again: its last frame.

    The first frame is coded by itself. Each later one is predicted from others, so more frames bring the blurs and
    remainders of moving pictures. The quantiser does not follow how complex a picture is: it would tell a smooth fake
    from its real picture everywhere, also where nothing was forged.

    Args:
        image: uint8 RGB.
        crf: x264's constant rate factor, from 0 (best) to 51; 18 is called visually lossless, 23 is the default.

    Other Arguments:
        frames: of the video.
        motion: by how many rows and columns the picture moves from frame to frame.

    Raises:
        InputError: if PyAV is not installed, or has no H.264.

    Example:
        >>> flat = np.full((24, 25, 3), 90, np.uint8)
        >>> h264(flat, 23, frames=2, motion=(1, -2)).shape
        (24, 25, 3)
    """
    av = pyav()
    height, width = image.shape[:2]
    # The border is continued by as much as the picture moves, and to an even number of pixels.
    room, odd = [abs(step) * (frames - 1) for step in motion], [height % 2, width % 2]
    canvas = np.pad(image, ((room[0], room[0] + odd[0]), (room[1], room[1] + odd[1]), (0, 0)), mode="edge")
    tall, wide = height + odd[0], width + odd[1]
    context = av.CodecContext.create("libx264", "w")
    context.width, context.height, context.pix_fmt = wide, tall, "yuv420p"
    context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
    # One thread: x264 codes otherwise with others.
    context.thread_count = 1
    context.options = {"crf": str(crf), "preset": "medium", "x264-params": "threads=1:qcomp=1:mbtree=0"}
    packets = []
    for number in range(frames):
        # Backwards from the last frame, in which the picture is where it was.
        left = frames - 1 - number
        top, start = (offset + step * left for offset, step in zip(room, motion, strict=True))
        picture = canvas[top : top + tall, start : start + wide]
        frame = av.VideoFrame.from_ndarray(to_yuv420(picture), format="yuv420p")
        frame.pts = number
        packets += context.encode(frame)
    packets += context.encode(None)
    decoder = av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    shown: list[Any] = [frame for packet in [*packets, None] for frame in decoder.decode(packet)]
    return from_yuv420(shown[-1].to_ndarray())[:height, :width]


def check_h264(*, what: str = "acquisitions", wanted: str = "'wild'") -> None:
    """Asks before hours of work whether H.264 can be coded at all.

    Other Arguments:
        what: where it was asked for.
        wanted: what needs it.

    Raises:
        InputError: if not, with what to do.
    """
    remedy = "Install the extra `video`" + (
        ", or choose another treatment, such as 'varied'." * (wanted == "'wild'") or "."
    )
    try:
        av = pyav()
    except InputError:
        raise InputError(f"{what}: {wanted} compresses as videos are, which needs PyAV. {remedy}") from None
    if not {"libx264", "h264"} <= av.codecs_available:
        raise InputError(f"{what}: {wanted} needs H.264, which this PyAV was built without. {remedy}")


def to_yuv420(image: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "rows width"]:
    """Brightness of each pixel and the mean colour of each square of four, one below the other; even sides.

    Example:
        >>> to_yuv420(np.full((2, 4, 3), 255, np.uint8)).tolist()
        [[235, 235, 235, 235], [235, 235, 235, 235], [128, 128, 128, 128]]
    """
    width = image.shape[1]
    pixels = image.astype(np.float64)
    # The colour of a mean is the mean of the colours.
    squares = (pixels[::2, ::2] + pixels[::2, 1::2] + pixels[1::2, ::2] + pixels[1::2, 1::2]) / 4
    planes = [pixels @ _TO_YUV[0] + _BLACK[0], *(squares @ _TO_YUV[c] + _BLACK[c] for c in (1, 2))]
    flat = np.concatenate([plane.ravel() for plane in planes])
    return np.clip(np.rint(flat), 0, 255).astype(np.uint8).reshape(-1, width)


def from_yuv420(planes: UInt8[np.ndarray, "rows width"]) -> UInt8[np.ndarray, "height width 3"]:
    """The inverse of `to_yuv420`; between the colours of the squares it is linear.

    Example:
        >>> from_yuv420(to_yuv420(np.full((2, 4, 3), 200, np.uint8)))[0, 0].tolist()
        [200, 200, 200]
    """
    width = planes.shape[1]
    height = len(planes) * 2 // 3
    flat = planes.ravel()
    squares = flat[height * width :].reshape(2, height // 2, width // 2).astype(np.float32)
    colours = [np.asarray(Image.fromarray(s).resize((width, height), Image.Resampling.BILINEAR)) for s in squares]
    whole = np.stack([flat[: height * width].reshape(height, width).astype(np.float64), *colours], axis=-1)
    return np.clip(np.rint((whole - _BLACK) @ _TO_RGB.T), 0, 255).astype(np.uint8)
