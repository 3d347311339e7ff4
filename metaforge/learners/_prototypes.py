"""Prototypical networks: a class is the mean of its support embeddings."""

import jax.numpy as jnp
import optax

from metaforge.core.execution import Strategy
from metaforge.learners._assembly import Reduction, init_with
from metaforge.learners._closed_form import with_fitted_head
from metaforge.learners.base import MetaLearner
from metaforge.types import LossFn, TaskWeighting


def protonet(
    loss_fn: LossFn,
    *,
    outer_optimizer: optax.GradientTransformation,
    temperature: float = 1.0,
    task_weighting: TaskWeighting | None = None,
    reduction: Reduction = "sum",
    strategy: Strategy = "auto",
) -> MetaLearner:
    r"""Nearest class mean, with features learned for it: no inner loop, and nothing to tune at meta-test.

    With prototypes $c_k$, the means of each class's support embeddings, the logits of a query embedding $x$ are
    $-\lVert x - c_k \rVert^2 / \tau$ but for a number that all classes share. That is a linear head, and as such it is
    written: kernel $2 (c_k - m) / \tau$ and bias $-(\lVert c_k \rVert^2 - \lVert m \rVert^2) / \tau$, with the mean $m$
    of the prototypes, whose part is shared and would only cost digits.

    The head that the model began with is not used, and does not learn. A class without support examples has a logit
    of -10,000.

    Args:
        loss_fn: the loss of a model, as `metaforge.objectives.loss_fn` makes it, which shows its parts; the model has a
            linear head under "head", which says how many classes there are.

    Other Arguments:
        outer_optimizer: the outer rule.
        temperature: $\tau$, above 0; 1 as published. Squared distances grow with the number of features: with the
            1,600 of conv4 at 84 pixels those to two prototypes differ by 14 at random weights, so that probabilities
            are 0 or 1; the root of the number of features makes them moderate.
        task_weighting: as in `metaforge.maml`.
        reduction: as in `metaforge.maml`.
        strategy: as in `metaforge.maml`.

    Returns:
        A `MetaLearner`; its `adapt` gives whole parameters whose head is the prototypes', and no losses.

    Raises:
        ValueError: for a loss function that shows no model, or a model without a head; when used, for a head that is
            not linear.

    Example:
        >>> from metaforge.backbones import mlp
        >>> from metaforge.objectives import cross_entropy, loss_fn
        >>> loss = loss_fn(mlp(hidden=(4,), outputs=2), cross_entropy())
        >>> learner = protonet(loss, outer_optimizer=optax.adam(1e-3))

    References:
        Snell, Swersky and Zemel, *Prototypical Networks for Few-shot Learning*, NeurIPS 2017, eq. 1 and section 2.4.
    """

    def fit(params, embeddings, labels):
        counts = jnp.sum(labels, axis=0)
        sums = jnp.matmul(labels.T, embeddings, precision="highest")
        prototypes = sums / jnp.maximum(counts, 1)[:, None]
        known = (counts > 0).astype(counts.dtype)
        # Of a class without examples the row is 0, and does not count.
        mean = jnp.sum(prototypes, axis=0, keepdims=True) / jnp.maximum(jnp.sum(known), 1)
        bias = -jnp.sum((prototypes - mean) * (prototypes + mean), axis=1)
        return 2 * (prototypes - mean).T / temperature, bias / temperature

    return with_fitted_head(
        loss_fn, "protonet", fit, init=init_with(outer_optimizer), outer_optimizer=outer_optimizer,
        task_weighting=task_weighting, reduction=reduction, strategy=strategy,
    )  # fmt: skip
