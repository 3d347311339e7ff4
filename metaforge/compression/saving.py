"""Around both commands: where unfinished work stands, what a network costs, and the finished folder."""

import contextlib
import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from metaforge.backbones.spec import BackboneSpec
from metaforge.compression.costs import costs
from metaforge.errors import InputError
from metaforge.runs import Run, refuse_another, write_json
from metaforge.screening import Detector, save_detector
from metaforge.whole import whole_folder


@contextlib.contextmanager
def unfinished(out: str, asked: dict[str, Any]) -> Iterator[Run]:
    """A directory beside `out` with the checkpoints of unfinished work, which goes when the work is done.

    Raises:
        InputError: when it holds the work of other settings, detectors or images, or another process works there.
    """
    whole = Path(out) if Path(out).name else Path(out).absolute()
    place = whole.with_name(f"{whole.name}.unfinished")  # beside it, also where `out` ends with a slash
    if place.exists() and not place.is_dir():
        raise InputError(f"out: '{place}' is a file, and unfinished work is to stand there. Choose another --out.")
    try:
        refuse_another(place, asked)
    except InputError as error:
        why = str(error).partition("another configuration ")[2].rpartition(". Choose")[0]
        raise InputError(
            f"out: '{place}' holds unfinished work of other settings, detectors or images {why}. Delete it, or choose "
            "another --out."
        ) from None
    try:
        run = Run(place, asked)
    except InputError as error:
        raise InputError(str(error).replace("workdir", "out")) from None
    yield run
    shutil.rmtree(place, ignore_errors=True)


def digest(detector: Detector) -> str:
    """By which a detector is known again, whatever the name of its folder: a SHA-256 of its numbers and settings."""
    found = hashlib.sha256(repr((detector.spec, sorted(detector.about.items()))).encode())
    for leaf in jax.tree.leaves(detector.params):
        found.update(np.ascontiguousarray(leaf).tobytes())
    return found.hexdigest()


def cost_of(detector: Detector) -> dict[str, int]:
    """Parameters, multiply-adds and bytes as ONNX, as far as they can be had."""
    found: dict[str, int] = {}
    with contextlib.suppress(InputError):
        found |= costs(detector.spec)._asdict()
    with contextlib.suppress(InputError):
        from metaforge.screening.portable import onnx_of

        found["onnx_bytes"] = len(onnx_of(detector))
    return found


def save(out: str, detector: Detector, report: dict[str, Any]) -> None:
    """The detector's folder with the report in it, whole or not at all."""
    with whole_folder(out) as made:
        save_detector(made, detector)
        write_json(made / "report.json", report)


def own(spec: BackboneSpec) -> BackboneSpec:
    """Settings of a network that holds all of its weights: a file's name stays only where statistics began as its."""
    return spec if spec.normalisation == "frozen" else spec.unread()
