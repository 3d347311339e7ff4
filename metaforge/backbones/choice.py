"""Backbones by name, made from plain settings: what commands and saved detectors know of them."""

import dataclasses
import functools
from typing import Any, get_args

import jax
import jax.numpy as jnp

from metaforge.backbones import levels
from metaforge.backbones._conv4 import conv4
from metaforge.backbones._looking import looks_of
from metaforge.backbones._normalisation import Normalisation
from metaforge.backbones._reading import TEXTS, reading
from metaforge.backbones.clip_model import clip
from metaforge.backbones.clip_model.config import VISION
from metaforge.backbones.efficientnet import (
    EfficientNetNormalisation,
    efficientnet_lite0,
    efficientnet_lite1,
    efficientnet_lite2,
)
from metaforge.backbones.efficientnet._models import plan_params
from metaforge.backbones.efficientnet._plan import plan_of
from metaforge.backbones.spec import BACKBONES, IMAGENET, LITES, NO_TEXT, VARIANTS, BackboneSpec
from metaforge.errors import InputError
from metaforge.types import Backbone, Params

_NORMALISATIONS: dict[str, tuple[str, ...]] = {
    "conv4": get_args(Normalisation),
    **dict.fromkeys(LITES, get_args(EfficientNetNormalisation)),
    "clip": ("none",),
}


def choose(spec: BackboneSpec) -> Backbone:
    """The backbone that a spec names. Settings that it does not have change nothing; `check` refuses those that matter.

    Weights are read when `init` is called and not before, so that a backbone which only scores needs no file.

    Args:
        spec: its settings.

    Returns:
        A `Backbone`.

    Raises:
        ValueError: for an unknown name or value.
        InputError: from `init`, for weights that are missing or of another network.

    Example:
        >>> choose(BackboneSpec(width=4)).apply is choose(BackboneSpec(width=4)).apply  # and so are compiled programs
        True
    """
    if spec.text != NO_TEXT:
        made = choose(spec.alone())
        return reading(made, looks=looks_of(spec, made), text=TEXTS[spec.text], num_classes=spec.num_classes)
    if spec.levels:
        last: dict[str, Any] = {"num_classes": spec.num_classes, "head": spec.head}
        made = levels.levels(levels_of(spec.unread()), **last)
        return made._replace(init=lambda *args: levels.levels(levels_of(spec), **last).init(*args))
    shared: dict[str, Any] = {"num_classes": spec.num_classes, "neck": spec.neck, "head": spec.head}
    if spec.backbone == "conv4":
        shared |= {"convolution": spec.convolution, "precision": spec.precision, "normalisation": spec.normalisation}
        return conv4(width=spec.width, **shared)
    if spec.backbone in LITES:
        shared["normalisation"] = spec.normalisation
        pretrained = True if spec.weights == IMAGENET else spec.weights or False
        lite = dict(zip(LITES, (efficientnet_lite0, efficientnet_lite1, efficientnet_lite2), strict=True))[
            spec.backbone
        ]
        made = lite(pretrained=False, **shared)
        return made._replace(init=lambda *args: lite(pretrained=pretrained, **shared).init(*args))
    if spec.backbone == "clip":
        shared |= {"variant": spec.variant, "image_size": spec.image_size, "precision": spec.precision}
        shared |= {"dropout": spec.dropout}
        made = clip(**shared)
        return made._replace(init=lambda *args: clip(weights=spec.weights or None, **shared).init(*args))
    raise ValueError(f"unknown backbone {spec.backbone!r}; known: {', '.join(BACKBONES)}.")


def levels_of(spec: BackboneSpec) -> levels.Levels:
    """What a spec with levels makes of an image before it is standardised.

    Raises:
        ValueError: for a backbone or blocks that there are not.
        InputError: for a file of weights that is missing or of another network.

    Example:
        >>> levels_of(BackboneSpec(backbone="clip", levels="11")).size
        2304
        >>> levels_of(BackboneSpec(backbone="efficientnet_lite0", levels="2,4", clip_levels="11")).size
        2432
    """
    blocks = _numbers(spec.levels)
    if spec.backbone in LITES:
        lite = dict(zip(LITES, (levels.lite0, levels.lite1, levels.lite2), strict=True))[spec.backbone]
        made = lite(blocks=blocks, pretrained=True if spec.weights == IMAGENET else spec.weights or False)
        return levels.beside(made, _clip(spec, spec.clip_levels, spec.clip_weights)) if spec.clip_levels else made
    if spec.backbone == "clip":
        return _clip(spec, spec.levels, spec.weights)
    raise ValueError(f"{spec.backbone} has no levels.")


def _clip(spec: BackboneSpec, blocks: str, weights: str) -> levels.Levels:
    shared: dict[str, Any] = {"image_size": spec.image_size, "precision": spec.precision}
    return levels.clip(blocks=_numbers(blocks), variant=spec.variant, weights=weights or None, **shared)


def _numbers(blocks: str) -> tuple[int, ...]:
    return tuple(int(part) for part in blocks.split(","))


def shapes(spec: BackboneSpec) -> Params:
    """The shapes of all its parameters, without a look at the weights.

    Example:
        >>> shapes(BackboneSpec(width=4))["head"]["bias"].shape
        (2,)
    """
    return _shapes(dataclasses.replace(spec.unread(), convolution="auto"))


@functools.lru_cache(maxsize=16)
def _shapes(spec: BackboneSpec) -> Params:
    images = jnp.zeros((2, spec.image_size, spec.image_size, 3))
    return jax.eval_shape(choose(spec).init, jax.random.key(0), images)


def params(spec: BackboneSpec) -> Params:
    """The parameters of a backbone as shapes, quicker than by `jax.eval_shape` of its `init`.

    Returns:
        A pytree of `jax.ShapeDtypeStruct`, and of arrays where a file of weights brings them.

    Raises:
        InputError: for weights that are missing or of another network.

    Example:
        >>> params(BackboneSpec(width=4))["head"]["bias"].shape
        (2,)
    """
    if spec.backbone in LITES and not spec.levels and spec.text == NO_TEXT:
        pretrained = True if spec.weights == IMAGENET else spec.weights or False
        asked: dict[str, Any] = {"normalisation": spec.normalisation, "neck": spec.neck, "head": spec.head}
        return plan_params(plan_of(spec.backbone), num_classes=spec.num_classes, pretrained=pretrained, **asked)
    if not spec.weights:
        return shapes(spec)
    return choose(spec).init(jax.random.key(0), jnp.zeros((1, spec.image_size, spec.image_size, 3)))


def check(spec: BackboneSpec) -> None:
    """Holds settings against what a backbone has, without reading a file of weights.

    "conv4" takes images of 16 pixels or more, the efficientnets of 32 or more, "clip" of a multiple of its patch:
    position embeddings are resized for all but the variant's own size. "conv4" has the normalisations "support",
    "episode", "group" and "none"; an efficientnet has "support", "episode", "group" (not with weights) and
    "frozen" (only with weights); "clip" has "none" alone. Dropout is
    clip's.

    Levels are numbers of blocks of an efficientnet with the normalisation "frozen", or of "clip", without neck or
    dropout. Those of a CLIP may stand beside an efficientnet's. Captions are read beside any backbone without levels.

    Raises:
        InputError: for what it does not have; the line begins with the setting's name and value.

    Example:
        >>> check(BackboneSpec(backbone="clip", image_size=224))
        Traceback (most recent call last):
        metaforge.errors.InputError: normalisation=support: clip has only none.
    """
    name, image_size, normalisation = spec.backbone, spec.image_size, spec.normalisation
    variant, weights, precision = spec.variant, spec.weights, spec.precision
    if name not in BACKBONES:
        raise InputError(f"backbone={name}: known: {', '.join(BACKBONES)}.")
    if variant not in VARIANTS:
        raise InputError(f"variant={variant}: known: {', '.join(VARIANTS)}.")
    least = {"conv4": 16, **dict.fromkeys(LITES, 32)}.get(name, 1)
    if image_size < least:
        raise InputError(f"image_size={image_size}: {name} needs {least} pixels or more.")
    patch = VISION[variant].patch_size
    if (name == "clip" or spec.clip_levels) and image_size % patch:
        raise InputError(
            f"image_size={image_size}: clip {variant} takes {VISION[variant].image_size} pixels, or another multiple "
            f"of its patch of {patch}, to which its position embeddings are resized."
        )
    able = _NORMALISATIONS[name]
    if normalisation not in able:
        raise InputError(f"normalisation={normalisation}: {name} has only {', '.join(able)}.")
    if normalisation == "frozen" and not weights:
        raise InputError("normalisation=frozen: random weights bring no statistics. Give weights, or take support.")
    if normalisation == "group" and weights and name in LITES:
        raise InputError("normalisation=group: the weights were not trained with groups. Take frozen or support.")
    if weights and name == "conv4":
        raise InputError(f"weights={weights}: conv4 has none. Leave them out, or take another backbone.")
    if weights == IMAGENET and name == "clip":
        raise InputError(f"weights={weights}: give the safetensors file of a CLIP.")
    if spec.dropout and name != "clip":
        raise InputError(f"dropout={spec.dropout:g}: {name} has none. Give 0, or take clip.")
    if precision != "float32" and name in LITES:
        raise InputError(f"precision={precision}: {name} computes in float32 alone.")
    if spec.levels:
        _check_levels(spec)
    if spec.text != NO_TEXT and spec.levels:
        raise InputError(
            f"text={spec.text}: levels stay as they are, so that they learn from no caption. Leave it out."
        )
    _check_beside(spec)


def _check_beside(spec: BackboneSpec) -> None:
    said = f"clip_levels={spec.clip_levels}"
    if spec.clip_weights and not spec.clip_levels:
        raise InputError(f"clip_weights={spec.clip_weights}: say with clip_levels which of its blocks are seen.")
    if not spec.clip_levels:
        return
    if spec.backbone not in LITES or not spec.levels:
        raise InputError(f"{said}: they stand beside the levels of an efficientnet_lite. Give levels, such as 2,4,6.")
    _check_blocks(spec.clip_levels, VISION[spec.variant].layers, said, f"clip {spec.variant}")
    if not spec.clip_weights:
        raise InputError(f"{said}: name CLIP's safetensors file with clip_weights.")


def _check_blocks(blocks: str, count: int, said: str, name: str) -> None:
    try:
        levels.checked(_numbers(blocks), count)
    except ValueError:
        raise InputError(
            f"{said}: {name} has the blocks 0 to {count - 1}. Name some of them, each once and in order, such as 2,4,6."
        ) from None


def _check_levels(spec: BackboneSpec) -> None:
    name, said = spec.backbone, f"levels={spec.levels}"
    if name == "conv4":
        raise InputError(f"{said}: conv4 has none. Leave them out, or take another backbone.")
    count = len(plan_of(name).blocks) if name in LITES else VISION[spec.variant].layers
    _check_blocks(spec.levels, count, said, name)
    if name in LITES and spec.normalisation != "frozen":
        raise InputError(f"{said}: they are of a network that stays as it is. Give normalisation=frozen.")
    if spec.neck or spec.dropout:
        raise InputError(f"{said}: their head sees all of them. Leave out neck and dropout.")
