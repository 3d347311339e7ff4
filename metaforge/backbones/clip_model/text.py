"""CLIP's text tower: token ids to an embedding beside those of images."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from metaforge.backbones.clip_model.config import TextConfig
from metaforge.backbones.clip_model.transformer import (
    TowerOutputs,
    Weights,
    block_names,
    init_blocks,
    init_norm,
    layer_norm,
    run_block,
    wide,
)
from metaforge.backbones.clip_model.vision import Tower


def text_tower(config: TextConfig) -> Tower:
    r"""Token ids to embeddings: $\mathrm{LN}(x_{end}) W_{projection}$, where $x_{end}$ is the token that ends the text.

    A token sees itself and those before it, so what follows the end changes nothing. The end is the first of the
    highest id in a row, which is CLIP's own rule: its end token is the last of the vocabulary.

    Args:
        config: the sizes; `TEXT["ViT-B/16"]` and others, or your own.

    Returns:
        A `Tower`; its `apply` takes ids `(texts, length)`, at most `config.context` long, as `Tokenizer` makes them.

    Raises:
        ValueError: when used, for texts that are too long or ids that are no integers.

    Example:
        >>> tower = text_tower(TextConfig(vocabulary=10, context=5, width=8, layers=1, heads=2, projection=6))
        >>> jax.jit(tower.apply)(jax.jit(tower.init)(jax.random.key(0)), jnp.array([[8, 1, 2, 9, 0]])).embeddings.shape
        (1, 6)

    References:
        Radford et al., *Learning Transferable Visual Models From Natural Language Supervision*, ICML 2021, section 2.4.
    """

    def apply(params, ids):
        ids = jnp.asarray(ids)
        if ids.ndim != 2 or ids.shape[1] > config.context or not jnp.issubdtype(ids.dtype, jnp.integer):
            raise ValueError(
                f"token ids must be integers (texts, length) of length {config.context} at most, got {ids.dtype} of "
                f"shape {ids.shape}."
            )
        tokens = _tokens(params, ids, config)
        features = jnp.take_along_axis(tokens, jnp.argmax(ids, axis=1)[:, None, None], axis=1)[:, 0]
        if "projection" not in params:
            return TowerOutputs(None, features, tokens)
        kernel = params["projection"]
        return TowerOutputs(wide(features.astype(kernel.dtype) @ kernel), features, tokens)

    return Tower(lambda key: init_text(key, config), apply)


def init_text(key: jax.Array, config: TextConfig) -> dict:
    """The tower's parameters, with CLIP's initialisation, in float32."""
    tokens, positions, blocks, projection = jax.random.split(key, 4)
    params = {
        "tokens": 0.02 * jax.random.normal(tokens, (config.vocabulary, config.width)),
        "positions": 0.01 * jax.random.normal(positions, (config.context, config.width)),
        "blocks": init_blocks(blocks, config),
        "ln_final": init_norm(config.width),
    }
    if config.projection is not None:
        params["projection"] = config.width**-0.5 * jax.random.normal(projection, (config.width, config.projection))
    return params


def _tokens(params: Weights, ids: Int[Array, "texts length"], config: TextConfig) -> Float[Array, "texts length width"]:
    tokens = wide(params["tokens"][ids]) + wide(params["positions"][: ids.shape[1]])[None]
    for name in block_names(config.layers):
        block = params["blocks"][name]
        tokens = run_block(block, tokens, heads=config.heads, activation=config.activation, causal=True)
    return layer_norm(params["ln_final"], tokens)
