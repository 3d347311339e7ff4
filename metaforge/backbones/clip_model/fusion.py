"""Tokens of an image and of its text that look at each other, for what the two say together."""

import jax
import jax.numpy as jnp
from einops import rearrange
from jaxtyping import Array, Bool, Float

from metaforge.backbones.clip_model.transformer import TowerOutputs, Weights, init_norm, layer_norm, linear


def init_cross_attention(key: jax.Array, width: int, others: int) -> dict:
    """The parameters of `cross_attention`.

    Args:
        key: a random key.
        width: size of the tokens that look.
        others: size of those that are looked at.

    Returns:
        "ln_queries", "ln_others" and the matrices "q", "k", "v" and "out".

    Example:
        >>> sorted(init_cross_attention(jax.random.key(0), 8, 6))
        ['k', 'ln_others', 'ln_queries', 'out', 'q', 'v']
    """
    sizes = {"q": width, "k": others, "v": others, "out": width}
    keys = dict(zip(sizes, jax.random.split(key, len(sizes)), strict=True))
    matrices = {
        name: {"kernel": rows**-0.5 * jax.random.normal(keys[name], (rows, width)), "bias": jnp.zeros(width)}
        for name, rows in sizes.items()
    }
    return {"ln_queries": init_norm(width), "ln_others": init_norm(others), **matrices}


def cross_attention(
    params: Weights,
    queries: Float[Array, "sequences queries width"],
    others: Float[Array, "sequences others other_width"],
    *,
    heads: int,
    where: Bool[Array, "sequences others"] | None = None,
) -> Float[Array, "sequences queries width"]:
    r"""Tokens of one kind look at those of another: $x + A(\mathrm{LN}\,x, \mathrm{LN}\,y)$.

    Each head of $A(x, y)$ is

    $$\mathrm{softmax}\Big(\frac{x W_q (y W_k)^\top}{\sqrt{d}}\Big)\, y W_v,$$

    of size $d$ = width / heads, and the heads, side by side, are multiplied by $W_{out}$. Every product has a bias.

    Args:
        params: of `init_cross_attention`.
        queries: $x$, the tokens that look.
        others: $y$, those that are looked at.

    Other Arguments:
        heads: how many parts the attention has; they divide the width.
        where: which of the others exist, all if left out; the rest may hold anything. Where none does, the tokens stay
            as they are.

    Returns:
        The tokens after the look, in float32 at least.

    Raises:
        ValueError: for heads that do not divide the width.

    Example:
        >>> params = init_cross_attention(jax.random.key(0), 8, 6)
        >>> cross_attention(params, jnp.zeros((2, 1, 8)), jnp.zeros((2, 5, 6)), heads=2).shape
        (2, 1, 8)

    References:
        Vaswani et al., *Attention Is All You Need*, NeurIPS 2017, eq. 1 and section 3.2.2.
    """
    if heads < 1 or queries.shape[-1] % heads:
        raise ValueError(f"`heads` must divide the width, {queries.shape[-1]}; got {heads}.")
    if where is None:
        where = jnp.ones(others.shape[:2], bool)
    # Before any arithmetic: a product of a weight of 0 with NaN is NaN.
    others = layer_norm(params["ln_others"], jnp.where(where[:, :, None], others, 0.0))
    seen = {"q": layer_norm(params["ln_queries"], queries), "k": others, "v": others}
    q, k, v = (
        rearrange(linear(params[name], tokens), "n token (head part) -> n token head part", head=heads)
        for name, tokens in seen.items()
    )
    mixed = jax.nn.dot_product_attention(q, k, v, mask=where[:, None, None, :])
    update = linear(params["out"], rearrange(mixed, "n token head part -> n token (head part)"))
    return queries + jnp.where(jnp.any(where, axis=1)[:, None, None], update, 0.0)


def init_fusion(key: jax.Array, vision: int, text: int) -> dict:
    """The parameters of `fused`, for towers of these widths.

    Example:
        >>> sorted(init_fusion(jax.random.key(0), 8, 6))
        ['image', 'text']
    """
    image_key, text_key = jax.random.split(key)
    return {
        "image": init_cross_attention(image_key, vision, text),
        "text": init_cross_attention(text_key, text, vision),
    }


def fused(
    params: Weights, vision: TowerOutputs, text: TowerOutputs, *, heads: int, where: Bool[Array, "examples tokens"]
) -> Float[Array, "examples both"]:
    r"""What an image and its text are together: $[\,v + A(v, T);\; t + A'(t, P)\,]$.

    The image's class token $v$ looks at the words $T$, and the token $t$ that ends the text looks at the patches $P$,
    the class token among them. FFTG's description has a cross-attention of patches and tokens and does not say which
    of them ask; here both do, once.

    Args:
        params: of `init_fusion`.
        vision: what the vision tower says of the images.
        text: what the text tower says of their texts.

    Other Arguments:
        heads: how many parts each attention has.
        where: which tokens are words, shape `(examples, length)`; the rest is padding.

    Returns:
        A row for each pair, of the size of both widths together.

    Example:
        >>> vision = TowerOutputs(None, jnp.ones((2, 8)), jnp.ones((2, 5, 8)))
        >>> text = TowerOutputs(None, jnp.ones((2, 6)), jnp.ones((2, 3, 6)))
        >>> params = init_fusion(jax.random.key(0), 8, 6)
        >>> fused(params, vision, text, heads=2, where=jnp.ones((2, 3), bool)).shape
        (2, 14)

    References:
        Sun et al., *Towards General Visual-Linguistic Face Forgery Detection*, CVPR 2025 (multimodal branch).
    """
    image = cross_attention(params["image"], vision.features[:, None], text.tokens, heads=heads, where=where)
    words = cross_attention(params["text"], text.features[:, None], vision.tokens, heads=heads)
    return jnp.concatenate([image[:, 0], words[:, 0]], axis=1)
