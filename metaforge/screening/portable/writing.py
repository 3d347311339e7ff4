"""Writes a detector as one ONNX file: the network, and in its metadata all that makes verdicts of what it says."""

import dataclasses
import json
import os
from typing import Any

import numpy as np

from metaforge.errors import InputError
from metaforge.screening.detector import Detector
from metaforge.screening.portable import networks
from metaforge.screening.portable.graph import Graph
from metaforge.screening.portable.opened import ONNX
from metaforge.screening.portable.scoring import FORMAT, METADATA, digest
from metaforge.whole import whole_file


def save_onnx(path: str | os.PathLike, detector: Detector) -> None:
    """Writes a detector to a new ONNX file, which `load_onnx` reads: all of it, or nothing.

    Raises:
        InputError: when the file exists, or without the extra `onnx`.
    """
    made = onnx_of(detector)
    with whole_file(path, new=True) as file:
        file.write_bytes(made)


def onnx_of(detector: Detector) -> bytes:
    r"""A detector as ONNX (operators of version 17).

    The input is "images", uint8 `(images, size, size, 3)`, red, green and blue, any number of face crops. Whatever
    happens to them before the first convolution is in the graph. Outputs are "logit", float32 `(images,)`: the log
    of the odds of being fake, not calibrated; and "distance" likewise, of a detector that has a `prior`.

    Normalisations are folded into the convolutions. Of "support" and "episode" they are those of the detector's context
    images, which are not in the file. Numbers are float32, also of a network that computes in bfloat16, whose
    probabilities then differ by some thousandths. What `metaforge.screening.explain` needs is not in it.

    What stands in the metadata under "metaforge" is JSON: the format's number, the network's settings, what the
    detector says of itself with its calibration, the image size, the crop, and the SHA-256 of all bytes before it and
    of the rest of the JSON.

    Args:
        detector: what is written.

    Raises:
        InputError: without the extra `onnx`.

    Example:
        >>> import jax
        >>> from metaforge.backbones import choice
        >>> from metaforge.backbones.spec import BackboneSpec
        >>> spec = BackboneSpec(image_size=16, width=4)
        >>> params = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), choice.shapes(spec))
        >>> made = onnx_of(Detector(params, np.zeros((2, 16, 16, 3), np.uint8), spec, {}))
        >>> made[1]  # version 8 of the form
        8
    """
    try:
        import onnx
    except ImportError:
        raise InputError(ONNX) from None
    spec = detector.spec
    graph = Graph(spec.image_size)
    features = networks.embedded(graph, spec, detector.params, detector.context)
    outputs = {
        "logit": _logit(graph, networks.logits(graph, spec, detector.params["head"], features), spec.num_classes)
    }
    if detector.prior is not None:
        outputs["distance"] = _distance(graph, features, detector.prior)
    model = graph.model(outputs).SerializeToString()
    about = {
        "format": FORMAT,
        "model": dataclasses.asdict(spec.unread()),
        "about": detector.about,
        "image_size": spec.image_size,
        "crop": detector.crop,
        "bytes": len(model),
    }
    about["sha256"] = digest(model, about)
    # A message of protobuf and another behind it are read as one: what is summed stays as it is.
    behind = onnx.ModelProto()
    behind.metadata_props.add(key=METADATA, value=json.dumps(about))
    return model + behind.SerializeToString()


def _logit(graph: Graph, logits: str, classes: int) -> str:
    """The log of the odds of all classes but the first.

    Not by ReduceLogSumExp: OpenVINO 2026.4 sums that over the images, too, and without a word.
    """
    real, forged = graph.part(logits, 0, 1), graph.part(logits, 1, 1 << 30)
    if classes > 2:
        most, axis = graph.add("ReduceMax", forged, axes=[1], keepdims=1), graph.constant([1], kind=np.int64)
        total = graph.add("ReduceSum", graph.add("Exp", graph.add("Sub", forged, most)), axis, keepdims=1)
        forged = graph.add("Add", graph.add("Log", total), most)
    return graph.add("Squeeze", graph.add("Sub", forged, real), graph.constant([1], kind=np.int64))


def _distance(graph: Graph, features: str, prior: Any) -> str:
    """The mean square of features in the coordinates in which the source has deviation 1."""
    inverse = np.linalg.inv(np.asarray(prior.factor, np.float64)).T
    less = graph.add("Sub", features, graph.constant(np.asarray(prior.middle)[None]))
    white = graph.add("MatMul", less, graph.constant(inverse))
    return graph.add("ReduceMean", graph.add("Mul", white, white), axes=[1], keepdims=0)
