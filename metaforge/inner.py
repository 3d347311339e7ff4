"""The inner loop: a few steps of any optax transformation on one task's support set, differentiable throughout."""

from typing import Literal, NamedTuple, get_args

import jax
import optax
from jaxtyping import Array, Float

from metaforge.types import Batch, LossFn, Params

Order = Literal["first", "second"]
"""What the outer gradient sees of the inner steps: "first" holds the inner gradients constant, "second" is exact."""


class AdaptInfo(NamedTuple):
    """What the inner loop reports.

    Attributes:
        losses: the support loss before each step, float32, shape `(steps,)`.
    """

    losses: Float[Array, " steps"]


def adapt(
    loss_fn: LossFn,
    params: Params,
    support: Batch,
    *,
    optimizer: optax.GradientTransformation,
    num_steps: int = 1,
    order: Order = "first",
) -> tuple[Params, AdaptInfo]:
    r"""Adapts parameters to one task: `num_steps` steps of `optimizer` on the support set.

    With plain gradient descent, `optimizer=optax.sgd(alpha)`, one step is
    $\theta' = \theta - \alpha \nabla_\theta \mathcal{L}_{D^s}(\theta)$ (DAML, eq. 2).

    The result is a differentiable function of `params`. With `order="second"` its derivative is exact,
    $\partial\theta'/\partial\theta = I - \alpha \nabla^2 \mathcal{L}_{D^s}(\theta)$; with `order="first"` the inner
    gradients are constants, so that $\partial\theta'/\partial\theta = I$ for plain gradient descent.

    Args:
        loss_fn: parameters and a batch to a scalar loss and metrics.
        params: where to start, a pytree of floating-point arrays.
        support: one task's labelled examples, leading axis `examples`.
        optimizer: the inner rule: any optax transformation. Its state starts afresh in every call.
        num_steps: how many steps, at least 0; 0 returns `params`.
        order: "first" or "second"; it changes the derivative, never the value.

    Returns:
        The adapted parameters, of the structure, shapes and dtypes of `params`, and an `AdaptInfo`.

    Raises:
        ValueError: for a negative `num_steps` or an unknown `order`.

    Example:
        >>> import jax.numpy as jnp
        >>> loss_fn = lambda params, batch: (0.5 * jnp.mean((params - batch.inputs) ** 2), {})
        >>> support = Batch(inputs=jnp.array([3.0]), targets=jnp.array([0]))
        >>> adapted, info = adapt(loss_fn, jnp.array(1.0), support, optimizer=optax.sgd(0.5), num_steps=1)
        >>> print(adapted, info.losses)
        2.0 [2.]

    References:
        Finn, Abbeel and Levine, *Model-Agnostic Meta-Learning for Fast Adaptation of Deep Networks*, ICML 2017,
        eq. 1 and section 5.2 (first order). Jin and Tan, *Difficulty-Aware Meta-Learning for Cross-Domain Face
        Forgery Detection*, eq. 2.
    """
    if num_steps < 0:
        raise ValueError(f"`num_steps` must be at least 0, got {num_steps}.")
    if order not in get_args(Order):
        raise ValueError(f"unknown `order` {order!r}; known: {', '.join(get_args(Order))}.")

    def step(carry, _):
        params, opt_state = carry
        # Stopping before the gradient, not after it, spares tracing a second derivative that nobody wants.
        point = jax.lax.stop_gradient(params) if order == "first" else params
        (loss, _), grads = jax.value_and_grad(loss_fn, has_aux=True)(point, support)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        return (optax.apply_updates(params, updates), opt_state), loss

    # Short loops are unrolled: XLA's CPU backend runs what is inside a loop body with fewer threads.
    carry = (params, optimizer.init(params))
    (params, _), losses = jax.lax.scan(step, carry, length=num_steps, unroll=num_steps <= 5)
    return params, AdaptInfo(losses)
