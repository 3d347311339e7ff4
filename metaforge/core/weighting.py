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


def softmax(*, temperature: float = 1.0) -> TaskWeighting:
    r"""The hardest tasks count most: $w_i = n\, e^{\mathcal{L}_i / T} / \sum_j e^{\mathcal{L}_j / T}$, with mean 1.

    The weights are constants in the gradient, and so the outer loss has the gradient of $n$ times the soft maximum
    $T \log \frac{1}{n} \sum_i e^{\mathcal{L}_i / T}$: between their sum ($T \to \infty$) and $n$ times the hardest task
    alone ($T \to 0$), which is what group DRO minimises.

    Args:
        temperature: $T$, above 0, in nats like the losses.

    Returns:
        A `TaskWeighting`: query losses, shape `(tasks,)`, to weights of the same shape.

    Raises:
        ValueError: for a temperature that is not above 0.

    Example:
        >>> with jnp.printoptions(precision=3):
        ...     print(softmax()(jnp.array([0.0, 2.0])))
        [0.238 1.762]

    References:
        Li, Beirami, Sanjabi and Smith, *Tilted Empirical Risk Minimization*, ICLR 2021, lemma 1.
    """
    if not temperature > 0:
        raise ValueError(f"`temperature` must be above 0, got {temperature}.")
    return lambda losses: jax.lax.stop_gradient(losses.size * jax.nn.softmax(losses / temperature))


def focal(*, power: float = 1.0, detach: bool = True, normalize: bool = True) -> TaskWeighting:
    r"""Tasks that are solved hardly count: $w_i = (1 - e^{-\mathcal{L}_i})^\gamma$, the focal loss's factor by task.

    $e^{-\mathcal{L}_i}$ is the (geometric mean) probability of the right answers.

    Args:
        power: $\gamma$, at least 0; 0 is uniform.
        detach: whether to hold the weights constant in the outer gradient. The focal loss differentiates through them,
            so that the gradient of a task counts $w_i + \gamma\,\mathcal{L}_i\,e^{-\mathcal{L}_i}(1 -
            e^{-\mathcal{L}_i})^{\gamma - 1}$ times.
        normalize: whether to divide the weights by their mean over the meta-batch, a constant in the gradient, so that
            tasks that are solved do not shorten the outer step.

    Returns:
        A `TaskWeighting`: query losses, shape `(tasks,)`, non-negative, to weights of the same shape.

    Raises:
        ValueError: for a negative power.

    Example:
        >>> with jnp.printoptions(precision=3):
        ...     print(focal(normalize=False)(jnp.array([0.0, 0.693, 2.0])))
        [0.    0.5   0.865]

    References:
        Lin, Goyal, Girshick, He and Dollar, *Focal Loss for Dense Object Detection*, ICCV 2017, eq. 4.
    """
    if power < 0:
        raise ValueError(f"`power` must be at least 0, got {power}.")

    def weigh(losses):
        # The slope of a root is infinite at a loss of 0.
        wrong = jnp.maximum(-jnp.expm1(-losses), jnp.finfo(losses.dtype).tiny)
        weights = jnp.where(losses <= 0, 0.0**power, wrong**power)
        if normalize:
            # Where all tasks are solved there is nothing to tell apart.
            mean = jax.lax.stop_gradient(jnp.maximum(jnp.mean(weights), 1e-30))
            weights = jnp.where(jnp.any(weights > 0), weights / mean, 1.0)
        weights = weights.astype(losses.dtype)
        return jax.lax.stop_gradient(weights) if detach else weights

    return weigh


WEIGHTINGS: dict[str, Callable[[], TaskWeighting]] = {
    "uniform": uniform,
    "through": difficulty_aware,
    "detached": functools.partial(difficulty_aware, detach=True),
    "normalised": functools.partial(difficulty_aware, normalize=True),
    "detached_normalised": functools.partial(difficulty_aware, detach=True, normalize=True),
    "softmax": functools.partial(softmax, temperature=0.3),
    "focal": focal,
}
"""The weightings by name, as the commands know them: DAML's four variants apart, since they differ in what they do."""
