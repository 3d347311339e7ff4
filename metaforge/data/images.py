"""Reading image files that strangers made: any of eight formats in, uint8 RGB out, or one line that says why not."""

import io
import os
import re
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError, features

from metaforge.data.formats import READ, SUFFIXES, hdr_of, is_image, what_it_is
from metaforge.data.pixels import Unreadable, tiff_tags, to_rgb
from metaforge.errors import InputError

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


class Skipped(NamedTuple):
    """A file that was not read: its `path`, relative to the folder, and the `reason` in one line."""

    path: str
    reason: str


class ImageFolder(NamedTuple):
    """The images of a folder.

    Attributes:
        images: uint8 RGB in [0, 255], shape `(images, size, size, 3)`.
        names: where each was found, relative to the folder, with "/" between folders.
        skipped: the files that could not be read, and those whose ending is none of an image's.
    """

    images: UInt8[np.ndarray, "images size size 3"]
    names: list[str]
    skipped: list[Skipped]


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
        raise _refusal(name, f"it cannot be opened ({_one_line(error)}). Check its permissions.") from error


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


def list_images(path: FilePath, *, what: str = "images") -> list[Path]:
    """The image files below a folder, by their endings, in the order a person would count them.

    Names are compared folder by folder, numbers by value ("frame2" before "frame10"), capital and small letters alike;
    the order depends on the names alone. Hidden files and folders (with a leading dot) are left out. Linked folders are
    entered, but no folder twice, so links in a circle end.

    Args:
        path: a folder.
        what: what the images are, to begin an error with: "faces", "support", ...

    Returns:
        Paths that begin with `path`. They have an ending in `SUFFIXES`; whether they can be read is not known.

    Raises:
        InputError: if the folder, or one in it, is missing, not a folder, or closed to us.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("frame10.png", "frame2.png", "notes.txt", ".hidden.png"):
        ...         Path(folder, name).touch()
        ...     print([file.name for file in list_images(folder)])
        ['frame2.png', 'frame10.png']
    """
    return [file for file in _files(Path(path), what) if file.suffix.lower() in SUFFIXES]


def left_out(path: FilePath, *, what: str = "images") -> list[Skipped]:
    """What `list_images` does not list of a folder, so that nobody takes it for read: an entry for each ending.

    Args:
        path: a folder.
        what: as in `list_images`.

    Returns:
        The first file of each ending that is none of an image's, and how many more there are. Hidden files are named
        nowhere.

    Raises:
        InputError: as `list_images`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("face.png", "face.psd", "more.psd"):
        ...         Path(folder, name).touch()
        ...     print(left_out(folder)[0].reason)
        '.psd' is not the ending of an image: left out, with 1 more like it. If it is one, save it as JPEG or PNG.
    """
    root = Path(path)
    others: dict[str, list[Path]] = {}
    for file in _files(root, what):
        if file.suffix.lower() not in SUFFIXES:
            others.setdefault(file.suffix.lower(), []).append(file)
    skipped = []
    for ending, files in others.items():
        more = f", with {len(files) - 1} more like it" * (len(files) > 1)
        ends = f"'{_printable(ending)}' is not the ending of an image" if ending else "its name has no ending"
        reason = f"{ends}: left out{more}. If it is one, save it as JPEG or PNG."
        skipped.append(Skipped(files[0].relative_to(root).as_posix(), reason))
    return skipped


def _files(root: Path, what: str) -> list[Path]:
    """All files below a folder but the hidden ones, as `list_images` orders them."""
    if not root.is_dir():
        problem = "is not a folder" if root.exists() else "does not exist"
        raise InputError(f"{what}: '{_printable(root.as_posix())}' {problem}. Give a folder that holds image files.")

    def closed(error: OSError):
        raise InputError(f"{what}: a folder cannot be read ({_one_line(error)}). Check its permissions.") from error

    found, entered = [], set()
    for folder, folders, files in os.walk(root, followlinks=True, onerror=closed):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in entered:
            folders.clear()
            continue
        entered.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))  # which of two links is entered
        found += [Path(folder, name) for name in files if not name.startswith(".")]
    return sorted(found, key=lambda file: _natural(file.relative_to(root)))


def read_folder(path: FilePath, *, size: int, what: str = "images", max_pixels: int = 64_000_000) -> ImageFolder:
    """All images below a folder, as squares of one size; files that cannot be read are named, not fatal.

    Args:
        path: a folder; `list_images` says which of its files are read, and in which order.
        size: pixels of the squares, as in `square`.
        what: as in `list_images`.
        max_pixels: as in `read_image`.

    Returns:
        An `ImageFolder` with at least one image.

    Raises:
        InputError: if the folder is missing, holds no image file, or none of them can be read; or `size` is below 1.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.new("RGB", (9, 7)).save(Path(folder, "good.png"))
        ...     _ = Path(folder, "bad.jpg").write_text("not an image", encoding="utf-8")
        ...     faces = read_folder(folder, size=8)
        >>> faces.images.shape, faces.names, [skipped.path for skipped in faces.skipped]
        ((1, 8, 8, 3), ['good.png'], ['bad.jpg'])
    """
    if size < 1:
        raise InputError(f"{what}: squares of {size} pixels. The size must be at least 1.")
    root, shown = Path(path), _printable(Path(path).as_posix())
    files = list_images(root, what=what)
    if not files:
        raise InputError(f"{what}: no image in '{shown}'. Give a folder that holds {', '.join(sorted(READ))} files.")
    images, names, skipped = [], [], []
    for file in files:
        name = file.relative_to(root).as_posix()
        try:
            images.append(square(read_image(file, max_pixels=max_pixels), size=size))
            names.append(name)
        except InputError as error:
            skipped.append(Skipped(name, str(error).removeprefix(_prefix(file.as_posix()))))
    if not images:
        first = f"'{_printable(skipped[0].path)}': {skipped[0].reason}"
        raise InputError(f"{what}: none of the {len(files)} image files in '{shown}' can be read. The first, {first}")
    return ImageFolder(np.stack(images), names, skipped + left_out(root, what=what))


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
            reason = f"it is cut off or broken ({_one_line(error)}). Copy or download it again."
            raise _refusal(name, reason) from error


def _upright(image: Image.Image) -> Image.Image:
    try:
        turn = _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - broken EXIF raises anything and says nothing; the picture itself is good
        return image
    return image if turn is None else image.transpose(turn)


def _natural(file: Path) -> tuple:
    """Sorts by folder, then with numbers by value; the plain text settles what is then still equal."""
    parts = [re.split(r"([0-9]+)", part.casefold()) for part in file.parts]
    return [[int(bit) if place % 2 else bit for place, bit in enumerate(part)] for part in parts], file.parts


def _prefix(name: str) -> str:
    return f"image '{_printable(name)}': "


def _refusal(name: str, reason: str) -> InputError:
    return InputError(_prefix(name) + reason)


def _too_large(name: str, pixels: str, limit: int) -> InputError:
    return _refusal(name, f"it claims {pixels}, and {limit} are allowed. Make it smaller, or raise max_pixels.")


def _one_line(error: Exception) -> str:
    return _printable(" ".join(str(error).split()) or type(error).__name__)[:200]


def _printable(text: str) -> str:
    """File names may hold line breaks and bytes that no terminal shows; an error stays one line."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
