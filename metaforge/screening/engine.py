"""What can run a detector's network, and how a command asks for it; nothing heavy is imported to say so."""

from typing import Any, Literal, get_args

from metaforge.settings import setting

Engine = Literal["auto", "jax", "onnx", "openvino", "openvino-bfloat16"]
"""JAX; ONNX Runtime; OpenVINO in float32, or with products of bfloat16, of which a processor with AMX makes several
times as many. "auto" is JAX for a folder and ONNX Runtime for a file."""

HALF: Engine = "openvino-bfloat16"
"""The one whose scores are not those of the others to 1e-4."""


def engine_setting() -> Any:
    """The setting `--engine` of a command that scores."""
    said = "What runs the network; 'auto' is onnx for a file, and jax else. OpenVINO takes the extra `openvino`."
    return setting("auto", said, choices=get_args(Engine))
