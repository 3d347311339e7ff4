"""A file in ONNX, opened by ONNX Runtime or by OpenVINO: what it makes of images, and what it says of itself."""

import importlib.util
import io
import os
import sys
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from metaforge.errors import InputError
from metaforge.processor import cores
from metaforge.screening.engine import HALF, Engine

ONNX = "onnx: it is not installed. Install the extra: pip install 'metaforge-jax[onnx]'."
"""What is said without it."""

OPENVINO = "--engine: OpenVINO is not installed. Install the extra: pip install 'metaforge-jax[openvino]'."
"""What is said without that."""


class Opened(NamedTuple):
    """A network that runs.

    Attributes:
        run: images to every output by its name; threads may call it at once.
        takes: the input's name, type and shape, as ONNX writes them; what is open in a shape is no number.
        gives: the type and the number of axes of every output.
        says: its metadata, by their names.
    """

    run: Callable[[np.ndarray], dict[str, np.ndarray]]
    takes: tuple[str, str, list[Any]]
    gives: dict[str, tuple[str, int]]
    says: Callable[[str], str]


def opened(model: bytes, *, engine: Engine = "auto", alone: bool = False) -> Opened:
    """Opens a model.

    Args:
        model: its bytes.

    Other Arguments:
        engine: "openvino" or "openvino-bfloat16"; everything else is ONNX Runtime.
        alone: as in `session_of`; of no account for OpenVINO.

    Raises:
        InputError: without the extra that it takes, or where a processor has no products of bfloat16.
        Exception: what the engine raises for a damaged file.
    """
    if engine.startswith("openvino"):
        return _by_openvino(model, half=engine == HALF)
    session = session_of(model, alone=alone)
    (images,), names = session.get_inputs(), [output.name for output in session.get_outputs()]
    return Opened(
        lambda given: dict(zip(names, session.run(names, {images.name: given}), strict=True)),
        (images.name, images.type, images.shape),
        {output.name: (output.type, len(output.shape)) for output in session.get_outputs()},
        lambda name: session.get_modelmeta().custom_metadata_map[name],
    )


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


def import_openvino() -> Any:
    """The module `openvino`.

    Raises:
        InputError: without the extra `openvino`, or if something is amiss with it.
    """
    if importlib.util.find_spec("openvino") is None:
        raise InputError(OPENVINO)
    # When it is imported it tells its makers so, by a process that it forks, and notes that in the user's home folder;
    # where the package for that cannot be had, it does neither.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        return importlib.import_module("openvino")
    except ImportError as error:
        raise InputError(f"--engine: OpenVINO is installed and cannot be loaded ({error}). Install it again.") from None


def _by_openvino(model: bytes, *, half: bool) -> Opened:
    openvino = import_openvino()
    says = _metadata(model)
    core = openvino.Core()
    if half and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise InputError("--engine=openvino-bfloat16: this processor has no products of bfloat16. Take openvino.")
    # By its kind: left to itself OpenVINO reads whatever it knows.
    frontend = importlib.import_module("openvino.frontend").FrontEndManager().load_by_framework("onnx")
    read = frontend.convert(frontend.load(io.BytesIO(model)))
    # Left to itself OpenVINO computes in bfloat16 wherever a processor can, and scores differ from machine to machine.
    settings = {
        "INFERENCE_NUM_THREADS": cores(), "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "bf16" if half else "f32",
    }  # fmt: skip
    request, one_at_a_time = core.compile_model(read, "CPU", settings).create_infer_request(), threading.Lock()
    (images,) = read.inputs
    kinds = ((openvino.Type.u8, "tensor(uint8)"), (openvino.Type.f32, "tensor(float)"))

    def kind(end):
        return next((said for known, said in kinds if end.get_element_type() == known), "")

    def run(given):
        if given.dtype != np.uint8:  # which would be cast without a word
            raise TypeError(f"images are {given.dtype}, and uint8 is taken")
        with one_at_a_time:
            found = request.infer({images.any_name: given})
            return {output.any_name: np.array(found[output.any_name]) for output in read.outputs}

    shape = [None if axis.is_dynamic else axis.get_length() for axis in images.get_partial_shape()]
    return Opened(
        run,
        (images.any_name, kind(images), shape),
        {output.any_name: (kind(output), len(output.get_partial_shape())) for output in read.outputs},
        says.__getitem__,
    )


def _metadata(model: bytes) -> dict[str, str]:
    """What a model says of itself, once it is known to be one that OpenVINO may open.

    ONNX allows more than `onnx_of` writes, above all weights that stand in other files of this machine. ONNX Runtime
    looks after that, and OpenVINO does not.

    Raises:
        InputError: without the package `onnx`.
        ValueError: if it is of another kind, or says something twice.
    """
    try:
        import onnx
    except ImportError:
        raise InputError(ONNX) from None
    read = onnx.load_model_from_string(model)
    graph, entries = read.graph, [(entry.key, entry.value) for entry in read.metadata_props]
    inside = [attribute for node in graph.node for attribute in node.attribute
              if attribute.type not in (attribute.INT, attribute.INTS, attribute.FLOAT, attribute.FLOATS)]  # fmt: skip
    elsewhere = [weights for weights in graph.initializer if weights.data_location or weights.external_data]
    foreign = [node for node in graph.node if node.domain]
    if inside or elsewhere or foreign or read.functions or graph.sparse_initializer:
        raise ValueError("it has more in it than a detector")
    if len(entries) != len(dict(entries)):
        raise ValueError("it says something twice")
    return dict(entries)
