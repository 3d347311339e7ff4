"""What both towers are made of: pre-normalised transformer blocks, as functions of nested dictionaries of arrays.

A matrix product computes in the dtype of its matrix. So a tower whose weights are bfloat16 multiplies in bfloat16,
while the sums along the residual stream, normalisations and softmax stay in float32.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from einops import rearrange
from jaxtyping import Array, Float

from metaforge.backbones.clip_model.config import EPSILON, Activation, TextConfig, VisionConfig

Tokens = Float[Array, "sequences tokens dim"]
Heads = Float[Array, "sequences heads tokens part"]
Weights = Mapping[str, Any]
"""Nested dictionaries of arrays."""


class TowerOutputs(NamedTuple):
    """What a tower says of each image or text.

    Attributes:
        embeddings: in the space that images and texts share, shape `(examples, projection)`; `None` for a tower without
            projection. Not normalised.
        features: the same before the projection, shape `(examples, width)`.
        tokens: every token after the last block, shape `(examples, tokens, width)`; normalised in the text tower, and
            not in the vision tower, as published.
    """

    embeddings: Array | None
    features: Array
    tokens: Array


def _unchanged(tokens: Tokens) -> Tokens:
    return tokens


class Insertions(NamedTuple):
    """What adapters add to a block of frozen weights.

    Attributes:
        before_attention: a function of the tokens, before the attention's normalisation.
        before_mlp: likewise before the MLP's.
        low_rank: for some of "q", "k", "v" and "out", what is added to the outputs of that matrix: a function of its
            inputs.
    """

    before_attention: Callable[[Tokens], Tokens] = _unchanged
    before_mlp: Callable[[Tokens], Tokens] = _unchanged
    low_rank: Mapping[str, Callable[[Tokens], Tokens]] = {}


def init_blocks(key: jax.Array, config: VisionConfig | TextConfig) -> dict:
    """Blocks "00", "01", ... with CLIP's initialisation, which scales what is added up by the depth."""
    width, depth = config.width, (2 * config.layers) ** -0.5
    hidden = config.mlp_ratio * width

    def matrix(key, rows, columns, scale):
        return {"kernel": scale * jax.random.normal(key, (rows, columns)), "bias": jnp.zeros(columns)}

    def block(key):
        q, k, v, out, inner, outer = jax.random.split(key, 6)
        return {
            "ln_1": init_norm(width),
            "attention": {
                "q": matrix(q, width, width, width**-0.5),
                "k": matrix(k, width, width, width**-0.5),
                "v": matrix(v, width, width, width**-0.5),
                "out": matrix(out, width, width, width**-0.5 * depth),
            },
            "ln_2": init_norm(width),
            "mlp": {
                "in": matrix(inner, width, hidden, (2 * width) ** -0.5),
                "out": matrix(outer, hidden, width, width**-0.5 * depth),
            },
        }

    return {name: block(key) for name, key in zip(block_names(config.layers), _keys(key, config.layers), strict=True)}


def init_norm(width: int) -> dict:
    """The scale and bias of a layer normalisation."""
    return {"scale": jnp.ones(width), "bias": jnp.zeros(width)}


def block_names(layers: int) -> list[str]:
    """The blocks' names in order, which is also their order as text."""
    return [f"{number:02d}" for number in range(layers)]


def run_block(
    params: Weights,
    tokens: Tokens,
    *,
    heads: int,
    activation: Activation,
    causal: bool = False,
    insertions: Insertions | None = None,
) -> Tokens:
    r"""One block: $x + \mathrm{MHSA}(\mathrm{LN}_1 x)$ in place of $x$, then $x + \mathrm{MLP}(\mathrm{LN}_2 x)$.

    Args:
        params: a block of `init_blocks`.
        tokens: the residual stream.
        heads: how many parts the attention has.
        activation: "quick_gelu" or "gelu".
        causal: whether a token sees only itself and those before it.
        insertions: adapters.

    Returns:
        The tokens after the block, in float32 at least.
    """
    insertions = insertions or Insertions()
    tokens = insertions.before_attention(tokens)
    tokens = tokens + _attention(params["attention"], layer_norm(params["ln_1"], tokens), heads, causal, insertions)
    tokens = insertions.before_mlp(tokens)
    hidden = _ACTIVATIONS[activation](linear(params["mlp"]["in"], layer_norm(params["ln_2"], tokens)))
    return tokens + linear(params["mlp"]["out"], hidden)


def layer_norm(params: Weights, inputs: Float[Array, "*rows width"]) -> Float[Array, "*rows width"]:
    """Each row with mean 0 and variance 1, times the scale, plus the bias; in float32 at least."""
    inputs = wide(inputs)
    centred = inputs - jnp.mean(inputs, axis=-1, keepdims=True)
    variance = jnp.mean(jnp.square(centred), axis=-1, keepdims=True)
    normal = centred * jax.lax.rsqrt(variance + EPSILON)
    return normal * _row(wide(params["scale"]), normal) + _row(wide(params["bias"]), normal)


def linear(params: Weights, inputs: Float[Array, "*rows inputs"]) -> Float[Array, "*rows outputs"]:
    """A matrix product and a bias, in the matrix's dtype."""
    outputs = jnp.matmul(inputs.astype(params["kernel"].dtype), params["kernel"])
    return outputs + _row(params["bias"], outputs)


def wide(array: Array) -> Array:
    """The array in float32 at least."""
    return array.astype(jnp.promote_types(array.dtype, jnp.float32))


def _attention(params: Weights, inputs: Tokens, heads: int, causal: bool, insertions: Insertions) -> Tokens:
    def project(name, inputs):
        outputs = linear(params[name], inputs)
        return outputs + insertions.low_rank[name](inputs) if name in insertions.low_rank else outputs

    def split(name):
        # What a low-rank matrix adds is float32, and makes a bfloat16 product float32 too; attention stays narrow.
        outputs = project(name, inputs).astype(params[name]["kernel"].dtype)
        return rearrange(outputs, "n token (head part) -> n head token part", head=heads)

    mixed = attended(split("q"), split("k"), split("v"), causal=causal)
    return project("out", rearrange(mixed, "n head token part -> n token (head part)"))


def attended(query: Heads, key: Heads, value: Heads, *, causal: bool) -> Heads:
    r"""$\mathrm{softmax}(q k^\top / \sqrt{d})\, v$ of each head.

    What the softmax divides by is a number a row. In float32 it divides the result, of $d$ columns, and not the
    weights, of as many columns as there are tokens: one pass over the largest array less, and on a CPU attention takes
    a third of the time. In 16 bits the weights are divided before they are rounded, since two terms of their gradient
    cancel only then.

    Args:
        query: a row a token.
        key: likewise.
        value: likewise.

    Other Arguments:
        causal: whether a token sees only itself and those before it; there are as many queries as keys then.

    Returns:
        In the dtype of the values; scores and sums are float32 at least.

    Example:
        >>> ones = jnp.ones((1, 2, 3, 4))
        >>> attended(ones, ones, ones, causal=True).shape
        (1, 2, 3, 4)

    References:
        Vaswani et al., *Attention Is All You Need*, NeurIPS 2017, eq. 1.
    """
    exact = jnp.promote_types(query.dtype, jnp.float32)
    scores = jnp.einsum("nhtd,nhsd->nhts", query, key, preferred_element_type=exact)
    if causal:
        scores = jnp.where(jnp.tri(scores.shape[-1], dtype=bool)[None, None], scores, -jnp.inf)
    # Any number a row could be taken off; the largest keeps what is left from overflowing.
    largest = jax.lax.stop_gradient(scores.max(axis=-1, keepdims=True))
    weights = jnp.exp((scores - largest) * query.shape[-1] ** -0.5)
    total = weights.sum(axis=-1, keepdims=True)
    if value.dtype != exact:
        weights, total = weights / total, jnp.ones_like(total)
    mixed = jnp.einsum("nhts,nhsd->nhtd", weights.astype(value.dtype), value, preferred_element_type=exact)
    return (mixed / total).astype(value.dtype)


def _quick_gelu(inputs: Array) -> Array:
    return inputs * jax.nn.sigmoid(1.702 * inputs)


def _gelu(inputs: Array) -> Array:
    return jax.nn.gelu(inputs, approximate=False)


_ACTIVATIONS = {"quick_gelu": _quick_gelu, "gelu": _gelu}


def _row(vector: Array, like: Array) -> Array:
    return jnp.broadcast_to(vector, like.shape)


def _keys(key: jax.Array, count: int) -> list[jax.Array]:
    return list(jax.random.split(key, count))
