"""MAML and its assemblies: FOMAML drops the second order, DAML weighs tasks by their difficulty."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import optax

from metaforge.core.execution import Strategy
from metaforge.core.inner import Order, Remat
from metaforge.core.weighting import difficulty_aware
from metaforge.learners._assembly import Reduction, adapt_part, init_with, outer_update, with_context
from metaforge.learners.base import MetaLearner
from metaforge.types import LossFn, TaskWeighting


def maml(
    loss_fn: LossFn,
    *,
    inner_optimizer: optax.GradientTransformation,
    outer_optimizer: optax.GradientTransformation,
    inner_steps: int = 1,
    order: Order = "second",
    task_weighting: TaskWeighting | None = None,
    reduction: Reduction = "sum",
    grad_steps: int | None = None,
    remat: Remat = "none",
    step_weights: Sequence[float] | None = None,
    adaptable: str = "",
    strategy: Strategy = "auto",
) -> MetaLearner:
    r"""Learns parameters from which a few steps on a few examples go a long way.

    One outer step on tasks $d_1, d_2, \dots$ adapts to each on its support set, $\theta'_i$ (see `metaforge.adapt`),
    and follows the gradient of what the adapted parameters lose on the query sets:

    $$\theta \leftarrow \theta - \beta \nabla_\theta \sum_i w_i\, \mathcal{L}_{D^q_i}(\theta'_i)$$

    with $w_i = 1$ for MAML (eq. 4) and $w_i = \sigma(\mathcal{L}_i)$ for `daml` (eq. 5). The papers' outer optimizer
    is Adam.

    Args:
        loss_fn: parameters and a batch to a scalar loss and metrics.
        inner_optimizer: the inner rule, any optax transformation; `optax.sgd` in the papers.
        outer_optimizer: the outer rule, any optax transformation.

    Other Arguments:
        inner_steps: steps of adaptation to each task.
        order: "second" differentiates through the inner steps; "mixed" too, in less memory; "first" holds the inner
            gradients constant.
        task_weighting: query losses to weights, `metaforge.core.weighting.uniform()` if left out.
        reduction: "sum" over tasks, as published, which ties the outer learning rate to the number of tasks,
            or "mean".
        grad_steps: how many of the last inner steps are differentiated exactly, all if left out.
        remat: what an exact gradient computes again to save memory: "none", "steps" or "sqrt" (see `metaforge.adapt`).
        step_weights: MAML++'s multi-step loss: what the query loss after each inner step counts,
            $\mathcal{L}_i = \sum_t v_t \mathcal{L}_{D^q_i}(\theta'_{i,t})$; if left out, only the last one counts.
        adaptable: which parameters the inner steps move, a pattern of paths (see `metaforge.core.param_paths`), such as
            "Normalise" for the scales and shifts of normalisation alone; all if empty. The outer step moves all.
        strategy: how the tasks of a meta-batch run (see `metaforge.core.execution`); the numbers do not depend on it.

    Returns:
        A `MetaLearner`.

    Raises:
        ValueError: for an unknown `reduction`, or for another number of `step_weights` than of steps; when used, for an
            unknown `order`, `remat` or `strategy`, or a pattern that no path has.

    Example:
        >>> from metaforge.types import Batch, Episode
        >>> loss_fn = lambda params, batch: (0.5 * jnp.mean((params - batch.inputs) ** 2), {})
        >>> learner = maml(loss_fn, inner_optimizer=optax.sgd(0.5), outer_optimizer=optax.sgd(0.1))
        >>> images = jnp.array([[4.0], [2.0]])  # two tasks of one example each
        >>> batch = Batch(images, images)
        >>> state, info = learner.update(learner.init(jnp.array(0.0)), Episode(support=batch, query=batch))
        >>> print(info.query_losses, state.params.round(3))
        [2.  0.5] 0.15

    References:
        Finn, Abbeel and Levine, *Model-Agnostic Meta-Learning for Fast Adaptation of Deep Networks*, ICML 2017,
        algorithm 2. Jin and Tan, *Difficulty-Aware Meta-Learning for Cross-Domain Face Forgery Detection*, eq. 4.
        Antoniou, Edwards and Storkey, *How to Train Your MAML*, ICLR 2019, section 4 (multi-step loss). Zintgraf et
        al., *Fast Context Adaptation via Meta-Learning*, ICML 2019 (partial adaptation).
    """
    if step_weights is not None and len(step_weights) != inner_steps:
        raise ValueError(f"`step_weights` must be one number for each of {inner_steps} steps, got {len(step_weights)}.")

    def adapt(params, support, after_step=None):
        return adapt_part(
            loss_fn, params, support, pattern=adaptable, optimizer=inner_optimizer, num_steps=inner_steps, order=order,
            grad_steps=grad_steps, remat=remat, after_step=after_step,
        )  # fmt: skip

    def task_loss(params, episode):
        query = with_context(episode.query, episode.support)
        if step_weights is None:
            adapted, info = adapt(params, episode.support)
            loss, metrics = loss_fn(adapted, query)
        else:
            _, info = adapt(params, episode.support, lambda params: loss_fn(params, query))
            losses, metrics = info.reports
            loss, metrics = jnp.dot(jnp.asarray(step_weights, losses.dtype), losses), jax.tree.map(_last, metrics)
        return loss, (info.losses, metrics)

    update = outer_update(
        task_loss, outer_optimizer, task_weighting=task_weighting, reduction=reduction, strategy=strategy
    )
    return MetaLearner(init_with(outer_optimizer), update, lambda params, support: adapt(params, support))


def _last(values):
    return values[-1]


def fomaml(
    loss_fn: LossFn,
    *,
    inner_optimizer: optax.GradientTransformation,
    outer_optimizer: optax.GradientTransformation,
    inner_steps: int = 1,
    task_weighting: TaskWeighting | None = None,
    reduction: Reduction = "sum",
    grad_steps: int | None = None,
    remat: Remat = "none",
    step_weights: Sequence[float] | None = None,
    adaptable: str = "",
    strategy: Strategy = "auto",
) -> MetaLearner:
    """First-order MAML: `maml` with `order="first"`, which needs no second derivative.

    Args:
        loss_fn: parameters and a batch to a scalar loss and metrics.
        inner_optimizer: the inner rule, any optax transformation.
        outer_optimizer: the outer rule, any optax transformation.

    Other Arguments:
        inner_steps: steps of adaptation to each task.
        task_weighting: query losses to weights, `metaforge.core.weighting.uniform()` if left out.
        reduction: "sum" over tasks, or "mean".
        grad_steps: as in `maml`; without an exact gradient it changes nothing.
        remat: as in `maml`; without an exact gradient it changes nothing.
        step_weights: what the query loss after each inner step counts; if left out, only the last one counts.
        adaptable: which parameters the inner steps move, a pattern of paths; all if empty.
        strategy: how to run the tasks of a meta-batch; the numbers do not depend on it.

    Returns:
        A `MetaLearner`.

    Raises:
        ValueError: as `maml`.

    Example:
        >>> learner = fomaml(lambda params, batch: (params**2, {}),
        ...                  inner_optimizer=optax.sgd(0.1), outer_optimizer=optax.adam(1e-3))

    References:
        Finn, Abbeel and Levine, *Model-Agnostic Meta-Learning for Fast Adaptation of Deep Networks*, ICML 2017,
        section 5.2.
    """
    return maml(
        loss_fn, order="first", inner_optimizer=inner_optimizer, outer_optimizer=outer_optimizer,
        inner_steps=inner_steps, task_weighting=task_weighting, reduction=reduction, grad_steps=grad_steps,
        remat=remat, step_weights=step_weights, adaptable=adaptable,
        strategy=strategy,
    )  # fmt: skip


def daml(
    loss_fn: LossFn,
    *,
    inner_optimizer: optax.GradientTransformation,
    outer_optimizer: optax.GradientTransformation,
    detach: bool = False,
    normalize: bool = False,
    inner_steps: int = 1,
    order: Order = "first",
    reduction: Reduction = "sum",
    grad_steps: int | None = None,
    remat: Remat = "none",
    step_weights: Sequence[float] | None = None,
    adaptable: str = "",
    strategy: Strategy = "auto",
) -> MetaLearner:
    r"""Difficulty-aware MAML: first-order `maml` whose tasks count $\sigma(\mathcal{L}_i)$ times.

    What tasks count is its own to say; to weigh them otherwise, take `maml` and its `task_weighting`.

    Args:
        loss_fn: parameters and a batch to a scalar loss and metrics.
        inner_optimizer: the inner rule, any optax transformation.
        outer_optimizer: the outer rule, any optax transformation.

    Other Arguments:
        detach: hold the weight constant in the gradient (see `metaforge.core.weighting.difficulty_aware`, where the
            gradient factor is spelt out).
        normalize: divide the weights by their mean (as there).
        inner_steps: steps of adaptation to each task.
        order: "first" as published; "second" and "mixed" differentiate through the inner steps.
        reduction: "sum" over tasks, as published, or "mean".
        grad_steps: how many of the last inner steps are differentiated exactly, all if left out.
        remat: what an exact gradient computes again to save memory: "none", "steps" or "sqrt".
        step_weights: what the query loss after each inner step counts; if left out, only the last one counts.
        adaptable: which parameters the inner steps move, a pattern of paths; all if empty.
        strategy: how to run the tasks of a meta-batch; the numbers do not depend on it.

    Returns:
        A `MetaLearner`.

    Raises:
        ValueError: as `maml`.

    Example:
        >>> learner = daml(lambda params, batch: (params**2, {}),
        ...                inner_optimizer=optax.sgd(0.01), outer_optimizer=optax.adam(1e-3))

    References:
        Jin and Tan, *Difficulty-Aware Meta-Learning for Cross-Domain Face Forgery Detection*, algorithm 1, eq. 5.
    """
    return maml(
        loss_fn, task_weighting=difficulty_aware(detach=detach, normalize=normalize), order=order,
        inner_optimizer=inner_optimizer, outer_optimizer=outer_optimizer, inner_steps=inner_steps,
        reduction=reduction, grad_steps=grad_steps, remat=remat, step_weights=step_weights, adaptable=adaptable,
        strategy=strategy,
    )  # fmt: skip
