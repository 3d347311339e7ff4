"""Backbones by name, made from plain settings: what commands and saved detectors know of them."""

import hashlib
import importlib.util
from pathlib import Path
from typing import Any, get_args

import jax
import jax.numpy as jnp

from metaforge.backbones._conv4 import conv4
from metaforge.backbones._normalisation import Normalisation
from metaforge.backbones.clip_model import clip
from metaforge.backbones.clip_model.config import VISION
from metaforge.backbones.efficientnet import EfficientNetNormalisation, efficientnet_lite0
from metaforge.backbones.efficientnet._models import lite0_params
from metaforge.backbones.efficientnet._pretrained import weights_file
from metaforge.errors import InputError
from metaforge.types import Backbone, Params

BACKBONES = ("conv4", "efficientnet_lite0", "clip")
"""The names that `choose` knows."""

VARIANTS = tuple(VISION)
"""The sizes of CLIP by name."""

IMAGENET = "imagenet"
"""The name of EfficientNet-Lite0's weights, of the extra `pretrained`."""

_NORMALISATIONS: dict[str, tuple[str, ...]] = {
    "conv4": get_args(Normalisation),
    "efficientnet_lite0": get_args(EfficientNetNormalisation),
    "clip": ("none",),
}

_FROM_FILE = {"efficientnet_lite0": "^(?!head/|neck/)", "clip": "^vision/"}


def choose(
    name: str,
    *,
    num_classes: int = 2,
    image_size: int = 224,
    normalisation: str = "support",
    width: int = 32,
    neck: int = 0,
    head: str = "linear",
    variant: str = "ViT-B/16",
    weights: str = "",
    convolution: str = "auto",
    precision: str = "float32",
) -> Backbone:
    """A backbone by name. Settings that the named one does not have change nothing; `check` refuses those that matter.

    Weights are read when `init` is called and not before, so that a backbone which only scores needs no file.

    Args:
        name: one of `BACKBONES`.

    Other Arguments:
        num_classes: how many logits.
        image_size: side of the images in pixels; only "clip" has to know.
        normalisation: whose statistics normalise an image; those that a backbone has differ, see `check`.
        width: filters in each convolution, of "conv4".
        neck: the size of an affine map before the head, 0 for none.
        head: "linear", "quadratic" or "mlp".
        variant: one of `VARIANTS`, of "clip".
        weights: "imagenet" or a `.pth` file for "efficientnet_lite0", a safetensors file for "clip", "" for random.
        convolution: how convolutions are computed, of "conv4".
        precision: "float32" or "bfloat16", of "conv4" and of the tower of "clip".

    Returns:
        A `Backbone`.

    Raises:
        ValueError: for an unknown name or value.
        InputError: from `init`, for weights that are missing or of another network.

    Example:
        >>> choose("conv4", width=4).apply is choose("conv4", width=4).apply  # and so are compiled programs
        True
    """
    shared: dict[str, Any] = {"num_classes": num_classes, "neck": neck, "head": head}
    if name == "conv4":
        more: dict[str, Any] = {"convolution": convolution, "precision": precision}
        return conv4(width=width, normalisation=normalisation, **more, **shared)  # type: ignore[arg-type]
    if name == "efficientnet_lite0":
        shared["normalisation"] = normalisation
        pretrained = True if weights == IMAGENET else weights or False
        made = efficientnet_lite0(pretrained=False, **shared)
        return made._replace(init=lambda *args: efficientnet_lite0(pretrained=pretrained, **shared).init(*args))
    if name == "clip":
        shared |= {"variant": variant, "image_size": image_size, "precision": precision}
        made = clip(**shared)
        return made._replace(init=lambda *args: clip(weights=weights or None, **shared).init(*args))
    raise ValueError(f"unknown backbone {name!r}; known: {', '.join(BACKBONES)}.")


def params(name: str, *, image_size: int = 224, weights: str = "", **settings: Any) -> Params:
    """The parameters of a backbone as shapes, quicker than by `jax.eval_shape` of its `init`.

    Args:
        name: one of `BACKBONES`.

    Other Arguments:
        image_size: as in `choose`.
        weights: as in `choose`; what a file brings stands there as arrays.
        **settings: the others of `choose`.

    Returns:
        A pytree of `jax.ShapeDtypeStruct`, and of arrays where a file was given.

    Raises:
        InputError: for weights that are missing or of another network.

    Example:
        >>> params("conv4", width=4)["head"]["bias"].shape
        (2,)
    """
    if name == "efficientnet_lite0":
        usual: dict[str, Any] = {"num_classes": 2, "normalisation": "support", "neck": 0, "head": "linear"}
        asked = usual | {key: value for key, value in settings.items() if key in usual}
        return lite0_params(**asked, pretrained=True if weights == IMAGENET else weights or False)
    model = choose(name, image_size=image_size, weights=weights, **settings)
    image = jnp.zeros((1, image_size, image_size, 3))
    return model.init(jax.random.key(0), image) if weights else jax.eval_shape(model.init, jax.random.key(0), image)


def check(
    name: str,
    *,
    image_size: int,
    normalisation: str,
    variant: str = "ViT-B/16",
    weights: str = "",
    precision: str = "float32",
) -> None:
    """Holds settings against what a backbone has, without reading a file of weights.

    Args:
        name: one of `BACKBONES`.

    Other Arguments:
        image_size: side of the images in pixels: 16 or more for "conv4", 32 or more for "efficientnet_lite0", a
            multiple of the patch for "clip", whose position embeddings are resized for all but the variant's own size.
        normalisation: "conv4" has "support", "episode", "group" and "none"; "efficientnet_lite0" has "support",
            "episode", "group" (not with weights) and "frozen" (only with weights); "clip" has "none" alone.
        variant: as in `choose`.
        weights: as in `choose`.
        precision: as in `choose`.

    Raises:
        InputError: for what it does not have; the line begins with the setting's name and value.

    Example:
        >>> check("clip", image_size=224, normalisation="support")
        Traceback (most recent call last):
        metaforge.errors.InputError: normalisation=support: clip has only none.
    """
    if name not in BACKBONES:
        raise InputError(f"backbone={name}: known: {', '.join(BACKBONES)}.")
    if variant not in VARIANTS:
        raise InputError(f"variant={variant}: known: {', '.join(VARIANTS)}.")
    least = {"conv4": 16, "efficientnet_lite0": 32}.get(name, 1)
    if image_size < least:
        raise InputError(f"image_size={image_size}: {name} needs {least} pixels or more.")
    patch = VISION[variant].patch_size
    if name == "clip" and image_size % patch:
        raise InputError(
            f"image_size={image_size}: clip {variant} takes {VISION[variant].image_size} pixels, or another multiple "
            f"of its patch of {patch}, to which its position embeddings are resized."
        )
    able = _NORMALISATIONS[name]
    if normalisation not in able:
        raise InputError(f"normalisation={normalisation}: {name} has only {', '.join(able)}.")
    if normalisation == "frozen" and not weights:
        raise InputError("normalisation=frozen: random weights bring no statistics. Give weights, or take support.")
    if normalisation == "group" and weights and name == "efficientnet_lite0":
        raise InputError("normalisation=group: the weights were not trained with groups. Take frozen or support.")
    if weights and name == "conv4":
        raise InputError(f"weights={weights}: conv4 has none. Leave them out, or take another backbone.")
    if weights == IMAGENET and name == "clip":
        raise InputError(f"weights={weights}: give the safetensors file of a CLIP.")
    if precision != "float32" and name == "efficientnet_lite0":
        raise InputError(f"precision={precision}: {name} computes in float32 alone.")


def from_file(name: str, weights: str) -> str:
    """Which parameters a file of weights brings, a pattern of paths (see `metaforge.core.param_paths`); "" for none.

    Example:
        >>> from_file("clip", "clip.safetensors"), from_file("clip", "")
        ('^vision/', '')
    """
    return _FROM_FILE[name] if weights else ""


def fingerprint(name: str, weights: str) -> str:
    """SHA-256 of a file of weights, in hexadecimal; "" for none.

    Args:
        name: one of `BACKBONES`.
        weights: as in `choose`.

    Raises:
        InputError: when the file is missing or cannot be read, or the extra `pretrained` is not installed.

    Example:
        >>> fingerprint("clip", "missing.safetensors")
        Traceback (most recent call last):
        metaforge.errors.InputError: weights: cannot read 'missing.safetensors' (No such file or directory).
    """
    if not weights:
        return ""
    if name == "clip" and importlib.util.find_spec("safetensors") is None:
        raise InputError("weights: a safetensors file needs the extra: pip install 'metaforge-jax[clip]'.")
    path = weights_file() if weights == IMAGENET else Path(weights)
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"weights: cannot read '{path}' ({error.strerror}).") from None
