"""What a file shows: the faces in a picture or a video, cut out as a detector takes them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from metaforge.data.crops import Crop
from metaforge.data.face_crops import NO_FACE, FaceCrop, face_crops
from metaforge.data.formats import VIDEOS
from metaforge.data.images import decode_image, read_image, reason_of, square
from metaforge.data.video import count_frames, even_frames, read_frames
from metaforge.errors import InputError
from metaforge.evaluation.calibration import Verdict


class Row(NamedTuple):
    """A face, or a file in which none could be scored.

    Attributes:
        file: its name, relative to the folder.
        p_fake: the probability of being fake, in [0, 1]; `None` where nothing was scored. Of a video it is that of the
            mean logit of the person's frames, and of a detector that is not calibrated the mean over them.
        face: its number in the file, from 1: the largest first, of a video the person first whom it is of; 0 where no
            face was looked for or found.
        box: x0, y0, x1, y1 in the picture's pixels, of a video in the first of its frames; empty where there is none.
        note: what makes the score doubtful, or why there is none; "" for a good one.
        frames: of a video, the frames that were scored.
        verdict: what is made of the score; `None` where nothing was scored.
    """

    file: str
    p_fake: float | None
    face: int = 0
    box: tuple[float, ...] = ()
    note: str = ""
    frames: tuple[int, ...] = ()
    verdict: Verdict | None = None


class Look(NamedTuple):
    """A file that was looked at.

    Attributes:
        rows: one without its score for each face, or one that says why there is none.
        crops: of each row, the images that are scored together.
        size: height and width of the picture, `None` of a video and where it could not be read.
        seen: of each row what `measure` said, where it was asked; `None` for the others.
        error: why the file could not be read, if so.
        about: whatever its reader wants to keep beside it.
    """

    rows: list[Row]
    crops: list[list[np.ndarray]]
    size: tuple[int, int] | None = None
    seen: tuple[Any, ...] = (None,)
    error: InputError | None = None
    about: Any = None


Measure = Callable[[np.ndarray, FaceCrop], Any]
"""What else is to be known of a face, from the picture that it is in; asked while the picture is at hand."""


def look(file: Path, *, name: str, size: int, crop: Crop | None, frames: int, data: bytes | None = None,
         measure: Measure | None = None) -> Look:  # fmt: skip
    """Reads a file, and cuts out its faces. A file that cannot be read is not raised but told.

    Args:
        file: a picture, or a video by its ending.

    Other Arguments:
        name: what its rows call it.
        size: side of the crops, in pixels.
        crop: how faces are cut out; `None` for pictures that are crops already, whose middle squares are taken.
        frames: of a video, spread evenly.
        data: the picture's bytes, if they have been read.
        measure: is asked about each face of a picture.

    Example:
        >>> found = look(Path("nowhere.png"), name="nowhere.png", size=16, crop=None, frames=1)
        >>> found.rows[0].note, found.crops
        ('there is no such file. Check the path.', [[]])
    """
    try:
        if file.suffix.lower() in VIDEOS:
            return _video(file, name, size, crop, frames)
        picture = read_image(file) if data is None else decode_image(data, name=file.as_posix())
    except InputError as error:
        return Look([Row(name, None, note=reason_of(error, file.as_posix()))], [[]], error=error)
    extent = (picture.shape[0], picture.shape[1])
    if crop is None:
        whole = FaceCrop(square(picture, size=size), None, ())
        return Look([Row(name, None)], [[whole.image]], extent, (measure(picture, whole) if measure else None,))
    found = face_crops(picture, size=size, crop=crop)
    if not found:
        return Look([Row(name, None, note=NO_FACE)], [[]], extent)
    rows = [
        Row(name, None, number, tuple(each.face.box.tolist()) if each.face else (), ", ".join(each.notes))
        for number, each in enumerate(found, 1)
    ]
    seen = tuple(measure(picture, each) if measure else None for each in found)
    return Look(rows, [[each.image] for each in found], extent, seen)


def _video(file: Path, name: str, size: int, crop: Crop | None, frames: int) -> Look:
    """A row for each person of a video."""
    # SciPy's optimizers come with it, which whoever screens photographs need not wait for.
    from metaforge.data.following import face_tracks

    if crop is None:
        numbers = even_frames(count_frames(file), frames)
        shown = [square(image, size=size) for _, image in read_frames(file, numbers)]
        return Look([Row(name, None, frames=tuple(numbers.tolist()))], [shown])
    tracks = face_tracks(file, frames=frames, crop=crop, size=size)
    # Where people cross, a piece of a face may be seen once: nobody whom a longer track does not show better.
    tracks = [track for track in tracks if len(track.frames) > 1] or tracks
    rows = []
    for number, track in enumerate(tracks, 1):
        away = ", ".join(f"{first} to {last}" for first, last in track.gaps)
        note = f"away in the frames {away}" if away else ""
        rows.append(Row(name, None, number, tuple(track.boxes[0].tolist()), note, tuple(track.frames.tolist())))
    if not rows:
        return Look([Row(name, None, note=NO_FACE)], [[]])
    return Look(rows, [list(track.crops()) for track in tracks], None, (None,) * len(rows))
