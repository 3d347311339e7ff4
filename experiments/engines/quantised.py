"""A detector's graph in smaller numbers: by ONNX Runtime's own tools, in each form that it has, and weights alone."""

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class Form(NamedTuple):
    """How numbers are made smaller.

    Attributes:
        kind: "QDQ", static with pairs of quantise and dequantise; "QOperator", static with integer operators;
            "dynamic", ranges at run time; "stored", weights alone, which are float32 again when the file is opened.
        weights: "int8", of 7 bits: with 8, processors without instructions for sums of 8-bit products (VNNI) overflow
            in between, and say something else than those that have them; "uint8", of 8 bits around 128, which does not
            overflow; of "stored" also "int8" of 8 bits in convolutions and float16 elsewhere, and "float16".
        ranges: of activations: "MinMax", "Percentile" or "Entropy".
        kept: what stays in float32: "first", the first convolution; "depthwise"; "head", products of features;
            "outputs", what convolutions give, of which statistics are taken.
        mended: whether channels that are one constant are prepared for it (`mended`).
    """

    kind: str
    weights: str = "int8"
    ranges: str = "MinMax"
    kept: tuple[str, ...] = ("head",)
    mended: bool = True


FORMS = {
    "int8, QDQ, constants unmended": Form("QDQ", kept=(), mended=False),
    "int8, QDQ": Form("QDQ"),
    "int8, QOperator": Form("QOperator"),
    "int8, dynamic": Form("dynamic"),
    "int8, dynamic, products too": Form("dynamic", kept=()),
    "int8, QDQ, uint8 weights": Form("QDQ", "uint8"),
    "int8, QDQ, percentiles": Form("QDQ", ranges="Percentile"),
    "int8, QDQ, entropy": Form("QDQ", ranges="Entropy"),
    "int8, QDQ, first float32": Form("QDQ", kept=("head", "first")),
    "int8, QDQ, depthwise float32": Form("QDQ", kept=("head", "depthwise")),
    "int8, QDQ, outputs float32": Form("QDQ", kept=("head", "outputs")),
    "weights int8": Form("stored"),
    "weights float16": Form("stored", "float16"),
}
"""Every form, by what the table calls it."""


def quantised(model: bytes, form: Form, faces: np.ndarray) -> bytes:
    """The same graph in smaller numbers.

    Args:
        model: as `metaforge.screening.portable.onnx_of` writes it.
        form: how.
        faces: uint8 images, from which the ranges of activations are taken; 16 at a time.
    """
    import onnx

    if form.kind == "stored":
        return _stored(onnx.load_from_string(model), form.weights).SerializeToString()
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
        read = onnx.load(ready)
        if form.mended:
            mended(read)
            onnx.save(read, ready)
        kinds = ["Conv"] if "head" in form.kept else ["Conv", "Gemm", "MatMul"]
        unsigned = form.weights == "uint8"
        usual: dict[str, Any] = {
            "per_channel": True, "reduce_range": not unsigned, "op_types_to_quantize": kinds,
            "weight_type": quantization.QuantType.QUInt8 if unsigned else quantization.QuantType.QInt8,
            "nodes_to_exclude": _excluded(read, form.kept), "extra_options": {"WeightSymmetric": True},
        }  # fmt: skip
        if form.kind == "dynamic":
            quantization.quantize_dynamic(ready, small, **usual)
        else:
            if "outputs" in form.kept:
                usual["extra_options"]["OpTypesToExcludeOutputQuantization"] = ["Conv"]
            quantization.quantize_static(ready, small, Reader(), quant_format=quantization.QuantFormat[form.kind],
                                         activation_type=quantization.QuantType.QUInt8,
                                         calibrate_method=quantization.CalibrationMethod[form.ranges],
                                         **usual)  # fmt: skip
        return Path(small).read_bytes()


def mended(model: Any) -> None:
    """Channels whose weights are all but nothing, and which are their bias therefore, get weights of exactly nothing.

    A bias is quantised to 32 bits by the product of the scales of inputs and weights. Of weights about 1e-8, which some
    pretrained networks have, none but the smallest biases fit into it; of weights that are 0 the tools take another
    scale.
    """
    from onnx import numpy_helper

    constants = {constant.name: constant for constant in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Conv":
            kernel = numpy_helper.to_array(constants[node.input[1]]).copy()
            largest = np.abs(kernel).reshape(len(kernel), -1).max(axis=1)
            kernel[largest < 1e-4 * np.median(largest)] = 0
            constants[node.input[1]].CopyFrom(numpy_helper.from_array(kernel, node.input[1]))


def _excluded(model: Any, kept: tuple[str, ...]) -> list[str]:
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    grouped = [node.name for node in convolutions for each in node.attribute if each.name == "group" and each.i > 1]
    return ([convolutions[0].name] if "first" in kept else []) + (grouped if "depthwise" in kept else [])


def _stored(model: Any, kind: str) -> Any:
    """Larger constants in fewer bits, and nodes that make float32 of them, which engines do when they open a file."""
    from onnx import TensorProto, helper, numpy_helper

    before, kept = [], []
    for constant in model.graph.initializer:
        value = numpy_helper.to_array(constant)
        if value.ndim < 2 or value.size < 64 or value.dtype != np.float32:
            kept.append(constant)
            continue
        name, small = constant.name, f"{constant.name}_small"
        # A head's numbers are of many sizes, which 8 bits do not hold beside each other.
        if kind == "float16" or value.ndim < 4:
            kept.append(numpy_helper.from_array(value.astype(np.float16), small))
            before.append(helper.make_node("Cast", [small], [name], to=TensorProto.FLOAT))
            continue
        # A scale for each channel that comes out.
        scale = np.maximum(np.abs(value).max(axis=(1, 2, 3), keepdims=True) / 127, np.finfo(np.float32).tiny)
        kept += [numpy_helper.from_array(np.rint(value / scale).astype(np.int8), small),
                 numpy_helper.from_array(scale.astype(np.float32), f"{name}_scale")]  # fmt: skip
        before += [helper.make_node("Cast", [small], [f"{name}_cast"], to=TensorProto.FLOAT),
                   helper.make_node("Mul", [f"{name}_cast", f"{name}_scale"], [name])]  # fmt: skip
    nodes = [*before, *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend(nodes)
    return model
