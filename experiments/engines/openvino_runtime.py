"""OpenVINO on the same ONNX file, and its 8-bit numbers by NNCF; neither is an extra of the package."""

import importlib
import importlib.util
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from metaforge.processor import cores

FLOAT, SMALL = "OpenVINO", "OpenVINO, int8 by NNCF"


def there() -> bool:
    """Whether OpenVINO is installed."""
    return importlib.util.find_spec("openvino") is not None


def opened(model: bytes, faces: np.ndarray | None = None) -> tuple[Callable[[np.ndarray], np.ndarray], int]:
    """What makes logits of uint8 images on OpenVINO, and how large its weights are, in bytes.

    Args:
        model: as `metaforge.screening.portable.onnx_of` writes it.
        faces: images from which NNCF takes the ranges of 8-bit numbers; `None` for float32.
    """
    openvino = importlib.import_module("openvino")
    core = openvino.Core()
    read = core.read_model(model)
    if faces is not None:
        nncf = importlib.import_module("nncf")
        nncf.set_log_level(40)
        parts: list[Any] = [faces[start : start + 16] for start in range(0, len(faces), 16)]
        # Both signs of activations by their own ranges, as everything here is Clip or linear; features stay.
        read = nncf.quantize(read, nncf.Dataset(parts, lambda images: {"images": images}), subset_size=len(parts),
                             preset=nncf.QuantizationPreset.MIXED,
                             ignored_scope=nncf.IgnoredScope(types=["MatMul"]))  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        openvino.save_model(read, Path(folder, "one.xml"), compress_to_fp16=False)
        size = sum(file.stat().st_size for file in Path(folder).iterdir())
    settings = {"INFERENCE_NUM_THREADS": cores(), "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    request = core.compile_model(read, "CPU", settings).create_infer_request()
    return lambda images: np.array(request.infer({"images": images})["logit"]), size
