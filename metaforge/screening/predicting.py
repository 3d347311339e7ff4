"""Scores for the faces in pictures, as they come: read, found, scored and handed on side by side, in flat memory."""

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from metaforge import runs
from metaforge.data.crop_folder import crop_for
from metaforge.data.crops import Crop
from metaforge.data.detection import check_finder
from metaforge.data.face_crops import NO_FACE, FaceCrop, face_crops
from metaforge.data.folders import list_images
from metaforge.data.formats import READ
from metaforge.data.images import prefix, printable, read_image, square
from metaforge.errors import InputError
from metaforge.screening.detector import Detector
from metaforge.screening.folder import load_detector
from metaforge.workers import in_order


class Row(NamedTuple):
    """A face, or a file in which none could be scored.

    Attributes:
        file: its name, relative to the folder.
        p_fake: the probability of being fake, in [0, 1]; `None` where nothing was scored.
        face: its number in the file, from 1, the largest first; 0 where no face was looked for or found.
        box: x0, y0, x1, y1 in the picture's pixels; empty where there is none.
        note: what makes the score doubtful, or why there is none; "" for a good one.
    """

    file: str
    p_fake: float | None
    face: int = 0
    box: tuple[float, ...] = ()
    note: str = ""


def screen(detector: Detector, path: Path, *, crop: Crop | None, workers: int = 2) -> Iterator[Row]:
    """The faces of a picture, or of all pictures below a folder, in the order of their names.

    Args:
        detector: what scores.
        path: the picture or the folder.

    Other Arguments:
        crop: how faces are cut out; `None` for pictures that are crops already, whose middle squares are scored.
        workers: threads that read pictures and find faces ahead of the detector.

    Yields:
        A row for each face; for a picture without one, or a file that cannot be read, a row that says so.

    Raises:
        InputError: when the folder is missing or holds no picture, or when no file in it can be read; for a single
            picture that cannot be read.
    """
    alone = path.is_file()
    files = [path] if alone else list_images(path)
    if not files:
        ends = ", ".join(sorted(READ))
        raise InputError(f"images: no image in '{printable(path.as_posix())}'. Give a folder that holds {ends} files.")
    root = path.parent if alone else path
    cut = functools.partial(_cut, size=detector.image_size, crop=crop, alone=alone)
    # Two shapes, so two programs at most, whatever is screened.
    batch = 1 if alone else detector.batch
    read, first = 0, ""
    waiting: list[tuple[str, list[FaceCrop], str]] = []
    for name, found, reason in in_order(lambda file: cut(file, root), files, workers=workers):
        read, first = read + (not reason), first or reason
        waiting.append((name, found, reason))
        if sum(len(each) for _, each, _ in waiting) >= batch:
            yield from _scored(detector, waiting, batch)
            waiting = []
    if not read:
        raise InputError(f"images: none of the {len(files)} image files in '{printable(root.as_posix())}' can be read. "
                         f"The first: {first}")  # fmt: skip
    yield from _scored(detector, waiting, batch)


def _cut(file: Path, root: Path, *, size: int, crop: Crop | None, alone: bool) -> tuple[str, list[FaceCrop], str]:
    """The name of a file, its faces, and why it could not be read."""
    name = file.relative_to(root).as_posix()
    try:
        picture = read_image(file)
    except InputError as error:
        if alone:
            raise
        return name, [], str(error).removeprefix(prefix(file.as_posix()))
    if crop is None:
        return name, [FaceCrop(square(picture, size=size), None, ())], ""
    return name, face_crops(picture, size=size, crop=crop), ""


def _scored(detector: Detector, waiting: list[tuple[str, list[FaceCrop], str]], batch: int) -> Iterator[Row]:
    images = [each.image for _, found, _ in waiting for each in found]
    scores = iter(detector(np.stack(images), batch=batch).tolist() if images else [])
    for name, found, reason in waiting:
        if not found:
            yield Row(name, None, note=reason or NO_FACE)
        for number, each in enumerate(found, 1):
            box = () if each.face is None else tuple(each.face.box.tolist())
            yield Row(name, next(scores), 0 if each.face is None else number, box, ", ".join(each.notes))


def run(model: str, images_at: str, *, weights: str = "", crops: bool = False,
        workers: int = 2) -> tuple[Callable[[], Iterator[Row]], str]:  # fmt: skip
    """What screens an image or a folder of images, and what is amiss with its crops; all is checked before.

    Args:
        model: a saved detector, or a finished training run.
        images_at: pictures.

    Other Arguments:
        weights: where a detector's weights are now.
        crops: whether the pictures are face crops.
        workers: as in `screen`.
    """
    detector, path = load(model, weights=weights), Path(images_at)
    crop, amiss = crop_for(detector.crop, path if path.is_dir() else path.parent, crops=crops)
    if crop is not None:
        check_finder()
    return functools.partial(screen, detector, path, crop=crop, workers=workers), amiss


def load(model: str, *, weights: str = "") -> Detector:
    """A saved detector, or the unadapted detector of a training run."""
    found = runs.read_config(model, missing_ok=True)
    if found is None:
        raise InputError(f"--model: no config.json in '{model}'. Give the --out of metaforge adapt or a training run.")
    if "detector" in found:
        return load_detector(model, weights=weights)
    if weights:
        raise InputError(f"--weights: '{model}' is a training run, which knows its weights. Leave them out.")
    # A run is read with all that trains; a saved detector needs none of it.
    from metaforge.screening import from_run

    return from_run.detector(from_run.load_run(model))
