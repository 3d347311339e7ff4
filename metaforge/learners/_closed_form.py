"""Learners whose head is a formula of the support embeddings: what they share is all but the formula."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from metaforge.core.execution import Strategy
from metaforge.core.inner import AdaptInfo
from metaforge.learners._assembly import Reduction, embed, head_loss, outer_update, shown, with_context
from metaforge.learners.base import InitFn, MetaLearner
from metaforge.types import Batch, LossFn, Params, TaskWeighting

NEVER = -1e4
"""The logit of a class of which the support set has no example: finite, and no probability in any precision."""

FitFn = Callable[[Any, Any, Any], tuple[Any, Any]]
"""Meta-parameters, support embeddings `(examples, features)` and one-hot labels `(examples, classes)` to the kernel
`(features, classes)` and the bias `(classes,)` of a linear head."""


def with_fitted_head(
    loss_fn: LossFn,
    learner: str,
    fit: FitFn,
    *,
    init: InitFn,
    outer_optimizer: optax.GradientTransformation,
    task_weighting: TaskWeighting | None,
    reduction: Reduction,
    strategy: Strategy,
    model: Callable[[Params], Params] = lambda params: params,
) -> MetaLearner:
    """A learner that adapts by writing a head, and whose outer step goes through how it was found.

    Args:
        loss_fn: of a model with a linear head under "head".
        learner: its name, for errors.
        fit: the formula.
        init: the learner's own.
        outer_optimizer: the outer rule.
        task_weighting: as in `metaforge.maml`.
        reduction: as in `metaforge.maml`.
        strategy: as in `metaforge.maml`.
        model: what of the meta-parameters is the model's.
    """
    shows = shown(loss_fn, learner)
    loss_of = head_loss(shows, learner)

    def adapt(meta, support):
        params = model(meta)
        classes = linear_head(params)["bias"].shape[0]
        embeddings = embed(shows, params, support).inputs
        # In single precision at least, whatever the network computes in: formulas subtract large numbers.
        embeddings = embeddings.astype(jnp.promote_types(embeddings.dtype, jnp.float32))
        labels = jax.nn.one_hot(support.targets, classes, dtype=embeddings.dtype)
        kernel, bias = fit(meta, embeddings, labels)
        known = jnp.any(labels > 0, axis=0)
        fitted = {"kernel": jnp.where(known[None], kernel, 0.0), "bias": jnp.where(known, bias, NEVER)}
        head = jax.tree.map(lambda new, old: new.astype(old.dtype), fitted, dict(params["head"]))
        return params | {"head": head}, AdaptInfo(jnp.zeros((0,)))

    def task_loss(meta, episode):
        adapted, info = adapt(meta, episode.support)
        query: Batch = embed(shows, adapted, with_context(episode.query, episode.support))
        loss, metrics = loss_of(adapted, query)
        return loss, (info.losses, metrics)

    update = outer_update(
        task_loss, outer_optimizer, task_weighting=task_weighting, reduction=reduction, strategy=strategy
    )
    return MetaLearner(init, update, adapt, model)


def linear_head(params: Params) -> dict[str, Float[Array, " ..."]]:
    """The head of a model's parameters.

    Raises:
        ValueError: if it is another than a linear one.
    """
    head = params["head"]
    if set(head) != {"kernel", "bias"}:
        raise ValueError(f"the head must be linear to be written, and has {', '.join(sorted(head))}: head='linear'.")
    return head
