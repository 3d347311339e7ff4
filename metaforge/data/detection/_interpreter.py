"""A model file as a function of arrays, run by LiteRT on one thread."""

import contextlib
import os
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from metaforge.data.detection.model_files import MODELS, model_path
from metaforge.errors import InputError

_here = threading.local()
_only_one = threading.Lock()


def run(name: str, inputs: np.ndarray) -> Sequence[np.ndarray]:
    """What a model says of one input.

    Args:
        name: one of `metaforge.data.detection.model_files.MODELS`.
        inputs: float32, as the model asks for it.

    Returns:
        Its outputs, in its order, float32; copies.

    Raises:
        InputError: when LiteRT is not installed, or the model cannot be had.
    """
    # An interpreter keeps its activations, so each thread has its own; and for each shape, as the change takes long.
    known: dict[tuple[str, tuple[int, ...]], Any] = _here.__dict__.setdefault("known", {})
    if (name, inputs.shape) not in known:
        known[name, inputs.shape] = _opened(name, inputs.shape)
    interpreter, seen, said = known[name, inputs.shape]
    interpreter.set_tensor(seen, inputs)
    interpreter.invoke()
    return [interpreter.get_tensor(index) for index in said]


def check() -> None:
    """Holds that LiteRT and the models are there, before hours of work.

    Raises:
        InputError: as `run`.
    """
    _library()
    for name in MODELS:
        model_path(name)


def _library() -> Any:
    try:
        from ai_edge_litert import interpreter
    except ImportError:
        raise InputError("faces: LiteRT is not installed. Install the extra `faces`.") from None
    return interpreter


def _opened(name: str, shape: tuple[int, ...]):
    library = _library()
    try:
        # One thread: callers have several, or several processes.
        path = str(model_path(name))
        with _hushed():
            made = library.Interpreter(model_path=path, num_threads=1)
            if tuple(made.get_input_details()[0]["shape"]) != shape:
                made.resize_tensor_input(made.get_input_details()[0]["index"], shape)
            made.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"faces: LiteRT cannot open the model '{name}' ({error}). Install ai-edge-litert anew."
        ) from None
    return made, made.get_input_details()[0]["index"], [output["index"] for output in made.get_output_details()]


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    """What LiteRT writes past Python to the error stream goes nowhere: that it opened a model, at every one of them."""
    with _only_one:
        try:
            kept = os.dup(2)
        except OSError:  # there is no error stream
            yield
            return
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
