"""Networks as makers of levels: EfficientNet-Lite0, CLIP, and two side by side."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

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
from metaforge.backbones.efficientnet._depthwise import DepthwiseForm
from metaforge.backbones.efficientnet._models import maps, maps_params
from metaforge.backbones.efficientnet._plan import LITE0
from metaforge.types import Params, PRNGKey

LITE0_BLOCKS = (2, 4, 6, 8, 10, 12, 14)
"""Blocks of EfficientNet-Lite0 that are taken by default: every second one, 752 channels in all."""

_EPSILON = 1e-6  # added to variances, so that a map that is the same everywhere has a gradient


class Levels(NamedTuple):
    """What makes a vector of an image, before it is standardised; each image alone.

    Attributes:
        init: `init(key, images) -> params`, read from a file of weights if there is one.
        apply: `apply(params, images)`: float32, shape `(images, size)`. Other parameters beside its own do not matter.
        size: how many numbers an image has.
        keys: the first keys of its parameters.
    """

    init: Callable[[PRNGKey, Any], Params]
    apply: Callable[[Params, Any], jax.Array]
    size: int
    keys: tuple[str, ...]


def lite0(
    *,
    blocks: tuple[int, ...] = LITE0_BLOCKS,
    pretrained: bool | str | Path = True,
    depthwise: DepthwiseForm = "auto",
) -> Levels:
    r"""Blocks of EfficientNet-Lite0: the mean of every channel over the image, then $\sqrt{\mathrm{var} + 10^{-6}}$.

    Block 0 is the first after the stem, with 16 channels, and block 15 the last, with 320. Of every block in turn come
    the means of its channels and then their deviations. What comes after the last block is not computed. Images are
    those of `metaforge.backbones.efficientnet_lite0`, of any size from 32 pixels up.

    Other Arguments:
        blocks: their numbers, in order.
        pretrained: as in `efficientnet_lite0`.
        depthwise: as in `efficientnet_lite0`.

    Returns:
        `Levels`; of the default blocks 1,504 numbers.

    Raises:
        ValueError: for blocks that there are not, none, or out of order.
        InputError: from `init`, if the weights are not installed or not these.

    Example:
        >>> lite0().size, lite0(blocks=(0, 15)).size
        (1504, 672)
    """
    plan, blocks = LITE0, checked(blocks, len(LITE0.blocks))
    keys = ("stem", "stem_norm", *(f"block{number}" for number in range(blocks[-1] + 1)))
    return Levels(
        lambda key, images: maps_params(plan, blocks, pretrained, key),
        _of_maps(maps(plan, blocks, depthwise=depthwise)),
        2 * sum(plan.blocks[number][0].features for number in blocks),
        keys,
    )


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


def beside(first: Levels, second: Levels) -> Levels:
    """The numbers of one network and then those of another; both look at the same images.

    Their parameters are those of the two, under "first" and "second".

    Example:
        >>> both = beside(lite0(pretrained=False), lite0(pretrained=False, blocks=(0,)))
        >>> both.size, both.keys
        (1536, ('first', 'second'))
    """

    def init(key, images):
        ours, theirs = jax.random.split(key)
        return {"first": first.init(ours, images), "second": second.init(theirs, images)}

    return Levels(init, _side_by_side(first.apply, second.apply), first.size + second.size, ("first", "second"))


def checked(blocks: tuple[int, ...], count: int) -> tuple[int, ...]:
    """The numbers of some of `count` blocks, or `ValueError` if they are not.

    Example:
        >>> checked((2, 4), 16)
        (2, 4)
    """
    if not blocks or list(blocks) != sorted({*blocks}) or blocks[0] < 0 or blocks[-1] >= count:
        raise ValueError(f"blocks are numbered 0 to {count - 1}. Name one or more of them, each once and in order.")
    return tuple(blocks)


def mean_and_deviation(values: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    r"""Means over axes, then $\sqrt{\mathrm{var} + 10^{-6}}$, `(images, 2 * channels)`, in float32 at least.

    Example:
        >>> print(mean_and_deviation(jnp.array([[[1.0], [3.0]]]), (1,)))
        [[2.        1.0000005]]
    """
    values = values.astype(jnp.promote_types(values.dtype, jnp.float32))
    mean = jnp.mean(values, axes, keepdims=True)
    variance = jnp.mean(jnp.square(values - mean), axes)
    return jnp.concatenate([jnp.squeeze(mean, axes), jnp.sqrt(variance + _EPSILON)], axis=1)


# Equal settings give the same functions, and with them each other's compiled programs.
@functools.lru_cache(maxsize=64)
def _of_maps(seen: Callable[[Params, Any], tuple[jax.Array, ...]]) -> Callable[[Params, Any], jax.Array]:
    def apply(params, images):
        return jnp.concatenate([mean_and_deviation(part, (1, 2)) for part in seen(params, images)], axis=1)

    return apply


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


@functools.lru_cache(maxsize=64)
def _side_by_side(first: Callable, second: Callable) -> Callable[[Params, Any], jax.Array]:
    def apply(params, images):
        return jnp.concatenate([first(params["first"], images), second(params["second"], images)], axis=1)

    return apply
