"""Scores for the faces in pictures, as they come: read, found, scored and handed on side by side, in flat memory."""

import functools
import importlib.util
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from metaforge import runs
from metaforge.data.crop_folder import crop_for
from metaforge.data.crops import Crop
from metaforge.data.detection import check_finder
from metaforge.data.folders import list_images
from metaforge.data.formats import READ, VIDEOS
from metaforge.errors import InputError, printable
from metaforge.screening.engine import Engine
from metaforge.screening.judging import judged
from metaforge.screening.looking import Look, Row, look
from metaforge.workers import in_order

if TYPE_CHECKING:
    from metaforge.screening.detector import Detector
    from metaforge.screening.portable import PortableDetector

    Scorer = Detector | PortableDetector


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
    seen = lambda file: look(file, name=file.relative_to(root).as_posix(), size=detector.image_size, crop=crop,
                             frames=frames)  # fmt: skip
    # Two shapes, so two programs at most, whatever is screened.
    batch = 1 if alone and path.suffix.lower() not in VIDEOS else detector.batch
    looks = _read(in_order(seen, files, workers=workers), root, alone=alone, count=len(files))
    for _, rows in judged(detector, looks, batch=batch):
        yield from rows


def _read(looks: Iterable[Look], root: Path, *, alone: bool, count: int) -> Iterator[Look]:
    """The same, of which one at least could be read."""
    first, read = "", False
    for found in looks:
        if alone and found.error:
            raise found.error
        first, read = first or found.rows[0].note, read or found.error is None
        yield found
    if not read:
        raise InputError(f"images: none of the {count} files in '{printable(root.as_posix())}' can be read. "
                         f"The first: {first}")  # fmt: skip


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
    detector, path = load(model, weights=weights, engine=engine, crops=crops), Path(images_at)
    crop, amiss = crop_for(detector.crop, path if path.is_dir() else path.parent, crops=crops)
    if crop is not None:
        check_finder()
    return functools.partial(screen, detector, path, crop=crop, workers=workers, frames=frames), amiss


def load(model: str, *, weights: str = "", engine: Engine = "auto", crops: bool = False) -> "Scorer":
    """A saved detector, the unadapted detector of a training run, or one in ONNX.

    Args:
        model: its folder or file.

    Other Arguments:
        weights: where a detector's weights are now.
        engine: what runs the network.
        crops: whether it will score face crops, so that little is done beside.

    Raises:
        InputError: when it is none of them, JAX is asked for a file in ONNX, or the engine is not installed.
    """
    if Path(model).is_file():
        from metaforge.screening.portable import load_onnx

        if weights or engine == "jax":
            asked = "--weights" if weights else "--engine=jax"
            raise InputError(f"{asked}: '{model}' is a file in ONNX, with all its weights in it. JAX does not run it.")
        return load_onnx(model, alone=crops, engine=engine)
    detector = detector_in(model, weights=weights)
    return run_by(detector, engine, called=model, alone=crops)


def run_by(detector: "Detector", engine: Engine, *, called: str, alone: bool = False) -> "Scorer":
    """A detector as an engine runs it; itself for JAX.

    Args:
        detector: as it was read.
        engine: what runs the network; "auto" is JAX.

    Other Arguments:
        called: in errors.
        alone: as in `metaforge.screening.portable.opened.session_of`.

    Raises:
        InputError: without the extra that the engine takes.
    """
    if engine in ("auto", "jax"):
        return detector
    from metaforge.screening.portable import onnx_of, read_onnx

    return read_onnx(onnx_of(detector), called, alone=alone, engine=engine)


def detector_in(model: str, *, weights: str = "") -> "Detector":
    """A saved detector, or the unadapted detector of a training run.

    Args:
        model: its folder.

    Other Arguments:
        weights: where a detector's weights are now.

    Raises:
        InputError: when it is neither, or JAX is not installed.
    """
    found = runs.read_config(model, missing_ok=True)
    if found is None:
        raise InputError(f"model: no config.json in '{model}'. Give the --out of metaforge adapt or a training run.")
    if importlib.util.find_spec("jax") is None:
        again = "Install it, or give a file that metaforge export --onnx wrote."
        raise InputError(f"model: '{model}' takes JAX, which is not installed. {again}")
    if "detector" in found:
        from metaforge.screening.folder import load_detector

        return load_detector(model, weights=weights)
    if weights:
        raise InputError(f"--weights: '{model}' is a training run, which knows its weights. Leave them out.")
    # A run is read with all that trains; a saved detector needs none of it.
    from metaforge.screening import from_run

    return from_run.detector(from_run.load_run(model))
