"""One step of any optax transformation, those that want to know the loss, or to search along a line, among them."""

from collections.abc import Callable
from typing import Any

import jax
import optax
from jaxtyping import Array, Float

from metaforge.types import Params


class _Searches(Exception):
    """A rule has asked for the loss at other parameters."""


def take_step(
    optimizer: optax.GradientTransformation,
    loss_of: Callable[[Params], Any],
    params: Params,
    opt_state: optax.OptState,
    *,
    value: Float[Array, ""],
    grads: Params,
    exact: bool = True,
) -> tuple[Params, optax.OptState]:
    """Moves parameters by one step of an optimizer, which is given whatever it may ask for.

    Rules with extra arguments get the loss as `value`, its gradient as `grad`, and the loss as a function of the
    parameters as `value_fn`; `optax.polyak_sgd` wants the first, the line search of `optax.lbfgs` all three. The
    others are called as ever.

    A line search is a loop of unknown length, which cannot be differentiated in reverse. What it finds is a constant,
    and an exact derivative of it is refused.

    Args:
        optimizer: any of optax.
        loss_of: parameters to the loss that is minimised, a scalar.
        params: where to step from.
        opt_state: the optimizer's state.

    Other Arguments:
        value: the loss at `params`.
        grads: its gradient there.
        exact: whether the step is to be differentiated exactly; otherwise value and gradient count as constants.

    Returns:
        The parameters and the optimizer's state after the step.

    Raises:
        ValueError: when an exact step with a line search is differentiated.

    Example:
        >>> import jax.numpy as jnp
        >>> loss_of, x = lambda x: 0.5 * x**2, jnp.array(4.0)
        >>> rule = optax.polyak_sgd()
        >>> print(take_step(rule, loss_of, x, rule.init(x), value=loss_of(x), grads=x)[0])  # it halves x
        2.0
    """
    rule = optax.with_extra_args_support(optimizer)

    def asked(_):
        raise _Searches

    known = value if exact else jax.lax.stop_gradient(value)
    try:
        updates, opt_state = rule.update(grads, opt_state, params, value=known, grad=grads, value_fn=asked)
    except _Searches:
        updates, opt_state = _search(rule, loss_of, *jax.lax.stop_gradient((params, opt_state, value, grads)))
        updates = _constant(updates, params) if exact else updates
    return optax.apply_updates(params, updates), opt_state


def _search(rule, loss_of, params, opt_state, value, grads):
    """The updates of a rule that searches, and its state; nothing of it is differentiated from outside."""
    # What the loss closes over may be differentiated outside: frozen parameters, features. The search's own gradients
    # are inside, and stay.
    closed, outside = jax.closure_convert(loss_of, params)
    outside = jax.lax.stop_gradient(outside)
    value_fn = lambda params: closed(params, *outside)
    return rule.update(grads, opt_state, params, value=value, grad=grads, value_fn=value_fn)


@jax.custom_vjp
def _constant(updates, params):
    """The updates, of which nobody may ask how they depend on the parameters."""
    return updates


def _refuse(_, cotangents):
    raise ValueError(
        "an inner optimizer that searches along a line cannot be differentiated exactly: take order='first', or a "
        "rule without a line search."
    )


_constant.defvjp(lambda updates, params: (updates, None), _refuse)
