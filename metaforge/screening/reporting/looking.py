"""From a file and its record to what a report shows of it: the picture, its faces, and a map for each."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from metaforge.data.crops import Crop
from metaforge.data.face_crops import face_crops
from metaforge.data.images import decode_image, square
from metaforge.data.video import read_frames
from metaforge.screening.evidence.heat import occlusion_map
from metaforge.screening.reporting.pictures import Pictures
from metaforge.screening.verdicts.record import FaceVerdict, FileVerdict

if TYPE_CHECKING:
    from metaforge.screening.verdicts import Screener

MAPPED = 4
"""Faces that have a map, at most: each takes 65 looks of the detector."""


class Shown(NamedTuple):
    """What is shown of a file.

    Attributes:
        picture: the picture, or the frame of a video.
        frame: its number; `None` of a picture.
        faces: by the number of a face its crop and map.
    """

    picture: np.ndarray | None
    frame: int | None
    faces: dict[int, Pictures]


def shown_of(screener: "Screener", file: Path, data: bytes | None, record: FileVerdict, *, crop: Crop | None) -> Shown:
    """Looks at a judged file once more.

    Args:
        screener: what judged it.
        file: where it is.
        data: its bytes; `None` of a video.
        record: what was said.

    Other Arguments:
        crop: how faces were cut out; `None` for a picture that is a crop.
    """
    if record.error is not None:
        return Shown(None, None, {})
    frame = None
    if data is None:
        worst = [face for face in record.faces if face.decision == record.decision] or list(record.faces)
        frame = worst[0].frames[0] if worst and worst[0].frames else 0
        _, picture = next(iter(read_frames(file, [frame])))
    else:
        picture = decode_image(data, name=file.as_posix())
    wanted = [face for face in record.faces if frame is None or not face.frames or frame == face.frames[0]]
    logits = lambda crops: screener.detector.examine(crops, batch=screener.detector.batch)[0]
    crops = _crops(picture, wanted[:MAPPED], size=screener.detector.image_size, crop=crop)
    return Shown(picture, frame, {number: _mapped(logits, each) for number, each in crops.items()})


def _mapped(logits: Callable, crop: np.ndarray) -> Pictures:
    return Pictures(crop, occlusion_map(logits, crop))


def _crops(picture, faces: list[FaceVerdict], *, size: int, crop: Crop | None) -> dict[int, np.ndarray]:
    if crop is None:
        return {face.number: square(picture, size=size) for face in faces}
    there = [each for each in face_crops(picture, size=size, crop=crop) if each.face is not None]
    found = {}
    for face in faces:
        if face.box is None or not there:
            continue
        box = np.array(face.box)
        away = [float(abs(each.face.box - box).max()) for each in there if each.face is not None]
        # The finder sees the same faces again; in a video it may see one a little aside.
        if min(away) < 0.25 * float((box[2:] - box[:2]).max()):
            found[face.number] = there[int(np.argmin(away))].image
    return found
