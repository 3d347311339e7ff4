"""Scores for the images of a folder, by a saved detector or by a training run."""

from pathlib import Path

from metaforge import runs
from metaforge.data.folders import read_folder
from metaforge.data.images import read_image, square
from metaforge.errors import InputError
from metaforge.screening.detector import Detector
from metaforge.screening.folder import load_detector


def run(model: str, images_at: str, *, weights: str = "") -> tuple[list[tuple[str, float]], list]:
    """Rows of (file, p_fake) of an image or a folder of images, and the files that could not be read."""
    detector = load(model, weights=weights)
    path = Path(images_at)
    if path.is_file():
        names, images, skipped = [path.name], square(read_image(path), size=detector.image_size)[None], []
    else:
        folder = read_folder(path, size=detector.image_size)
        names, images, skipped = folder.names, folder.images, folder.skipped
    return list(zip(names, map(float, detector(images)), strict=True)), skipped


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
