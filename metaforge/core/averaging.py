"""Exponential averages of what an optimizer moves: less noise of the last steps, at the price of one more copy."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int

from metaforge.types import Params


class AveragedState(NamedTuple):
    """What `averaged` remembers.

    Attributes:
        inner: the state of the optimizer itself.
        average: the average so far, a pytree like the parameters.
        count: steps taken, int32.
    """

    inner: optax.OptState
    average: Params
    count: Int[Array, ""]


def averaged(optimizer: optax.GradientTransformation, decay: float) -> optax.GradientTransformationExtraArgs:
    r"""The same optimizer, which also keeps an exponential average of the parameters that it leads to.

    $\bar\theta_{t+1} = d_t\,\bar\theta_t + (1 - d_t)\,\theta_{t+1}$ with $d_t = \min(d, \frac{1 + t}{10 + t})$, so that
    the first parameters are soon forgotten. The updates are the optimizer's own: nothing of the training changes, and
    an outer optimizer that is made so works in every learner.

    Args:
        optimizer: any of optax.
        decay: $d$, in (0, 1); 0.99 looks back over some hundred steps.

    Returns:
        A `GradientTransformationExtraArgs`, whose `update` needs the parameters; `average_of` reads the average.

    Raises:
        ValueError: for a `decay` outside (0, 1); when used, without parameters.

    Example:
        >>> optimizer = averaged(optax.sgd(1.0), 0.5)
        >>> state = optimizer.init(jnp.array(0.0))
        >>> updates, state = optimizer.update(jnp.array(-1.0), state, jnp.array(0.0))
        >>> print(updates, average_of(state))  # d is 1 / 10 in the first step
        1.0 0.9

    References:
        Polyak and Juditsky, *Acceleration of Stochastic Approximation by Averaging*, 1992. The warm-up of the decay is
        that of TensorFlow's `ExponentialMovingAverage`.
    """
    if not 0 < decay < 1:
        raise ValueError(f"`decay` must be between 0 and 1, got {decay}.")

    rule = optax.with_extra_args_support(optimizer)

    def init(params):
        return AveragedState(optimizer.init(params), jax.tree.map(jnp.copy, params), jnp.zeros((), jnp.int32))

    def update(updates, state, params=None, **extra: Any):
        if params is None:
            raise ValueError("averaged: give the parameters to `update`.")
        updates, inner = rule.update(updates, state.inner, params, **extra)
        keep = jnp.minimum(decay, (1 + state.count) / (10 + state.count))
        average = optax.incremental_update(optax.apply_updates(params, updates), state.average, 1 - keep)
        return updates, AveragedState(inner, average, state.count + 1)

    return optax.GradientTransformationExtraArgs(init, update)


def average_of(opt_state: optax.OptState) -> Params:
    """The average in the state of an optimizer, however deep `averaged` is in it.

    Raises:
        KeyError: when there is none.

    Example:
        >>> print(average_of((averaged(optax.sgd(1.0), 0.9).init(jnp.ones(2)), None)))
        [1. 1.]
    """
    states = jax.tree.leaves(opt_state, is_leaf=lambda node: isinstance(node, AveragedState))
    for state in states:
        if isinstance(state, AveragedState):
            return state.average
    raise KeyError("the optimizer keeps no average: make it with `averaged`.")
