"""A backbone in two, where its first part never moves: that one runs once an image, and only the rest in every step."""

import functools
from collections.abc import Callable, Collection
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp

from metaforge.backbones import choice
from metaforge.backbones._head import Head, dropped, head_of
from metaforge.backbones.clip_model.config import VISION
from metaforge.backbones.clip_model.transformer import linear
from metaforge.backbones.clip_model.vision import vision_tower
from metaforge.backbones.efficientnet._models import tail, trunk
from metaforge.backbones.levels import standardised
from metaforge.backbones.spec import EFFICIENTNETS, BackboneSpec
from metaforge.types import Backbone, Outputs, Params


class Cut(NamedTuple):
    """The two.

    Attributes:
        name: where it was cut: what the tail begins with; behind it what else the features depend on.
        keys: the first keys of the parameters that the trunk looks at.
        trunk: `trunk(params, images)`: maps or features, one row an image, that the tail takes for its inputs. It
            takes the whole's parameters, and looks at its own.
        tail: the rest as a backbone; of the whole's parameters it looks at its own.
        between: `between(params, made)`: what the tail takes, of what the trunk made, by parameters that never move
            either; `None` for the same. A number an image costs nothing, and what is kept need not depend on them.
    """

    name: str
    keys: tuple[str, ...]
    trunk: Callable[[Params, Any], jax.Array]
    tail: Backbone
    between: Callable[[Params, Any], jax.Array] | None = None


# Of one file of weights both conventions make features, and others.
_CONVENTIONS = {"auto": "", "tensorflow": "", "torch": "-torch"}


def cut(spec: BackboneSpec, moves: Collection[str]) -> Cut | None:
    r"""Cuts a backbone as late as its moving parameters allow: $f = \text{tail} \circ \text{trunk}$.

    A trunk has to see images one by one, so that what it makes of one is the same in every episode: Conv4, and
    EfficientNet with the statistics of a batch, cannot be cut. CLIP is cut before its neck and head alone, and levels
    before the head: they are standardised between. Of an EfficientNet with fusion the trunk hands on the maps that are
    fused, side by side in one row an image.

    Args:
        spec: the backbone.
        moves: the first keys of the parameters that move, such as `{"block14", "top_norm", "head"}`.

    Returns:
        A `Cut`, or `None` for a backbone that has no first part which never moves.

    Example:
        >>> spec = BackboneSpec(backbone="efficientnet_lite0", normalisation="frozen")
        >>> cut(spec, {"block15", "head"}).name
        'block15'
        >>> cut(BackboneSpec(backbone="efficientnet_lite0"), {"head"}) is None
        True
    """
    head: Any = spec.head
    if spec.levels:
        if {*moves} - {"head"}:
            return None
        spec = choice.settled(spec)
        made = choice.levels_of(spec.unread())
        beside = f"+clip{spec.clip_levels}" if spec.clip_levels else ""
        name = f"levels{spec.levels}{beside}{_computed(spec)}".replace(",", "-").replace(" ", "")
        return Cut(name, made.keys, made.apply, _last(0, spec.num_classes, head, 0.0), standardised)
    if spec.backbone == "clip":
        if {*moves} - {"neck", "head"}:
            return None
        return Cut(
            "features",
            ("vision",),
            _tower(spec.variant, spec.image_size),
            _last(spec.neck, spec.num_classes, head, spec.dropout),
        )
    if spec.backbone not in EFFICIENTNETS or spec.normalisation != "frozen":
        return None
    plan = choice.plan(spec)
    parts = plan.parts
    moving = [place for place, part in enumerate(parts) if {part, f"{part}_norm"} & {*moves}]
    done = min(moving, default=len(parts))
    if not done:
        return None
    rest = tail(plan, done, num_classes=spec.num_classes, neck=spec.neck, head=head, side=spec.image_size)
    keys = tuple(
        key for part in parts[:done] for key in ((part, f"{part}_norm") if part in ("stem", "top") else (part,))
    )
    name = [*parts, "maps" if plan.fused else "features"][done] + _computed(choice.settled(spec))
    if plan.fused:
        name += f"-fused{'-'.join(map(str, plan.fused))}"
    return Cut(name, keys, trunk(plan, done), rest)


def _computed(spec: BackboneSpec) -> str:
    """What a name says of how a network of the same weights computes."""
    half = spec.precision if spec.precision != "float32" and spec.backbone in EFFICIENTNETS else ""
    return _CONVENTIONS[spec.convention] + (half and f"-{half}")


@functools.lru_cache(maxsize=64)
def _tower(variant: str, image_size: int) -> Callable[[Params, Any], jax.Array]:
    tower = vision_tower(VISION[variant], image_size=image_size)
    return lambda params, images: tower.apply(params["vision"], jnp.asarray(images)).features


@functools.lru_cache(maxsize=64)
def _last(neck: int, num_classes: int, kind: Head, dropout: float) -> Backbone:
    logits = head_of(kind, num_classes)

    def init(key, inputs):
        raise NotImplementedError("the whole backbone makes the parameters")

    def apply(params, inputs, *, context=None, key=None):
        seen = dropped(jnp.asarray(inputs, jnp.float32), dropout, key)
        if neck:
            seen = linear(params["neck"], seen)
        return Outputs(cast(jax.Array, logits(params, seen)), seen)

    return Backbone(init, apply, logits)
