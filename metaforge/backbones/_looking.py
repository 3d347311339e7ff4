"""Tokens of parts of an image, where a backbone has them: what words can be about."""

import dataclasses
import functools
from typing import Any

from metaforge.backbones._reading import Looks, map_tokens
from metaforge.backbones.clip_model.config import VISION
from metaforge.backbones.clip_model.vision import vision_tower
from metaforge.backbones.spec import BackboneSpec
from metaforge.types import Backbone, Outputs


def looks_of(spec: BackboneSpec, backbone: Backbone) -> Looks | None:
    """The places of Conv4's last map, or CLIP's patches; `None` for a backbone whose embedding is the one token.

    An EfficientNet's embedding is a mean over places, and a neck's has none.

    Example:
        >>> from metaforge.backbones import conv4
        >>> looks_of(BackboneSpec(neck=8), conv4(neck=8)) is None
        True
    """
    if spec.neck or spec.dropout:
        return None
    if spec.backbone == "conv4":
        return _map(backbone.apply, (spec.image_size // 16) ** 2)
    return _patches(spec.variant, spec.image_size, backbone.head) if spec.backbone == "clip" else None


# Equal settings give the same functions, and with them each other's compiled programs.
_map = functools.lru_cache(maxsize=64)(map_tokens)


@functools.lru_cache(maxsize=64)
def _patches(variant: str, image_size: int, head: Any) -> Looks:
    tower = vision_tower(dataclasses.replace(VISION[variant], projection=None), image_size=image_size)

    def looks(params, images, *, context=None, key=None):
        seen = tower.apply(params["vision"], images)
        return Outputs(head(params, seen.features), seen.features), seen.tokens

    return looks
