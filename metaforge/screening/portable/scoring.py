"""Scores from an ONNX file, with NumPy and what runs it alone beside."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np

from metaforge.data.crops import CROPS, Crop
from metaforge.errors import InputError
from metaforge.evaluation.calibration import Judge
from metaforge.screening.engine import Engine
from metaforge.screening.portable.opened import Opened, opened

FORMAT, METADATA = 2, "metaforge"
"""The number of what stands in the metadata, and under which name. In the first the SHA-256 was of the model alone."""

LARGEST = 4096
"""Images have so many pixels a side at most, as `BackboneSpec.image_size` does."""


class PortableDetector(NamedTuple):
    """A detector that was read from an ONNX file; it scores as the one does that was written.

    Attributes:
        opened: by ONNX Runtime or OpenVINO.
        about: what the detector says of itself.
        image_size: the side of the images that it scores, in pixels.
        crop: how the faces that it was trained on were cut out.
        judge: what makes verdicts of its logits and distances; `None` if it was not calibrated.
    """

    opened: Opened
    about: dict[str, Any]
    image_size: int
    crop: Crop
    judge: Judge | None

    @property
    def batch(self) -> int:
        """How many images are scored at a time; more at once are not faster on a CPU, and take memory."""
        return 16

    def examine(self, images: np.ndarray, *, batch: int = 0) -> tuple[np.ndarray, np.ndarray | None]:
        """Logits, not calibrated, and how far images lie from its source, as `Detector.examine` gives them."""
        chunk = batch or self.batch
        try:
            parts = [
                self.opened.run(np.ascontiguousarray(images[start : start + chunk]))
                for start in range(0, len(images), chunk)
            ]
        except Exception as error:  # noqa: BLE001 - as in `read_onnx`
            raise InputError(f"model: it cannot be run ({' '.join(str(error).split())[:200]}).") from None
        named = {name: np.concatenate([np.zeros(0), *(part[name] for part in parts)]) for name in self.opened.gives}
        if "distance" in named:
            return named["logit"], named["distance"]
        # Without distances a detector knows its logits by probabilities in float32, and so its calibration does.
        about = np.finfo(np.float32)
        least, most = np.log(float(about.tiny)), -np.log(float(about.epsneg) / 2)
        return np.clip(named["logit"], least, most), None

    def __call__(self, images: np.ndarray, *, batch: int = 0) -> np.ndarray:
        """The probability of being fake of uint8 images `(images, size, size, 3)`: float32, shape `(images,)`."""
        logits, _ = self.examine(images, batch=batch)
        return (0.5 * (1 + np.tanh(0.5 * logits))).astype(np.float32)


def load_onnx(path: str | os.PathLike, *, alone: bool = False, engine: Engine = "auto") -> PortableDetector:
    """Reads a file that `save_onnx` wrote. Neither JAX nor flax is imported.

    Args:
        path: the file.

    Other Arguments:
        alone: as in `metaforge.screening.portable.opened.session_of`.
        engine: what runs it, as in `metaforge.screening.portable.opened.opened`.

    Raises:
        InputError: when it is missing, of another program, damaged or cut off, or without the extra that runs it.

    Example:
        >>> load_onnx("nowhere.onnx")
        Traceback (most recent call last):
        metaforge.errors.InputError: model: 'nowhere.onnx' cannot be read (No such file or directory).
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"model: '{path}' cannot be read ({error.strerror}).") from None
    return read_onnx(data, path, alone=alone, engine=engine)


def read_onnx(
    data: bytes, called: str | os.PathLike, *, alone: bool = False, engine: Engine = "auto"
) -> PortableDetector:
    """The same of a file's bytes; it is called so in errors."""
    path, again = called, "Give a file that metaforge export --onnx wrote."
    try:
        network = opened(data, alone=alone, engine=engine)
        about = json.loads(network.says(METADATA))
        length, expected = int(about["bytes"]), str(about["sha256"])
    except InputError:
        raise
    except Exception:  # noqa: BLE001 - engines raise classes of their own
        raise InputError(f"model: '{path}' is no detector in ONNX, or is damaged. {again}") from None
    if (found := about.get("format")) != FORMAT:
        raise InputError(f"model: '{path}' has format {found}, and {FORMAT} is known. Export it again.")
    if digest(data[:length], about) != expected:
        raise InputError(
            f"model: '{path}' is damaged, or another tool changed it: its SHA-256 is another than it says. {again}"
        )
    try:
        said, size = dict(about["about"]), int(about["image_size"])
        if about["crop"] not in CROPS:
            raise ValueError(about["crop"])
        judge = Judge.from_json(said["calibration"]) if "calibration" in said else None
        _check_ends(network, size)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"model: what '{path}' says of itself is damaged ({error}). {again}") from None
    return PortableDetector(network, said, size, cast(Crop, about["crop"]), judge)


def digest(model: bytes, about: dict[str, Any]) -> str:
    """The SHA-256 of a model and of what stands beside it in the metadata, in hexadecimal."""
    beside = {name: value for name, value in about.items() if name != "sha256"}
    return hashlib.sha256(model + json.dumps(beside).encode()).hexdigest()


def _check_ends(network: Opened, size: int) -> None:
    """Raises `ValueError` if what goes in or comes out is not what `onnx_of` writes."""
    name, kind, shape = network.takes
    if (name, kind, shape[1:]) != ("images", "tensor(uint8)", [size, size, 3]) or size > LARGEST:
        raise ValueError(f"its input is {name} {shape}")
    if network.gives not in (
        {name: ("tensor(float)", 1) for name in names} for names in (["logit"], ["logit", "distance"])
    ):
        raise ValueError(f"its outputs are {', '.join(network.gives)}")
