"""The inner loop: a few steps of any optax transformation on one task's support set, differentiable throughout."""

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from metaforge.core.keys import split_keys
from metaforge.core.mixed import mixed_value_and_grad
from metaforge.core.stepping import take_step
from metaforge.types import Batch, LossFn, Params

Order = Literal["first", "second", "mixed"]
"""What the outer gradient sees of the inner steps: "first" holds the inner gradients constant, "second" is exact,
"mixed" is exact too, computed forward over reverse, which takes less memory (see `metaforge.core.mixed`)."""

Remat = Literal["none", "steps", "sqrt"]
"""What an exact outer gradient computes again instead of keeping: nothing; the inside of each inner step; or all but
every sqrt(steps)-th set of parameters too."""


class AdaptInfo(NamedTuple):
    """What the inner loop reports.

    Attributes:
        losses: the support loss before each step, float32, shape `(steps,)`.
        reports: what `after_step` said after each step, with a leading axis of steps; `None` without one.
    """

    losses: Float[Array, " steps"]
    reports: Any = None


def adapt(
    loss_fn: LossFn,
    params: Params,
    support: Batch,
    *,
    optimizer: optax.GradientTransformation,
    num_steps: int = 1,
    order: Order = "first",
    grad_steps: int | None = None,
    remat: Remat = "none",
    after_step: Callable[[Params], Any] | None = None,
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
        optimizer: the inner rule: any optax transformation, also one that asks for the loss (`optax.polyak_sgd`) or
            searches along a line (`optax.lbfgs`, under first order). Its state starts afresh in every call.
        num_steps: how many steps, at least 0; 0 returns `params`.
        order: "first", "second" or "mixed"; it changes the derivative, never the value.
        grad_steps: how many of the last steps are differentiated exactly, all if left out; earlier ones are taken as
            under "first". 0 is first order.
        remat: what an exact gradient computes again to save memory; the numbers do not depend on it.
        after_step: called with the parameters after each step; its results are differentiable too.

    Returns:
        The adapted parameters, of the structure, shapes and dtypes of `params`, and an `AdaptInfo`.

    Raises:
        ValueError: for a negative `num_steps` or `grad_steps`, or an unknown `order` or `remat`; when differentiated
            exactly, for an optimizer that searches along a line.

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
    for name, count in (("num_steps", num_steps), ("grad_steps", grad_steps)):
        if count is not None and count < 0:
            raise ValueError(f"`{name}` must be at least 0, got {count}.")
    for name, choice, known in (("order", order, get_args(Order)), ("remat", remat, get_args(Remat))):
        if choice not in known:
            raise ValueError(f"unknown `{name}` {choice!r}; known: {', '.join(known)}.")
    exact = 0 if order == "first" else num_steps if grad_steps is None else min(grad_steps, num_steps)

    def plain(params, batch):
        (loss, _), grads = jax.value_and_grad(loss_fn, has_aux=True)(params, batch)
        return loss, grads

    def constant(params, batch):
        # Stopping before the gradient spares tracing a second derivative that nobody wants; stopping after it too
        # holds what else the loss or the support set may depend on: frozen parameters, features computed outside.
        loss, grads = plain(jax.lax.stop_gradient(params), batch)
        return loss, jax.lax.stop_gradient(grads)

    def mixed(params, batch):
        return mixed_value_and_grad(loss_fn)(params, batch)

    def step_by(value_and_grad):
        def step(carry, _):
            params, opt_state, key = carry
            # What a model draws, it draws anew in every step.
            now, key = (None, None) if key is None else split_keys(key)
            batch = support._replace(key=now)
            value, grads = value_and_grad(params, batch)
            loss_of = lambda params: loss_fn(params, batch)[0]
            params, opt_state = take_step(
                optimizer, loss_of, params, opt_state, value=value, grads=grads, exact=value_and_grad is not constant
            )
            return (params, opt_state, key), (value, after_step(params) if after_step else None)

        return step

    carry, infos = (params, optimizer.init(params), support.key), []
    parts: list[tuple[Any, int, Remat]] = [(constant, num_steps - exact, "none")]
    parts.append((plain if order == "second" else mixed, exact, remat))
    for value_and_grad, count, again in parts:
        if count or (num_steps == 0 and not infos):
            carry, info = _repeat(step_by(value_and_grad), carry, count, remat=again)
            infos.append(info)
    losses, reports = jax.tree.map(lambda *parts: jnp.concatenate(parts), *infos)
    return carry[0], AdaptInfo(losses, reports)


def _repeat(step, carry, count: int, *, remat: Remat):
    """`jax.lax.scan(step, carry, length=count)`, keeping for the way back what `remat` allows."""

    def run(carry, length):
        body = step if remat == "none" else jax.checkpoint(step, prevent_cse=length <= 5)
        # Short loops are unrolled: XLA's CPU backend runs what is inside a loop body with fewer threads.
        return jax.lax.scan(body, carry, length=length, unroll=length <= 5)

    block = math.isqrt(count)
    if remat != "sqrt" or block < 2:
        return run(carry, count)
    # Blocks of sqrt(count) steps, each computed again as a whole, and the few steps that are left.
    carry, whole = jax.lax.scan(
        jax.checkpoint(lambda c, _: run(c, block), prevent_cse=False), carry, length=count // block
    )
    carry, rest = run(carry, count % block)
    return carry, jax.tree.map(lambda w, r: jnp.concatenate([w.reshape(-1, *w.shape[2:]), r]), whole, rest)
