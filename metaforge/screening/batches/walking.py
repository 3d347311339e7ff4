"""The files below a folder, one after the other, however many: in the order of `metaforge predict`, and never listed.

`metaforge.data.folders.list_images` has them all in memory, as paths. Here a folder's names are sorted on the disk
where they are many (`sorted_on_disk`), and of the folders that were entered two numbers each are kept, so that links in
a circle end.
"""

import collections
import os
import re
from collections.abc import Callable, Iterator
from typing import Any

from metaforge.data import crop_folder
from metaforge.data.formats import SUFFIXES, VIDEOS
from metaforge.data.images import one_line, printable
from metaforge.errors import InputError
from metaforge.screening.batches.spilling import sorted_on_disk

LISTED = SUFFIXES | VIDEOS
"""The endings, in small letters, of the files that are listed."""


def walk(
    root: str, *, matching: Callable[[str], bool] = lambda name: True, left_out: collections.Counter | None = None
) -> Iterator[str]:
    """The names of the images and videos below a folder, relative to it, with "/" between folders.

    Each folder is ordered as a person would count, "frame2" before "frame10". Hidden files and folders are left out.
    Linked folders are entered, but no folder twice. A folder that is closed to us is named itself, with "/" at the end:
    whoever opens that gets the reason.

    Args:
        root: the folder.

    Other Arguments:
        matching: which names are wanted.
        left_out: counts files by endings that are none of an image's or a video's.

    Raises:
        InputError: when the folder itself is missing, no folder, or closed.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("frame10.png", "frame2.png", "film.mp4", "notes.txt", ".hidden.png"):
        ...         Path(folder, name).touch()
        ...     list(walk(folder))
        ['film.mp4', 'frame2.png', 'frame10.png']
    """
    refuse_no_folder(root)
    yield from _below(root, matching, left_out)


def count(root: str, *, matching: Callable[[str], bool] = lambda name: True) -> int:
    """How many names `walk` gives; nothing is sorted."""
    refuse_no_folder(root)
    return sum(1 for _ in _below(root, matching, None, sort=False))


def refuse_no_folder(root: str) -> None:
    """Holds that a folder is there and open.

    Raises:
        InputError: when it is not.
    """
    shown = printable(root)
    if not os.path.isdir(root):
        problem = "is not a folder" if os.path.exists(root) else "does not exist"
        raise InputError(f"images: '{shown}' {problem}. Give a folder, a pattern such as 'archive/*.jpg', or a list.")
    try:
        os.scandir(root).close()
    except OSError as error:
        raise InputError(f"images: '{shown}' cannot be read ({one_line(error)}). Check its permissions.") from None


def natural(name: str) -> tuple[list[Any], str]:
    """What orders names with numbers by value, capital and small letters alike; the plain text settles the rest.

    Example:
        >>> sorted(["b10", "b9", "a"], key=natural)
        ['a', 'b9', 'b10']
    """
    # Python reads no number of thousands of digits, which a list of names may hold: such a one counts as its beginning.
    parts = re.split(r"([0-9]{1,1000})", name.casefold())
    return [int(part) if place % 2 else part for place, part in enumerate(parts)], name


def _below(
    root: str, matching: Callable[[str], bool], left_out: collections.Counter | None, *, sort: bool = True
) -> Iterator[str]:
    entered: set[tuple[int, int]] = set()
    # No recursion: folders can lie deeper than Python calls itself.
    levels = [("", _inside(root, entered, sort=sort))]
    while levels:
        prefix, entries = levels[-1]
        try:
            name, is_folder = next(entries, ("", False))
        except OSError:
            if not prefix:
                raise
            levels.pop()
            yield prefix
            continue
        relative = f"{prefix}{name}"
        if not name:
            levels.pop()
        elif is_folder:
            levels.append((f"{relative}/", _inside(f"{root}/{relative}", entered, sort=sort)))
        elif os.path.splitext(name)[1].lower() not in LISTED:
            if left_out is not None and name not in (crop_folder.NAME, crop_folder.PAIRS):
                left_out[printable(os.path.splitext(name)[1].lower())] += 1
        elif matching(relative):
            yield relative


def _inside(folder: str, entered: set[tuple[int, int]], *, sort: bool) -> Iterator[tuple[str, bool]]:
    """The names in a folder, and which are folders; none of one that was entered before."""
    about = os.stat(folder)
    if (about.st_dev, about.st_ino) not in entered:
        entered.add((about.st_dev, about.st_ino))
        found = _entries(folder)
        yield from sorted_on_disk(found, key=lambda entry: natural(entry[0])) if sort else found


def _entries(folder: str) -> Iterator[tuple[str, bool]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith("."):
                yield entry.name, _is_folder(entry)


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False
