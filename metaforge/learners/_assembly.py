"""What learners are put together from: how a state starts, the outer step, and the parts of a model."""

import functools
from collections.abc import Callable
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from metaforge.core.execution import Strategy, task_gradients
from metaforge.core.inner import AdaptInfo
from metaforge.core.inner import adapt as inner_adapt
from metaforge.core.param_paths import merge, partition
from metaforge.core.weighting import uniform
from metaforge.learners.base import InitFn, MetaInfo, MetaState, UpdateFn
from metaforge.types import Batch, LossFn, ModelLoss, Outputs, Params, TaskWeighting

Reduction = Literal["sum", "mean"]
"""How the outer loss runs over the tasks of a meta-batch."""


def init_with(optimizer: optax.GradientTransformation) -> InitFn:
    """The `init` that all learners share: step 0 and a fresh outer optimizer."""

    def init(params):
        # Strong types: weakly typed parameters or counters would make the second update compile again.
        params = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.result_type(leaf)), params)
        return MetaState(params, optimizer.init(params), jnp.zeros((), jnp.int32))

    return init


def outer_step(
    optimizer: optax.GradientTransformation, state: MetaState, grads: Params, *, loss: Float[Array, ""]
) -> MetaState:
    """The state after the outer optimizer has followed `grads`; it is told the outer loss, if it asks.

    Raises:
        ValueError: for an optimizer that searches along a line.
    """

    def elsewhere(_):
        raise ValueError("an outer optimizer cannot search along a line: take a rule without a line search.")

    rule = optax.with_extra_args_support(optimizer)
    updates, opt_state = rule.update(grads, state.opt_state, state.params, value=loss, grad=grads, value_fn=elsewhere)
    return MetaState(optax.apply_updates(state.params, updates), opt_state, state.step + 1)


def outer_update(
    task_loss: Callable[..., tuple[jax.Array, Any]],
    optimizer: optax.GradientTransformation,
    *,
    task_weighting: TaskWeighting | None = None,
    reduction: Reduction = "sum",
    strategy: Strategy = "auto",
    knows_step: bool = False,
) -> UpdateFn:
    r"""The `update` of every learner that minimises $J = \sum_i w_i\, \mathcal{L}_{D^q_i}(\theta'_i)$.

    Args:
        task_loss: meta-parameters and one task's episode to $\mathcal{L}_{D^q_i}(\theta'_i)$ and
            `(support losses, metrics)`.
        optimizer: the outer rule.
        task_weighting: query losses to weights; all 1 if left out.
        reduction: "sum" over tasks or "mean".
        strategy: how the tasks of a meta-batch run.
        knows_step: whether `task_loss` takes the number of the outer step as `step`.
    """
    if reduction not in get_args(Reduction):
        raise ValueError(f"unknown `reduction` {reduction!r}; known: {', '.join(get_args(Reduction))}.")
    weigh, reduce = task_weighting or uniform(), {"sum": jnp.sum, "mean": jnp.mean}[reduction]

    def outer_loss(query_losses):
        weights = weigh(query_losses)
        return reduce(weights * query_losses), weights

    def update(state, episodes):
        loss_of = functools.partial(task_loss, step=state.step) if knows_step else task_loss
        (losses, (support_losses, metrics)), gradients = task_gradients(
            loss_of, state.params, episodes, strategy=strategy
        )
        (loss, weights), factors = jax.value_and_grad(outer_loss, has_aux=True)(losses)
        gradient = add_up(factors, gradients)
        info = MetaInfo(loss, losses, support_losses, weights, factors, optax.global_norm(gradient), metrics)
        return outer_step(optimizer, state, gradient, loss=loss), info

    return update


def with_context(query: Batch, support: Batch) -> Batch:
    """The query batch, knowing the support inputs that may normalise it."""
    return query._replace(context=support.inputs)


def add_up(factors: Float[Array, " tasks"], gradients: Params) -> Params:
    """The weighted sum of the tasks' gradients: every leaf loses its leading axis of tasks."""
    return jax.tree.map(lambda leaf: jnp.tensordot(factors.astype(leaf.dtype), leaf, axes=1), gradients)


def shown(loss_fn: LossFn, learner: str) -> ModelLoss:
    """A loss function that shows its model's parts, for a learner that looks inside.

    Raises:
        ValueError: for one that does not show them.
    """
    if not isinstance(loss_fn, ModelLoss):
        raise ValueError(  # noqa: TRY004 - of the right type, and it lacks something
            f"{learner} looks inside a model, and this loss function shows none: make it by "
            "`metaforge.objectives.loss_fn(model, objective)`."
        )
    return loss_fn


def head_loss(model: ModelLoss, learner: str) -> LossFn:
    """The loss of a model's head on a batch of embeddings, as `embed` makes it.

    Raises:
        ValueError: for a model without a head.
    """
    head = model.head
    if head is None:
        raise ValueError(
            f"{learner} works on a model's head, and this loss function has no head: make it by "
            "`metaforge.objectives.loss_fn(model, objective)`, of a backbone with a head (`Backbone.head`)."
        )

    def loss(params, batch):
        logits = head(params, batch.inputs)
        return model.objective(Outputs(logits, batch.inputs, model.outlier_logits(params, batch)), batch)

    return loss


def embed(model: ModelLoss, params: Params, batch: Batch) -> Batch:
    """The same examples as the head sees them: embeddings instead of images, which need no context any more."""
    return batch._replace(inputs=model.seen(params, batch).embeddings, context=None)


def adapt_part(
    loss_fn: LossFn,
    params: Params,
    support: Batch,
    *,
    pattern: str = "",
    after_step: Callable | None = None,
    **options: Any,
) -> tuple[Params, AdaptInfo]:
    """`metaforge.adapt` for the parameters whose paths a pattern finds; no gradient of the others is computed.

    Returns whole parameters, and `after_step` is given whole ones; an empty pattern means all.
    """
    if not pattern:
        return inner_adapt(loss_fn, params, support, after_step=after_step, **options)
    moving, frozen = partition(params, pattern)
    whole = lambda part: merge(part, frozen)
    moved, info = inner_adapt(
        lambda part, batch: loss_fn(whole(part), batch), moving, support,
        after_step=(lambda part: after_step(whole(part))) if after_step else None, **options,
    )  # fmt: skip
    return whole(moved), info
