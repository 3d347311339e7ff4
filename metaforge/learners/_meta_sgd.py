"""Meta-SGD: the rates of the inner steps are learned along with where they start."""

from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import optax

from metaforge.core.execution import Strategy
from metaforge.core.inner import Order
from metaforge.core.inner import adapt as inner_adapt
from metaforge.learners._assembly import Reduction, init_with, outer_update, with_context
from metaforge.learners.base import MetaLearner
from metaforge.types import LossFn, Params, TaskWeighting

RatePer = Literal["parameter", "array"]
"""What has a rate of its own: every number of the model, the same in all steps; or every array in every step."""


class MetaSGDParams(NamedTuple):
    """Meta-parameters: a model, and how fast each part of it adapts.

    Attributes:
        params: the model's parameters.
        rates: the same tree, of inner learning rates.
    """

    params: Params
    rates: Params


def meta_sgd(
    loss_fn: LossFn,
    *,
    inner_lr: float,
    outer_optimizer: optax.GradientTransformation,
    inner_steps: int = 1,
    order: Order = "second",
    task_weighting: TaskWeighting | None = None,
    reduction: Reduction = "sum",
    rates: RatePer = "parameter",
    strategy: Strategy = "auto",
) -> MetaLearner:
    r"""MAML that learns its inner learning rates too: how fast each parameter should move, and which way.

    One inner step is $\theta' = \theta - \alpha \circ \nabla_\theta \mathcal{L}_{D^s}(\theta)$, and the outer step
    moves $\theta$ and $\alpha$ by the gradient of the query losses. With `order="first"` the inner gradients are
    constants, and the rates learn all the same: $\partial\theta'/\partial\alpha = -\nabla\mathcal{L}_{D^s}$ needs no
    second derivative.

    Rates are what the outer optimizer makes of them. As in the paper nothing keeps them positive: a negative one moves
    its parameter uphill on the support loss, for the sake of the query loss.

    Args:
        loss_fn: parameters and a batch to a scalar loss and metrics.
        inner_lr: where all rates begin; the paper draws them at random, from 0.005 to 0.1.
        outer_optimizer: the outer rule, of parameters and rates alike.

    Other Arguments:
        inner_steps: steps of adaptation to each task; 1 in the paper.
        order: as in `metaforge.maml`.
        task_weighting: as in `metaforge.maml`.
        reduction: as in `metaforge.maml`.
        rates: "parameter" as published: as many rates as parameters, for all steps; or "array": a rate for every array
            and step, such as 5 for each kernel with 5 steps, as in MAML++.
        strategy: as in `metaforge.maml`.

    Returns:
        A `MetaLearner` whose meta-parameters are a `MetaSGDParams`; its `model` is their `params`.

    Raises:
        ValueError: for an unknown `rates` or `reduction`; when used, as `metaforge.adapt`.

    Example:
        >>> from metaforge.types import Batch, Episode
        >>> loss_fn = lambda params, batch: (0.5 * jnp.mean((params - batch.inputs) ** 2), {})
        >>> learner = meta_sgd(loss_fn, inner_lr=0.5, outer_optimizer=optax.sgd(0.1))
        >>> images = jnp.array([[4.0], [2.0]])  # two tasks of one example each
        >>> batch = Batch(images, images)
        >>> state, _ = learner.update(learner.init(jnp.array(0.0)), Episode(support=batch, query=batch))
        >>> print(state.params)
        MetaSGDParams(params=Array(0.15, dtype=float32), rates=Array(1.5, dtype=float32))

    References:
        Li, Zhou, Chen and Li, *Meta-SGD: Learning to Learn Quickly for Few-Shot Learning*, 2017, eq. 2 and
        algorithm 1. Antoniou, Edwards and Storkey, *How to Train Your MAML*, ICLR 2019, section 4 (a rate for every
        layer and step).
    """
    if rates not in get_args(RatePer):
        raise ValueError(f"unknown `rates` {rates!r}; known: {', '.join(get_args(RatePer))}.")

    def init(params):
        # One at least: without steps it is never used, but an empty array cannot be indexed.
        shape = lambda leaf: jnp.shape(leaf) if rates == "parameter" else (max(inner_steps, 1),)
        begin = jax.tree.map(lambda leaf: jnp.full(shape(leaf), inner_lr, jnp.result_type(leaf)), params)
        return init_with(outer_optimizer)(MetaSGDParams(params, begin))

    def adapt(rated, support):
        rule = _gradient_descent(rated.rates, rates)
        return inner_adapt(loss_fn, rated.params, support, optimizer=rule, num_steps=inner_steps, order=order)

    def task_loss(rated, episode):
        adapted, info = adapt(rated, episode.support)
        loss, metrics = loss_fn(adapted, with_context(episode.query, episode.support))
        return loss, (info.losses, metrics)

    update = outer_update(
        task_loss, outer_optimizer, task_weighting=task_weighting, reduction=reduction, strategy=strategy
    )
    return MetaLearner(init, update, adapt, lambda rated: rated.params)


def _gradient_descent(rates: Params, per: RatePer) -> optax.GradientTransformation:
    """Gradient descent at these rates; its state is the number of the step."""

    def update(updates, state, params=None):
        now = rates if per == "parameter" else jax.tree.map(lambda rate: rate[state], rates)
        return jax.tree.map(lambda rate, grad: -rate * grad, now, updates), state + 1

    return optax.GradientTransformation(lambda params: jnp.zeros((), jnp.int32), update)
