"""Joint training, then fine-tuning: the baseline that every table has."""

import jax
import jax.numpy as jnp
import optax

from metaforge.inner import adapt as inner_adapt
from metaforge.learners._assembly import init_with, outer_step
from metaforge.learners.base import MetaInfo, MetaLearner
from metaforge.types import Batch, LossFn


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
        >>> from metaforge.types import Episode
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

    def adapt(params, support):
        return inner_adapt(loss_fn, params, support, optimizer=inner_optimizer, num_steps=inner_steps)

    def update(state, episodes):
        (loss, metrics), grads = jax.value_and_grad(loss_fn, has_aux=True)(state.params, _pool(episodes))
        one = jnp.ones((1,), loss.dtype)
        metrics = jax.tree.map(lambda value: jnp.asarray(value)[None], metrics)
        info = MetaInfo(loss, loss[None], loss[None, None], one, one, optax.global_norm(grads), metrics)
        return outer_step(outer_optimizer, state, grads), info

    return MetaLearner(init_with(outer_optimizer), update, adapt)


def _pool(episodes) -> Batch:
    """Every example of every task in one batch: leaves `(tasks, examples, ...)` to `(all examples, ...)`."""

    def merge(support, query):
        both = jnp.concatenate([support, query], axis=1)
        return both.reshape(-1, *both.shape[2:])

    inputs = jax.tree.map(merge, episodes.support.inputs, episodes.query.inputs)
    targets = jax.tree.map(merge, episodes.support.targets, episodes.query.targets)
    # What comes with a batch besides its examples is the same for all tasks.
    probe, weights = jax.tree.map(lambda leaf: leaf[0], (episodes.query.probe, episodes.query.weights))
    return Batch(inputs, targets, probe=probe, weights=weights)
