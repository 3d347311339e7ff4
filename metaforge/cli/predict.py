"""Screens images with a saved detector: a CSV of file and probability of being fake.

    metaforge predict --model=adapted --images=PATH > scores.csv

PATH is an image or a folder; images should be face crops. `--model` is the --out folder of metaforge adapt, or a
finished training run, which then is not adapted. Files that cannot be read are named on standard error.
"""

import csv
import dataclasses
import io
import os
import sys
from pathlib import Path
from typing import NoReturn

from metaforge import runs
from metaforge.commands import launch, setting, start
from metaforge.data.images import read_folder, read_image, square
from metaforge.errors import InputError
from metaforge.screening import Detector, from_run, load_detector
from metaforge.whole import refuse_used, whole_file


@dataclasses.dataclass(frozen=True)
class Options:
    """What to screen with what."""

    model: str = setting(..., "A saved detector, or a finished training run.", place="read")
    images: str = setting(..., "An image, or a folder of images.", place="read")
    weights: str = setting("", "Where the weights are on which the detector stands, if they have moved.", place="read")
    out: str = setting("", "CSV file to write; standard output if left out.", place="file")


def run(options: Options) -> tuple[list[tuple[str, float]], list]:
    """Rows of (file, p_fake), and the files that could not be read."""
    detector = load(options.model, weights=options.weights)
    path = Path(options.images)
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
    return from_run.detector(from_run.load_run(model))


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options) -> str:
        if options.out:
            refuse_used(options.out)
        rows, skipped = run(options)
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(["file", "p_fake"])
        writer.writerows((name, f"{p_fake:.6f}") for name, p_fake in rows)
        if options.out:
            with whole_file(options.out, new=True) as made:
                made.write_bytes(os.fsencode(text.getvalue()))  # the names have the bytes that the files' names have
        else:
            print(text.getvalue(), end="")
        for skip in skipped:
            print(f"skipped {skip.path}: {skip.reason}", file=sys.stderr)
        return f"Wrote {options.out}: {len(rows)} images." if options.out else ""

    return launch(argv, body, doc=__doc__ or "", options=Options())


def command() -> NoReturn:
    """The command as a program."""
    start(main)
