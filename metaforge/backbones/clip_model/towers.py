"""Both towers as one backbone: it looks at images, and while it is trained it may read their captions too."""

import functools
import os
from collections.abc import Callable, Mapping
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from metaforge.backbones._head import Head, check_head, make_head
from metaforge.backbones.clip_model.backbone import head_function
from metaforge.backbones.clip_model.config import VISION, TextConfig, VisionConfig
from metaforge.backbones.clip_model.fusion import fused, init_fusion
from metaforge.backbones.clip_model.text import init_text, text_tower
from metaforge.backbones.clip_model.transformer import linear
from metaforge.backbones.clip_model.vision import init_vision, vision_tower
from metaforge.backbones.clip_model.weights import check_weights, read_weights
from metaforge.types import ApplyFn, Backbone, Outputs, Words

SMALL_VISION = VISION["small"]
"""Trains from scratch on two cores: 17 tokens an image."""

SMALL_TEXT = TextConfig(vocabulary=256, context=48, width=64, layers=2, heads=4, projection=32)
"""The text tower beside it, for up to 253 words (`WordTokenizer`)."""

FIRST_SCALE, LARGEST_SCALE = np.log(1 / 0.07), np.log(100.0)
"""Logarithms of the scale of cosines: at first, and what it is held to, as in CLIP."""


def two_towers(
    *,
    vision: VisionConfig = SMALL_VISION,
    text: TextConfig = SMALL_TEXT,
    weights: str | os.PathLike | None = None,
    num_classes: int = 2,
    head: Head = "linear",
    heads: int = 4,
) -> Backbone:
    r"""A detector of images that may learn from captions: CLIP's two towers, a head, and a head for both together.

    Inputs are images `(examples, height, width, 3)`, or a dictionary of them as "image" and of token ids
    `(examples, length)` as "tokens". `Outputs.logits` and `embeddings`, $\mathrm{LN}_{post}(x_{class})$ and what the
    head makes of it, come from the image alone, so that at test nothing is read. With tokens, `Outputs.words` holds
    what `metaforge.objectives.image_text` asks for: both in the shared space, the scale $\kappa = \min(e^{s}, 100)$,
    and logits of `fused`. A row of zeros is an image without a caption.

    Parameters are a dictionary of "vision", "text", "logit_scale" ($s$), "head", "fusion" and "multimodal".

    Args:
        vision: sizes of the vision tower; small ones that train from scratch if left out.
        text: sizes of the text tower. `vocabulary` has to be the tokenizer's or larger.
        weights: a safetensors file of CLIP with both towers, which `init` reads; see `read_weights`. Random if left
            out.
        num_classes: how many logits.
        head: "linear", "quadratic" or "mlp"; see `metaforge.backbones.Head`.
        heads: parts of the attention between the towers; they divide both widths.

    Returns:
        A `Backbone`.

    Raises:
        InputError: for a file of weights that does not hold these towers.
        ValueError: for sizes that do not fit each other; when used, for images or ids of another shape.

    Example:
        >>> from metaforge.backbones.clip_model import WordTokenizer
        >>> small = VisionConfig(image_size=8, patch_size=4, width=8, layers=1, heads=2, projection=6)
        >>> words = TextConfig(vocabulary=8, context=4, width=8, layers=1, heads=2, projection=6)
        >>> model = two_towers(vision=small, text=words, heads=2)
        >>> tokens = WordTokenizer(("red", "square"))(["red square", None], context=4)
        >>> inputs = {"image": jnp.zeros((2, 8, 8, 3)), "tokens": jnp.asarray(tokens)}
        >>> params = jax.jit(model.init)(jax.random.key(0), inputs)
        >>> outputs = jax.jit(model.apply)(params, inputs)
        >>> outputs.logits.shape, outputs.words.texts.shape, outputs.words.logits.shape
        ((2, 2), (2, 6), (2, 2))

    References:
        Radford et al., *Learning Transferable Visual Models From Natural Language Supervision*, ICML 2021, section 2.4.
        Sun et al., *Towards General Visual-Linguistic Face Forgery Detection*, CVPR 2025 (three branches).
    """
    if vision.projection is None or vision.projection != text.projection:
        raise ValueError(
            f"both towers need a `projection` of one size, the space that they share; got {vision.projection} and "
            f"{text.projection}."
        )
    if num_classes < 1:
        raise ValueError(f"`num_classes` must be at least 1, got {num_classes}.")
    if heads < 1 or vision.width % heads or text.width % heads:
        raise ValueError(f"`heads` must divide both widths, {vision.width} and {text.width}; got {heads}.")
    check_head(head)
    if weights is not None:
        check_weights(weights, vision=vision, text=text)

    def init(key, inputs):
        images, texts, heads_key, fusion, multimodal = jax.random.split(key, 5)
        if weights is None:
            params: dict[str, Any] = {"vision": init_vision(images, vision), "text": init_text(texts, text)}
        else:
            params = read_weights(weights, vision=vision, text=text)
        params.setdefault("logit_scale", jnp.asarray(FIRST_SCALE, jnp.float32))
        both = jnp.zeros((1, vision.width + text.width))
        return params | {
            "head": make_head(head, num_classes).init(heads_key, jnp.zeros((1, vision.width)))["params"],
            "fusion": init_fusion(fusion, vision.width, text.width),
            "multimodal": make_head("linear", num_classes).init(multimodal, both)["params"],
        }

    return Backbone(init, _apply(vision, text, head, num_classes, heads), head_function(head, num_classes))


# Equal settings give the same functions, and with them each other's compiled programs.
@functools.lru_cache(maxsize=64)
def _apply(vision: VisionConfig, text: TextConfig, head: Head, num_classes: int, heads: int) -> ApplyFn:
    looks, reads = vision_tower(vision), text_tower(text)
    says = cast(Callable[[Any, Any], Any], head_function(head, num_classes))

    def apply(params, inputs, *, context=None):
        images, tokens = (inputs["image"], inputs.get("tokens")) if isinstance(inputs, Mapping) else (inputs, None)
        seen = looks.apply(params["vision"], images)
        outputs = Outputs(says(params, seen.features), seen.features)
        if tokens is None:
            return outputs
        tokens = jnp.asarray(tokens)
        read = reads.apply(params["text"], tokens)
        # Up to the end, which is the first of the highest id.
        where = jnp.arange(tokens.shape[1])[None, :] <= jnp.argmax(tokens, axis=1)[:, None]
        together = linear(params["multimodal"], fused(params["fusion"], seen, read, heads=heads, where=where))
        scale = jnp.exp(jnp.minimum(params["logit_scale"], LARGEST_SCALE))
        # Both towers have a projection, or `two_towers` would have refused them.
        images, texts = cast(Any, seen.embeddings), cast(Any, read.embeddings)
        return outputs._replace(words=Words(images, texts, scale, together))

    return apply
