"""What is on the disk whole or not at all: a folder or a file that takes its name when all of it is written."""

import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from metaforge.errors import InputError
from metaforge.locks import lock_directory


@contextlib.contextmanager
def whole_folder(path: str | os.PathLike) -> Iterator[Path]:
    """A folder to write into that takes its name when all is written; of work that was interrupted nothing is left.

    Args:
        path: what it is to be called; not there yet, or an empty folder. One whose place no other can take stays, and
            gets what was written: where a file system is mounted, a link leads, somebody stands, or nothing can be
            written beside it.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as around:
        ...     with whole_folder(f"{around}/out") as made:
        ...         _ = (made / "a.txt").write_text("a", encoding="utf-8")
        ...     os.listdir(around)
        ['out']
    """
    path = Path(path).absolute()
    stays = path.is_dir() and (
        path.is_symlink() or path.is_mount() or path.samefile(os.curdir) or not os.access(path.parent, os.W_OK)
    )
    made = _beside(path / path.name) if stays else _beside(path)
    try:
        made.mkdir(parents=True, exist_ok=True)
        yield made
        if stays:
            for each in sorted(made.iterdir()):
                each.replace(path / each.name)
        else:
            made.replace(path)
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextlib.contextmanager
def whole_file(path: str | os.PathLike, *, new: bool = False, ending: bool = True) -> Iterator[Path]:
    """A file to write that takes its name when it is whole; folders above it are made.

    Args:
        path: what it is to be called.

    Other Arguments:
        new: whether to refuse to write over a file.
        ending: whether the file has its ending from the start, by which some writers choose the format. Without it,
            what a kill leaves is no file of that kind.

    Raises:
        InputError: when there is such a file, perhaps since a moment ago, and it must be new.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as around:
        ...     with whole_file(f"{around}/tables/a.txt") as made:
        ...         _ = made.write_text("a", encoding="utf-8")
        ...     os.listdir(f"{around}/tables")
        ['a.txt']
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    made = _beside(path) if ending else _beside(path.with_suffix(""))
    try:
        yield made
        with open(made, "rb") as written:
            os.fsync(written.fileno())  # or after a failure of power the name might stand for nothing
        if new:
            _put_in_free_place(made, path)
        else:
            made.replace(path)
    finally:
        made.unlink(missing_ok=True)


def write_text(path: str | os.PathLike, text: str, *, new: bool = False) -> None:
    r"""Writes a text whole or not at all, as UTF-8; names of files in it keep the bytes that they have.

    Args:
        path: what it is to be called.
        text: what it holds.

    Other Arguments:
        new: as in `whole_file`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_text(f"{folder}/report.md", "of 'caf\udce9'")
        ...     Path(folder, "report.md").read_bytes()
        b"of 'caf\xe9'"
    """
    with whole_file(path, new=new, ending=False) as made:
        made.write_text(text, encoding="utf-8", errors="surrogateescape")


def write_arrays(path: str | os.PathLike, *, compressed: bool = False, **arrays: Any) -> None:
    """Writes arrays as an .npz, whole or not at all.

    Args:
        path: what it is to be called.

    Other Arguments:
        compressed: whether it is worth the time to make it small.
        **arrays: by name.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_arrays(f"{folder}/a.npz", seven=np.array(7))
        ...     int(np.load(f"{folder}/a.npz")["seven"])
        7
    """
    with whole_file(path, ending=False) as made, open(made, "wb") as file:
        (np.savez_compressed if compressed else np.savez)(file, **arrays)


def is_unfinished(path: Path) -> bool:
    """Whether a file is what a killed process has left of one that it was writing here.

    Example:
        >>> is_unfinished(Path("out/.0a1b2c3d.tmp-17")), is_unfinished(Path("out/report.json"))
        (True, False)
    """
    return bool(re.match(r"\.[0-9a-f]{8}\.tmp-\d+", path.name))


@contextlib.contextmanager
def claimed(path: str | os.PathLike) -> Iterator[None]:
    """A new folder's name, kept for this process while it makes what goes there: two cannot both work for one place.

    The folder is there meanwhile, and empty; what fails leaves none.

    Args:
        path: not there yet, or an empty folder.

    Raises:
        InputError: when it is there and not empty, or another process works for it.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as around:
        ...     with claimed(f"{around}/out"), whole_folder(f"{around}/out") as made:
        ...         _ = (made / "a.txt").write_text("a", encoding="utf-8")
        ...     os.listdir(f"{around}/out")
        ['a.txt']
    """
    path = Path(path)
    refuse_used(path)
    there = path.exists()
    path.mkdir(parents=True, exist_ok=True)
    held = lock_directory(path, flag="out")
    try:
        refuse_used(path)  # who waited may find what another process has made
        yield
    finally:
        del held
        if not there and path.is_dir():
            with contextlib.suppress(OSError):  # it is not empty, as it should be
                path.rmdir()


def refuse_as_png(path: str) -> None:
    """Refuses what cannot become the file of a new picture, before the picture is made.

    Raises:
        InputError: for another suffix than .png, and as `refuse_used`.

    Example:
        >>> refuse_as_png("sheet.jpg")
        Traceback (most recent call last):
        metaforge.errors.InputError: out: 'sheet.jpg' is no .png. Choose one.
    """
    if Path(path).suffix != ".png":
        raise InputError(f"out: '{path}' is no .png. Choose one.")
    refuse_used(path)


def new_png(path: str, draw: Callable[[], Any]) -> None:
    """Draws a picture (`PIL.Image.Image`) into a new .png file; what cannot be one is refused before it is drawn.

    Raises:
        InputError: as `refuse_as_png`.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     new_png(f"{folder}/black.png", lambda: Image.new("L", (2, 2)))
        ...     os.listdir(folder)
        ['black.png']
    """
    refuse_as_png(path)
    picture = draw()
    with whole_file(path, new=True) as made:
        picture.save(made)


def refuse_used(path: str | os.PathLike) -> None:
    """Holds that a name is free: nothing has it, or an empty folder.

    Raises:
        InputError: when it is not.
    """
    path = Path(path)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise _used(path)


def _used(path: Path) -> InputError:
    return InputError(f"out: '{path}' exists already. Choose another --out; nothing was overwritten.")


def _beside(path: Path) -> Path:
    """A name beside it of this process: short, and with its ending, by which some writers choose the format."""
    name = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:8]
    return path.with_name(f".{name}.tmp-{os.getpid()}{path.suffix[:16]}")


def _put_in_free_place(made: Path, path: Path) -> None:
    try:
        os.link(made, path)
    except OSError:  # there is such a file, or the file system has no links
        if path.exists():
            raise _used(path) from None
        made.replace(path)
