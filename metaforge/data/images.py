"""Reading image files that strangers made: any of eight formats in, uint8 RGB out, or one line that says why not."""

import io
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError, features

from metaforge.data.formats import hdr_of, is_image, what_it_is
from metaforge.data.pixels import Unreadable, tiff_tags, to_rgb
from metaforge.data.scans import MOST, scans_of
from metaforge.errors import InputError, printable

# Only these decoders are let near the bytes; others that Pillow has start programs (EPS) or are seldom tested.
_FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "TIFF", "GIF", "PPM")

if "avif" in features.modules and features.check("avif"):  # from Pillow 11.3 on
    _FORMATS = (*_FORMATS, "AVIF")

_HEAD = 1 << 16  # bytes in which a file says what it is

_ORIENTATION = 0x0112  # the EXIF tag, and what undoes each of its values

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

FilePath = str | os.PathLike[str]
"""What `open` takes for a name."""


def read_image(path: FilePath, *, max_pixels: int = 64_000_000) -> UInt8[np.ndarray, "height width 3"]:
    """The picture in a file as a person would see it: RGB, upright, 8 bits; the first frame if it moves.

    - Orientation: turned as its EXIF tag says; an EXIF block that cannot be read is passed over.
    - 16 bits: rounded to 8, `value / 257`, so 65535 becomes 255 and 32768 becomes 128; of 12 bits 4095 is white. (Of
      16-bit colour, Pillow gives the upper byte.) 32-bit whole numbers are taken for 16-bit ones, and refused if they
      are larger; numbers with a sign are refused. A TIFF may say that 0 is white.
    - Floating point: [0, 1] becomes [0, 255]; other values are refused.
    - Transparency: laid over black, which is what pads face crops elsewhere; colours hidden under full transparency,
      which no person sees, never reach a detector.
    - Colours: an embedded profile (Display P3 of a phone, Adobe RGB, a grey or CMYK one) is converted to sRGB, as
      browsers do; one that is sRGB already, or broken, changes nothing. A PNG without one goes by its gamma. Without a
      profile CMYK and YCbCr go by Pillow's formulas. HDR (PQ, HLG) is refused.
    - Several pictures in one file (GIF, APNG, WebP, AVIF, MPO, pages of a TIFF): the first. A TIFF whose first is a
      preview, as of a camera's raw file, is refused.

    Nothing in the file is executed or unpickled, and only PNG, JPEG, BMP, WebP, TIFF, GIF, PPM and (from Pillow 11.3
    on) AVIF are decoded, whatever the file is called. Of others that are known, such as HEIC, the refusal
    says the name.

    Args:
        path: a regular file.
        max_pixels: width times height that is still decoded; the header is asked first. 64 million pixels need
            about 0.5 GB while they are read. Above 178 million Pillow's own limit holds.

    Returns:
        uint8 in [0, 255], shape `(height, width, 3)`, contiguous and writable.

    Raises:
        InputError: if the file is missing, empty, not an image, cut off, broken, or too large.

    Example:
        >>> read_image("portrait.png")
        Traceback (most recent call last):
        metaforge.errors.InputError: image 'portrait.png': there is no such file. Check the path.
    """
    name = Path(path).as_posix()
    if not os.path.exists(path):
        raise _refusal(name, "there is no such file. Check the path.")
    if not os.path.isfile(path):  # a pipe would block for ever
        raise _refusal(name, "it is not a file. Give the path of an image file.")
    try:
        with open(path, "rb") as stream:
            return _decode(stream, name, max_pixels)
    except OSError as error:
        raise _refusal(name, f"it cannot be opened ({one_line(error)}). Check its permissions.") from error


def decode_image(
    data: bytes, *, name: str = "upload", max_pixels: int = 64_000_000
) -> UInt8[np.ndarray, "height width 3"]:
    """As `read_image`, for the bytes of a file that is not on the disk, such as an upload.

    Args:
        data: the content of an image file.
        name: what to call it in an error.
        max_pixels: as in `read_image`.

    Returns:
        uint8 in [0, 255], shape `(height, width, 3)`, contiguous and writable.

    Raises:
        InputError: if the bytes are none, not an image, cut off, broken, or too many when decoded.

    Example:
        >>> decode_image(b"P6 2 1 255 " + bytes([255, 0, 0, 0, 0, 255])).tolist()
        [[[255, 0, 0], [0, 0, 255]]]
    """
    return _decode(io.BytesIO(data), name, max_pixels)


def square(image: UInt8[np.ndarray, "height width 3"], *, size: int) -> UInt8[np.ndarray, "size size 3"]:
    """The middle of an image as a square of `size` pixels.

    The largest centred square (of an odd rest, the extra pixel is cut from the right or bottom) is resized with a
    Lanczos filter, which is widened when shrinking, so that fine patterns are averaged and do not alias; smaller
    images are enlarged. It is the sharpest of Pillow's filters; at hard edges it overshoots by a few grey levels.

    Args:
        image: uint8 RGB in [0, 255].
        size: pixels, at least 1.

    Returns:
        uint8 in [0, 255], a new array.

    Raises:
        InputError: if the image has no pixels or `size` is below 1.

    Example:
        >>> square(np.full((40, 60, 3), 7, np.uint8), size=32).shape
        (32, 32, 3)
    """
    height, width = image.shape[:2]
    side = min(height, width)
    if side < 1 or size < 1:
        raise InputError(f"square: an image of {height} x {width} to {size} pixels. Both must be at least 1.")
    top, left = (height - side) // 2, (width - side) // 2
    cut = np.ascontiguousarray(image[top : top + side, left : left + side])
    return np.array(Image.fromarray(cut).resize((size, size), Image.Resampling.LANCZOS))


def _decode(stream: Any, name: str, max_pixels: int) -> np.ndarray:
    """Reads a seekable binary stream; every failure becomes an `InputError` that calls it `name`."""
    head = stream.read(_HEAD)
    if not head:
        raise _refusal(name, "it is empty. Copy or download it again.")
    if curve := hdr_of(head):
        remedy = "Convert it to SDR, as a person would see it, and save it as JPEG or PNG."
        raise _refusal(name, f"it is HDR ({curve}), whose brightness 8 bits do not hold. {remedy}")
    stream.seek(0)
    # Pillow warns of what it then refuses or mends; the person gets the one line below, or the picture.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(stream, formats=_FORMATS) as image:
                if image.width * image.height > max_pixels:
                    raise _too_large(name, f"{image.width} x {image.height} pixels", max_pixels)
                if image.info.get("progressive"):
                    _check_scans(stream, name)
                image.load()
                tags = tiff_tags(image)
                return to_rgb(_upright(image), tags)
        except InputError:
            raise
        except Unreadable as error:
            raise _refusal(name, str(error)) from None
        except Image.DecompressionBombError as error:
            raise _too_large(name, "far too many pixels", max_pixels) from error
        except UnidentifiedImageError as error:
            if is_image(head):
                raise _refusal(name, "it is cut off or broken. Copy or download it again.") from error
            found, remedy = what_it_is(head)
            if found:
                raise _refusal(name, f"its content is {found}, not an image that can be read. {remedy}") from error
            remedy = "Give a PNG, JPEG, BMP, WebP, TIFF, GIF, PPM or AVIF file."
            raise _refusal(name, f"its content is not an image that can be read. {remedy}") from error
        # Hostile bytes make decoders raise nearly anything (struct.error, SyntaxError, ...): to the caller one thing.
        except Exception as error:
            reason = f"it is cut off or broken ({one_line(error)}). Copy or download it again."
            raise _refusal(name, reason) from error


def _check_scans(stream: Any, name: str) -> None:
    """A file of some kilobytes can keep a decoder busy for hours."""
    place = stream.tell()
    stream.seek(0)
    scans = scans_of(stream.read())
    stream.seek(place)
    if scans > MOST:
        raise _refusal(name, f"it draws its pixels {scans} times over, and {MOST} are allowed. Save it anew.")


def _upright(image: Image.Image) -> Image.Image:
    try:
        turn = _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - broken EXIF raises anything and says nothing; the picture itself is good
        return image
    return image if turn is None else image.transpose(turn)


def reason_of(error: InputError, name: str) -> str:
    """Why an image or a video was refused, without its name, for tables that name it already.

    Example:
        >>> reason_of(InputError("video 'a/b.mp4': it is empty. Copy it again."), "a/b.mp4")
        'it is empty. Copy it again.'
    """
    said = str(error)
    for kind in ("image", "video"):
        said = said.removeprefix(f"{kind} '{printable(name)}': ")
    return said


def _refusal(name: str, reason: str) -> InputError:
    return InputError(f"image '{printable(name)}': {reason}")


def _too_large(name: str, pixels: str, limit: int) -> InputError:
    return _refusal(name, f"it claims {pixels}, and {limit} are allowed. Make it smaller, or raise max_pixels.")


def one_line(error: Exception) -> str:
    """What an error says, in one line of 200 letters at most."""
    return printable(" ".join(str(error).split()) or type(error).__name__)[:200]
