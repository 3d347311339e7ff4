"""CLIP's vision tower: images to tokens, a feature, and an embedding beside those of texts."""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
from einops import rearrange
from jaxtyping import Array, Float, Num

from metaforge.backbones.clip_model.config import VisionConfig
from metaforge.backbones.clip_model.positions import resized_positions
from metaforge.backbones.clip_model.transformer import (
    Insertions,
    Tokens,
    TowerOutputs,
    Weights,
    block_names,
    init_blocks,
    init_norm,
    layer_norm,
    run_block,
    wide,
)

Pixels = Literal["clip", "imagenet"]
"""Whose mean and standard deviation of colours images are standardised by."""

STATISTICS = {
    "clip": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
"""Mean and standard deviation of red, green and blue, of values in [0, 1]."""


class Tower(NamedTuple):
    """A tower as two pure functions: `init(key) -> params` and `apply(params, inputs) -> TowerOutputs`."""

    init: Callable[[jax.Array], dict]
    apply: Callable[[Any, Any], TowerOutputs]


def vision_tower(config: VisionConfig, *, image_size: int | None = None, pixels: Pixels = "clip") -> Tower:
    r"""Images to embeddings: $\mathrm{LN}_{post}(x_{class}) W_{projection}$ after all blocks.

    An image becomes patches, a linear map of each, a class token before them, and positions; then
    $\mathrm{LN}_{pre}$ and the blocks.

    Args:
        config: the sizes; `VISION["ViT-B/16"]` and others, or your own.
        image_size: height and width of the images, a multiple of the patch size; the configuration's if left out. For
            another one the position embeddings are resized.
        pixels: "clip" or "imagenet": how images are standardised.

    Returns:
        A `Tower`; its `apply` takes images `(images, height, width, 3)`, uint8 or floating point in [0, 1].

    Raises:
        ValueError: for an image size that patches do not fill, or unknown `pixels`; when used, for images of another
            shape.

    Example:
        >>> small = VisionConfig(image_size=8, patch_size=4, width=8, layers=1, heads=2, projection=6)
        >>> tower = vision_tower(small)
        >>> outputs = tower.apply(tower.init(jax.random.key(0)), jnp.zeros((2, 8, 8, 3)))
        >>> outputs.embeddings.shape, outputs.features.shape, outputs.tokens.shape
        ((2, 6), (2, 8), (2, 5, 8))

    References:
        Radford et al., *Learning Transferable Visual Models From Natural Language Supervision*, ICML 2021. Dosovitskiy
        et al., *An Image is Worth 16x16 Words*, ICLR 2021, eq. 1-4.
    """
    size = checked_size(config, image_size)
    check_pixels(pixels)

    def apply(params, images):
        tokens = vision_tokens(params, standardised(check_images(images, size), pixels), config)
        return TowerOutputs(*vision_readout(params, tokens[:, 0]), tokens)

    return Tower(lambda key: init_vision(key, config), apply)


def init_vision(key: jax.Array, config: VisionConfig) -> dict:
    """The tower's parameters, with CLIP's initialisation, in float32."""
    patch, first, positions, blocks, projection = jax.random.split(key, 5)
    width, scale = config.width, config.width**-0.5
    inputs = 3 * config.patch_size**2
    params = {
        "patch": {
            "kernel": inputs**-0.5 * jax.random.normal(patch, (config.patch_size, config.patch_size, 3, width)),
        },
        "class": scale * jax.random.normal(first, (width,)),
        "positions": scale * jax.random.normal(positions, (config.tokens, width)),
        "ln_pre": init_norm(width),
        "blocks": init_blocks(blocks, config),
        "ln_post": init_norm(width),
    }
    if config.projection is not None:
        params["projection"] = scale * jax.random.normal(projection, (width, config.projection))
    return params


def vision_tokens(
    params: Weights,
    images: Float[Array, "images height width 3"],
    config: VisionConfig,
    *,
    insertions: Callable[[str], Insertions] = lambda block: Insertions(),
    remat: bool = False,
    last: int | None = None,
) -> Tokens:
    """All tokens of standardised images after the last block, before any normalisation.

    Args:
        params: of `init_vision`.
        images: as `standardised` makes them.
        config: the sizes.
        insertions: what adapters put into a block, by its name.
        remat: whether to compute the blocks a second time on the way back, in place of storing what is inside them.
        last: how many blocks are run, from the first on; all if left out.
    """
    names = block_names(config.layers)[:last]
    return later_tokens(
        params, _embedded(params, images, config.patch_size), config, names, insertions=insertions, remat=remat
    )


def later_tokens(
    params: Weights,
    tokens: Tokens,
    config: VisionConfig,
    names: Sequence[str],
    *,
    insertions: Callable[[str], Insertions] = lambda block: Insertions(),
    remat: bool = False,
) -> Tokens:
    """What some blocks, by their names, make of the tokens before them; the rest as in `vision_tokens`."""
    for after in _blocks(params, tokens, config, names, insertions, remat):
        tokens = after
    return tokens


def vision_layers(
    params: Weights, images: Float[Array, "images height width 3"], config: VisionConfig, blocks: Collection[int]
) -> tuple[Tokens, ...]:
    """All tokens after chosen blocks, the first being block 0, before any normalisation; in the order of the tower.

    Args:
        params: of `init_vision`.
        images: as `standardised` makes them.
        config: the sizes.
        blocks: their numbers.
    """
    tokens = _embedded(params, images, config.patch_size)
    every = enumerate(_blocks(params, tokens, config, block_names(config.layers)))
    return tuple(tokens for number, tokens in every if number in blocks)


def _blocks(
    params: Weights,
    tokens: Tokens,
    config: VisionConfig,
    names: Sequence[str],
    insertions: Callable[[str], Insertions] = lambda block: Insertions(),
    remat: bool = False,
) -> Iterator[Tokens]:
    """The tokens after every block."""
    for name in names:

        def run(block, tokens, name=name):
            return run_block(
                block, tokens, heads=config.heads, activation=config.activation, insertions=insertions(name)
            )

        tokens = (jax.checkpoint(run) if remat else run)(params["blocks"][name], tokens)
        yield tokens


def vision_readout(
    params: Weights, class_tokens: Float[Array, "rows width"]
) -> tuple[Float[Array, "rows projection"] | None, Float[Array, "rows width"]]:
    """The embeddings (`None` without a projection) and features of class tokens, in float32 at least."""
    features = layer_norm(params["ln_post"], class_tokens)
    if "projection" not in params:
        return None, features
    return wide(features.astype(params["projection"].dtype) @ params["projection"]), features


def standardised(images: Num[Array, "images height width 3"], pixels: Pixels) -> Float[Array, "images height width 3"]:
    """Images less the mean, over the standard deviation of each colour; uint8 is divided by 255 first."""
    mean, deviation = (np.asarray(values, np.float32).reshape(1, 1, 1, 3) for values in STATISTICS[pixels])
    images = images.astype(jnp.float32) / 255 if jnp.issubdtype(images.dtype, jnp.integer) else wide(images)
    return (images - mean) / deviation


def checked_size(config: VisionConfig, image_size: int | None) -> int:
    """The images' height and width in pixels, or `ValueError` if patches do not fill it."""
    size = config.image_size if image_size is None else image_size
    if size < 1 or size % config.patch_size:
        raise ValueError(f"`image_size` must be a multiple of the patch size, {config.patch_size}; got {size}.")
    return size


def check_pixels(pixels: str) -> None:
    """Raises `ValueError` for an unknown name, listing the known ones."""
    if pixels not in get_args(Pixels):
        raise ValueError(f"unknown `pixels` {pixels!r}; known: {', '.join(get_args(Pixels))}.")


def check_images(images: Any, size: int, ranks: tuple[int, ...] = (4,)) -> Array:
    """The images as an array, or `ValueError` if they are no square images of `size` pixels."""
    images = jnp.asarray(images)
    if images.ndim not in ranks or images.shape[-3:] != (size, size, 3):
        raise ValueError(
            f"images must be (..., {size}, {size}, 3) with {' or '.join(map(str, ranks))} axes, got {images.shape}; "
            "`image_size` asks for another size."
        )
    if images.dtype != jnp.uint8 and not jnp.issubdtype(images.dtype, jnp.floating):
        raise ValueError(f"images must be uint8 or floating point in [0, 1], got {images.dtype}.")
    return images


def _embedded(params: Weights, images: Float[Array, "images height width 3"], patch_size: int) -> Tokens:
    count, grid = images.shape[0], images.shape[1] // patch_size
    patches = rearrange(images, "n (h p) (w q) c -> n (h w) (p q c)", p=patch_size, q=patch_size)
    kernel = rearrange(params["patch"]["kernel"], "p q c width -> (p q c) width")
    flat = patches.astype(kernel.dtype) @ kernel
    first = jnp.broadcast_to(params["class"], (count, 1, flat.shape[-1]))
    positions = resized_positions(wide(params["positions"]), grid)
    tokens = jnp.concatenate([wide(first), wide(flat)], axis=1)
    return layer_norm(params["ln_pre"], tokens + positions[None])
