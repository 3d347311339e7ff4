"""Backbones by name, made from plain settings: what commands and saved detectors know of them."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp

from metaforge.backbones import levels, precision
from metaforge.backbones._checking import check, numbers  # noqa: F401 - `choice.check` is how it is called
from metaforge.backbones._conv4 import conv4
from metaforge.backbones._looking import looks_of
from metaforge.backbones._reading import TEXTS, reading
from metaforge.backbones.clip_model import clip
from metaforge.backbones.efficientnet._models import assemble, plan_params
from metaforge.backbones.efficientnet._plan import Plan, fused, plan_of
from metaforge.backbones.efficientnet._squeezed import settled as settled_convention
from metaforge.backbones.spec import BACKBONES, EFFICIENTNETS, IMAGENET, NO_TEXT, SQUEEZED, BackboneSpec
from metaforge.types import Backbone, Params


def choose(spec: BackboneSpec) -> Backbone:
    """The backbone that a spec names. Settings that it does not have change nothing; `check` refuses those that matter.

    Weights are read when `init` is called and not before, so that a backbone which only scores needs no file. Only
    with the convention "auto" an EfficientNet of squeeze-and-excitation looks into its file at once (see `settled`).

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
    spec = settled(spec)
    if spec.levels:
        last: dict[str, Any] = {"num_classes": spec.num_classes, "head": spec.head}
        made = levels.levels(levels_of(spec.unread()), **last)
        return made._replace(init=lambda *args: levels.levels(levels_of(spec), **last).init(*args))
    shared: dict[str, Any] = {"num_classes": spec.num_classes, "neck": spec.neck, "head": spec.head}
    if spec.backbone == "conv4":
        shared |= {"convolution": spec.convolution, "precision": spec.precision, "normalisation": spec.normalisation}
        return conv4(width=spec.width, **shared)
    if spec.backbone in EFFICIENTNETS:
        shared["normalisation"] = spec.normalisation
        own = plan(spec)
        made = assemble(own, **shared)
        return made._replace(init=lambda *args: assemble(own, pretrained=_pretrained(spec), **shared).init(*args))
    if spec.backbone == "clip":
        shared |= {"variant": spec.variant, "image_size": spec.image_size, "precision": spec.precision}
        shared |= {"dropout": spec.dropout}
        made = clip(**shared)
        return made._replace(init=lambda *args: clip(weights=spec.weights or None, **shared).init(*args))
    raise ValueError(f"unknown backbone {spec.backbone!r}; known: {', '.join(BACKBONES)}.")


def settled(spec: BackboneSpec) -> BackboneSpec:
    """The same with nothing left that is "auto" and changes numbers.

    The precision becomes that which is faster here (`metaforge.backbones.precision`). The convention of an EfficientNet
    of squeeze-and-excitation becomes that of the names in the file of weights. What is kept longer than this machine
    and the file has to be settled.

    Raises:
        InputError: if the names have to be seen and cannot be.

    Example:
        >>> settled(BackboneSpec(backbone="efficientnet_b0")).convention, settled(BackboneSpec()).convention
        ('tensorflow', 'auto')
    """
    spec = precise(spec)
    if spec.backbone not in SQUEEZED:
        return spec
    asked: Any = spec.convention
    return dataclasses.replace(spec, convention=settled_convention(asked, spec.weights))


def precise(spec: BackboneSpec) -> BackboneSpec:
    """The same in the faster precision of this machine, if it is "auto".

    Example:
        >>> precise(BackboneSpec(precision="bfloat16")).precision
        'bfloat16'
    """
    return dataclasses.replace(spec, precision=precision.measured()) if spec.precision == "auto" else spec


def plan(spec: BackboneSpec) -> Plan:
    """What the EfficientNet of a spec is made of.

    Raises:
        InputError: as `settled`.
        ValueError: for blocks to fuse that there are not.

    Example:
        >>> len(plan(BackboneSpec(backbone="efficientnet_b4")).blocks)
        32
    """
    spec = settled(spec)
    convention: Any = spec.convention
    computed: Any = spec.precision
    inside = numbers(spec.hidden) if spec.hidden else ()
    own = plan_of(spec.backbone, convention)._replace(hidden=inside, precision=computed)
    return fused(own, numbers(spec.fusion), spec.fusion_width) if spec.fusion else own


def _pretrained(spec: BackboneSpec) -> bool | str:
    return True if spec.weights == IMAGENET else spec.weights or False


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
    spec, blocks = precise(spec), numbers(spec.levels)
    if spec.backbone in EFFICIENTNETS:
        made = levels.of_plan(plan(spec), blocks, _pretrained(spec))
        return levels.beside(made, _clip(spec, spec.clip_levels, spec.clip_weights)) if spec.clip_levels else made
    if spec.backbone == "clip":
        return _clip(spec, spec.levels, spec.weights)
    raise ValueError(f"{spec.backbone} has no levels.")


def _clip(spec: BackboneSpec, blocks: str, weights: str) -> levels.Levels:
    shared: dict[str, Any] = {"image_size": spec.image_size, "precision": spec.precision}
    return levels.clip(blocks=numbers(blocks), variant=spec.variant, weights=weights or None, **shared)


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
    if spec.backbone in EFFICIENTNETS and not spec.levels and spec.text == NO_TEXT:
        asked: dict[str, Any] = {"normalisation": spec.normalisation, "neck": spec.neck, "head": spec.head}
        return plan_params(plan(spec), num_classes=spec.num_classes, pretrained=_pretrained(spec), **asked)
    if not spec.weights:
        return shapes(spec)
    return choose(spec).init(jax.random.key(0), jnp.zeros((1, spec.image_size, spec.image_size, 3)))
