"""Scores from an ONNX file by ONNX Runtime, with NumPy alone beside it."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np

from metaforge.data.crops import CROPS, Crop
from metaforge.errors import InputError
from metaforge.evaluation.calibration import Judge
from metaforge.processor import cores

FORMAT, METADATA = 2, "metaforge"
"""The number of what stands in the metadata, and under which name. In the first the SHA-256 was of the model alone."""

LARGEST = 4096
"""Images have so many pixels a side at most, as `BackboneSpec.image_size` does."""

ONNX = "onnx: it is not installed. Install the extra: pip install 'metaforge-jax[onnx]'."
"""What is said without it."""


class PortableDetector(NamedTuple):
    """A detector that was read from an ONNX file; it scores as the one does that was written.

    Attributes:
        session: ONNX Runtime's.
        about: what the detector says of itself.
        image_size: the side of the images that it scores, in pixels.
        crop: how the faces that it was trained on were cut out.
        judge: what makes verdicts of its logits and distances; `None` if it was not calibrated.
    """

    session: Any
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
        names = [output.name for output in self.session.get_outputs()]
        chunk = batch or self.batch
        try:
            parts = [
                self.session.run(names, {"images": np.ascontiguousarray(images[start : start + chunk])})
                for start in range(0, len(images), chunk)
            ]
        except Exception as error:  # noqa: BLE001 - as in `read_onnx`
            raise InputError(f"model: ONNX Runtime cannot run it ({' '.join(str(error).split())[:200]}).") from None
        found = [np.concatenate([np.zeros(0), *each]) for each in zip(*parts, strict=True)] or [np.zeros(0)] * len(
            names
        )
        named = dict(zip(names, found, strict=True))
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


def load_onnx(path: str | os.PathLike, *, alone: bool = False) -> PortableDetector:
    """Reads a file that `save_onnx` wrote. Neither JAX nor flax is imported.

    Args:
        path: the file.

    Other Arguments:
        alone: as in `session_of`.

    Raises:
        InputError: when it is missing, of another program, damaged or cut off, or without the extra `onnx`.

    Example:
        >>> load_onnx("nowhere.onnx")
        Traceback (most recent call last):
        metaforge.errors.InputError: model: 'nowhere.onnx' cannot be read (No such file or directory).
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"model: '{path}' cannot be read ({error.strerror}).") from None
    return read_onnx(data, path, alone=alone)


def read_onnx(data: bytes, called: str | os.PathLike, *, alone: bool = False) -> PortableDetector:
    """The same of a file's bytes; it is called so in errors."""
    path, again = called, "Give a file that metaforge export --onnx wrote."
    try:
        session = session_of(data, alone=alone)
        about = json.loads(session.get_modelmeta().custom_metadata_map[METADATA])
        length, expected = int(about["bytes"]), str(about["sha256"])
    except InputError:
        raise
    except Exception:  # noqa: BLE001 - ONNX Runtime raises a class of its own for each of its codes
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
        _check_ends(session, size)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"model: what '{path}' says of itself is damaged ({error}). {again}") from None
    return PortableDetector(session, said, size, cast(Crop, about["crop"]), judge)


def digest(model: bytes, about: dict[str, Any]) -> str:
    """The SHA-256 of a model and of what stands beside it in the metadata, in hexadecimal."""
    beside = {name: value for name, value in about.items() if name != "sha256"}
    return hashlib.sha256(model + json.dumps(beside).encode()).hexdigest()


def _check_ends(session: Any, size: int) -> None:
    """Raises `ValueError` if what goes in or comes out is not what `onnx_of` writes."""
    (images,) = session.get_inputs()
    if (images.name, images.type, images.shape[1:]) != ("images", "tensor(uint8)", [size, size, 3]) or size > LARGEST:
        raise ValueError(f"its input is {images.name} {images.shape}")
    ends = {end.name: (end.type, len(end.shape)) for end in session.get_outputs()}
    if ends not in ({name: ("tensor(float)", 1) for name in names} for names in (["logit"], ["logit", "distance"])):
        raise ValueError(f"its outputs are {', '.join(ends)}")


def session_of(model: bytes, *, alone: bool = False) -> Any:
    """ONNX Runtime's session of a model, with as many threads as this process may use.

    Args:
        model: its bytes.

    Other Arguments:
        alone: whether nothing else asks for a core meanwhile, as with face crops. Threads without work then go on
            asking for some: on idle cores one image takes two thirds of the time, and 16 at a time as long as before.
            Where images are read and faces found beside, that takes the cores from those who do it.

    Raises:
        InputError: without the extra `onnx`.
    """
    # From 1.29 on it tells its makers what is run, unless it is told not to before it is imported.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime
    except ImportError:
        raise InputError(ONNX) from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what is amiss is said in our words
    options.intra_op_num_threads = cores()
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(alone)))
    return onnxruntime.InferenceSession(model, options, providers=onnxruntime.get_available_providers())
