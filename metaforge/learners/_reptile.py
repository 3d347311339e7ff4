"""Reptile: walk towards where ordinary training on each task leads."""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int

from metaforge.core.execution import Strategy, each_task
from metaforge.core.keys import split_keys
from metaforge.core.stepping import take_step
from metaforge.learners._assembly import init_with, outer_step
from metaforge.learners._joint import describe, fine_tuning, pool
from metaforge.learners.base import MetaLearner
from metaforge.types import LossFn


def reptile(
    loss_fn: LossFn,
    *,
    inner_optimizer: optax.GradientTransformation,
    outer_optimizer: optax.GradientTransformation,
    inner_steps: int = 5,
    batch_size: int = 10,
    seed: int = 0,
    strategy: Strategy = "auto",
) -> MetaLearner:
    r"""A meta-learner without query sets or second derivatives: the mean of where training on each task leads.

    Each task trains $\theta$ to $\theta'_i$ by `inner_steps` steps on minibatches of its images, and the outer
    optimizer is given $\theta - \frac{1}{n} \sum_i \theta'_i$ as if it were a gradient. With `optax.sgd(epsilon)` the
    outer step is the paper's, $\theta \leftarrow \theta + \epsilon\, \frac{1}{n} \sum_i (\theta'_i - \theta)$.

    A task's support and query images are pooled, so that it sees the very images that other learners see, and every
    step takes another `batch_size` of them: the images are shuffled, and shuffled anew when they are used up. This is
    no detail. What sets Reptile apart from joint training is that steps on different images of one task favour
    parameters at which their gradients agree (section 5.1); on the same full batch at every step, that agreement is of
    a batch with itself, and nothing in it is about images that were not trained on.

    Images are shuffled alike in all tasks of an outer step, by the number of that step. Under normalisation by batch
    statistics, a minibatch is normalised by its own.

    Args:
        loss_fn: parameters and a batch to a scalar loss and metrics.
        inner_optimizer: the inner rule; `optax.adam(1e-3, b1=0.0)` in the paper. Its state starts afresh in every task.
        outer_optimizer: the outer rule; `optax.sgd` in the paper.

    Other Arguments:
        inner_steps: steps on each task. With a single one it is joint training.
        batch_size: images in each minibatch, at least 1; all of a task's if it has no more.
        seed: of the shuffling.
        strategy: as in `metaforge.maml`.

    Returns:
        A `MetaLearner`. Its `adapt` takes `inner_steps` steps on the whole support set. Of each task, `MetaInfo` has
        the loss and the metrics of every minibatch before the step on it: all as support losses, the last one as the
        query loss, whose mean over tasks is the outer loss; gradients are pseudo-gradients.

    Raises:
        ValueError: for a `batch_size` below 1; when updated without inner steps, or for an unknown `strategy`.

    Example:
        >>> from metaforge.types import Batch, Episode
        >>> loss_fn = lambda params, batch: (0.5 * jnp.mean((params - batch.inputs) ** 2), {})
        >>> learner = reptile(loss_fn, inner_optimizer=optax.sgd(0.5), outer_optimizer=optax.sgd(0.1), inner_steps=2)
        >>> images = jnp.array([[4.0], [2.0]])  # two tasks of one example each
        >>> batch = Batch(images, images)
        >>> state, _ = learner.update(learner.init(jnp.array(0.0)), Episode(support=batch, query=batch))
        >>> print(f"{state.params:.3f}")  # a tenth of the way to 3 and to 1.5
        0.225

    References:
        Nichol, Achiam and Schulman, *On First-Order Meta-Learning Algorithms*, 2018, algorithm 2 and section 5.
    """
    if batch_size < 1:
        raise ValueError(f"`batch_size` must be at least 1, got {batch_size}.")

    def train(shared, episode):
        params, rows = shared
        images = pool(episode)

        def step(carry, now):
            (params, opt_state), (rows, key) = carry, now
            inputs, targets = jax.tree.map(lambda leaf: leaf[rows], (images.inputs, images.targets))
            batch = images._replace(inputs=inputs, targets=targets, key=key)
            (loss, metrics), grads = jax.value_and_grad(loss_fn, has_aux=True)(params, batch)
            loss_of = lambda params: loss_fn(params, batch)[0]
            carry = take_step(inner_optimizer, loss_of, params, opt_state, value=loss, grads=grads)
            return carry, (loss, metrics)

        # Short loops are unrolled, as in `metaforge.adapt`.
        carry, each = (params, inner_optimizer.init(params)), (rows, split_keys(images.key, len(rows)))
        (trained, _), (losses, metrics) = jax.lax.scan(step, carry, each, unroll=len(rows) <= 5)
        away = jax.tree.map(jnp.subtract, params, trained)
        return away, losses, jax.tree.map(lambda values: values[-1], metrics)

    def update(state, episodes):
        if inner_steps < 1:
            raise ValueError("Reptile without inner steps has nothing to follow: `inner_steps` must be at least 1.")
        examples = episodes.support.targets.shape[1] + episodes.query.targets.shape[1]
        key = jax.random.fold_in(jax.random.key(seed), state.step)
        rows = minibatches(key, examples, steps=inner_steps, size=min(batch_size, examples))
        away, losses, metrics = each_task(train, (state.params, rows), episodes, strategy=strategy)
        gradient = jax.tree.map(lambda leaf: jnp.mean(leaf, axis=0), away)
        last = losses[:, -1]
        factors = jnp.full_like(last, 1 / len(last))
        info = describe(jnp.mean(last), last, metrics, gradient, factors=factors, support_losses=losses)
        return outer_step(outer_optimizer, state, gradient, loss=info.loss), info

    return MetaLearner(init_with(outer_optimizer), update, fine_tuning(loss_fn, inner_optimizer, inner_steps))


def minibatches(key: jax.Array, examples: int, *, steps: int, size: int) -> Int[Array, "steps size"]:
    """Which examples each step takes: all in a random order, then all in another, as long as there are steps.

    Example:
        >>> rows = minibatches(jax.random.key(0), 6, steps=4, size=3)
        >>> print(jnp.sort(rows[:2].ravel()), jnp.sort(rows[2:].ravel()))
        [0 1 2 3 4 5] [0 1 2 3 4 5]
    """
    passes = -(-steps * size // examples)
    orders = jax.vmap(lambda key: jax.random.permutation(key, examples))(jax.random.split(key, passes))
    return orders.ravel()[: steps * size].reshape(steps, size)
