"""A backbone in two, where its first part never moves: that one runs once an image, and only the rest in every step."""

import functools
from collections.abc import Callable, Collection
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp

from metaforge.backbones._head import Head, head_of
from metaforge.backbones.clip_model.config import VISION
from metaforge.backbones.clip_model.transformer import linear
from metaforge.backbones.clip_model.vision import vision_tower
from metaforge.backbones.efficientnet._models import tail, trunk
from metaforge.backbones.efficientnet._plan import LITE0
from metaforge.types import Backbone, Outputs, Params


class Cut(NamedTuple):
    """The two.

    Attributes:
        name: where it was cut: what the tail begins with.
        keys: the first keys of the parameters that the trunk looks at.
        trunk: `trunk(params, images)`: maps or features, one row an image, that the tail takes for its inputs. It
            takes the whole's parameters, and looks at its own.
        tail: the rest as a backbone; of the whole's parameters it looks at its own.
    """

    name: str
    keys: tuple[str, ...]
    trunk: Callable[[Params, Any], jax.Array]
    tail: Backbone


def cut(
    name: str,
    moves: Collection[str],
    *,
    normalisation: str,
    num_classes: int = 2,
    image_size: int = 224,
    neck: int = 0,
    head: str = "linear",
    variant: str = "ViT-B/16",
) -> Cut | None:
    r"""Cuts a backbone as late as its moving parameters allow: $f = \text{tail} \circ \text{trunk}$.

    A trunk has to see images one by one, so that what it makes of one is the same in every episode: Conv4, and
    EfficientNet with the statistics of a batch, cannot be cut. CLIP is cut before its neck and head alone.

    Args:
        name: one of `metaforge.backbones.choice.BACKBONES`.
        moves: the first keys of the parameters that move, such as `{"block14", "top_norm", "head"}`.

    Other Arguments:
        normalisation: as in `metaforge.backbones.choice.choose`, like the others.
        num_classes: how many logits.
        image_size: side of the images in pixels.
        neck: the size of an affine map before the head, 0 for none.
        head: "linear", "quadratic" or "mlp".
        variant: of "clip".

    Returns:
        A `Cut`, or `None` for a backbone that has no first part which never moves.

    Example:
        >>> cut("efficientnet_lite0", {"block15", "head"}, normalisation="frozen").name
        'block15'
        >>> cut("efficientnet_lite0", {"head"}, normalisation="support") is None
        True
    """
    if name == "clip":
        if {*moves} - {"neck", "head"}:
            return None
        return Cut("features", ("vision",), _tower(variant, image_size), _last(neck, num_classes, head))  # type: ignore[arg-type]
    if name != "efficientnet_lite0" or normalisation != "frozen":
        return None
    parts = LITE0.parts
    moving = [place for place, part in enumerate(parts) if {part, f"{part}_norm"} & {*moves}]
    done = min(moving, default=len(parts))
    if not done:
        return None
    rest = tail(LITE0, done, num_classes=num_classes, neck=neck, head=head)  # type: ignore[arg-type]
    keys = tuple(
        key for part in parts[:done] for key in ((part, f"{part}_norm") if part in ("stem", "top") else (part,))
    )
    return Cut([*parts, "features"][done], keys, trunk(LITE0, done), rest)


@functools.lru_cache(maxsize=64)
def _tower(variant: str, image_size: int) -> Callable[[Params, Any], jax.Array]:
    tower = vision_tower(VISION[variant], image_size=image_size)
    return lambda params, images: tower.apply(params["vision"], jnp.asarray(images)).features


@functools.lru_cache(maxsize=64)
def _last(neck: int, num_classes: int, kind: Head) -> Backbone:
    logits = head_of(kind, num_classes)

    def init(key, inputs):
        raise NotImplementedError("the whole backbone makes the parameters")

    def apply(params, inputs, *, context=None, key=None):
        seen = jnp.asarray(inputs, jnp.float32)
        if neck:
            seen = linear(params["neck"], seen)
        return Outputs(cast(jax.Array, logits(params, seen)), seen)

    return Backbone(init, apply, logits)
