"""Scores for the faces in pictures, as they come: read, found, scored and handed on side by side, in flat memory."""

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from metaforge import runs
from metaforge.data.crop_folder import crop_for
from metaforge.data.crops import Crop
from metaforge.data.detection import check_finder
from metaforge.data.face_crops import NO_FACE, face_crops
from metaforge.data.folders import list_images
from metaforge.data.formats import READ, VIDEOS
from metaforge.data.images import read_image, reason_of, square
from metaforge.data.video import count_frames, even_frames, read_frames
from metaforge.errors import InputError, printable
from metaforge.evaluation.calibration import Verdict, doubted, track_verdict, uncalibrated_verdict
from metaforge.workers import in_order

if TYPE_CHECKING:
    from metaforge.screening.detector import Detector
    from metaforge.screening.portable import PortableDetector

    Scorer = Detector | PortableDetector

Engine = Literal["auto", "jax", "onnx"]
"""What runs the network: "onnx" is ONNX Runtime, "auto" that for a file in ONNX and JAX for all else."""


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


class _Cut(NamedTuple):
    """A file that was read: a row without its score for each face, the crops behind each, and whether it was read."""

    rows: list[Row]
    crops: list[list[np.ndarray]]
    unread: str = ""


def screen(detector: "Scorer", path: Path, *, crop: Crop | None, workers: int = 2, frames: int = 32,
           files: Sequence[Path] | None = None) -> Iterator[Row]:  # fmt: skip
    """The faces of a picture or a video, or of all below a folder, in the order of their names.

    Args:
        detector: what scores.
        path: the file or the folder.

    Other Arguments:
        crop: how faces are cut out; `None` for pictures that are crops already, whose middle squares are scored.
        workers: threads that read pictures and find faces ahead of the detector.
        frames: of each video, spread evenly.
        files: what of the folder is read, if it has been listed already.

    Yields:
        A row for each face; for a picture without one, or a file that cannot be read, a row that says so.

    Raises:
        InputError: when the folder is missing or holds no picture and no video, or when no file in it can be read; for
            a single file that cannot be read.
    """
    alone = path.is_file()
    files = [path] if alone else list_images(path, more=VIDEOS) if files is None else files
    if not files:
        ends = ", ".join(sorted(READ))
        raise InputError(f"images: no image in '{printable(path.as_posix())}'. Give a folder that holds {ends} files.")
    root = path.parent if alone else path
    cut = functools.partial(_cut, root=root, size=detector.image_size, crop=crop, frames=frames, alone=alone)
    # Two shapes, so two programs at most, whatever is screened.
    batch = 1 if alone and path.suffix.lower() not in VIDEOS else detector.batch
    read, first = 0, ""
    waiting: list[_Cut] = []
    for found in in_order(cut, files, workers=workers):
        read, first = read + (not found.unread), first or found.unread
        waiting.append(found)
        if sum(len(crops) for each in waiting for crops in each.crops) >= batch:
            yield from _scored(detector, waiting, batch)
            waiting = []
    if not read:
        raise InputError(f"images: none of the {len(files)} files in '{printable(root.as_posix())}' can be read. "
                         f"The first: {first}")  # fmt: skip
    yield from _scored(detector, waiting, batch)


def _cut(file: Path, *, root: Path, size: int, crop: Crop | None, frames: int, alone: bool) -> _Cut:
    name = file.relative_to(root).as_posix()
    try:
        if file.suffix.lower() in VIDEOS:
            return _video(file, name, size, crop, frames)
        picture = read_image(file)
    except InputError as error:
        if alone:
            raise
        reason = reason_of(error, file.as_posix())
        return _Cut([Row(name, None, note=reason)], [[]], reason)
    if crop is None:
        return _Cut([Row(name, None)], [[square(picture, size=size)]])
    found = face_crops(picture, size=size, crop=crop)
    rows = [
        Row(name, None, number, tuple(each.face.box.tolist()) if each.face else (), ", ".join(each.notes))
        for number, each in enumerate(found, 1)
    ]
    return _Cut(rows or [Row(name, None, note=NO_FACE)], [[each.image] for each in found] or [[]])


def _video(file: Path, name: str, size: int, crop: Crop | None, frames: int) -> _Cut:
    """A row for each person of a video."""
    # SciPy's optimizers come with it, which whoever screens photographs need not wait for.
    from metaforge.data.following import face_tracks

    if crop is None:
        numbers = even_frames(count_frames(file), frames)
        shown = [square(image, size=size) for _, image in read_frames(file, numbers)]
        return _Cut([Row(name, None, frames=tuple(numbers.tolist()))], [shown])
    tracks = face_tracks(file, frames=frames, crop=crop, size=size)
    # Where people cross, a piece of a face may be seen once: nobody whom a longer track does not show better.
    tracks = [track for track in tracks if len(track.frames) > 1] or tracks
    rows = []
    for number, track in enumerate(tracks, 1):
        away = ", ".join(f"{first} to {last}" for first, last in track.gaps)
        note = f"away in the frames {away}" if away else ""
        rows.append(Row(name, None, number, tuple(track.boxes[0].tolist()), note, tuple(track.frames.tolist())))
    return _Cut(rows or [Row(name, None, note=NO_FACE)], [list(track.crops()) for track in tracks] or [[]])


def _scored(detector: "Scorer", waiting: list[_Cut], batch: int) -> Iterator[Row]:
    images = [image for found in waiting for crops in found.crops for image in crops]
    verdict = _verdicts(detector, np.stack(images), batch) if images else None
    for found in waiting:
        for row, crops in zip(found.rows, found.crops, strict=True):
            said = verdict(len(crops)) if verdict and crops else None
            yield row._replace(p_fake=said.p_fake, verdict=doubted(said, row.note.split(", "))) if said else row


def _verdicts(detector: "Scorer", images: np.ndarray, batch: int) -> Callable[[int], Verdict]:
    """What gives one verdict on the next so many of the images."""
    judge = detector.judge
    if judge is None:
        scores = iter(detector(images, batch=batch).tolist())
        return lambda count: uncalibrated_verdict(float(np.mean(list(itertools.islice(scores, count)))))
    logits, distances = detector.examine(images, batch=batch)
    rows = iter(range(len(images)))

    def next_verdict(count: int) -> Verdict:
        mine = list(itertools.islice(rows, count))
        return track_verdict(logits[mine], None if distances is None else distances[mine], judge)

    return next_verdict


def run(model: str, images_at: str, *, weights: str = "", crops: bool = False, workers: int = 2,
        frames: int = 32, engine: Engine = "auto") -> tuple[Callable[..., Iterator[Row]], str]:  # fmt: skip
    """What screens an image or a folder of images (it takes `files` of `screen`), and what is amiss with its crops.

    Args:
        model: a saved detector, an exported ONNX file, or a finished training run.
        images_at: pictures.

    Other Arguments:
        weights: where a detector's weights are now.
        crops: whether the pictures are face crops.
        workers: as in `screen`.
        frames: as there.
        engine: what runs the network.
    """
    detector, path = load(model, weights=weights, engine=engine), Path(images_at)
    crop, amiss = crop_for(detector.crop, path if path.is_dir() else path.parent, crops=crops)
    if crop is not None:
        check_finder()
    return functools.partial(screen, detector, path, crop=crop, workers=workers, frames=frames), amiss


def load(model: str, *, weights: str = "", engine: Engine = "auto") -> "Scorer":
    """A saved detector, the unadapted detector of a training run, or one in ONNX.

    Args:
        model: its folder or file.

    Other Arguments:
        weights: where a detector's weights are now.
        engine: what runs the network.

    Raises:
        InputError: when it is none of them, or JAX is asked for a file in ONNX.
    """
    if Path(model).is_file():
        from metaforge.screening.portable import load_onnx

        if weights or engine == "jax":
            asked = "--weights" if weights else "--engine=jax"
            raise InputError(f"{asked}: '{model}' is a file, and ONNX Runtime runs it, with all its weights in it.")
        return load_onnx(model)
    detector = detector_in(model, weights=weights)
    if engine != "onnx":
        return detector
    from metaforge.screening.portable import onnx_of, read_onnx

    return read_onnx(onnx_of(detector), model)


def detector_in(model: str, *, weights: str = "") -> "Detector":
    """A saved detector, or the unadapted detector of a training run.

    Args:
        model: its folder.

    Other Arguments:
        weights: where a detector's weights are now.

    Raises:
        InputError: when it is neither.
    """
    found = runs.read_config(model, missing_ok=True)
    if found is None:
        raise InputError(f"model: no config.json in '{model}'. Give the --out of metaforge adapt or a training run.")
    if "detector" in found:
        from metaforge.screening.folder import load_detector

        return load_detector(model, weights=weights)
    if weights:
        raise InputError(f"--weights: '{model}' is a training run, which knows its weights. Leave them out.")
    # A run is read with all that trains; a saved detector needs none of it.
    from metaforge.screening import from_run

    return from_run.detector(from_run.load_run(model))
