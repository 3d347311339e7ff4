"""Rules in closed form: the discriminant that knows its source, and the whitened direction that knows nothing."""

from typing import Any

import jax
import jax.numpy as jnp

from metaforge.adaptation.base import AdaptationRule
from metaforge.adaptation.gaussian import Head, Prior, posterior, uninformed, whitened_head
from metaforge.types import Backbone


def discriminant(
    backbone: Backbone, *, prior: Prior | None = None, unlabelled: Any = None, context: Any = None
) -> AdaptationRule:
    """A Gaussian discriminant on frozen embeddings, whose prior is that of the source.

    With no label it is the source's own head; the more there are, the more it is the target's
    (`metaforge.adaptation.gaussian.posterior` has the equations). Nothing of the network moves.

    Args:
        backbone: the model.

    Other Arguments:
        prior: fitted on source embeddings by `metaforge.adaptation.gaussian.fit`; if left out, one that knows
            nothing.
        unlabelled: real images of the target beside the support set.
        context: source images that normalise all embeddings, as they normalised those of the prior, for a backbone with
            `normalisation="support"`.

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
        support = support if context is None else support._replace(context=context)
        seen, asked, beside = _embeddings(backbone, params, support, query, unlabelled)
        head = posterior(
            uninformed(seen.shape[1]) if prior is None else prior, seen, support.targets, unlabelled=beside
        )
        return _logits(asked, head)

    return AdaptationRule(apply)


def whitened(backbone: Backbone, *, l2: float | jax.Array = 1.0, unlabelled: Any = None) -> AdaptationRule:
    """The difference of the class means, whitened by real images of the target; it knows no source.

    `metaforge.adaptation.gaussian.whitened_head` has the equation.

    Args:
        backbone: the model.

    Other Arguments:
        l2: the penalty, above 0; the larger, the nearer to the plain difference of the means.
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
        return _logits(asked, whitened_head(seen, support.targets, l2=l2, unlabelled=beside))

    return AdaptationRule(apply)


def _embeddings(backbone: Backbone, params, support, query, unlabelled):
    """Support, query and unlabelled embeddings, in float32 at least."""
    context = support.inputs if support.context is None else support.context
    seen = backbone.apply(params, support.inputs, context=support.context).embeddings
    kind = jnp.promote_types(seen.dtype, jnp.float32)
    of = lambda images: backbone.apply(params, images, context=context).embeddings.astype(kind)
    return seen.astype(kind), of(query), None if unlabelled is None else of(unlabelled)


def _logits(embeddings, head: Head):
    # Accelerators multiply with 10 bits by default.
    z = jnp.matmul(embeddings, head.weights[:, None], precision="highest")[:, 0] + head.bias
    return jnp.stack([jnp.zeros_like(z), z], axis=-1)[None]
