"""How noisy the outer gradient is, measured in passing by the optimizer: the batch size that is worth its cost."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from metaforge.types import Params

LEAST = 10
"""Outer steps from which on the averages say something."""


class NoiseState(NamedTuple):
    r"""What `noise_measured` remembers; averages are exponential, with weights $w_s$ that sum to `weight`.

    Attributes:
        inner: the state of the optimizer itself.
        mean: $\sum_s w_s\, g_s$, a pytree like the parameters, float32.
        length: the squared length of `mean`.
        square: $\sum_s w_s\, |g_s|^2$.
        inverse: $\sum_s w_s / B_s$.
        spread: $\sum_s w_s^2 / B_s$.
        weight: $\sum_s w_s$.
        count: steps taken, int32.
    """

    inner: optax.OptState
    mean: Params
    length: Float[Array, ""]
    square: Float[Array, ""]
    inverse: Float[Array, ""]
    spread: Float[Array, ""]
    weight: Float[Array, ""]
    count: Int[Array, ""]


def noise_measured(
    optimizer: optax.GradientTransformation, tasks: int, *, decay: float = 0.95
) -> optax.GradientTransformationExtraArgs:
    r"""The same optimizer, which also measures how much of the gradients that it is given is noise.

    A mean gradient of $B$ independent tasks has $E|g|^2 = |G|^2 + \mathrm{tr}(\Sigma) / B$, where $G$ is the true
    gradient and $\Sigma$ the covariance of a single task's. An average of gradients over steps, with weights $w_s$, is
    that of a larger batch: $E|\bar g|^2 = |G|^2 + \mathrm{tr}(\Sigma) \sum_s w_s^2 / B_s$. From both follow $|G|^2$ and
    $\mathrm{tr}(\Sigma)$, as the paper's appendix A.1 has them of two batch sizes; here one of the two is the average,
    so that no gradient is computed twice. $B_s$ may change from step to step. That $G$ moves meanwhile counts as noise.

    Every learner hands its gradient, or what it takes for one, to its outer optimizer, so this works in all of them,
    and what was measured is in the optimizer's state, and so in the checkpoint.

    Args:
        optimizer: any of optax.
        tasks: $B_s$, how many tasks the gradients of these updates are means of.

    Other Arguments:
        decay: of the averages, in (0, 1); 0.95 looks back over some twenty steps.

    Returns:
        A `GradientTransformationExtraArgs`; `noise_scale` reads its state. The state is the same for any `tasks`.

    Raises:
        ValueError: for a `decay` outside (0, 1), or fewer than one of `tasks`.

    Example:
        >>> optimizer = noise_measured(optax.sgd(1.0), 1)
        >>> state = optimizer.init(jnp.zeros(()))
        >>> for step in range(20):  # all noise: as often up as down
        ...     _, state = optimizer.update(jnp.array(2.0 * (-1) ** step), state)
        >>> noise_scale(state)
        inf

    References:
        McCandlish, Kaplan, Amodei and the OpenAI Dota Team, *An Empirical Model of Large-Batch Training*, 2018,
        sections 2.2 and appendix A.1.
    """
    if not 0 < decay < 1:
        raise ValueError(f"`decay` must be between 0 and 1, got {decay}.")
    if tasks < 1:
        raise ValueError(f"`tasks` must be at least 1, got {tasks}.")
    rule = optax.with_extra_args_support(optimizer)

    def init(params):
        zero = lambda: jnp.zeros((), jnp.float32)  # a step consumes its state: no buffer may stand in it twice
        mean = jax.tree.map(lambda leaf: jnp.zeros(jnp.shape(leaf), jnp.float32), params)
        return NoiseState(
            optimizer.init(params), mean, zero(), zero(), zero(), zero(), zero(), jnp.zeros((), jnp.int32)
        )

    def update(updates, state, params=None, **extra: Any):
        new = 1 - decay
        mean = jax.tree.map(lambda old, one: decay * old + new * one.astype(jnp.float32), state.mean, updates)
        length, square = (optax.tree.norm(tree, squared=True).astype(jnp.float32) for tree in (mean, updates))
        measured = {
            "mean": mean,
            "length": length,
            "square": decay * state.square + new * square,
            "inverse": decay * state.inverse + new / tasks,
            "spread": decay**2 * state.spread + new**2 / tasks,
            "weight": decay * state.weight + new,
            "count": state.count + 1,
        }
        updates, inner = rule.update(updates, state.inner, params, **extra)
        return updates, NoiseState(inner=inner, **measured)

    return optax.GradientTransformationExtraArgs(init, update)


def noise_scale(opt_state: optax.OptState) -> float:
    r"""The gradient noise scale $\mathrm{tr}(\Sigma) / |G|^2$ in tasks, of a state that `noise_measured` is in.

    A training that takes $S_{min}$ steps with endless batches and $E_{min}$ examples with the smallest takes
    $S_{min} (1 + \mathcal{B} / B)$ steps and $E_{min} (1 + B / \mathcal{B})$ examples with batches of $B$, if
    $\mathcal{B}$ is this number.

    Returns:
        The scale; infinite where nothing but noise was seen, 0 where none was, and not a number before `LEAST` steps.

    Raises:
        KeyError: when nothing measures it.

    References:
        McCandlish and others, *An Empirical Model of Large-Batch Training*, 2018, eq. 2.8 and 2.11.
    """
    states = jax.tree.leaves(opt_state, is_leaf=lambda node: isinstance(node, NoiseState))
    found = next((state for state in states if isinstance(state, NoiseState)), None)
    if found is None:
        raise KeyError("the optimizer measures no noise: make it with `noise_measured`.")
    of = {name: float(getattr(found, name)) for name in ("length", "square", "inverse", "spread", "weight", "count")}
    if of["count"] < LEAST:
        return math.nan
    length, square = of["length"] / of["weight"] ** 2, of["square"] / of["weight"]
    inverse, spread = of["inverse"] / of["weight"], of["spread"] / of["weight"] ** 2
    trace = max(square - length, 0.0) / (inverse - spread)
    true = length - spread * trace
    return trace / true if true > 0 else math.inf
