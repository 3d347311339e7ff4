"""Places on the disk that a person names: refused at once if they cannot be used, or handed on safely."""

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from metaforge.errors import InputError

Kind = Literal["", "read", "folder", "file"]
"""What a setting names: nothing on the disk; what is read (or more, comma-separated); a folder or a file to write."""

_LONGEST = 255
"""Bytes in the name of a file, on nearly every file system."""

_AWKWARD = re.compile(r"[*?\[\]\\\ud800-\udfff]")
"""What Orbax takes for a pattern, and bytes that are no UTF-8, which it cannot take at all."""


def settled(flag: str, given: str, kind: Kind, *, needed: bool) -> str:
    """A place as it was given, with the home folder for `~`, which shells leave alone behind `--flag=`.

    Args:
        flag: the flag's name, for errors.
        given: its value.
        kind: what it names.

    Other Arguments:
        needed: whether something has to be given.

    Raises:
        InputError: when it is empty, or when nothing can be written there. Nothing is written yet.

    Example:
        >>> settled("out", "figures/a.png", "file", needed=True)
        'figures/a.png'
        >>> settled("out", "", "file", needed=True)
        Traceback (most recent call last):
        metaforge.errors.InputError: --out is empty: name a place. Is a shell variable unset?
    """
    if not given:
        if needed:
            here = ", or '.' for this folder" if kind == "folder" else ""
            raise InputError(f"--{flag} is empty: name a place{here}. Is a shell variable unset?")
        return given
    parts = given.split(",") if kind == "read" else [given]
    found = ",".join(os.path.expanduser(part) for part in parts)
    if found == "~" or found.startswith("~/"):
        raise InputError(f"--{flag}='{given}': nobody's home folder is known here. Write the whole path.")
    if kind in ("folder", "file"):
        refuse_unwritable(flag, found, kind)
    return found


def refuse_unwritable(flag: str, given: str, kind: Kind) -> None:
    """Holds that a folder or a file can be written where it is asked for. Writes nothing.

    Args:
        flag: the flag's name, for errors.
        given: where.
        kind: "folder" or "file".

    Raises:
        InputError: when it cannot.
    """
    path, where = Path(given), f"--{flag}: '{given}'"
    if any(len(os.fsencode(part)) > _LONGEST for part in path.parts):
        raise InputError(f"{where} has a name of more than {_LONGEST} bytes. Choose a shorter one.")
    if kind == "file" and (given.endswith(os.sep) or path.is_dir()):
        raise InputError(f"{where} is a folder. Give the name of a file.")
    if kind == "folder" and path.exists() and not path.is_dir():
        raise InputError(f"{where} is a file. Choose a folder, or a name that is free.")
    if path.is_symlink() and not path.exists():
        raise InputError(f"{where} is a link to nothing. Remove it, or choose another place.")
    if path.exists() and kind == "folder":
        return  # what is in it decides: it may be finished, with nothing to be written
    above = next((each for each in path.absolute().parents if os.path.lexists(each)), Path(path.anchor))
    if not above.is_dir():
        raise InputError(f"{where} cannot be written: '{above}' is not a folder. Choose another place.")
    if not os.access(above, os.W_OK | os.X_OK):
        raise InputError(f"{where} cannot be written: the folder '{above}' is closed to you. Choose another place.")


def refuse_inside(flag: str, out: str | os.PathLike, source: str | os.PathLike, *, of: str) -> None:
    """Holds that what is written does not lie among what is read, where the next call would find it.

    Args:
        flag: the flag of what is written.
        out: where that goes.
        source: a folder that is read as a whole; one that is not there holds nothing.

    Other Arguments:
        of: the flag of what is read.

    Raises:
        InputError: when it does.

    Example:
        >>> refuse_inside("out", "faces/forged", "faces-of-friends", of="faces.folder")
    """
    if source and Path(source).is_dir() and Path(out).resolve().is_relative_to(Path(source).resolve()):
        raise InputError(
            f"--{flag}: '{out}' is inside --{of}='{source}', which would then hold it. Choose another place."
        )


@contextlib.contextmanager
def plainly(folder: Path) -> Iterator[Path]:
    """A folder by a name that libraries take which read patterns in names; its own name where that will do.

    Args:
        folder: one that exists.

    Raises:
        InputError: when there is no such name.

    Example:
        >>> with tempfile.TemporaryDirectory(suffix="[0.1]") as folder, plainly(Path(folder)) as plain:
        ...     "[" in folder, "[" in str(plain), os.path.samefile(folder, plain)
        (True, False, True)
    """
    folder = folder.absolute()
    if not _AWKWARD.search(str(folder)):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="metaforge-") as around:
        link = Path(around, "folder")
        if _AWKWARD.search(around):
            raise InputError(f"'{folder}' has one of * ? [ ] \\ in its name, and so has TMPDIR. Rename one of them.")
        try:
            link.symlink_to(folder, target_is_directory=True)
        except OSError:
            raise InputError(f"'{folder}' has one of * ? [ ] \\ in its name. Rename it.") from None
        yield link


def cache_folder() -> Path | None:
    """Where a user keeps what can be made again, or `None` where nobody's home folder is known."""
    root = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return None if root.startswith("~") else Path(root) / "metaforge"
