"""Rules on frozen features: linear probes, nearest neighbours, prototypes. Nothing of the network moves.

All of them centre the embeddings on the support set's mean and divide them by one number, the root mean square of the
centred support embeddings' norms; dividing by a standard deviation for each feature would need more than K images. They
tell real from everything else, and give two logits.
"""

from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from metaforge.adaptation.base import AdaptationRule
from metaforge.types import FAKE, Backbone

Probe = Literal["logistic", "ridge"]
Metric = Literal["cosine", "euclidean"]

NEWTON = 30
"""Steps of Newton's method; the objective is smooth, convex, and has few dimensions."""


def linear_probe(backbone: Backbone, *, kind: Probe = "logistic", l2: float | jax.Array = 1.0) -> AdaptationRule:
    r"""A linear classifier on frozen embeddings, found exactly.

    With $z_i = w^\top x_i + b$ and $y_i = \pm 1$, "logistic" minimises
    $\sum_i \log(1 + e^{-y_i z_i}) + \frac{\lambda}{2} \lVert w \rVert^2$ by Newton's method, and "ridge"
    $\sum_i (y_i - z_i)^2 + \lambda \lVert w \rVert^2$ in closed form. The bias is not penalised. Both are solved in the
    span of the support embeddings, which has no more dimensions than there are examples.

    Args:
        backbone: the model.

    Other Arguments:
        kind: "logistic" or "ridge".
        l2: the penalty, above 0; embeddings have a mean squared norm of 1.

    Returns:
        An `AdaptationRule` whose logits are `(0, z)`; of "ridge" `(-z, z)`, since z aims at -1 and 1.

    Raises:
        ValueError: for an unknown `kind`, or a penalty that is not above 0.

    Example:
        >>> from metaforge.backbones import mlp
        >>> from metaforge.types import Batch
        >>> model = mlp(hidden=(4,), outputs=2)
        >>> params = model.init(jax.random.key(0), jnp.zeros((1, 3)))
        >>> rule = linear_probe(model, kind="ridge", l2=0.1)
        >>> jax.jit(rule.apply)(params, Batch(jnp.eye(3), jnp.array([0, 1, 0])), jnp.ones((7, 3))).shape
        (1, 7, 2)

    References:
        Tian et al., *Rethinking Few-Shot Image Classification: a Good Embedding Is All You Need?*, ECCV 2020.
    """
    if kind not in get_args(Probe):
        raise ValueError(f"unknown `kind` {kind!r}; known: {', '.join(get_args(Probe))}.")
    if isinstance(l2, float) and not l2 > 0:
        raise ValueError(f"`l2` must be above 0, got {l2}.")

    def apply(params, support, query):
        seen, asked = _embeddings(backbone, params, support, query)
        signs = jnp.where(support.targets >= FAKE, 1.0, -1.0).astype(seen.dtype)
        # The solution lies in the span of the examples: in its own coordinates a problem of their number. A basis by QR
        # may hold directions beyond the span, where examples have nothing and the penalty keeps weights at zero.
        basis, coordinates = jnp.linalg.qr(seen.T)
        fit = _logistic if kind == "logistic" else _ridge
        weights, bias = fit(coordinates.T, signs, l2)
        z = _product(_product(asked, basis), weights) + bias
        return jnp.stack([jnp.zeros_like(z) if kind == "logistic" else -z, z], axis=-1)[None]

    return AdaptationRule(apply)


def _ridge(x: Float[Array, "examples coordinates"], signs: Float[Array, " examples"], l2):
    # Centring both is what an unpenalised bias comes to.
    middle, mean = jnp.mean(x, axis=0, keepdims=True), jnp.mean(signs)
    centred = x - middle
    matrix = _product(centred.T, centred) + l2 * jnp.eye(x.shape[1], dtype=x.dtype)
    weights = jnp.linalg.solve(matrix, _product(centred.T, (signs - mean)[:, None]))[:, 0]
    return weights, mean - _product(middle[0], weights)


def _logistic(x: Float[Array, "examples coordinates"], signs: Float[Array, " examples"], l2):
    x = jnp.concatenate([x, jnp.ones_like(x[:, :1])], axis=1)
    penalty = jnp.full((x.shape[1],), l2, x.dtype).at[-1].set(0.0)

    def step(weights, _):
        z = _product(x, weights)
        gradient = penalty * weights - _product(x.T, signs * jax.nn.sigmoid(-signs * z))
        curvature = jax.nn.sigmoid(z) * jax.nn.sigmoid(-z)
        # The bias alone has no penalty; where all are sure, it has no curvature either.
        hessian = _product(x.T * curvature[None], x) + jnp.diag(jnp.maximum(penalty, 1e-6))
        move = jnp.linalg.solve(hessian, gradient[:, None])[:, 0]
        decrement = jnp.sqrt(jnp.maximum(_product(gradient, move), 0.0))
        return weights - move / jnp.where(decrement > 1, 1 + decrement, 1.0), None

    weights, _ = jax.lax.scan(step, jnp.zeros(x.shape[1], x.dtype), length=NEWTON)
    return weights[:-1], weights[-1]


def nearest_neighbour(backbone: Backbone, *, metric: Metric = "cosine") -> AdaptationRule:
    """Which support image is the nearest: how much nearer the nearest fake is than the nearest real image.

    Args:
        backbone: the model.

    Other Arguments:
        metric: "cosine" similarity of the centred embeddings, or minus the "euclidean" distance.

    Returns:
        An `AdaptationRule` whose logits are the two nearness values, real first; so it chooses the neighbour's class,
        and its score ranks.

    Raises:
        ValueError: for an unknown `metric`.

    Example:
        >>> from metaforge.backbones import mlp
        >>> from metaforge.types import Batch
        >>> model = mlp(hidden=(4,), outputs=2)
        >>> params = model.init(jax.random.key(0), jnp.zeros((1, 3)))
        >>> rule = nearest_neighbour(model)
        >>> jax.jit(rule.apply)(params, Batch(jnp.eye(3), jnp.array([0, 1, 0])), jnp.ones((7, 3))).shape
        (1, 7, 2)

    References:
        Wang et al., *SimpleShot: Revisiting Nearest-Neighbor Classification for Few-Shot Learning*, 2019 (centring).
    """
    _check_metric(metric)

    def apply(params, support, query):
        seen, asked = _embeddings(backbone, params, support, query)
        near = _nearness(asked, seen, metric)
        fake = (support.targets >= FAKE)[None]
        of = lambda mask: jnp.max(jnp.where(mask, near, -1e4), axis=1)
        return jnp.stack([of(~fake), of(fake)], axis=-1)[None]

    return AdaptationRule(apply)


def prototypes(backbone: Backbone, *, metric: Metric = "euclidean") -> AdaptationRule:
    r"""The nearest class mean, on features that were not trained for it: logits $-\lVert x - c_k \rVert^2$.

    Args:
        backbone: the model.

    Other Arguments:
        metric: "euclidean", squared, or "cosine" similarity of the centred embeddings.

    Returns:
        An `AdaptationRule` with two logits, real first.

    Raises:
        ValueError: for an unknown `metric`.

    Example:
        >>> from metaforge.backbones import mlp
        >>> from metaforge.types import Batch
        >>> model = mlp(hidden=(4,), outputs=2)
        >>> params = model.init(jax.random.key(0), jnp.zeros((1, 3)))
        >>> rule = prototypes(model)
        >>> jax.jit(rule.apply)(params, Batch(jnp.eye(3), jnp.array([0, 1, 0])), jnp.ones((7, 3))).shape
        (1, 7, 2)

    References:
        Snell, Swersky and Zemel, *Prototypical Networks for Few-shot Learning*, NeurIPS 2017, eq. 1 and 2.
    """
    _check_metric(metric)

    def apply(params, support, query):
        seen, asked = _embeddings(backbone, params, support, query)
        fake = (support.targets >= FAKE).astype(seen.dtype)
        shares = jnp.stack([1 - fake, fake])
        counts = jnp.sum(shares, axis=1, keepdims=True)
        centres = _product(shares, seen) / jnp.maximum(counts, 1.0)
        near = _nearness(asked, centres, metric)
        near = near if metric == "cosine" else -jnp.square(near)
        return jnp.where(counts[:, 0][None] > 0, near, -1e4)[None]

    return AdaptationRule(apply)


def _embeddings(backbone: Backbone, params, support, query):
    """Support and query embeddings, in float32 at least, centred and scaled by the support's."""
    seen = backbone.apply(params, support.inputs).embeddings
    asked = backbone.apply(params, query, context=support.inputs).embeddings
    kind = jnp.promote_types(seen.dtype, jnp.float32)
    seen, asked = seen.astype(kind), asked.astype(kind)
    mean = jnp.mean(seen, axis=0, keepdims=True)
    scale = jnp.sqrt(jnp.mean(jnp.sum(jnp.square(seen - mean), axis=1)) + 1e-12)
    return (seen - mean) / scale, (asked - mean) / scale


def _nearness(a: Float[Array, "n features"], b: Float[Array, "m features"], metric: Metric) -> Float[Array, "n m"]:
    if metric == "cosine":
        unit = lambda x: x / jnp.maximum(jnp.linalg.norm(x, axis=1, keepdims=True), 1e-6)
        return _product(unit(a), unit(b).T)
    return -jnp.sqrt(jnp.sum(jnp.square(a[:, None] - b[None]), axis=-1))


def _product(a: jax.Array, b: jax.Array) -> jax.Array:
    # Accelerators multiply with 10 bits by default.
    return jnp.matmul(a, b, precision="highest")


def _check_metric(metric: str) -> None:
    if metric not in get_args(Metric):
        raise ValueError(f"unknown `metric` {metric!r}; known: {', '.join(get_args(Metric))}.")
