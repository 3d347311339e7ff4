"""Joint training, then fine-tuning: the baseline that every table has."""

import jax
import jax.numpy as jnp
import optax

from metaforge.learners._assembly import init_with, outer_step
from metaforge.learners._joint import describe, fine_tuning, pool_all
from metaforge.learners.base import MetaLearner
from metaforge.types import LossFn


def erm(
    loss_fn: LossFn,
    *,
    inner_optimizer: optax.GradientTransformation,
    outer_optimizer: optax.GradientTransformation,
    inner_steps: int = 1,
) -> MetaLearner:
    r"""Empirical risk minimisation: ordinary training on all images of all tasks, with fine-tuning as its `adapt`.

    One outer step pools the support and the query examples of every task, so that it sees the very images that a
    meta-learner sees, and follows $\nabla_\theta \mathcal{L}_{\cup_i D^s_i \cup D^q_i}(\theta)$.

    Args:
        loss_fn: parameters and a batch to a scalar loss and metrics.
        inner_optimizer: the rule of fine-tuning, used by `adapt` alone.
        outer_optimizer: the rule of training.

    Other Arguments:
        inner_steps: steps of fine-tuning.

    Returns:
        A `MetaLearner` whose `MetaInfo` describes the pooled batch as a single task.

    Example:
        >>> from metaforge.types import Batch, Episode
        >>> loss_fn = lambda params, batch: (0.5 * jnp.mean((params - batch.inputs) ** 2), {})
        >>> learner = erm(loss_fn, inner_optimizer=optax.sgd(0.5), outer_optimizer=optax.sgd(0.1))
        >>> images = jnp.array([[4.0], [2.0]])  # two tasks of one example each
        >>> batch = Batch(images, images)
        >>> state, info = learner.update(learner.init(jnp.array(0.0)), Episode(support=batch, query=batch))
        >>> print(info.loss, state.params.round(3))
        5.0 0.3

    References:
        Gulrajani and Lopez-Paz, *In Search of Lost Domain Generalization*, ICLR 2021, on why it belongs in every table.
    """

    def update(state, episodes):
        (loss, metrics), grads = jax.value_and_grad(loss_fn, has_aux=True)(state.params, pool_all(episodes))
        metrics = jax.tree.map(lambda value: jnp.asarray(value)[None], metrics)
        return outer_step(outer_optimizer, state, grads, loss=loss), describe(loss, loss[None], metrics, grads)

    return MetaLearner(init_with(outer_optimizer), update, fine_tuning(loss_fn, inner_optimizer, inner_steps))
