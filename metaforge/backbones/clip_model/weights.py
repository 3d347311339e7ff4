"""CLIP's weights from a user's safetensors file, and back into one. Nothing is ever unpickled."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np

from metaforge.backbones.clip_model.config import TextConfig, VisionConfig
from metaforge.backbones.clip_model.names import (
    SCALE,
    Entry,
    Naming,
    TowerName,
    entry,
    from_file,
    known,
    stored_shape,
    to_file,
)
from metaforge.backbones.clip_model.text import init_text
from metaforge.backbones.clip_model.vision import init_vision
from metaforge.errors import InputError

_FLOATS = ("F32", "F16", "BF16", "F64")


def read_weights(
    path: str | os.PathLike, *, vision: VisionConfig | None = None, text: TextConfig | None = None
) -> dict[str, Any]:
    """CLIP's towers from a safetensors file, with OpenAI's names or those of Hugging Face's transformers.

    The file may hold one tower or both. Every tensor of a tower that is asked for has to be there, finite and of the
    right shape, and nothing may be left over that is of no CLIP. Half precision becomes float32.

    Needs the extra `clip`. Files that Python has to unpickle (`.pt`, `.bin`) are refused: they can run anything.

    Args:
        path: the file.
        vision: the sizes of the vision tower, to read it.
        text: likewise of the text tower.

    Returns:
        Parameters by tower, "vision" and "text", as `vision_tower` and `text_tower` take them. With both towers also
        "logit_scale", if the file has it: similarities are multiplied by its exponential.

    Raises:
        InputError: for a file that cannot be read or that holds something else; the line names the tensor.
        ValueError: if no tower is asked for.

    Example:
        >>> read_weights("missing.safetensors", vision=VisionConfig())
        Traceback (most recent call last):
        metaforge.errors.InputError: clip: there is no file 'missing.safetensors'. Give the safetensors file of a CLIP.
    """
    asked = _asked(vision, text)
    with _opened(path) as file:
        found = {tower: _checked(file, path, tower, config) for tower, config in asked}
        params: dict[str, Any] = {tower: _read(file, path, *parts) for tower, parts in found.items()}
        if len(found) == 2 and SCALE in file.keys():  # noqa: SIM118 - no mapping
            params[SCALE] = jnp.asarray(_scale(file, path))
    return params


def check_weights(
    path: str | os.PathLike, *, vision: VisionConfig | None = None, text: TextConfig | None = None
) -> None:
    """What `read_weights` refuses, but for numbers that are not finite: it looks at names, shapes and types alone.

    Raises:
        InputError: as `read_weights`.
        ValueError: if no tower is asked for.
    """
    asked = _asked(vision, text)
    with _opened(path) as file:
        for tower, config in asked:
            _checked(file, path, tower, config)


def write_weights(path: str | os.PathLike, params: dict[str, Any], *, naming: Naming = "huggingface") -> None:
    """Writes towers to a safetensors file that `read_weights`, and the programs of that naming, can read.

    The numbers are float32, and the same when they are read again. The file appears whole or not at all.

    Args:
        path: the file; one that is there is replaced.
        params: as `read_weights` returns them: "vision", "text", "logit_scale", or some of these.
        naming: "huggingface", "openai", or "bare" for one tower as newer versions of transformers save it.

    Raises:
        InputError: if the file cannot be written.
        ValueError: for an unknown naming, or for parameters that have no place in such a file: adapters, a head.

    Example:
        >>> import tempfile
        >>> tiny = VisionConfig(image_size=4, patch_size=4, width=4, layers=1, heads=1)
        >>> file = Path(tempfile.mkdtemp(), "tiny.safetensors")
        >>> write_weights(file, {"vision": init_vision(jax.random.key(0), tiny)}, naming="openai")
        >>> read_weights(file, vision=tiny)["vision"]["projection"].shape
        (4, 512)
    """
    if naming not in get_args(Naming):
        raise ValueError(f"unknown `naming` {naming!r}; known: {', '.join(get_args(Naming))}.")
    if not params or not {*params} <= {*get_args(TowerName), SCALE} or (naming == "bare" and len(params) != 1):
        raise ValueError(
            f"a file of naming {naming!r} cannot hold {sorted(params)}: give `vision`, `text` and `logit_scale`, or "
            "some of these, and one tower alone for 'bare'."
        )
    tensors: dict[str, list] = {}
    for tower in get_args(TowerName):
        for place, leaf in _leaves(params.get(tower, {}), naming, tower):
            # Thirds come in the order k, q, v.
            tensors.setdefault(place.name, []).append((place.third, to_file(place, np.asarray(leaf, "f4"), naming)))
    whole = {
        name: np.concatenate([part for _, part in sorted(parts)]) if len(parts) > 1 else parts[0][1]
        for name, parts in tensors.items()
    }
    if SCALE in params:
        whole[SCALE] = np.asarray(params[SCALE], "f4")
    part, safetensors = Path(f"{path}.part"), _safetensors()
    try:
        safetensors.numpy.save_file({name: np.asarray(tensor, order="C") for name, tensor in whole.items()}, part)
        part.replace(path)
    except (safetensors.SafetensorError, OSError) as error:
        raise InputError(f"clip: cannot write {str(path)!r}: {error}. Give a file in a folder that exists.") from error


def _asked(vision: VisionConfig | None, text: TextConfig | None) -> list[tuple[TowerName, Any]]:
    if vision is None and text is None:
        raise ValueError("no tower is asked for: give `vision`, `text` or both.")
    towers: tuple[tuple[TowerName, Any], ...] = (("vision", vision), ("text", text))
    return [(tower, config) for tower, config in towers if config is not None]


@contextlib.contextmanager
def _opened(path: str | os.PathLike) -> Iterator[Any]:
    safetensors, path = _safetensors(), Path(path)
    if not path.is_file():
        raise InputError(f"clip: there is no file {str(path)!r}. Give the safetensors file of a CLIP.")
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            yield file
    except (safetensors.SafetensorError, OSError) as error:
        raise InputError(
            f"clip: {str(path)!r} is no whole safetensors file ({error}). Other formats are not read, because they can "
            "run programs; save the weights as safetensors with the library that made them."
        ) from error


def _safetensors():
    try:
        import safetensors
        import safetensors.numpy
    except ImportError as error:
        raise InputError("clip: files of weights need safetensors. Install the extra `clip`.") from error
    return safetensors


def _leaves(params: Any, naming: Naming, tower: TowerName) -> list[tuple[Entry, Any]]:
    flat, _ = jax.tree_util.tree_flatten_with_path(params)
    return [(entry("/".join(step.key for step in path), naming, tower), leaf) for path, leaf in flat]


def _checked(file, path, tower: TowerName, config: Any) -> tuple[Naming, list[tuple[Entry, Any]], Any]:
    """The naming, and every array's place and shape, once the file is known to hold them and nothing strange."""
    init: Callable = init_vision if tower == "vision" else init_text
    shapes = jax.eval_shape(lambda: init(jax.random.key(0), config))
    names = set(file.keys())
    # Whose names most of the tower's tensors have.
    naming = max(get_args(Naming), key=lambda naming: len(names & {p.name for p, _ in _leaves(shapes, naming, tower)}))
    places = _leaves(shapes, naming, tower)
    needed = {place.name: stored_shape(place, leaf.shape, naming) for place, leaf in places}
    if not names & {*needed}:
        raise InputError(
            f"clip: {str(path)!r} holds no {tower} tower of CLIP; its first tensor is {min(names, default=None)!r}. "
            "Give a file with the names of OpenAI or of Hugging Face's transformers."
        )
    missing = [name for name in needed if name not in names]
    if missing:
        raise InputError(f"clip: {str(path)!r} lacks the tensor {_first(missing)}; {_whose(tower, config)} needs it.")
    for name, shape in needed.items():
        piece = file.get_slice(name)
        if tuple(piece.get_shape()) != shape or piece.get_dtype() not in _FLOATS:
            raise InputError(
                f"clip: in {str(path)!r} the tensor {name!r} is {piece.get_dtype()} of shape "
                f"{tuple(piece.get_shape())}, and {_whose(tower, config)} needs floating point of shape {shape}."
            )
    extra = sorted(name for name in names if name not in needed and not known(name, naming, tower))
    if extra:
        raise InputError(
            f"clip: {str(path)!r} holds the tensor {_first(extra)}, which is not of {_whose(tower, config)}. Is it "
            "another variant?"
        )
    return naming, places, shapes


def _read(file, path, naming: Naming, places: list[tuple[Entry, Any]], shapes: Any) -> Any:
    arrays, tensor, last = [], np.empty(0), ""
    for place, _ in places:
        if place.name != last:
            tensor, last = _tensor(file, path, place.name), place.name
        arrays.append(np.asarray(from_file(place, tensor, naming), np.float32))
    # Not `jnp.asarray`, which compiles a program for every shape.
    return jax.tree.unflatten(jax.tree.structure(shapes), jax.device_put(arrays))


def _tensor(file, path, name: str) -> np.ndarray:
    tensor = file.get_tensor(name).astype(np.float32)
    if not np.isfinite(tensor).all():
        raise InputError(f"clip: in {str(path)!r} the tensor {name!r} has numbers that are not finite. Get it anew.")
    return tensor


def _scale(file, path) -> np.ndarray:
    scale = _tensor(file, path, SCALE)
    if scale.size != 1:
        raise InputError(f"clip: in {str(path)!r} the tensor {SCALE!r} has shape {scale.shape}; it is one number.")
    return scale.reshape(())


def _first(names: list[str]) -> str:
    return repr(names[0]) + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def _whose(tower: str, config: Any) -> str:
    return f"a {tower} tower of width {config.width} with {config.layers} layers"
