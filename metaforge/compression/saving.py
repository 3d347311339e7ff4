"""Around both commands: where unfinished work stands, what a network costs, and the finished folder."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from metaforge.backbones.spec import BackboneSpec
from metaforge.compression.costs import costs
from metaforge.errors import InputError
from metaforge.runs import Run, write_json
from metaforge.screening import Detector, save_detector
from metaforge.whole import whole_folder


@contextlib.contextmanager
def unfinished(out: str, asked: dict[str, Any]) -> Iterator[Run]:
    """A directory beside `out` with the checkpoints of unfinished work, which goes when the work is done.

    Raises:
        InputError: when it holds the work of other settings or images.
    """
    whole = Path(out) if Path(out).name else Path(out).absolute()
    place = whole.with_name(f"{whole.name}.unfinished")  # beside it, also where `out` ends with a slash
    try:
        run = Run(place, asked)
    except InputError as error:
        why = str(error).split(": ", 1)[-1]
        raise InputError(f"out: '{place}' holds unfinished work ({why}) Delete it, or choose another --out.") from None
    yield run
    shutil.rmtree(place, ignore_errors=True)


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
