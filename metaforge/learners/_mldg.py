"""MLDG: a step on some domains should help on the others too."""

import jax
import jax.numpy as jnp
import optax

from metaforge.core.execution import Strategy
from metaforge.core.inner import Order
from metaforge.core.inner import adapt as inner_adapt
from metaforge.learners._assembly import init_with, outer_step
from metaforge.learners._joint import describe, domain_losses, fine_tuning, hold_out, pool_each
from metaforge.learners.base import MetaLearner
from metaforge.types import LossFn


def mldg(
    loss_fn: LossFn,
    *,
    inner_optimizer: optax.GradientTransformation,
    outer_optimizer: optax.GradientTransformation,
    inner_steps: int = 1,
    order: Order = "second",
    held_out: int | None = None,
    weight: float = 1.0,
    strategy: Strategy = "auto",
) -> MetaLearner:
    r"""Learns what needs no adaptation: training on the domains at hand is rewarded for what it does to held-out ones.

    In every outer step the last `held_out` tasks of the meta-batch play the domains that nobody has seen. With $F$,
    the mean loss of the other tasks, $G$, that of the held-out ones, and a step
    $\theta' = \theta - \alpha \nabla F(\theta)$, it minimises

    $$F(\theta) + \beta\, G(\theta').$$

    A task's loss is that of its support and query images together. Samplers draw the tasks of a meta-batch in random
    order, so that the split is a random one; where they draw with replacement, as with fewer domains than tasks, a
    domain may be on both sides.

    Args:
        loss_fn: parameters and a batch to a scalar loss and metrics. Each task is a batch of its own, so that under
            normalisation by batch statistics an image is normalised by its own domain's.
        inner_optimizer: the rule of the step from $\theta$ to $\theta'$, and of fine-tuning in `adapt`.
        outer_optimizer: the outer rule.

    Other Arguments:
        inner_steps: steps from $\theta$ to $\theta'$, 1 in the paper; `adapt` takes as many.
        order: as in `metaforge.maml`. The paper's is "second"; DomainBed's is "first", with Adam inside.
        held_out: how many tasks of a meta-batch are held out; half of them, rounded down, if left out.
        weight: $\beta$, how much they count.
        strategy: as in `metaforge.maml`.

    Returns:
        A `MetaLearner`. Its `MetaInfo` has the losses at $\theta$ of the tasks that are trained on, then those at
        $\theta'$ of the held-out ones; the weights sum to $1 + \beta$, and the support losses are $F$ before each
        inner step, the same for all tasks.

    Raises:
        InputError: when updated with a meta-batch that has no two parts.
        ValueError: when used, for an unknown `order` or `strategy`.

    Example:
        >>> from metaforge.types import Batch, Episode
        >>> loss_fn = lambda params, batch: (0.5 * jnp.mean((params - batch.inputs) ** 2), {})
        >>> learner = mldg(loss_fn, inner_optimizer=optax.sgd(0.5), outer_optimizer=optax.sgd(0.1))
        >>> images = jnp.array([[4.0], [2.0]])  # two tasks of one example each: the second is held out
        >>> batch = Batch(images, images)
        >>> state, info = learner.update(learner.init(jnp.array(0.0)), Episode(support=batch, query=batch))
        >>> print(info.query_losses, state.params.round(3))  # a step on the first leads to 2
        [8. 0.] 0.4

    References:
        Li, Yang, Song and Hospedales, *Learning to Generalize: Meta-Learning for Domain Generalization*, AAAI 2018,
        eq. 1 to 3 and algorithm 1. Gulrajani and Lopez-Paz, *In Search of Lost Domain Generalization*, ICLR 2021.
    """

    def mean_loss(params, batch):
        return jnp.mean(domain_losses(loss_fn, params, batch, strategy)[0]), {}

    def outer_loss(params, seen, unseen):
        before = domain_losses(loss_fn, params, seen, strategy)
        adapted, info = inner_adapt(
            mean_loss, params, seen, optimizer=inner_optimizer, num_steps=inner_steps, order=order
        )
        after = domain_losses(loss_fn, adapted, unseen, strategy)
        losses, metrics = jax.tree.map(lambda *parts: jnp.concatenate(parts), before, after)
        weights = [jnp.full_like(part, total / len(part)) for (part, _), total in ((before, 1.0), (after, weight))]
        return jnp.sum(jnp.concatenate(weights) * losses), (losses, metrics, jnp.concatenate(weights), info.losses)

    def update(state, episodes):
        parts = hold_out(pool_each(episodes), held_out)
        (loss, (losses, metrics, weights, inner)), grads = jax.value_and_grad(outer_loss, has_aux=True)(
            state.params, *parts
        )
        shared = jnp.broadcast_to(inner, (len(losses), *inner.shape))
        info = describe(loss, losses, metrics, grads, weights=weights, support_losses=shared)
        return outer_step(outer_optimizer, state, grads, loss=info.loss), info

    return MetaLearner(init_with(outer_optimizer), update, fine_tuning(loss_fn, inner_optimizer, inner_steps))
