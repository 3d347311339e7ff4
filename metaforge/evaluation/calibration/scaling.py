"""The one fit of a logit's scale and offset: penalised maximum likelihood by Newton's steps, as a traced function."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

_STEPS, _HALVINGS = 100, 60


def fit_scaling(
    scores: Float[Array, " rows"],
    fake: Bool[Array, " rows"],
    *,
    weights: Float[Array, " rows"] | None = None,
    scale: jax.Array,
    offset: jax.Array,
    spreads: Sequence[float] | jax.Array,
) -> tuple[jax.Array, jax.Array]:
    r"""The scale $e^t$ and the offset $o$ under which the logit $e^t s + o$ is that of frequencies, half of them fake.

    The least of

    $$\sum_i w_i \log(1 + e^{\mp (e^t s_i + o)}) + (t - t_0)^2 / 2 \sigma_t^2 + (o - o_0)^2 / 2 \sigma_o^2,$$

    the minus for fakes. Both classes have the same weight, $h = 2 n_0 n_1 / (n_0 + n_1)$ of $n_0$ reals and $n_1$
    fakes. It is the number of each in a balanced set that would say as much.

    **Of one class alone nothing moves**, and of no row. Reals alone do not say where fakes lie, and pull the offset as
    far as the prior lets them: the more of them, the more is called real, the fakes too. $h$ is 0 there, and near it
    with a few rows of a class, so it is no jump. So few rows stay near the prior, and many give the maximum of the
    likelihood.

    The sum is convex in $(e^t, o)$ but not in $(t, o)$, where the penalty is a parabola. So Newton's steps are those of
    the Hessian where it is positive definite, and elsewhere those of Fisher's information and the penalty, which always
    is, and a step is halved until the sum falls. There can be two minima, near the prior and near the scale at which
    the scores' deviation is 1. It starts from both, and the lower one counts.

    Args:
        scores: higher for fake, finite, of images that their fit did not see.
        fake: which rows are fakes.

    Other Arguments:
        weights: at least 0, 1 each if left out. Only their ratios count. The number of rows of a class is then
            $(\sum w)^2 / \sum w^2$.
        scale: the prior's, above 0.
        offset: the prior's.
        spreads: $\sigma_t$ and $\sigma_o$, above 0: how far the logarithm of the scale and the offset lie from the
            prior's, as standard deviations.

    Returns:
        Scale and offset, in the precision of `scores`.

    Example:
        >>> scores, fake = jnp.array([-3.0, -1.0, 1.0, 1.0, 3.0, -1.0]), jnp.array([0, 0, 0, 1, 1, 1]) > 0
        >>> scale, offset = fit_scaling(
        ...     scores, fake, scale=jnp.array(1.0), offset=jnp.array(0.0), spreads=(0.5, 0.5)
        ... )
        >>> print(f"{scale:.2f} {abs(offset):.2f}")
        0.90 0.00
    """
    weight = _balanced(fake, jnp.ones_like(scores) if weights is None else weights)
    signs = jnp.where(fake, 1.0, -1.0).astype(scores.dtype)
    centre = jnp.stack([jnp.log(scale), offset]).astype(scores.dtype)
    stiff = 1 / jnp.square(jnp.asarray(spreads, scores.dtype))
    every = jnp.maximum(jnp.sum(weight), jnp.finfo(scores.dtype).tiny)
    middle = jnp.sum(weight * scores) / every
    spread = jnp.sqrt(jnp.sum(weight * jnp.square(scores - middle)) / every)
    safe = jnp.where(spread > 0, spread, 1.0)
    own = jnp.where(spread > 0, jnp.stack([-jnp.log(safe), -middle / safe]), centre)
    descend = lambda start: _descend(start, scores, signs, weight, centre, stiff)
    found = jax.vmap(descend)(jnp.stack([centre, own]))
    at = found.at[jnp.argmin(found.total)]
    known = jnp.any(weight > 0)
    return jnp.where(known, jnp.exp(at[0]), scale), jnp.where(known, at[1], offset)


class _Point(NamedTuple):
    at: jax.Array  # the logarithm of the scale, and the offset
    total: jax.Array
    step: jax.Array  # what is to be subtracted next
    gain: jax.Array  # twice of what it is to gain
    count: jax.Array


def _balanced(fake: jax.Array, weights: jax.Array) -> jax.Array:
    """Weights of rows of which each class has the harmonic mean of both numbers of rows; all 0 without one class."""
    kinds = [jnp.where(kind, weights, 0.0) for kind in (~fake, fake)]
    # A class without rows is divided by 1.
    per = lambda part, whole: part / jnp.where(whole > 0, whole, 1.0)
    reals, fakes = (per(jnp.square(jnp.sum(kind)), jnp.sum(jnp.square(kind))) for kind in kinds)
    each = per(2 * reals * fakes, reals + fakes)
    shares = [per(each, jnp.sum(kind)) for kind in kinds]
    return weights * jnp.where(fake, shares[1], shares[0])


def _descend(start, scores, signs, weight, centre, stiff) -> _Point:
    """Newton's method from one start."""
    about = jnp.finfo(scores.dtype).eps

    def total(at):
        margin = signs * (jnp.exp(at[0]) * scores + at[1])
        found = jnp.sum(weight * jax.nn.softplus(-margin)) + jnp.sum(stiff * jnp.square(at - centre)) / 2
        # A start far off may overflow; its step is then halved.
        return jnp.where(jnp.isfinite(found), found, jnp.inf)

    def seen(at, value, count):
        scaled = jnp.exp(at[0]) * scores
        chance = jax.nn.sigmoid(scaled + at[1])
        missed = weight * (chance - (signs > 0))
        curved = weight * chance * (1 - chance)
        gradient = jnp.stack([jnp.sum(missed * scaled), jnp.sum(missed)]) + stiff * (at - centre)
        corner = jnp.sum(curved * scaled)
        fisher = (jnp.sum(curved * jnp.square(scaled)) + stiff[0], corner, jnp.sum(curved) + stiff[1])
        hessian = (fisher[0] + jnp.sum(missed * scaled), *fisher[1:])
        convex = (hessian[0] > 0) & (_determinant(hessian) > 1e-6 * _determinant(fisher))
        step = jnp.where(convex, _solved(hessian, gradient), _solved(fisher, gradient))
        return _Point(at, value, step, jnp.sum(gradient * step), count)

    def go_on(point):
        # Far below the sum's own rounding, so that the last digits are those of the gradient.
        return (point.count < _STEPS) & (point.gain > about**1.5 * (1 + point.total)) & jnp.isfinite(point.total)

    def move(point):
        bound = point.total + 4 * about * (1 + jnp.abs(point.total))
        halve = lambda state: (state[0] / 2, total(point.at - state[0] / 2 * point.step), state[2] + 1)
        size, value, halvings = jax.lax.while_loop(
            lambda state: ~(state[1] <= bound) & (state[2] < _HALVINGS), halve,
            (jnp.ones_like(bound), total(point.at - point.step), 0),
        )  # fmt: skip
        lower = halvings < _HALVINGS
        at, value = jnp.where(lower, point.at - size * point.step, point.at), jnp.where(lower, value, point.total)
        return seen(at, value, jnp.where(lower, point.count + 1, _STEPS))

    return jax.lax.while_loop(go_on, move, seen(start, total(start), 0))


def _determinant(matrix):
    return matrix[0] * matrix[2] - matrix[1] ** 2


def _solved(matrix, right):
    """The solution with a symmetric matrix of two rows: its first row, and its last entry."""
    first, corner, last = matrix
    return jnp.stack([last * right[0] - corner * right[1], first * right[1] - corner * right[0]]) / _determinant(matrix)
