"""The vision tower as a backbone: frozen weights, adapters, a linear head; of images, or of clips of frames."""

import dataclasses
import functools
import os
from collections.abc import Callable
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
from einops import rearrange

from metaforge.backbones._head import Head, check_head, dropped, head_of, make_head
from metaforge.backbones.clip_model.adapters import LoRA, STAdapter, init_adapters, init_lora, insertions
from metaforge.backbones.clip_model.config import VisionConfig, vision_config
from metaforge.backbones.clip_model.transformer import Tokens, linear
from metaforge.backbones.clip_model.vision import (
    Pixels,
    check_images,
    check_pixels,
    checked_size,
    init_vision,
    standardised,
    vision_readout,
    vision_tokens,
)
from metaforge.backbones.clip_model.weights import check_weights, read_weights
from metaforge.types import ApplyFn, Backbone, Outputs

Precision = Literal["float32", "bfloat16"]
"""What the tower's weights are kept and multiplied in. Everything else stays float32."""


def clip(
    *,
    variant: str | VisionConfig = "ViT-B/16",
    num_classes: int = 3,
    adapter: STAdapter | None = None,
    lora: LoRA | None = None,
    weights: str | os.PathLike | None = None,
    image_size: int | None = None,
    pixels: Pixels = "clip",
    projection: bool = False,
    neck: int = 0,
    head: Head = "linear",
    precision: Precision = "float32",
    remat: bool = False,
    dropout: float = 0.0,
) -> Backbone:
    r"""CLIP's vision tower, with adapters if wanted, and a head: FakeRadar's model, or a frozen baseline.

    A clip of $T$ frames goes through the tower frame by frame, and only adapters look along time. Its feature is

    $$z = \mathrm{LN}_{post}\Big(\frac{1}{T} \sum_t x^{class}_t\Big),$$

    which the head sees, perhaps through a neck, and `Outputs.embeddings` holds. Inputs are uint8 or floating point in
    [0, 1], and one of

    - images, `(examples, height, width, 3)`, each a clip of one frame;
    - clips, `(examples, frames, height, width, 3)`;
    - videos, `(videos, clips, frames, height, width, 3)`: logits are then `(videos, clips, classes)`, and embeddings
      likewise, for `metaforge.evaluation.tri_log_odds`.

    Parameters are a dictionary of "vision" (the tower), "adapters", "lora" and "neck" (where asked for) and "head".
    Nothing is frozen by itself: `metaforge.core.param_paths` says what an optimizer or a learner may move. FakeRadar's
    sister code drops half of $z$ while training: `dropout=0.5`, and `apply` draws what to drop from its `key`. Without
    one (see `metaforge.with_keys`) nothing is dropped.

    Args:
        variant: "ViT-B/32", "ViT-B/16", "ViT-L/14", "ViT-L/14@336px", or a `VisionConfig`.
        num_classes: how many logits; 3 for real, fake and outlier.
        adapter: an `STAdapter`, trained along with the head in FakeRadar.
        lora: a `LoRA`, low-rank updates of the attention's matrices.
        weights: a safetensors file of CLIP, which `init` reads; see `read_weights`. Random if left out.
        image_size: height and width of the inputs; the variant's if left out. For another one the position embeddings
            are resized.
        pixels: "clip", or "imagenet" as in FakeRadar's sister code: whose mean and deviation standardise the images.
        projection: whether $z$ is also projected into the space shared with texts.
        neck: the size of an affine map before the head, whose outputs are then the embeddings; 0 for none. Outliers
            want few dimensions.
        head: "linear", as published, "quadratic" or "mlp"; see `metaforge.backbones.Head`.
        precision: "bfloat16" keeps the tower's weights, and multiplies by them, in 16 bits. Only for towers that
            are not trained: adapters, head, sums along the residual stream and normalisations stay float32.
        remat: whether blocks are computed twice while training, for less memory.
        dropout: the share of the numbers in $z$ that is dropped where `apply` is given a key, at least 0 and below 1;
            the others grow so that the mean stays.

    Returns:
        A `Backbone`.

    Raises:
        InputError: for a file of weights that does not hold this tower; see `read_weights`.
        ValueError: for an unknown name or a size that does not fit; when used, for inputs of another shape.

    Example:
        >>> small = VisionConfig(image_size=8, patch_size=4, width=8, layers=1, heads=2)
        >>> model = clip(variant=small, adapter=STAdapter(width=4))
        >>> params = jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, 8, 8, 3)))
        >>> sorted(params), jax.jit(model.apply)(params, jnp.zeros((2, 4, 12, 8, 8, 3))).logits.shape
        (['adapters', 'head', 'vision'], (2, 4, 3))

    References:
        Radford et al., *Learning Transferable Visual Models From Natural Language Supervision*, ICML 2021. Li et al.,
        *FakeRadar: Probing Forgery Outliers to Detect Unknown Deepfake Videos*, ICCV 2025. Pan et al., *ST-Adapter*,
        NeurIPS 2022. Hu et al., *LoRA*, ICLR 2022.
    """
    config = vision_config(variant)
    if projection and config.projection is None:
        raise ValueError("`projection` is asked for, and this `VisionConfig` has none.")
    config = config if projection else dataclasses.replace(config, projection=None)
    check_pixels(pixels)
    if precision not in get_args(Precision):
        raise ValueError(f"unknown `precision` {precision!r}; known: {', '.join(get_args(Precision))}.")
    if num_classes < 1:
        raise ValueError(f"`num_classes` must be at least 1, got {num_classes}.")
    if neck < 0:
        raise ValueError(f"`neck` must be at least 0, got {neck}.")
    if not 0 <= dropout < 1:
        raise ValueError(f"`dropout` must be at least 0 and below 1, got {dropout}.")
    check_head(head)
    size = checked_size(config, image_size)
    if weights is not None:
        check_weights(weights, vision=config)

    def init(key, inputs):
        check_images(inputs, size, _RANKS)
        random, inserted, updates, necks, heads = jax.random.split(key, 5)
        tower = init_vision(random, config) if weights is None else read_weights(weights, vision=config)["vision"]
        if precision != "float32":
            tower = jax.tree.map(lambda leaf: leaf.astype(precision), tower)
        features = jnp.zeros((1, config.projection or config.width))
        params = {"vision": tower}
        if neck:
            params["neck"] = make_head("linear", neck).init(necks, features)["params"]
            features = jnp.zeros((1, neck))
        params["head"] = make_head(head, num_classes).init(heads, features)["params"]
        if adapter is not None:
            params["adapters"] = init_adapters(inserted, config, adapter)
        if lora is not None:
            params["lora"] = init_lora(updates, config, lora)
        return params

    logits = head_function(head, num_classes)
    return Backbone(init, _apply(config, adapter, lora, size, pixels, remat, dropout, logits), logits)


_RANKS = (4, 5, 6)


# Equal settings give the same functions, and with them each other's compiled programs.
head_function = functools.lru_cache(maxsize=64)(head_of)


@functools.lru_cache(maxsize=64)
def _apply(
    config: VisionConfig,
    adapter: STAdapter | None,
    lora: LoRA | None,
    size: int,
    pixels: Pixels,
    remat: bool,
    dropout: float,
    head: Callable[[Any, Any], Any],
) -> ApplyFn:
    def apply(params, inputs, *, context=None, key=None):
        frames = check_images(inputs, size, _RANKS)
        leading, length = (frames.shape[:1], 1) if frames.ndim == 4 else (frames.shape[:-4], frames.shape[-4])

        def insert(name):
            adapters, updates = (params.get(part, {}).get(name) for part in ("adapters", "lora"))
            return insertions(adapters, updates, frames=length, adapter=adapter, lora=lora)

        images = standardised(rearrange(frames, "... height width rgb -> (...) height width rgb"), pixels)
        tokens = vision_tokens(params["vision"], images, config, insertions=insert, remat=remat)
        seen = pooled(params, tokens, length)
        return headed(params, dropped(seen, dropout, key), leading, head)

    return apply


def pooled(params: Any, tokens: Tokens, length: int) -> jax.Array:
    """A row for each clip of so many frames: what the readout makes of the mean of its class tokens."""
    mean = rearrange(tokens[:, 0], "(clip frame) width -> clip frame width", frame=length).mean(axis=1)
    embedded, features = vision_readout(params["vision"], mean)
    return features if embedded is None else embedded


def headed(params: Any, seen: jax.Array, leading: tuple[int, ...], head: Callable[[Any, Any], Any]) -> Outputs:
    """Neck and head on such rows, in the leading axes that the clips had."""
    if "neck" in params:
        seen = linear(params["neck"], seen)
    logits, embeddings = (rows.reshape(*leading, rows.shape[-1]) for rows in (head(params, seen), seen))
    return Outputs(logits, embeddings)
