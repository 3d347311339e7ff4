"""OpenVINO beside ONNX Runtime, on the same ONNX file: in float32, in bfloat16, and in NNCF's 8-bit numbers."""

import importlib
import importlib.util
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from metaforge.processor import cores
from metaforge.screening.portable.opened import import_openvino, opened

FLOAT, HALF, SMALL = "OpenVINO", "OpenVINO, bfloat16", "OpenVINO, int8 by NNCF"


def there() -> bool:
    """Whether OpenVINO is installed."""
    return importlib.util.find_spec("openvino") is not None


def by_engine(model: bytes, *, half: bool) -> tuple[Callable[[np.ndarray], np.ndarray], int]:
    """What makes logits of uint8 images as `predict --engine` does, and how large the file is, in bytes.

    Args:
        model: as `metaforge.screening.portable.onnx_of` writes it.

    Other Arguments:
        half: whether products are of bfloat16.

    Raises:
        InputError: where the processor has none of those.
    """
    network = opened(model, engine="openvino-bfloat16" if half else "openvino")
    return lambda images: network.run(images)["logit"], len(model)


def by_nncf(model: bytes, faces: np.ndarray) -> tuple[Callable[[np.ndarray], np.ndarray], int]:
    """The same in 8-bit numbers, and how large the weights are.

    Args:
        model: as there.
        faces: images from which the ranges are taken.
    """
    openvino, nncf = import_openvino(), importlib.import_module("nncf")
    core = openvino.Core()
    nncf.set_log_level(40)
    parts: list[Any] = [faces[start : start + 16] for start in range(0, len(faces), 16)]
    # Both signs of activations by their own ranges, as everything here is Clip or linear; features stay.
    read = nncf.quantize(core.read_model(model), nncf.Dataset(parts, lambda images: {"images": images}),
                         subset_size=len(parts), preset=nncf.QuantizationPreset.MIXED,
                         ignored_scope=nncf.IgnoredScope(types=["MatMul"]))  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        openvino.save_model(read, Path(folder, "one.xml"), compress_to_fp16=False)
        size = sum(file.stat().st_size for file in Path(folder).iterdir())
    settings = {"INFERENCE_NUM_THREADS": cores(), "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    request = core.compile_model(read, "CPU", settings).create_infer_request()
    return lambda images: np.array(request.infer({"images": images})["logit"]), size
