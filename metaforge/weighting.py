"""Task weightings: how much each task of a meta-batch counts, as a function of the query losses."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

from metaforge.types import TaskWeighting


def uniform() -> TaskWeighting:
    r"""All tasks count alike: $w_i = 1$, so that the outer loss is $\sum_i \mathcal{L}_i$ (MAML).

    Returns:
        A `TaskWeighting`: query losses, shape `(tasks,)`, to ones of the same shape and dtype.

    Example:
        >>> print(uniform()(jnp.array([0.0, 2.0])))
        [1. 1.]

    References:
        Jin and Tan, *Difficulty-Aware Meta-Learning for Cross-Domain Face Forgery Detection*, eq. 4.
    """
    return jnp.ones_like


def difficulty_aware(*, detach: bool = False, normalize: bool = False) -> TaskWeighting:
    r"""Harder tasks count more: $w_i = \sigma(\mathcal{L}_i) = 1 / (1 + e^{-\mathcal{L}_i})$, from 0.5 up to 1.

    Weighted by it, the outer loss is $\sum_i \mathcal{L}_i\,\sigma(\mathcal{L}_i)$, the sum of `jax.nn.silu` over the
    query losses. As published the weight is differentiated too, so that the gradient of task $i$ counts
    $\sigma + \mathcal{L}\sigma(1 - \sigma)$ times: 0.5 at a loss of 0, 0.82 at chance (0.693), and a peak of 1.0998
    near a loss of 2.4, after which it falls to 1. The interval [0.5, 1] of the paper is the weight's, not the
    gradient factor's; with `detach=True` the two are the same.

    Args:
        detach: whether to hold the weights constant in the outer gradient. Eq. 5 differentiates through them.
        normalize: whether to divide the weights by their mean over the meta-batch, so that difficulty changes how
            tasks compare and hardly how far the outer step goes. The mean is a constant in the gradient: through it an
            easy task beside hard ones would get a negative factor. The paper does not normalize.

    Returns:
        A `TaskWeighting`: query losses, shape `(tasks,)`, non-negative, to weights of the same shape.

    Example:
        >>> with jnp.printoptions(precision=3):
        ...     print(difficulty_aware()(jnp.array([0.0, 2.0])))
        [0.5   0.881]
        >>> print(difficulty_aware(normalize=True)(jnp.array([0.0, 2.0])).mean())
        1.0

    References:
        Jin and Tan, *Difficulty-Aware Meta-Learning for Cross-Domain Face Forgery Detection*, eq. 5.
    """

    def weigh(losses):
        weights = jax.nn.sigmoid(losses)
        if normalize:
            weights = weights / jax.lax.stop_gradient(jnp.mean(weights))
        return jax.lax.stop_gradient(weights) if detach else weights

    return weigh


WEIGHTINGS: dict[str, Callable[[], TaskWeighting]] = {
    "uniform": uniform,
    "through": difficulty_aware,
    "detached": functools.partial(difficulty_aware, detach=True),
    "normalised": functools.partial(difficulty_aware, normalize=True),
    "detached_normalised": functools.partial(difficulty_aware, detach=True, normalize=True),
}
"""The weightings by name, as the commands know them: DAML's four variants apart, since they differ in what they do."""
