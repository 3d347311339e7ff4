"""CLIP in two: blocks that have no adapters, which never change a frame's tokens, and the rest, which is trained."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from einops import rearrange

from metaforge.backbones._head import Head
from metaforge.backbones.clip_model.adapters import STAdapter, insertions
from metaforge.backbones.clip_model.backbone import head_function, headed, pooled
from metaforge.backbones.clip_model.config import VisionConfig, vision_config
from metaforge.backbones.clip_model.transformer import block_names
from metaforge.backbones.clip_model.vision import (
    Pixels,
    check_images,
    checked_size,
    later_tokens,
    standardised,
    vision_tokens,
)
from metaforge.types import ApplyFn, Outputs


class PartedClip(NamedTuple):
    """The two parts; both take the parameters of the whole `clip`.

    Attributes:
        lower: `lower(params, frames) -> tokens`: uint8 or floating point `(frames, height, width, 3)` to
            `(frames, tokens, width)`.
        upper: `upper(params, tokens) -> Outputs`: tokens of clips, `(examples, frames, tokens, width)`, or of videos,
            `(videos, clips, frames, tokens, width)`, in any floating point.
        head: as of a `Backbone`.
    """

    lower: Callable[[Any, Any], jax.Array]
    upper: ApplyFn
    head: Callable[[Any, Any], Any]


def parted_clip(
    *,
    variant: str | VisionConfig,
    num_classes: int,
    adapter: STAdapter,
    image_size: int | None = None,
    pixels: Pixels = "clip",
    head: Head = "linear",
) -> PartedClip:
    r"""The backbone that `metaforge.backbones.clip` makes of the same settings, cut before the first adapter.

    Args:
        variant: as in `clip`, like all of them.
        num_classes: how many logits.
        adapter: which of the last blocks have adapters.
        image_size: height and width of the frames.
        pixels: how they are standardised.
        head: the last part.

    Returns:
        The parts: $\text{clip}(x) = \text{upper}(\text{lower}(x))$.

    Raises:
        ValueError: as `clip`; and if every block has adapters.

    Example:
        >>> small = VisionConfig(image_size=8, patch_size=4, width=8, layers=2, heads=2, projection=None)
        >>> from metaforge.backbones import clip
        >>> adapter = STAdapter(width=4, blocks=1)
        >>> params = clip(variant=small, adapter=adapter).init(jax.random.key(0), jnp.zeros((1, 8, 8, 3)))
        >>> parts = parted_clip(variant=small, num_classes=3, adapter=adapter)
        >>> tokens = parts.lower(params, jnp.zeros((6, 8, 8, 3)))
        >>> parts.upper(params, tokens.reshape(2, 3, *tokens.shape[1:])).logits.shape
        (2, 3)
    """
    config, logits = vision_config(variant), head_function(head, num_classes)
    size, below = checked_size(config, image_size), config.layers - adapter.blocks
    if not adapter.blocks or below < 0:
        raise ValueError(f"`blocks` of the adapters is {adapter.blocks}: give 1 to {config.layers}, those above a cut.")
    return PartedClip(_lower(config, below, size, pixels), _upper(config, below, adapter, logits), logits)


@functools.lru_cache(maxsize=64)
def _lower(config: VisionConfig, below: int, size: int, pixels: Pixels) -> Callable[[Any, Any], jax.Array]:
    def lower(params, frames):
        return vision_tokens(params["vision"], standardised(check_images(frames, size), pixels), config, last=below)

    return lower


@functools.lru_cache(maxsize=64)
def _upper(config: VisionConfig, below: int, adapter: STAdapter, head: Callable[[Any, Any], Any]) -> ApplyFn:
    names = block_names(config.layers)[below:]

    def upper(params, inputs, *, context=None, key=None) -> Outputs:
        leading, length = inputs.shape[:-3], inputs.shape[-3]
        rows = rearrange(jnp.asarray(inputs, jnp.float32), "... tokens width -> (...) tokens width")

        def insert(name):
            return insertions(params["adapters"].get(name), None, frames=length, adapter=adapter)

        tokens = later_tokens(params["vision"], rows, config, names, insertions=insert)
        return headed(params, pooled(params, tokens, length), leading, head)

    return upper
