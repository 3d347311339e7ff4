"""Which bytes were judged, and by which: the SHA-256 of a file and of a detector, for whoever checks a verdict."""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from metaforge.data.images import one_line
from metaforge.errors import InputError

LARGEST_IMAGE = 1 << 30
"""Bytes of an image file that are read at most: more than any that `max_pixels` lets through."""

_SUMS = "SHA256SUMS"


class Identity(NamedTuple):
    """A file as it was read.

    Attributes:
        sha256: of its bytes, in hexadecimal.
        bytes: how many.
        state: changes when the file is written to or replaced.
    """

    sha256: str
    bytes: int
    state: tuple[int, ...] = ()


def identity_of(data: bytes) -> Identity:
    """That of bytes that are at hand.

    Example:
        >>> identity_of(b"").sha256[:8]
        'e3b0c442'
    """
    return Identity(hashlib.sha256(data).hexdigest(), len(data))


def read_whole(path: Path) -> tuple[bytes, Identity]:
    """The bytes of an image file, which are read once: those that are hashed are those that are judged.

    Raises:
        InputError: if it is no regular file, cannot be read, or is beyond `LARGEST_IMAGE`.
    """
    with _opened(path, "image") as stream:
        length = os.fstat(stream.fileno()).st_size
        if length > LARGEST_IMAGE:
            raise InputError(f"image '{path.as_posix()}': it has {length} bytes, more than {LARGEST_IMAGE}. Convert it "
                             "to a smaller one.")  # fmt: skip
        data = stream.read(LARGEST_IMAGE)
    return data, identity_of(data)


def read_through(path: Path) -> Identity:
    """The same of a video file, of which little is held at a time; see `unchanged`."""
    with _opened(path, "video") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return Identity(digest, os.fstat(stream.fileno()).st_size, _state(os.fstat(stream.fileno())))


def unchanged(path: Path, before: Identity) -> bool:
    """Whether a file is still the one that was hashed, by its length, the time it was written, and its place."""
    try:
        return _state(os.stat(path)) == before.state
    except OSError:
        return False


def model_sha256(path: Path) -> str:
    r"""One SHA-256 of a detector: that of a file, or of the list of a folder's files.

    The list has a line for each file, its SHA-256, two spaces and its name, sorted by name. So of a saved detector the
    same is printed by `LC_ALL=C sort -k2 SHA256SUMS | sha256sum`. Weights that a detector stands on lie elsewhere;
    their SHA-256 is in its config.json. Of a training run all its files are in the list.

    Raises:
        InputError: if a file cannot be read.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "b").write_bytes(b"")
        ...     found = model_sha256(Path(folder))
        >>> found == identity_of(identity_of(b"").sha256.encode() + b"  b\n").sha256
        True
    """
    if path.is_file():
        return _digest(path)
    names = [file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()]
    if _SUMS in names:
        lines = (path / _SUMS).read_text(encoding="utf-8").splitlines()
        names = [name for _, _, name in (line.partition("  ") for line in lines)]
    lines = "".join(f"{_digest(path / name)}  {name}\n" for name in sorted(names))
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()


def _digest(path: Path) -> str:
    with _opened(path, "model") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _state(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _opened(path: Path, what: str):
    try:
        if not path.exists():
            raise InputError(f"{what} '{path.as_posix()}': there is no such file. Check the path.")
        if not path.is_file():  # a pipe would block for ever
            raise InputError(f"{what} '{path.as_posix()}': it is not a file. Give the path of a file.")
        return path.open("rb")
    except OSError as error:  # also of asking whether it is there, for a name that is too long
        reason = f"it cannot be opened ({one_line(error)}). Check its permissions."
        raise InputError(f"{what} '{path.as_posix()}': {reason}") from None
