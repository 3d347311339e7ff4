"""Any backbone of images as one that may read their captions while it is trained."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, cast

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from metaforge.backbones._head import make_head
from metaforge.backbones.clip_model.config import TextConfig
from metaforge.backbones.clip_model.fusion import fused, init_fusion
from metaforge.backbones.clip_model.text import init_text, text_tower
from metaforge.backbones.clip_model.towers import FIRST_SCALE, LARGEST_SCALE, SMALL_TEXT
from metaforge.backbones.clip_model.transformer import TowerOutputs, linear
from metaforge.backbones.spec import SMALL
from metaforge.types import ApplyFn, Backbone, Outputs, Params, Words

WORDS = "words"
"""The key of all parameters that only captions need."""

TEXTS = {SMALL: SMALL_TEXT}
"""The text towers by name."""

Looks = Callable[..., tuple[Outputs, Float[Array, "examples tokens width"]]]
"""`looks(params, images, context=None, key=None)`: what a backbone says of images, and its tokens of their parts."""

_READ = 0x3EAD


def reading(
    backbone: Backbone, *, looks: Looks | None = None, text: TextConfig = SMALL_TEXT, num_classes: int = 2,
    heads: int = 4,
) -> Backbone:  # fmt: skip
    """A backbone of images with a text tower beside it, as `two_towers` is CLIP's.

    Inputs are images, or a dictionary of them as "image" and of token ids `(examples, length)` as "tokens". What is
    said of an image never depends on a caption. With tokens, `Outputs.words` holds what
    `metaforge.objectives.image_text` asks for: the embedding and the text's end, each by a matrix of its own in the
    shared space, and logits of both together, where tokens of the image look at words (`clip_model.fused`).

    All parameters of that are under "words"; the others are the backbone's own, with its own initial values.
    `without_words` leaves them out, and `apply` does not miss them where there are no captions.

    Args:
        backbone: of images.

    Other Arguments:
        looks: what it says, together with tokens of parts of the image; the embedding as the one token if left out.
        text: sizes of the text tower. `vocabulary` has to be the tokenizer's or larger.
        num_classes: how many logits.
        heads: parts of the attention between image and text; they divide the text's width.

    Returns:
        A `Backbone`.

    Raises:
        ValueError: for a text tower without a projection, or heads that do not divide its width.

    Example:
        >>> from metaforge.backbones import conv4
        >>> from metaforge.backbones.clip_model import WordTokenizer
        >>> model = reading(conv4(width=4), text=TextConfig(8, context=4, width=8, layers=1, heads=2, projection=6))
        >>> tokens = WordTokenizer(("the", "mouth"))(["the mouth", None], context=4)
        >>> inputs = {"image": jnp.zeros((2, 16, 16, 3)), "tokens": jnp.asarray(tokens)}
        >>> params = jax.jit(model.init)(jax.random.key(0), inputs)
        >>> jax.jit(model.apply)(params, inputs).words.texts.shape
        (2, 6)
        >>> jax.jit(model.apply)(without_words(params), inputs["image"]).words is None
        True

    References:
        Sun et al., *Towards General Visual-Linguistic Face Forgery Detection*, CVPR 2025 (three branches).
    """
    if text.projection is None:
        raise ValueError("the text tower needs a `projection`, the space that images and texts share.")
    if heads < 1 or text.width % heads:
        raise ValueError(f"`heads` must divide the text's width, {text.width}; got {heads}.")

    def init(key, inputs):
        images, _ = _parts(inputs)
        params = backbone.init(key, images)
        # The backbone's own key stays its own: what it begins with does not depend on whether words are read.
        return {**params, WORDS: _init(jax.random.fold_in(key, _READ), backbone, looks, params, images)}

    def _init(key, backbone, looks, params, images):
        outputs, parts = jax.eval_shape(looks or _as_one(backbone.apply), params, images)
        tower, shared, whole, patches, fusion, both = jax.random.split(key, 6)
        dense = lambda key, rows, columns: make_head("linear", columns).init(key, jnp.zeros((1, rows)))["params"]
        size = outputs.embeddings.shape[-1]
        return {
            "text": init_text(tower, text),
            "logit_scale": jnp.asarray(FIRST_SCALE, jnp.float32),
            "shared": dense(shared, size, text.projection),
            "whole": dense(whole, size, text.width),
            "parts": dense(patches, parts.shape[-1], text.width),
            "fusion": init_fusion(fusion, text.width, text.width),
            "multimodal": dense(both, 2 * text.width, num_classes),
        }

    return Backbone(init, _apply(backbone.apply, looks, text, heads), backbone.head)


def without_words(params: Params) -> Params:
    """The parameters of the images' side alone: what a detector needs.

    Example:
        >>> without_words({"head": 1, "words": 2})
        {'head': 1}
    """
    return {name: part for name, part in params.items() if name != WORDS}


def map_tokens(apply: ApplyFn, places: int) -> Looks:
    """The `looks` of a backbone whose embeddings are a flattened map of so many places.

    Example:
        >>> flat = lambda params, images, *, context: Outputs(jnp.zeros((2, 2)), jnp.zeros((2, 12)))
        >>> map_tokens(flat, 4)(None, jnp.zeros((2, 8, 8, 3)))[1].shape
        (2, 4, 3)
    """

    def looks(params, images, *, context=None, key=None):
        outputs = _called(apply, params, images, context, key)
        return outputs, outputs.embeddings.reshape(len(outputs.embeddings), places, -1)

    return looks


# Equal settings give the same functions, and with them each other's compiled programs.
@functools.lru_cache(maxsize=64)
def _apply(image: ApplyFn, looks: Looks | None, text: TextConfig, heads: int) -> ApplyFn:
    looks, reads = looks or _as_one(image), text_tower(text)

    def apply(params, inputs, *, context=None, key=None):
        images, tokens = _parts(inputs)
        around = None if context is None else _parts(context)[0]
        if tokens is None:
            return _called(image, params, images, around, key)
        outputs, parts = looks(params, images, context=around, key=key)
        own, tokens = params[WORDS], jnp.asarray(tokens)
        seen = TowerOutputs(None, linear(own["whole"], outputs.embeddings), linear(own["parts"], parts))
        read = reads.apply(own["text"], tokens)
        # Up to the end, which is the first of the highest id.
        where = jnp.arange(tokens.shape[1])[None, :] <= jnp.argmax(tokens, axis=1)[:, None]
        together = linear(own["multimodal"], fused(own["fusion"], seen, read, heads=heads, where=where))
        scale = jnp.exp(jnp.minimum(own["logit_scale"], LARGEST_SCALE))
        # The text tower has a projection, or `reading` would have refused it.
        texts = cast(jax.Array, read.embeddings)
        return outputs._replace(words=Words(linear(own["shared"], outputs.embeddings), texts, scale, together))

    return apply


def _as_one(apply: ApplyFn) -> Looks:
    def looks(params, images, *, context=None, key=None):
        outputs = _called(apply, params, images, context, key)
        return outputs, outputs.embeddings[:, None]

    return looks


def _called(apply: ApplyFn, params, images, context, key) -> Outputs:
    # Forward passes that draw nothing need not know of keys.
    known: Any = apply
    return known(params, images, context=context) if key is None else known(params, images, context=context, key=key)


def _parts(inputs: Any) -> tuple[Any, Any]:
    return (inputs["image"], inputs.get("tokens")) if isinstance(inputs, Mapping) else (inputs, None)
