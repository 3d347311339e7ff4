"""The rule that a learner brings along: rates that it has learned, or a closed form."""

from collections.abc import Callable
from typing import Any

from metaforge.adaptation.base import AdaptationRule
from metaforge.types import Backbone, Batch, Params


def learned(backbone: Backbone, adapt: Callable[[Params, Batch], tuple[Params, Any]]) -> AdaptationRule:
    """A learner's own adaptation, as a rule among others.

    Args:
        backbone: the model.
        adapt: of the `MetaLearner` that trained it.

    Returns:
        An `AdaptationRule`, whose `params` are the learner's meta-parameters and not those of the model alone.

    Example:
        >>> import jax, optax
        >>> import jax.numpy as jnp
        >>> import metaforge as mf
        >>> model = mf.backbones.mlp(hidden=(4,), outputs=2)
        >>> loss_fn = mf.objectives.loss_fn(model, mf.objectives.cross_entropy())
        >>> learner = mf.protonet(loss_fn, outer_optimizer=optax.sgd(0.1))
        >>> state = learner.init(model.init(jax.random.key(0), jnp.zeros((1, 3))))
        >>> support = mf.Batch(jnp.eye(3), jnp.array([0, 1, 0]))
        >>> jax.jit(learned(model, learner.adapt).apply)(state.params, support, jnp.ones((7, 3))).shape
        (1, 7, 2)
    """

    def apply(params, support, query):
        adapted, _ = adapt(params, support)
        return backbone.apply(adapted, query, context=support.inputs).logits[None]

    return AdaptationRule(apply)
