"""Learners that train on all images of a task, its domain, together: pooling, the losses of domains, fine-tuning.

Domains are run apart: under normalisation by batch statistics, an image is normalised by its own domain's. Only
`metaforge.erm` puts all domains into one batch.
"""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from metaforge.core.execution import Strategy, map_tasks
from metaforge.core.inner import adapt as inner_adapt
from metaforge.errors import InputError
from metaforge.learners.base import AdaptFn, MetaInfo
from metaforge.types import Batch, Episode, LossFn, Metrics, ModelLoss, Outputs, Params


def pool(episode: Episode) -> Batch:
    """The support and the query examples of one task in one batch, in this order.

    What comes with a batch besides its examples is the query's.
    """
    both = lambda support, query: jnp.concatenate([support, query])
    inputs = jax.tree.map(both, episode.support.inputs, episode.query.inputs)
    targets = jax.tree.map(both, episode.support.targets, episode.query.targets)
    return episode.query._replace(inputs=inputs, targets=targets, context=None)


def pool_each(episodes: Episode) -> Batch:
    """`pool` of every task of a meta-batch: leaves `(tasks, examples, ...)`."""
    return jax.vmap(pool)(episodes._replace(domain=None))


def pool_all(episodes: Episode) -> Batch:
    """Every example of every task in one batch: leaves `(all examples, ...)`."""
    batch = pool_each(episodes)
    inputs, targets = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), (batch.inputs, batch.targets))
    # What comes with a batch besides its examples is the same for all tasks.
    first = jax.tree.map(lambda leaf: leaf[0], batch._replace(inputs=None, targets=None))
    return first._replace(inputs=inputs, targets=targets)


def domain_losses(
    loss_fn: LossFn, params: Params, batch: Batch, strategy: Strategy
) -> tuple[Float[Array, " tasks"], Metrics]:
    """The loss of every task at the same parameters, and its metrics; the batch has leaves `(tasks, examples, ...)`."""
    return map_tasks(loss_fn, params, batch, strategy=strategy)


def domain_outputs(model: ModelLoss, params: Params, batch: Batch, strategy: Strategy) -> Outputs:
    """What a model says of every task: leaves `(tasks, examples, ...)`."""
    return map_tasks(model.outputs, params, batch, strategy=strategy)


def hold_out(batch: Batch, count: int | None) -> tuple[Batch, Batch]:
    """Parts a meta-batch by tasks: those to train on, and the last `count`, which play the unseen domains.

    Args:
        batch: leaves `(tasks, examples, ...)`.
        count: how many are held out; half of them, rounded down, for `None`.

    Raises:
        InputError: if one of the parts would be empty.
    """
    tasks = jax.tree.leaves(batch)[0].shape[0]
    held: int = max(tasks // 2, 1) if count is None else count
    if not 0 < held < tasks:
        raise InputError(f"cannot hold out {held} of {tasks} tasks: give larger meta-batches, or another `held_out`.")
    seen, unseen = slice(None, tasks - held), slice(tasks - held, None)
    return jax.tree.map(lambda leaf: leaf[seen], batch), jax.tree.map(lambda leaf: leaf[unseen], batch)


def fine_tuning(loss_fn: LossFn, optimizer: optax.GradientTransformation, num_steps: int) -> AdaptFn:
    """The `adapt` of learners that know no inner loop in training: first-order steps on the support set."""
    return lambda params, support: inner_adapt(loss_fn, params, support, optimizer=optimizer, num_steps=num_steps)


def describe(
    loss: Float[Array, ""],
    losses: Float[Array, " tasks"],
    metrics: Metrics,
    grads: Params,
    *,
    weights: Float[Array, " tasks"] | None = None,
    factors: Float[Array, " tasks"] | None = None,
    support_losses: Float[Array, "tasks steps"] | None = None,
) -> MetaInfo:
    """The `MetaInfo` of an outer step on domains.

    Weights are 1 if left out, gradient factors are the weights, and support losses those before any step: the losses.
    """
    weights = jnp.ones_like(losses) if weights is None else weights
    factors = weights if factors is None else factors
    support_losses = losses[:, None] if support_losses is None else support_losses
    return MetaInfo(loss, losses, support_losses, weights, factors, optax.global_norm(grads), metrics)
