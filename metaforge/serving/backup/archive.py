"""A backup as one file: a plain tar whose every byte follows from its manifest, so that nothing else can hide in it.

First comes `manifest.json`, which lists the parts with their lengths and SHA-256, then `manifest.sha256`, then the
parts in that order. Any tar unpacks it, and `sha256sum -c manifest.sha256` holds the manifest. It is read without a
reader of tar: each head must be, byte for byte, the one that the manifest leads to. So there are no links, devices,
holes, extensions, second names or paths that lead elsewhere; nothing is compressed, so nothing grows.
"""

import contextlib
import hashlib
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from metaforge.errors import InputError, printable
from metaforge.serving.backup.manifest import OWN, VERSION, Manifest, Part, VersionError, as_text, from_text, head

_MANIFEST, _SUM = OWN
_BLOCK, _RECORD, _PIECE = 512, 10_240, 1 << 20
_LARGEST_MANIFEST = 64 << 20


def write(file: IO[bytes], manifest: Manifest, opened: Callable[[str], IO[bytes]]) -> str:
    """Writes a backup.

    Args:
        file: to write to.
        manifest: what it holds; its own hash is not looked at.
        opened: opens a part by its name.

    Returns:
        The manifest's SHA-256.

    Raises:
        InputError: when a part is not what the manifest says.
    """
    text = as_text(manifest)
    sha256 = hashlib.sha256(text).hexdigest()
    for name, data in ((_MANIFEST, text), (_SUM, _sum_of(sha256))):
        file.write(head(name, len(data)) + data + bytes(-len(data) % _BLOCK))
    for part in manifest.parts:
        file.write(head(part.name, part.bytes))
        with opened(part.name) as source:
            found = hashlib.sha256()
            for piece in _pieces(source, part.bytes):
                found.update(piece)
                file.write(piece)
            if source.read(1) or found.hexdigest() != part.sha256:
                raise InputError(f"backup: '{printable(part.name)}' was changed while it was read. Call it again.")
        file.write(bytes(-part.bytes % _BLOCK))
    file.write(bytes(2 * _BLOCK))
    file.write(bytes(-file.tell() % _RECORD))
    return sha256


def read_manifest(path: str | Path) -> Manifest:
    """What a backup says that it holds; the parts are not looked at.

    Raises:
        InputError: for what is no backup, another version's, or damaged.
    """
    with _opened(path) as file:
        return _manifest(file, path)


def parts_of(path: str | Path) -> Iterator[tuple[Part, Iterator[bytes]]]:
    """Every part of a backup, in pieces, of which the last comes when all of them had the right hash.

    What is made of the pieces has to be thrown away if this ends by an error.

    Raises:
        InputError: as `read_manifest`, and wherever the file is not what its manifest leads to.
    """
    with _opened(path) as file:
        manifest = _manifest(file, path)
        for part in manifest.parts:
            _expect(file, head(part.name, part.bytes), path)
            yield part, _checked(file, part, path)
            _expect(file, bytes(-part.bytes % _BLOCK), path)
        end = 2 * _BLOCK
        _expect(file, bytes(end + -(file.tell() + end) % _RECORD), path)
        if file.read(1):
            raise _damaged(path, "it goes on after its end")


def verify(path: str | Path) -> Manifest:
    """Reads all of a backup, and holds every byte against its manifest.

    Raises:
        InputError: as `parts_of`.
    """
    for _, pieces in parts_of(path):
        for _ in pieces:
            pass
    return read_manifest(path)


def _sum_of(sha256: str) -> bytes:
    return f"{sha256}  {_MANIFEST}\n".encode()


def _pieces(source: IO[bytes], length: int) -> Iterator[bytes]:
    """The next bytes of a file, as many as there are of `length`."""
    while length and (piece := source.read(min(length, _PIECE))):
        length -= len(piece)
        yield piece


def _checked(file: IO[bytes], part: Part, path: str | Path) -> Iterator[bytes]:
    found, held = hashlib.sha256(), b""
    for piece in _pieces(file, part.bytes):
        found.update(piece)
        if held:
            yield held
        held = piece
    if found.hexdigest() != part.sha256:
        raise _damaged(path, f"'{printable(part.name)}' is not what was written")
    yield held


def _expect(file: IO[bytes], data: bytes, path: str | Path) -> None:
    found = file.read(len(data))
    if found != data:
        raise _damaged(path, "it is cut off" if len(found) < len(data) else "between its parts is what does not belong")


@contextlib.contextmanager
def _opened(path: str | Path) -> Iterator[IO[bytes]]:
    if not Path(path).is_file():
        raise InputError(f"backup: '{path}' is no file. Give one that `metaforge backup` wrote.")
    with open(path, "rb") as file:
        yield file


def _manifest(file: IO[bytes], path: str | Path) -> Manifest:
    first, length = file.read(_BLOCK), 0
    try:
        length = tarfile.TarInfo.frombuf(first, "utf-8", "strict").size
        ours = 0 < length <= _LARGEST_MANIFEST and first == head(_MANIFEST, length)
    except (tarfile.HeaderError, ValueError):
        ours = False
    if not ours:
        raise InputError(f"backup: '{path}' is none that this program reads. Give one that `metaforge backup` wrote.")
    text = b"".join(_pieces(file, length))
    _expect(file, bytes(-length % _BLOCK), path)
    sha256 = hashlib.sha256(text).hexdigest()
    data = _sum_of(sha256)
    _expect(file, head(_SUM, len(data)), path)
    if file.read(len(data)) != data:
        raise _damaged(path, "its manifest is not what was written")
    _expect(file, bytes(-len(data) % _BLOCK), path)
    try:
        return from_text(text, sha256=sha256)
    except VersionError as error:
        raise InputError(f"backup: '{path}' is of version {error}, and this program reads {VERSION}. Take the program "
                         "that wrote it.") from None  # fmt: skip
    except ValueError as error:
        raise _damaged(path, str(error)) from None


def _damaged(path: str | Path, why: str) -> InputError:
    return InputError(f"backup: '{path}' is damaged: {why}. Nothing of it was taken; take another.")
