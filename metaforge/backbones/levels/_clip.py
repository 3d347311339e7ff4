"""Levels of CLIP."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from metaforge.backbones.clip_model.backbone import clip as clip_backbone
from metaforge.backbones.clip_model.config import VisionConfig, vision_config
from metaforge.backbones.clip_model.vision import (
    check_images,
    checked_size,
    standardised,
    vision_layers,
    vision_readout,
)
from metaforge.backbones.levels._made import Levels, checked, mean_and_deviation
from metaforge.types import Params


def clip(
    *,
    blocks: tuple[int, ...] | None = None,
    variant: str | VisionConfig = "ViT-B/16",
    weights: str | Path | None = None,
    image_size: int | None = None,
    precision: Any = "float32",
) -> Levels:
    r"""CLIP's class token as its backbone has it, then of chosen blocks the mean and the deviation of the patch tokens.

    Block 0 is the first. Tokens are those of the residual stream, before any normalisation; the class token is not
    among them.

    Other Arguments:
        blocks: their numbers, in order; the last one alone if left out.
        variant: as in `metaforge.backbones.clip`.
        weights: as there.
        image_size: as there.
        precision: as there.

    Returns:
        `Levels`; of the last block of ViT-B/16 three times 768 numbers.

    Raises:
        ValueError: for blocks that there are not, none, or out of order.
        InputError: for a file of weights that is missing or of another network.

    Example:
        >>> clip().size
        2304
    """
    config, tower = vision_config(variant), clip_backbone(
        variant=variant, weights=weights, image_size=image_size, precision=precision
    )  # fmt: skip
    blocks = checked((config.layers - 1,) if blocks is None else blocks, config.layers)
    return Levels(
        lambda key, images: {"vision": tower.init(key, images)["vision"]},
        _of_tokens(config, checked_size(config, image_size), blocks),
        config.width * (1 + 2 * len(blocks)),
        ("vision",),
    )


# Equal settings give the same functions, and with them each other's compiled programs.
@functools.lru_cache(maxsize=64)
def _of_tokens(config: VisionConfig, size: int, blocks: tuple[int, ...]) -> Callable[[Params, Any], jax.Array]:
    def apply(params, images):
        tower, images = params["vision"], standardised(check_images(images, size), "clip")
        found = vision_layers(tower, images, config, {*blocks, config.layers - 1})
        kept = found if blocks[-1] == config.layers - 1 else found[:-1]
        spread = [mean_and_deviation(tokens[:, 1:], (1,)) for tokens in kept]
        # Of a tower with a projection the feature before it.
        return jnp.concatenate([vision_readout(tower, found[-1][:, 0])[1], *spread], axis=1)

    return apply
