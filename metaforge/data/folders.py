"""The images below a folder: which there are, in which order, and all of them as squares of one size."""

import functools
import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from metaforge.data import crop_folder
from metaforge.data.crops import Crop
from metaforge.data.detection import check_finder
from metaforge.data.face_crops import NO_FACE, largest_crop
from metaforge.data.formats import READ, SUFFIXES
from metaforge.data.held import room
from metaforge.data.images import FilePath, one_line, read_image, reason_of, square
from metaforge.errors import InputError, printable
from metaforge.progress import MANY, progress
from metaforge.workers import in_order


class Skipped(NamedTuple):
    """A file that was not read: its `path`, relative to the folder, and the `reason` in one line."""

    path: str
    reason: str


class ImageFolder(NamedTuple):
    """The images of a folder.

    Attributes:
        images: uint8 RGB in [0, 255], shape `(images, size, size, 3)`; where they are many, in a file
            (`metaforge.data.held`).
        names: where each was found, relative to the folder, with "/" between folders.
        skipped: the files that could not be read or show no face, and those whose ending is none of an image's.
        notes: what makes an image doubtful, in words; "" for a good one.
    """

    images: UInt8[np.ndarray, "images size size 3"]
    names: list[str]
    skipped: list[Skipped]
    notes: list[str]


def list_images(path: FilePath, *, what: str = "images", more: Collection[str] = ()) -> list[Path]:
    """The image files below a folder, by their endings, in the order a person would count them.

    Names are compared folder by folder, numbers by value ("frame2" before "frame10"), capital and small letters alike;
    the order depends on the names alone. Hidden files and folders (with a leading dot) are left out. Linked folders are
    entered, but no folder twice, so links in a circle end.

    Args:
        path: a folder.
        what: what the images are, to begin an error with: "faces", "support", ...
        more: further endings that are listed, such as those of videos.

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
    return listed(path, what=what, more=more)[0]


def left_out(path: FilePath, *, what: str = "images", more: Collection[str] = ()) -> list[Skipped]:
    """What `list_images` does not list of a folder, so that nobody takes it for read: an entry for each ending.

    Args:
        path: a folder.
        what: as in `list_images`.
        more: as there.

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
    return listed(path, what=what, more=more)[1]


def listed(path: FilePath, *, what: str = "images", more: Collection[str] = ()) -> tuple[list[Path], list[Skipped]]:
    """What `list_images` and `left_out` say of a folder, which is walked once for both.

    Args:
        path: a folder.

    Other Arguments:
        what: as in `list_images`.
        more: as there.

    Raises:
        InputError: as there.
    """
    root, images = Path(path), []
    others: dict[str, list[Path]] = {}
    for file in _files(root, what):
        if file.suffix.lower() in {*SUFFIXES, *more}:
            images.append(file)
        elif file.name not in (crop_folder.NAME, crop_folder.PAIRS):
            others.setdefault(file.suffix.lower(), []).append(file)
    skipped = []
    for ending, files in others.items():
        like = f", with {len(files) - 1} more like it" * (len(files) > 1)
        ends = f"'{printable(ending)}' is not the ending of an image" if ending else "its name has no ending"
        reason = f"{ends}: left out{like}. If it is one, save it as JPEG or PNG."
        skipped.append(Skipped(files[0].relative_to(root).as_posix(), reason))
    return images, skipped


def _files(root: Path, what: str) -> list[Path]:
    """All files below a folder but the hidden ones, as `list_images` orders them."""
    if not root.is_dir():
        problem = "is not a folder" if root.exists() else "does not exist"
        raise InputError(f"{what}: '{printable(root.as_posix())}' {problem}. Give a folder that holds image files.")

    def closed(error: OSError):
        raise InputError(f"{what}: a folder cannot be read ({one_line(error)}). Check its permissions.") from error

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


def read_folder(
    path: FilePath,
    *,
    size: int,
    what: str = "images",
    max_pixels: int = 64_000_000,
    crop: Crop | None = None,
    workers: int = 2,
    quiet: bool = True,
) -> ImageFolder:
    """All images below a folder, as squares of one size; files that cannot be read are named, not fatal.

    Args:
        path: a folder; `list_images` says which of its files are read, and in which order.

    Other Arguments:
        size: pixels of the squares, as in `square`.
        what: as in `list_images`.
        max_pixels: as in `read_image`.
        crop: how the largest face of each is cut out (`metaforge.data.crops`); `None` for images that are face crops
            already, whose middle squares are taken.
        workers: threads that read and find faces; of each at most two pictures wait.
        quiet: whether to show no progress; of fewer than 200 files none is shown.

    Returns:
        An `ImageFolder` with at least one image.

    Raises:
        InputError: if the folder is missing, holds no image file, or none of them can be used; `size` is below 1; or
            faces are to be found and the finder is not installed.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.new("RGB", (9, 7)).save(Path(folder, "good.png"))
        ...     _ = Path(folder, "bad.jpg").write_text("not an image", encoding="utf-8")
        ...     faces = read_folder(folder, size=8)
        >>> faces.images.shape, faces.names, [skipped.path for skipped in faces.skipped]
        ((1, 8, 8, 3), ['good.png'], ['bad.jpg'])
    """
    if size < 1:
        raise InputError(f"{what}: squares of {size} pixels. The size must be at least 1.")
    root, shown = Path(path), printable(Path(path).as_posix())
    files, others = listed(root, what=what)
    if not files:
        raise InputError(f"{what}: no image in '{shown}'. Give a folder that holds {', '.join(sorted(READ))} files.")
    if crop is not None:
        check_finder()
    read = functools.partial(_read, size=size, crop=crop, max_pixels=max_pixels)
    images = room(len(files), size)
    names, skipped, notes = [], [], []
    with progress(f"reading {what}", len(files), unit="file", quiet=quiet or len(files) < MANY) as bar:
        for file, (image, said) in zip(files, in_order(read, files, workers=workers), strict=True):
            name = file.relative_to(root).as_posix()
            if image is None:
                skipped.append(Skipped(name, said))
            else:
                images[len(names)] = image
                names.append(name)
                notes.append(said)
            bar.update()
    if not names:
        first = f"'{printable(skipped[0].path)}': {skipped[0].reason}"
        why = "can be read" if crop is None else "can be read and shows a face"
        raise InputError(f"{what}: none of the {len(files)} image files in '{shown}' {why}. The first, {first}")
    return ImageFolder(images[: len(names)], names, skipped + others, notes)


def _read(file: Path, *, size: int, crop: Crop | None, max_pixels: int) -> tuple[np.ndarray | None, str]:
    """A file's image and what makes it doubtful, or `None` and why there is none."""
    try:
        picture = read_image(file, max_pixels=max_pixels)
    except InputError as error:
        return None, reason_of(error, file.as_posix())
    if crop is None:
        return square(picture, size=size), ""
    if crop == "whole":
        return square(picture, size=size), ""
    found, number = largest_crop(picture, size=size, crop=crop)
    if found is None:
        return None, f"{NO_FACE}. If the images are face crops already, say so with `crops`."
    others = [] if number == 1 else [f"the largest of {number} faces"]
    return found.image, ", ".join([*found.notes, *others])


def _natural(file: Path) -> tuple:
    """Sorts by folder, then with numbers by value; the plain text settles what is then still equal."""
    parts = [re.split(r"([0-9]+)", part.casefold()) for part in file.parts]
    return [[int(bit) if place % 2 else bit for place, bit in enumerate(part)] for part in parts], file.parts
