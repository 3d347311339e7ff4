"""ANIL: the head adapts, the features are shared by all tasks and computed once."""

import optax

from metaforge.core.execution import Strategy
from metaforge.core.inner import Order
from metaforge.learners._assembly import (
    Reduction,
    adapt_part,
    embed,
    head_loss,
    init_with,
    outer_update,
    shown,
    with_context,
)  # fmt: skip
from metaforge.learners.base import MetaLearner
from metaforge.types import LossFn, TaskWeighting


def anil(
    loss_fn: LossFn,
    *,
    inner_optimizer: optax.GradientTransformation,
    outer_optimizer: optax.GradientTransformation,
    inner_steps: int = 1,
    order: Order = "second",
    task_weighting: TaskWeighting | None = None,
    reduction: Reduction = "sum",
    strategy: Strategy = "auto",
) -> MetaLearner:
    r"""Almost no inner loop: MAML whose inner steps move the head alone, on embeddings that are computed once.

    With features $f_\phi$ and head $h$, task $i$ adapts $h$ by steps on
    $\mathcal{L}(h(f_\phi(D^s_i)))$, and the outer step moves both by
    $\nabla_{\phi, h} \sum_i w_i\, \mathcal{L}(h'_i(f_\phi(D^q_i)))$, through the inner steps too. It is
    `maml(adaptable="^head/")` to the last digit but for rounding, and runs the network once where that runs it at every
    step.

    Args:
        loss_fn: the loss of a model, as `metaforge.objectives.loss_fn` makes it, which shows its parts; the model has a
            head of its own, whose parameters are under "head".

    Other Arguments:
        inner_optimizer: the rule by which the head adapts.
        outer_optimizer: the outer rule.
        inner_steps: steps of the head.
        order: as in `metaforge.maml`.
        task_weighting: as in `metaforge.maml`.
        reduction: as in `metaforge.maml`.
        strategy: as in `metaforge.maml`.

    Returns:
        A `MetaLearner`; its `adapt` gives whole parameters whose head has moved.

    Raises:
        ValueError: for a loss function that shows no model, or a model without a head.

    Example:
        >>> from metaforge.backbones import mlp
        >>> from metaforge.objectives import cross_entropy, loss_fn
        >>> loss = loss_fn(mlp(hidden=(4,), outputs=2), cross_entropy())
        >>> learner = anil(loss, inner_steps=5, inner_optimizer=optax.sgd(0.1), outer_optimizer=optax.adam(1e-3))

    References:
        Raghu, Raghu, Bengio and Vinyals, *Rapid Learning or Feature Reuse? Towards Understanding the Effectiveness of
        MAML*, ICLR 2020, section 4.
    """
    model = shown(loss_fn, "anil")
    loss_of = head_loss(model, "anil")

    def adapt_head(params, seen):
        return adapt_part(
            loss_of, params, seen, pattern="^head/", optimizer=inner_optimizer, num_steps=inner_steps, order=order
        )

    def task_loss(params, episode):
        adapted, info = adapt_head(params, embed(model, params, episode.support))
        query = embed(model, params, with_context(episode.query, episode.support))
        loss, metrics = loss_of(adapted, query)
        return loss, (info.losses, metrics)

    def adapt(params, support):
        return adapt_head(params, embed(model, params, support))

    update = outer_update(
        task_loss, outer_optimizer, task_weighting=task_weighting, reduction=reduction, strategy=strategy
    )
    return MetaLearner(init_with(outer_optimizer), update, adapt)
