"""WildDeepfake: face sequences from the internet in .tar.gz archives, which are read and never unpacked."""

import functools
import gzip
import re
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from metaforge.data.catalogues._base import Catalogue, Finding, Found, Video, catalogue, report_unlisted, shown
from metaforge.data.catalogues._scan import File, check_root, hidden, join, listing
from metaforge.data.catalogues._splits import drawn
from metaforge.data.formats import SUFFIXES
from metaforge.data.images import FilePath
from metaforge.errors import InputError
from metaforge.labels import FAKE, REAL

NAME = "wild_deepfake"

_FOLDERS = {"real_train": REAL, "fake_train": FAKE, "real_test": REAL, "fake_test": FAKE}
_ENDINGS = (".tar.gz", ".tgz", ".tar")
_LARGEST = 64 * 2**20  # bytes of one frame; a 224 x 224 PNG has at most 0.2 MB


class _Frame(NamedTuple):
    """Where a frame lies in the unpacked archive."""

    index: int
    offset: int
    bytes: int


def wild_deepfake(root: FilePath) -> Catalogue:
    """The face sequences of WildDeepfake: each is a video, and its frames are faces already (224 x 224).

    Neither people nor originals are named. All sequences of an archive come from one clip of the internet, so an
    archive counts as a person ("wild_deepfake/fake_train/1"), and is never in two splits; 15 % of the training
    archives, by a hash of their number, are for validation.

    Every archive is read once from end to end, which takes minutes for the whole data set. One that is cut off becomes
    a finding; one with a path that leads out of it, a link or a device stops the call, for somebody tampered with it.

    Args:
        root: the folder with `real_train`, `fake_train`, `real_test`, `fake_test` ("real train" and so on will do), or
            the one above it.

    Raises:
        InputError: when no archive is there, or one is dangerous.

    References:
        Zi et al., *WildDeepfake: A Challenging Real-World Dataset for Deepfake Detection*, 2020.
    """
    base = check_root(NAME, root, ", ".join(_FOLDERS))
    findings: list[Finding] = []
    folders = _find(base, findings)
    found = []
    for kind, label in _FOLDERS.items():
        files = listing(base, folders[kind], findings)[1] if kind in folders else []
        archives = [file for file in files if file.path.endswith(_ENDINGS)]
        report_unlisted(
            folders.get(kind, kind), [f.path for f in files if f not in archives], findings, why="are no archive"
        )
        if not archives:
            text = "no .tar.gz is here. Download this folder; unpacked folders are not read."
            findings.append(Finding("missing", folders.get(kind, kind), text))
        for archive in archives:
            found += _sequences(base, archive, kind, label, findings)
    return catalogue(NAME, root, found, findings)


def read_member_frames(root: FilePath, path: str) -> Iterator[tuple[int, bytes]]:
    """The frames of a sequence, straight from its archive: nothing is written to the disk.

    Args:
        root: of the catalogue.
        path: as in `Video.path`: "fake_train/1.tar.gz::1/fake/131".

    Yields:
        `(frame index, bytes of the image file)`, the index that the file's name ends with, rising.

    Raises:
        InputError: when the archive is missing, cut off or dangerous, or has no such sequence; at the first frame.

    Example:
        >>> next(read_member_frames("deepfake_in_the_wild", "fake_train/1.tar.gz::1/fake/131"))
        Traceback (most recent call last):
        metaforge.errors.InputError: wild_deepfake: 'fake_train/1.tar.gz' cannot be read (...). Download it again.
    """
    name, _, sequence = path.partition("::")
    file = Path(root, name)
    try:
        status = file.stat()
        frames = _contents(file.as_posix(), status.st_mtime_ns, status.st_size)[0].get(sequence)
        if not frames:
            raise InputError(f"{NAME}: '{name}' has no sequence '{sequence}'. List the data set anew.")
        found = {}
        with _opened(file) as stream:
            for frame in sorted(frames, key=lambda frame: frame.offset):  # forwards: going back means starting anew
                stream.seek(frame.offset)
                found[frame.index] = stream.read(frame.bytes)
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise InputError(f"{NAME}: '{name}' cannot be read ({_line(error)}). Download it again.") from error
    yield from sorted(found.items())


def _find(base: Path, findings: list[Finding]) -> dict[str, str]:
    """The four folders by their names with underscores, here or one level down."""
    for above in ("", *listing(base, "", findings)[0]):
        names = listing(base, above, [])[0]
        folders = {re.sub(r"[\s-]+", "_", name.casefold()): join(above, name) for name in names}
        if folders.keys() & _FOLDERS.keys():
            return {kind: folders[kind] for kind in _FOLDERS if kind in folders}
    raise InputError(f"{NAME}: none of {', '.join(_FOLDERS)} in '{base.as_posix()}'. Put the downloaded folders there.")


def _sequences(base: Path, archive: File, kind: str, label: int, findings: list[Finding]) -> list[Found]:
    number = archive.path.rsplit("/", 1)[-1].split(".")[0]
    split = "test" if kind.endswith("test") else drawn(f"{NAME}/{number}")
    try:
        status = (base / archive.path).stat()
        contents, odd = _contents((base / archive.path).as_posix(), status.st_mtime_ns, status.st_size)
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        findings.append(Finding("unreadable", archive.path, f"it is left out ({_line(error)}). Download it again."))
        return []
    report_unlisted(archive.path, odd, findings, why="are no frame of a sequence")
    found = []
    for sequence, frames in contents.items():
        # All archives are called 1.tar.gz and so on, so one is soon put into the wrong folder.
        inside = {"real": REAL, "fake": FAKE}
        if any(inside.get(part, label) != label for part in map(str.casefold, sequence.split("/"))):
            text = f"'{shown(sequence)}' lies in '{kind}': left out. Put the archive where it belongs."
            findings.append(Finding("unreadable", archive.path, text))
            continue
        # The archive's number and the label stand in most members' paths; a name needs each once.
        parts = [part for part in sequence.split("/") if part not in (number, "real", "fake")]
        name = "__".join((kind.split("_")[1], number, *parts))
        row = Video(
            f"{archive.path}::{sequence}", label, NAME, "real" if label == REAL else "WildDeepfake", name,
            f"{NAME}/{kind}/{number}", split=split,
        )  # fmt: skip
        found.append(Found(row, sum(frame.bytes for frame in frames)))
    return found


@functools.lru_cache(maxsize=2)
def _contents(path: str, changed: int, size: int) -> tuple[dict[str, list[_Frame]], list[str]]:
    """The frames of each sequence of an archive, and the members that are none; kept for as long as the file is so."""
    sequences: dict[str, list[_Frame]] = {}
    odd = []
    with _opened(Path(path)) as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
        for member in archive:
            parts = _safe(member, path)
            # A Mac's shadow of a frame, ._9.png, would stand in the frame's own place.
            if member.isdir() or any(map(hidden, parts)):
                continue
            frame = re.fullmatch(r".*?(\d{1,9})(\.\w+)?", parts[-1])
            if len(parts) < 2 or frame is None or (frame[2] or ".png").lower() not in SUFFIXES:
                odd.append("/".join(parts))
                continue
            place = _Frame(int(frame[1]), member.offset_data, member.size)
            sequences.setdefault("/".join(parts[:-1]), []).append(place)
    return sequences, odd


def _safe(member: tarfile.TarInfo, archive: str) -> list[str]:
    """A member's folders and name.

    Raises:
        InputError: when it could write, or read, anything outside of itself.
    """
    name = member.name
    parts = [part for part in name.split("/") if part not in ("", ".")]
    problem = ""
    if name.startswith("/") or "\\" in name or re.match(r"[A-Za-z]:", name):
        problem = "has an absolute path"
    elif ".." in parts:
        problem = "leads out of the archive"
    elif not name.isprintable() or "::" in name or (not parts and not member.isdir()):
        problem = "has a name that is none"
    elif member.issym() or member.islnk():
        problem = "is a link"
    elif not (member.isfile() or member.isdir()) or member.issparse():
        problem = "is a device, or something else that is no plain file"
    elif member.size > _LARGEST:
        problem = f"claims {member.size} bytes"
    if problem:
        raise InputError(
            f"{NAME}: '{archive}': the member '{shown(name)}' {problem}. Do not unpack it: ask the owners for it anew."
        )
    return parts


def _opened(path: Path) -> Any:
    """The archive's bytes, unpacked as they are read."""
    with open(path, "rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if packed else open(path, "rb")


def _line(error: Exception) -> str:
    return shown(" ".join(str(error).split())) or type(error).__name__
