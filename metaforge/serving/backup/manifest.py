"""What a backup says that it holds: its parts with their lengths and SHA-256, and what else a restore has to know."""

import json
import re
import tarfile
from pathlib import PurePosixPath
from typing import NamedTuple

from metaforge.errors import printable
from metaforge.serving.strict_json import read_json

WHAT, VERSION = "metaforge backup", 1
"""By which a manifest is told, and the number of its form."""


OWN = ("manifest.json", "manifest.sha256")
"""The files of a backup that are no parts: the manifest, and its hash."""

_NAME = re.compile(r"[^\x00-\x1f\x7f\\]+")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_LARGEST_PART = 8**11 - 1  # what a head of tar can say


class Part(NamedTuple):
    """A file in a backup: its name, how many bytes, and their SHA-256."""

    name: str
    bytes: int
    sha256: str


class Manifest(NamedTuple):
    """What a backup holds.

    Attributes:
        created: when, UTC, as RFC 3339.
        program: the version of metaforge that wrote it.
        service: by which backups of one service are known.
        schema: of the rows.
        last: the last number that feedback had.
        parts: its files.
        sha256: of the manifest itself.
    """

    created: str
    program: str
    service: str
    schema: int
    last: int
    parts: tuple[Part, ...]
    sha256: str = ""


def whole_name(name: str) -> bool:
    r"""Whether a name leads down from where it is unpacked, and a tar can say it.

    Example:
        >>> [whole_name(name) for name in ("model/a b", "/etc/x", "a/../b", "a//b", "a\\b", "manifest.json")]
        [True, False, False, False, False, False]
    """
    parts = name.split("/")
    if not _NAME.fullmatch(name) or {"", ".", ".."} & {*parts} or name in OWN:
        return False
    try:
        return all(len(part.encode()) <= 255 for part in parts) and bool(head(name, 0))
    except ValueError:
        return False


def head(name: str, length: int) -> bytes:
    """The block by which a tar begins a file.

    Raises:
        ValueError: for a name or a length that it cannot say.
    """
    made = tarfile.TarInfo(name)
    made.size, made.mode = length, 0o600
    return made.tobuf(tarfile.USTAR_FORMAT, "utf-8", "strict")


def as_text(manifest: Manifest) -> bytes:
    """A manifest as a backup holds it, without its own hash."""
    said = {"what": WHAT, "version": VERSION, **manifest._asdict()}
    del said["sha256"]
    said["parts"] = [part._asdict() for part in manifest.parts]
    return (json.dumps(said, indent=0) + "\n").encode()


class VersionError(Exception):
    """A manifest is of another version, which this says."""


def from_text(text: bytes, *, sha256: str) -> Manifest:
    """A manifest that strangers may have written.

    Args:
        text: of it.

    Other Arguments:
        sha256: likewise.

    Raises:
        ValueError: for one that nobody wrote so; it says why.
        VersionError: for one of another version.
    """
    try:
        said = read_json(text)
        version = said.pop("version") if said.pop("what") == WHAT else None
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        version = None
    if version is None:
        raise ValueError("its manifest is none")
    if version != VERSION:
        raise VersionError(printable(str(version))[:20])
    try:
        found = Manifest(**said | {"parts": tuple(Part(**each) for each in said["parts"]), "sha256": sha256})
        _check(found)
    except (KeyError, TypeError):
        raise ValueError("its manifest is none") from None
    return found


def _check(found: Manifest) -> None:
    texts = (found.created, found.program, found.service)
    numbers = (found.schema, found.last, *(part.bytes for part in found.parts))
    if not all(type(text) is str and len(text) <= 100 and text.isprintable() for text in texts):
        raise TypeError
    if not _TIME.fullmatch(found.created) or any(type(each) is not int or each < 0 for each in numbers):
        raise TypeError
    names = [part.name for part in found.parts]
    for part in found.parts:
        if type(part.name) is not str or type(part.sha256) is not str or not _SHA256.fullmatch(part.sha256):
            raise TypeError
        if not whole_name(part.name) or part.bytes > _LARGEST_PART:
            raise ValueError(f"its manifest names '{printable(part.name)[:100]}', which no backup holds")
    if len(set(names)) < len(names):
        raise ValueError("its manifest names a part twice")
    if {str(above) for name in names for above in PurePosixPath(name).parents} & set(names):
        raise ValueError("its manifest names a part that is a folder, too")
