"""Reads what is to be judged, once: the bytes whose SHA-256 is told are those that are looked at."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from metaforge.data.crops import Crop
from metaforge.data.face_crops import FaceCrop
from metaforge.data.formats import VIDEOS
from metaforge.data.images import one_line, reason_of
from metaforge.errors import InputError
from metaforge.screening.looking import Look, Row, look
from metaforge.screening.verdicts.identity import Identity, identity_of, read_through, read_whole, unchanged
from metaforge.screening.verdicts.jpeg import blockiness
from metaforge.screening.verdicts.provenance import read_provenance
from metaforge.screening.verdicts.quality import face_flags, file_flags
from metaforge.screening.verdicts.record import Evidence, Failure, Kind, Provenance

_JPEG = b"\xff\xd8"


class About(NamedTuple):
    """What is known of a file beside its faces.

    Attributes:
        kind: "image" or "video".
        identity: its SHA-256 and length; `None` if it could not be read.
        provenance: what it says of its own origin; `None` if it could not be read.
        quality: its flags.
        failure: why nothing is said of it; `None` if something is.
    """

    kind: Kind
    identity: Identity | None
    provenance: Provenance | None = None
    quality: tuple[str, ...] = ()
    failure: Failure | None = None


class Seen(NamedTuple):
    """What is known of a face beside its score.

    Attributes:
        quality: its flags.
        evidence: what was measured, if that was asked for.
    """

    quality: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()


Evident = Callable[[np.ndarray, FaceCrop], tuple[Evidence, ...]]
"""What measures evidence on a face, from the picture that it is in."""


def look_at_file(
    file: Path, *, name: str, size: int, crop: Crop | None, frames: int, measure: Evident | None = None,
    trust: str = "",
) -> Look:  # fmt: skip
    """A file on the disk, whatever it is: nothing is raised, so that it stops no other.

    Args:
        file: a picture, or a video by its ending.

    Other Arguments:
        name: what its record calls it.
        size: as in `metaforge.screening.looking.look`.
        crop: as there.
        frames: as there.
        measure: evidence on a face of a picture.
        trust: certificates of those whose C2PA signatures are trusted.

    Returns:
        What it shows; `about` is an `About`, and `seen` has a `Seen` for each face of a picture.

    Example:
        >>> found = look_at_file(Path("nowhere.png"), name="nowhere.png", size=16, crop=None, frames=1)
        >>> found.about.failure
        Failure(code='missing', message='there is no such file. Check the path.')
    """
    kind: Kind = "video" if file.suffix.lower() in VIDEOS else "image"
    data = None
    try:
        if kind == "video":
            identity = read_through(file)
        else:
            data, identity = read_whole(file)
    except InputError as error:
        return _nothing(
            name, kind, "unreadable" if os.path.exists(file) else "missing", reason_of(error, file.as_posix())
        )
    about = About(kind, identity, read_provenance(file if data is None else data, trust=trust))
    found = _seen(file, name, size, crop, frames, data, measure, about)
    if kind == "video" and not unchanged(file, identity):
        return _nothing(name, kind, "changed", "the file was written to while it was read. Screen it again.")
    return found


def look_at_bytes(
    data: bytes, path: Path, *, name: str, video: bool, size: int, crop: Crop | None, frames: int,
    measure: Evident | None = None, trust: str = "",
) -> Look:  # fmt: skip
    """The same of a file's bytes; those of a video are laid down in a folder of their own meanwhile.

    Args:
        data: the content.
        path: what it would be called as a file; of a video its ending counts.

    Other Arguments:
        name: as in `look_at_file`.
        video: whether it is one.
        size: as there.
        crop: as there.
        frames: as there.
        measure: as there.
        trust: as there.
    """
    about = About("video" if video else "image", identity_of(data), read_provenance(data, trust=trust))
    if not video:
        return _seen(path, name, size, crop, frames, data, measure, about)
    with tempfile.TemporaryDirectory() as folder:
        held = Path(folder, f"video{path.suffix}")
        held.write_bytes(data)
        return _seen(held, name, size, crop, frames, None, measure, about)


def _seen(file, name, size, crop, frames, data, measure: Evident | None, about: About) -> Look:
    jpeg = data is not None and data[:2] == _JPEG
    blocks: list[float] = []

    def seen(picture: np.ndarray, face: FaceCrop) -> Seen:
        if not jpeg and not blocks:  # of the picture, so once however many faces are in it
            blocks.append(blockiness(picture))
        flags = face_flags(picture, face, jpeg=jpeg, blocks=blocks[0] if blocks else None)
        return Seen(flags, measure(picture, face) if measure else ())

    try:
        found = look(file, name=name, size=size, crop=crop, frames=frames, data=data, measure=seen)
    except Exception as error:  # noqa: BLE001 - whatever one file does, the others are still to be judged
        failure = Failure("failed", f"a fault of this program: {type(error).__name__}: {one_line(error)}")
        return Look([Row(name, None)], [[]], about=about._replace(failure=failure))
    if found.error:
        return found._replace(about=about._replace(failure=Failure("unreadable", found.rows[0].note)))
    faces = sum(map(bool, found.crops))
    return found._replace(about=about._replace(quality=file_flags(data, faces=faces)))


def _nothing(name: str, kind: Kind, code, message: str) -> Look:
    return Look([Row(name, None)], [[]], about=About(kind, None, failure=Failure(code, message)))
