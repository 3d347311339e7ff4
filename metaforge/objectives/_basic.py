"""The step from an objective to a loss function, and the objectives of a single term."""

from collections.abc import Callable
from typing import Any, Literal

import jax.numpy as jnp
import optax

from metaforge.types import ApplyFn, Backbone, ModelLoss, Objective


def loss_fn(
    model: Backbone | ApplyFn, objective: Objective, *, head: Callable[[Any, Any], Any] | None = None
) -> ModelLoss:
    """Joins a model and an objective into what a learner wants: parameters and a batch to a scalar.

    Args:
        model: a backbone; or its forward pass, `backbone.apply`, which will do for learners that ask for no head.
        objective: what to make of its outputs.

    Other Arguments:
        head: the head that goes with a forward pass; a backbone brings its own. It scores the synthetic outliers of
            batches that bring some (`Batch.probe`), and learners such as `metaforge.anil` adapt it.

    Returns:
        A `LossFn` that shows its parts, for learners that look inside a model.

    Example:
        >>> import jax
        >>> from metaforge.backbones import mlp
        >>> from metaforge.types import Batch
        >>> model = mlp(hidden=(8,), outputs=2)
        >>> params = model.init(jax.random.key(0), jnp.zeros((1, 3)))
        >>> loss, metrics = loss_fn(model, cross_entropy())(params, Batch(jnp.ones((4, 3)), jnp.zeros(4, int)))
        >>> loss.shape, sorted(metrics)
        ((), ['accuracy'])
    """
    if isinstance(model, Backbone):
        return ModelLoss(model.apply, objective, head or model.head)
    return ModelLoss(model, objective, head)


def cross_entropy(*, reduction: Literal["mean", "sum"] = "mean") -> Objective:
    r"""Softmax cross-entropy, $-\log p(y \mid x)$, over the examples of a batch; reports the accuracy too.

    Args:
        reduction: "mean" over examples. "sum" is the letter of DAML's eq. 3, which ties the inner learning rate,
            not given there, to the number of shots.

    Returns:
        An `Objective` of logits `(examples, classes)` and integer targets `(examples,)`, in nats.

    Example:
        >>> from metaforge.types import Batch, Outputs
        >>> outputs = Outputs(jnp.zeros((2, 2)), jnp.zeros((2, 1)))
        >>> value, metrics = cross_entropy()(outputs, Batch(None, jnp.array([0, 1])))
        >>> print(value.round(3), metrics["accuracy"])
        0.693 0.5

    References:
        Jin and Tan, *Difficulty-Aware Meta-Learning for Cross-Domain Face Forgery Detection*, eq. 3.
    """
    reductions = {"mean": jnp.mean, "sum": jnp.sum}
    if reduction not in reductions:
        raise ValueError(f"unknown `reduction` {reduction!r}; known: {', '.join(reductions)}.")
    reduce = reductions[reduction]

    def objective(outputs, batch):
        losses = optax.losses.softmax_cross_entropy_with_integer_labels(outputs.logits, batch.targets)
        accuracy = jnp.mean(jnp.argmax(outputs.logits, axis=-1) == batch.targets)
        return reduce(losses), {"accuracy": accuracy}

    return objective


def squared_error() -> Objective:
    r"""Mean squared error, $(f(x) - y)^2$, of outputs and targets `(examples, outputs)`.

    Returns:
        An `Objective`.

    Example:
        >>> from metaforge.types import Batch, Outputs
        >>> outputs = Outputs(jnp.array([[1.0]]), jnp.zeros((1, 1)))
        >>> value, _ = squared_error()(outputs, Batch(None, jnp.array([[3.0]])))
        >>> print(value)
        4.0

    References:
        Finn, Abbeel and Levine, *Model-Agnostic Meta-Learning for Fast Adaptation of Deep Networks*, ICML 2017, eq. 2.
    """

    def objective(outputs, batch):
        if outputs.logits.shape != batch.targets.shape:
            raise ValueError(f"squared_error: outputs {outputs.logits.shape} against targets {batch.targets.shape}.")
        return jnp.mean((outputs.logits - batch.targets) ** 2), {}

    return objective
