"""What lies in a folder: its files with their sizes, one look at each, and what of it is a video."""

import json
import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from metaforge.data.catalogues._base import Finding, natural, report_unlisted
from metaforge.data.formats import SUFFIXES, VIDEOS
from metaforge.data.images import FilePath
from metaforge.errors import InputError

_TABLES = frozenset({".json", ".csv", ".tsv", ".txt", ".md", ".npy", ".npz", ".pkl", ".xml", ".yaml", ".yml", ".html"})
"""Endings of what stands beside pictures to describe them: nobody takes it for one."""

_MACOSX = "__MACOSX"  # what a Mac puts into archives: a shadow of every file

_BESIDE = frozenset({"landmarks", "masks", "mask"})  # folders that other programs put beside frames


class File(NamedTuple):
    """A file: its `path` relative to the root, its `stem` without folder and ending, and its size.

    The size is -1 if it is a broken link or not a regular file.
    """

    path: str
    stem: str
    bytes: int


class Media(NamedTuple):
    """A video in a folder of any shape: the `parts` of its name, its `path`, and its size."""

    parts: tuple[str, ...]
    path: str
    bytes: int


def join(*parts: str) -> str:
    """A relative path of its parts, empty ones left out."""
    return "/".join(part for part in parts if part)


def check_root(name: str, root: FilePath, inside: str) -> Path:
    """The root as a `Path`.

    Raises:
        InputError: when it is not a folder.
    """
    path = Path(root)
    if not path.is_dir():
        problem = "is not a folder" if path.exists() else "does not exist"
        raise InputError(f"{name}: '{path.as_posix()}' {problem}. Give the folder that holds {inside}.")
    return path


def read_json(path: Path, *, twice: list[str] | None = None) -> Any:
    """What a JSON file holds.

    Args:
        path: of the file.

    Other Arguments:
        twice: gets the names that stand in one place with two different values; the first of these is believed.

    Raises:
        ValueError: when it cannot be opened, or is not JSON.
    """

    def gathered(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in pairs:
            if found.setdefault(name, value) != value and twice is not None:
                twice.append(name)
        return found

    try:
        return json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=gathered)
    except (OSError, RecursionError) as error:
        raise ValueError(str(error)) from error


def hidden(name: str) -> bool:
    """Whether a file or folder is none of the data set's: a dot begins its name, or a Mac made it."""
    return name.startswith(".") or name == _MACOSX


def listing(root: Path, folder: str, findings: list[Finding]) -> tuple[list[str], list[File]]:
    """The names of the folders in a folder, and its files, in natural order; none if it is not there.

    Hidden ones are left out (among them a Mac's shadows of files, `._name` and `__MACOSX`), and names that no table can
    hold. A link counts as what it leads to.
    """
    folders, files = [], []
    try:
        with os.scandir(root / folder) as entries:
            for entry in entries:
                name = entry.name
                if hidden(name):
                    continue
                if not name.isprintable() or "\\" in name or "::" in name:
                    shown = ascii(name)[1:-1]
                    findings.append(
                        Finding("unreadable", join(folder, shown), "no table can hold this name. Rename it.")
                    )
                    continue
                try:
                    if entry.is_dir():
                        folders.append(name)
                        continue
                    size = entry.stat().st_size if entry.is_file() else -1
                except OSError:
                    size = -1
                files.append(File(join(folder, name), _stem(name), size))
    except (FileNotFoundError, NotADirectoryError):
        return [], []
    except OSError:
        findings.append(Finding("unreadable", folder, "this folder cannot be opened. Check its permissions."))
    return sorted(folders, key=natural), sorted(files, key=lambda file: natural(file.path))


def videos_in(root: Path, folder: str, findings: list[Finding]) -> list[File]:
    """The video files that lie directly in a folder, in natural order; a finding names what is none by its ending."""
    files = listing(root, folder, findings)[1]
    _report_others(folder, files, VIDEOS, "have no ending of a video", findings)
    return [file for file in files if _suffix(file.path) in VIDEOS]


def _report_others(folder: str, files: list[File], known: Collection[str], why: str, findings: list[Finding]) -> None:
    others = [file.path for file in files if _suffix(file.path) not in known and _suffix(file.path) not in _TABLES]
    report_unlisted(folder, [path.rsplit("/", 1)[-1] for path in others], findings, why=why)


def child(root: Path, folder: str, name: str) -> str | None:
    """The path of what is called `name` in a folder, capital and small letters alike; an exact match comes first."""
    if (root / folder / name).exists():
        return join(folder, name)
    folders, files = listing(root, folder, [])
    names = [*folders, *(file.path.rsplit("/", 1)[-1] for file in files)]
    return next((join(folder, each) for each in names if each.casefold() == name.casefold()), None)


def report_namesakes(root: Path, folder: str, names: Iterable[str], findings: list[Finding]) -> None:
    """A finding for each folder whose name differs from one of `names` in capitals alone, for only one is read."""
    taken: dict[str, str] = {name.casefold(): child(root, folder, name) or "" for name in names}
    for name in listing(root, folder, [])[0]:
        path, other = join(folder, name), taken.get(name.casefold(), "")
        if other and path != other:
            text = f"left out, for '{other}' is read, which has the same name but for its capitals. Put them together."
            findings.append(Finding("unlisted", path, text))


def is_method(root: Path, folder: str) -> bool:
    """Whether a folder holds videos, rather than being one: video files, or folders other than `frames`."""
    folders, files = listing(root, folder, [])
    return any(name.casefold() not in _BESIDE | {"frames"} for name in folders) or any(
        _suffix(file.path) in VIDEOS for file in files
    )


def media(root: Path, folder: str, findings: list[Finding], *, skip: Collection[str] = ()) -> Iterator[Media]:
    """The videos below a folder whose inner shape nobody prescribed.

    - A video file is a video, wherever it lies.
    - A folder of image files is a video; but images that lie directly in `folder` are each a video of one frame.
    - A folder called `frames` adds nothing to a name; `landmarks` and `masks` are passed over.
    - Other files are left out, with a finding, unless they are tables and notes by their ending.

    Args:
        root: what paths begin from.
        folder: where to begin.
        findings: gets what is wrong.

    Other Arguments:
        skip: folders in `folder` that are passed over too.

    Yields:
        Videos in natural order, folder by folder. `parts` are the folders below `folder`, then the stem of a file.
    """
    pending: list[tuple[str, ...]] = [()]
    entered = set()
    while pending:
        parts = pending.pop()
        here = join(folder, *parts)
        try:
            status = os.stat(root / here)
        except OSError:
            continue
        if (status.st_dev, status.st_ino) in entered:  # links in a circle
            continue
        entered.add((status.st_dev, status.st_ino))
        folders, files = listing(root, here, findings)
        beside = {name for name in folders if name.casefold() in _BESIDE or (not parts and name in skip)}
        pending += [(*parts, name) for name in reversed(folders) if name not in beside]
        named = tuple(part for part in parts if part.casefold() != "frames")
        _report_others(here, files, VIDEOS | SUFFIXES, "have no ending of an image or a video", findings)
        images = [file for file in files if _suffix(file.path) in SUFFIXES]
        if named and images:
            empty = sum(file.bytes <= 0 for file in images)
            if 0 < empty < len(images):
                text = f"{empty} of its {len(images)} frames are empty or unreadable. Copy them again."
                findings.append(Finding("empty", here, text))
            yield Media(named, here, sum(max(file.bytes, 0) for file in images))
        for file in files:
            if _suffix(file.path) in VIDEOS or (not named and _suffix(file.path) in SUFFIXES):
                yield Media((*named, file.stem), file.path, file.bytes)


def _suffix(path: str) -> str:
    return os.path.splitext(path)[1].lower()


def _stem(name: str) -> str:
    return os.path.splitext(name)[0]
