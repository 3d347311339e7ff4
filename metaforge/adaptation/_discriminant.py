"""Rules in closed form: the discriminant that knows its source, and the whitened direction that knows nothing."""

from typing import Any

import jax
import jax.numpy as jnp

from metaforge.adaptation.base import AdaptationRule
from metaforge.adaptation.gaussian import Prior, posterior, uninformed
from metaforge.types import FAKE, REAL, Backbone


def discriminant(backbone: Backbone, *, prior: Prior | None = None, unlabelled: Any = None) -> AdaptationRule:
    """A Gaussian discriminant on frozen embeddings, whose prior is that of the source.

    With no label it is the source's own head; the more there are, the more it is the target's
    (`metaforge.adaptation.gaussian.posterior` has the equations). Nothing of the network moves.

    Args:
        backbone: the model.

    Other Arguments:
        prior: fitted on source embeddings by `metaforge.adaptation.gaussian.fit`; if left out, one that knows
            nothing.
        unlabelled: real images of the target beside the support set.

    Returns:
        An `AdaptationRule` whose logits are `(0, z)`.

    Example:
        >>> from metaforge.backbones import mlp
        >>> from metaforge.types import Batch
        >>> model = mlp(hidden=(4,), outputs=2)
        >>> params = model.init(jax.random.key(0), jnp.zeros((1, 3)))
        >>> rule = discriminant(model)
        >>> jax.jit(rule.apply)(params, Batch(jnp.eye(3), jnp.array([0, 1, 0])), jnp.ones((7, 3))).shape
        (1, 7, 2)

    References:
        Friedman, *Regularized Discriminant Analysis*, 1989; Efron and Morris, *Stein's Estimation Rule and its
        Competitors*, 1973.
    """

    def apply(params, support, query):
        seen, asked, beside = _embeddings(backbone, params, support, query, unlabelled)
        head = posterior(
            uninformed(seen.shape[1]) if prior is None else prior, seen, support.targets, unlabelled=beside
        )
        z = _product(asked, head.weights[:, None])[:, 0] + head.bias
        return jnp.stack([jnp.zeros_like(z), z], axis=-1)[None]

    return AdaptationRule(apply)


def whitened(backbone: Backbone, *, l2: float | jax.Array = 1.0, unlabelled: Any = None) -> AdaptationRule:
    r"""The difference of the class means, whitened by real images of the target; it knows no source.

    $$w = (S + \lambda I)^{-1} (\bar x_\text{fake} - \bar x_\text{real})$$

    on embeddings that are standardised by the target's real images, whose correlations are $S$: those of the support
    set and unlabelled ones. The threshold lies halfway between the class means.

    Args:
        backbone: the model.

    Other Arguments:
        l2: $\lambda$, above 0; the larger, the nearer to the plain difference of the means.
        unlabelled: real images of the target beside the support set.

    Returns:
        An `AdaptationRule` whose logits are `(0, z)`, where the class means have `z` -1 and 1. Where a class is
        missing all are 0.

    Raises:
        ValueError: for a penalty that is not above 0.

    Example:
        >>> from metaforge.backbones import mlp
        >>> from metaforge.types import Batch
        >>> model = mlp(hidden=(4,), outputs=2)
        >>> params = model.init(jax.random.key(0), jnp.zeros((1, 3)))
        >>> rule = whitened(model)
        >>> jax.jit(rule.apply)(params, Batch(jnp.eye(3), jnp.array([0, 1, 0])), jnp.ones((7, 3))).shape
        (1, 7, 2)

    References:
        Fisher, *The Use of Multiple Measurements in Taxonomic Problems*, 1936.
    """
    if isinstance(l2, float) and not l2 > 0:
        raise ValueError(f"`l2` must be above 0, got {l2}.")

    def apply(params, support, query):
        seen, asked, beside = _embeddings(backbone, params, support, query, unlabelled)
        fake = support.targets >= FAKE
        reals = jnp.concatenate([seen] if beside is None else [seen, beside])
        weight = jnp.concatenate([(~fake).astype(seen.dtype), jnp.ones(len(reals) - len(seen), seen.dtype)])
        count = jnp.maximum(jnp.sum(weight), 1.0)
        middle = jnp.sum(weight[:, None] * reals, axis=0) / count
        rows = jnp.sqrt(weight)[:, None] * (reals - middle[None])
        deviation = jnp.sqrt(jnp.sum(jnp.square(rows), axis=0) / count)
        # Of few images a number may be the same in all; it then weighs as much as the others do.
        scale = jnp.where(deviation > 1e-6, deviation, jnp.maximum(jnp.mean(deviation), 1e-6))
        rows = rows / scale[None]
        mean = lambda of: (
            jnp.sum(of[:, None] * (seen - middle[None]) / scale[None], axis=0) / jnp.maximum(jnp.sum(of), 1.0)
        )
        means = [mean(of.astype(seen.dtype)) for of in (~fake, fake)]
        gap = jnp.where(jnp.any(fake) & jnp.any(~fake), means[FAKE] - means[REAL], 0.0)
        # (S + l I)^-1 d by the images' products, which are fewer than the features.
        inner = count * l2 * jnp.eye(len(rows), dtype=rows.dtype) + _product(rows, rows.T)
        weights = gap - _product(rows.T, jnp.linalg.solve(inner, _product(rows, gap[:, None])))[:, 0]
        half = jnp.maximum(_product(weights[None], gap[:, None])[0, 0] / 2, 1e-12)
        at = _product((asked - middle[None]) / scale[None] - (means[FAKE] + means[REAL])[None] / 2, weights[:, None])[
            :, 0
        ]
        z = at / half
        return jnp.stack([jnp.zeros_like(z), z], axis=-1)[None]

    return AdaptationRule(apply)


def _embeddings(backbone: Backbone, params, support, query, unlabelled):
    """Support, query and unlabelled embeddings, in float32 at least."""
    seen = backbone.apply(params, support.inputs).embeddings
    kind = jnp.promote_types(seen.dtype, jnp.float32)
    of = lambda images: backbone.apply(params, images, context=support.inputs).embeddings.astype(kind)
    return seen.astype(kind), of(query), None if unlabelled is None else of(unlabelled)


def _product(a: jax.Array, b: jax.Array) -> jax.Array:
    # Accelerators multiply with 10 bits by default.
    return jnp.matmul(a, b, precision="highest")
