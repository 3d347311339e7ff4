"""One pair: read, cut out alike, annotated, made into a record; whatever is wrong with it is its record's answer."""

import functools
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from metaforge.captions.annotating.pairs import Pair
from metaforge.captions.annotation import Annotation, annotate
from metaforge.captions.records import failed_record, id_of, record_of
from metaforge.captions.thresholds import Thresholds
from metaforge.data.copies import picture_key
from metaforge.data.crop_files import write_png
from metaforge.data.crops import apply_crop
from metaforge.data.found_faces import found_face, square_of
from metaforge.data.images import decode_image, reason_of
from metaforge.data.landmarks import MESH, NONE, check_landmarks, landmarks_key, read_landmarks, square_around
from metaforge.errors import InputError
from metaforge.evaluation.regions import mask_iou

_MARGIN = 0.15  # of the landmarks' extent on each side: the crop of found faces has as much around their box


class Job(NamedTuple):
    """What is done with every pair; a worker gets it once with each.

    Attributes:
        root: the folder that paths are relative to.
        crops: whether images are face crops already.
        landmarks: a file of them, `MESH` or `NONE`.
        size: the most pixels that a face is cut out with.
        thresholds: what decides.
        masks: folder for masks, if any.
        soft: folder for differences, if any.
        prefix: what stands before the path of a mask in a record.
    """

    root: Path
    crops: bool
    landmarks: str
    size: int
    thresholds: Thresholds
    masks: Path | None = None
    soft: Path | None = None
    prefix: str = ""


class Looked(NamedTuple):
    """A pair and what was found in it.

    Attributes:
        real: uint8 RGB, as it was compared.
        fake: likewise.
        crop: left, top and side of what was compared; `None` for all of it.
        whole: height and width of the real image before.
        marks: the real face's landmarks in what was compared; `None` if there are none.
        found: the annotation.
    """

    real: np.ndarray
    fake: np.ndarray
    crop: tuple[int, int, int] | None
    whole: tuple[int, int]
    marks: np.ndarray | None
    found: Annotation


class FailedError(Exception):
    """A pair that cannot be annotated: the answer and the reason."""


def record_for(pair: Pair, job: Job) -> dict[str, Any]:
    """The record of a pair, whose mask is written before it is known.

    Args:
        pair: of `metaforge.captions.annotating.pairs`.
        job: what is done with every pair.
    """
    try:
        seen = look(pair, job)
    except FailedError as error:
        answer, reason = error.args
        return failed_record(answer, reason, fake=pair.fake, real=pair.real, method=pair.method)
    found, name = seen.found, f"{id_of(pair.fake)}.png"
    mask = None
    if found.mask is not None:
        assert found.soft is not None
        if job.masks:
            mask = f"{job.prefix}{name}"
            write_png(job.masks / name, np.where(found.mask, 255, 0).astype(np.uint8))
        if job.soft:
            write_png(job.soft / name, np.clip(np.rint(found.soft), 0, 255).astype(np.uint8))
    assert pair.real is not None
    size = seen.real.shape[0], seen.real.shape[1]
    record = record_of(found, fake=pair.fake, real=pair.real, size=size, method=pair.method, mask=mask)
    if seen.crop is not None:
        record["crop"] = list(seen.crop)
    if pair.mask and found.mask is not None:
        record["mask_iou"] = _iou(pair.mask, seen, job)
    return record


def look(pair: Pair, job: Job) -> Looked:
    """Reads a pair, cuts both images out in the same place, and annotates them.

    The face is that of the real image. Where none is found, the whole images are compared and no parts are named.

    Raises:
        FailedError: when it cannot be annotated.
    """
    if pair.real is None:
        raise FailedError("missing", pair.why)
    real, fake = _read(job.root, pair.real, "real"), _read(job.root, pair.fake, "forged")
    crop, marks, whole = None, None, (real.shape[0], real.shape[1])
    try:
        if real.shape == fake.shape:  # other pairs have their answer without
            crop, marks = _face(real, pair, job)
        if crop is not None:
            (real, marks), (fake, _) = (_cut(image, marks, crop, job.size) for image in (real, fake))
        return Looked(real, fake, crop, whole, marks, annotate(real, fake, marks, thresholds=job.thresholds))
    except InputError as error:
        reason = str(error).removeprefix("pair: ")
        raise FailedError("refused", reason[:1].upper() + reason[1:]) from None


def _read(root: Path, name: str, which: str) -> np.ndarray:
    try:
        if not (root / name).is_file():  # a pipe would block for ever
            raise FailedError("missing", f"The {which} image: there is no such file.")
        return decode_image((root / name).read_bytes(), name=name)
    except OSError as error:
        raise FailedError("unreadable", f"The {which} image cannot be opened: {error.strerror}.") from None
    except InputError as error:
        raise FailedError("unreadable", f"The {which} image: {reason_of(error, name)}") from None


def _face(real: np.ndarray, pair: Pair, job: Job) -> tuple[tuple[int, int, int] | None, np.ndarray | None]:
    """What is cut out, and the landmarks in pixels of the whole image."""
    if job.landmarks == NONE:
        return None, None
    if job.landmarks != MESH:
        name = str(pair.real)
        marks = stored_for(_landmarks(job.landmarks), name)
        if marks is None or job.crops:
            return None, marks
        check_landmarks(marks, name)
        return square_around(real, marks, margin=_MARGIN), marks
    face = found_face(real, key=picture_key(real) if pair.shared else "")
    if face is None:
        return None, None
    # The finder's first pixel covers [0, 1); landmarks have 0 in its middle.
    marks = face.mesh - 0.5
    if job.crops:
        return None, marks
    try:
        left, top, side = square_of(real, face)
    except InputError:  # its box lies outside the image
        return None, marks
    whole = int(min(max(16, round(side)), *real.shape[:2]))
    place = [int(min(max(0, round(at)), most - whole)) for at, most in ((left, real.shape[1]), (top, real.shape[0]))]
    return (place[0], place[1], whole), marks


def stored_for(known: dict[str, np.ndarray], name: str) -> np.ndarray | None:
    """What a file of landmarks has for a real image, by its path with `real/` or without; `None` for nothing.

    Example:
        >>> stored_for({"anna__1": np.ones((3, 2))}, "real/anna/1.png").shape
        (3, 2)
    """
    return known.get(landmarks_key(name), known.get(landmarks_key(name.removeprefix("real/"))))


@functools.lru_cache(maxsize=1)
def _landmarks(path: str) -> dict[str, np.ndarray]:
    return read_landmarks(Path(path).parent, path)


def _cut(
    image: np.ndarray, marks: np.ndarray | None, crop: tuple[int, int, int], most: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """A square of an image, as it is or smaller, and the landmarks in it: nothing is resampled that need not be."""
    left, top, side = crop
    size = min(side, most)
    if size == side:
        part = np.ascontiguousarray(image[top : top + side, left : left + side])
    else:
        scale = side / size
        part = apply_crop(image, np.array([[scale, 0, left], [0, scale, top]], np.float64), size)
    moved = None if marks is None else (marks + 0.5 - np.array([left, top])) * (size / side) - 0.5
    return part, moved


def _iou(name: str, seen: Looked, job: Job) -> float | None:
    """With the exact mask, where half of a pixel or more is forged; `None` where it cannot be read or is another's."""
    try:
        exact = _read(job.root, name, "exact mask")
    except FailedError:
        return None
    if exact.shape[:2] != seen.whole:
        return None
    if seen.crop is not None:
        exact, _ = _cut(exact, None, seen.crop, job.size)
    return round(float(mask_iou(exact[..., 0] >= 128, np.asarray(seen.found.mask))), 6)
