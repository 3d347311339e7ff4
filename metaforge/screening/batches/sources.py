"""What is to be judged: a file, a folder, a pattern, a list, or names that come through a pipe."""

import collections
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from metaforge.data.images import printable
from metaforge.errors import InputError
from metaforge.screening.batches.names import count_names, matcher, read_names
from metaforge.screening.batches.walking import count, refuse_no_folder, walk

_WILD = re.compile(r"[*?\[]")
_LISTS = (".txt", ".lst", ".list")
_LOOK = 0.5
"""Seconds between two looks at the list of what comes first."""


class Source(NamedTuple):
    """What is to be judged.

    Attributes:
        kind: "file", "folder", "pattern", "list" or "pipe".
        root: the folder to which names are relative.
        names: gives them, anew at each call (but those of a pipe), in an order that depends on them alone.
        count: gives how many there are, before what was named twice is left out; `None` where nobody knows.
        left_out: of a folder or a pattern, files of other endings, counted while the names are given.
    """

    kind: str
    root: str
    names: Callable[[], Iterator[str]]
    count: Callable[[], int | None]
    left_out: collections.Counter


def source_of(images: str) -> Source:
    """What `--images` of `metaforge screen` names; nothing of it is read yet.

    Args:
        images: a folder; an image or a video; a pattern with `*`, `?`, `[...]` or `**`; a list of names (.txt, .lst,
            .list), one a line; or "-" for names from standard input. A folder's and a pattern's names are relative to
            the folder; those of a list are taken as they stand, seen from where we are.

    Raises:
        InputError: when there is no such thing.

    Example:
        >>> source_of("nowhere/*.jpg")
        Traceback (most recent call last):
        metaforge.errors.InputError: images: 'nowhere' does not exist. Give a folder, a pattern such as
            'archive/*.jpg', or a list.
    """
    left_out: collections.Counter = collections.Counter()
    if images == "-":
        if sys.stdin is None:
            raise InputError("images: standard input is closed. Give a folder, a pattern, or a list.")
        return Source("pipe", ".", lambda: read_names(sys.stdin.fileno()), lambda: None, left_out)
    if os.path.isdir(images):
        refuse_no_folder(images)
        return Source("folder", images, lambda: walk(images, left_out=left_out), lambda: count(images), left_out)
    if os.path.isfile(images):
        if os.path.splitext(images)[1].lower() in _LISTS:
            return Source("list", ".", lambda: _listed(images), lambda: count_names(images), left_out)
        folder, name = os.path.split(images)
        return Source("file", folder or ".", lambda: iter([name]), lambda: 1, left_out)
    if _WILD.search(images):
        root, pattern = _parts(images)
        refuse_no_folder(root)
        wanted = matcher(pattern, whole=True)
        return Source("pattern", root, lambda: walk(root, matching=wanted, left_out=left_out),
                      lambda: count(root, matching=wanted), left_out)  # fmt: skip
    raise InputError(
        f"images: '{printable(images)}' does not exist. Give a folder, a pattern such as 'archive/*.jpg', or a list."
    )


def first(source: Source, priority: str) -> Iterator[str]:
    """The names of a source, but before all others those that cannot wait. Some may come twice.

    Args:
        source: where names come from.
        priority: "" for nothing; a pattern; or a list of names, which is looked at again and again, so that what is
            written at its end while files are judged is judged next.

    Raises:
        InputError: when the source is a pipe, which has its own order, or a list is not there.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("a.jpg", "b.jpg", "c-breaking.jpg"):
        ...         Path(folder, name).touch()
        ...     next(first(source_of(folder), "*-breaking*"))
        'c-breaking.jpg'
    """
    if priority and source.kind == "pipe":
        raise InputError(
            "priority: names from standard input are judged in the order in which they come. Leave it out."
        )
    if not priority:
        return source.names()
    if os.path.isfile(priority):
        return _interrupted(source, priority)
    if not _WILD.search(priority):
        raise InputError(f"priority: '{printable(priority)}' does not exist. Give a list of names, or a pattern.")
    return _matching_first(source, matcher(priority))


def _matching_first(source: Source, wanted: Callable[[str], bool]) -> Iterator[str]:
    yield from filter(wanted, source.names())
    source.left_out.clear()
    yield from source.names()


def _interrupted(source: Source, path: str) -> Iterator[str]:
    """Names, with those between them that a growing list has got meanwhile."""
    place, looked = 0, time.monotonic()
    more, place = _grown(path, place, torn=True)
    yield from (_as_in(source, each) for each in more)
    for name in source.names():
        if time.monotonic() - looked >= _LOOK:
            more, place = _grown(path, place)
            yield from (_as_in(source, each) for each in more)
            looked = time.monotonic()
        yield name
    yield from (_as_in(source, each) for each in _grown(path, place, torn=True)[0])


def _grown(path: str, place: int, *, torn: bool = False) -> tuple[list[str], int]:
    """The names behind a place of a list, and where the next begins; one whose line has not ended only if `torn`."""
    try:
        with open(path, "rb") as file:
            file.seek(place)
            data = file.read()
    except OSError:  # taken away, or about to be replaced; the others are judged all the same
        return [], place
    whole = data if torn else data[: data.rfind(b"\n") + 1]
    lines = (line.strip(b"\r") for line in whole.removeprefix(b"\xef\xbb\xbf").split(b"\n"))
    return [os.fsdecode(line) for line in lines if line], place + len(whole)


def _as_in(source: Source, name: str) -> str:
    """A name of a list as the source has it: relative to its folder, from where we are if it is not there."""
    if source.kind in ("list", "pipe"):
        return name
    root = os.path.realpath(source.root)
    if not os.path.isabs(name) and os.path.lexists(f"{root}/{name}"):
        return os.path.normpath(name)
    whole = os.path.abspath(name)
    at = os.path.join(os.path.realpath(os.path.dirname(whole)), os.path.basename(whole))
    return os.path.relpath(at, root) if at.startswith(f"{root}/") else os.path.normpath(name)


def _listed(path: str) -> Iterator[str]:
    with open(path, "rb", buffering=0) as file:
        yield from read_names(file.fileno())


def _parts(pattern: str) -> tuple[str, str]:
    """The folder before the first part with a wildcard, and the rest."""
    parts = pattern.split("/")
    place = next(number for number, part in enumerate(parts) if _WILD.search(part))
    root = "/".join(parts[:place])
    return (root or ("/" if pattern.startswith("/") else ".")), "/".join(parts[place:])
