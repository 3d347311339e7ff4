"""A detector's graph in 8-bit numbers, by ONNX Runtime's own tools: in each form that it has."""

import tempfile
from pathlib import Path

import numpy as np

FORMS = ("int8, QDQ", "int8, QOperator", "int8, dynamic")
"""Static with pairs of quantise and dequantise, static with integer operators, and dynamic: ranges at run time."""


KINDS = ("Conv", "Gemm", "MatMul")
"""The nodes that are quantised: nearly all of the arithmetic. The statistics of levels are not."""


def quantised(model: bytes, form: str, faces: np.ndarray) -> bytes:
    """The same graph with 8-bit weights and, where the form says so, activations.

    Weights have 7 bits: with 8, processors without instructions for sums of 8-bit products (VNNI) overflow in between,
    and say something else than those that have them.

    Args:
        model: as `metaforge.screening.portable.onnx_of` writes it.
        form: one of `FORMS`.
        faces: uint8 images, from which the ranges of activations are taken; 16 at a time.
    """
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(quantization.CalibrationDataReader):
        def __init__(self):
            self._left = iter([{"images": faces[start : start + 16]} for start in range(0, len(faces), 16)])

        def get_next(self):
            return next(self._left, None)

    with tempfile.TemporaryDirectory() as folder:
        whole, ready, small = (str(Path(folder, name)) for name in ("whole.onnx", "ready.onnx", "small.onnx"))
        Path(whole).write_bytes(model)
        quant_pre_process(whole, ready, skip_symbolic_shape=True)
        if form == "int8, dynamic":
            quantization.quantize_dynamic(ready, small, op_types_to_quantize=list(KINDS), per_channel=True,
                                          reduce_range=True, weight_type=quantization.QuantType.QInt8)  # fmt: skip
        else:
            kind = quantization.QuantFormat.QDQ if form == "int8, QDQ" else quantization.QuantFormat.QOperator
            quantization.quantize_static(ready, small, Reader(), quant_format=kind, per_channel=True,
                                         reduce_range=True, op_types_to_quantize=list(KINDS),
                                         activation_type=quantization.QuantType.QUInt8,
                                         weight_type=quantization.QuantType.QInt8)  # fmt: skip
        return Path(small).read_bytes()
