"""Rules that look at the target's images and not at its labels: its statistics, and entropy minimisation."""

from typing import Literal, get_args

import jax
import jax.numpy as jnp
import optax

from metaforge.adaptation._gradient import check_steps, trajectory
from metaforge.adaptation.base import AdaptationRule
from metaforge.core.param_paths import merge, partition
from metaforge.types import Backbone

Statistics = Literal["support", "query"]

NORMALISATION = r"(?i)(norm|\bln_).*/(scale|bias)$"
"""The paths of scales and shifts of normalisation layers, as all of our backbones call them."""


def bn_adapt(backbone: Backbone, *, statistics: Statistics = "support") -> AdaptationRule:
    """The target's own normalisation statistics, and no step: of unlabelled support images, or of the queries.

    It changes something for a model with `normalisation="support"`; others look at their batch alone, or at nobody.

    Args:
        backbone: the model.

    Other Arguments:
        statistics: "support"; or "query", all query images together, which is transductive: with a known balance of
            classes in the query set it says more than one would know of images that come one by one.

    Returns:
        An `AdaptationRule`.

    Raises:
        ValueError: for unknown `statistics`.

    Example:
        >>> from metaforge.backbones import conv4
        >>> from metaforge.types import Batch
        >>> images = jnp.zeros((4, 16, 16, 3))
        >>> model = conv4(width=2)
        >>> params = jax.jit(model.init)(jax.random.key(0), images)
        >>> jax.jit(bn_adapt(model).apply)(params, Batch(images, jnp.array([0, 1, 0, 1])), images).shape
        (1, 4, 2)

    References:
        Schneider et al., *Improving Robustness against Common Corruptions by Covariate Shift Adaptation*, NeurIPS 2020.
    """
    if statistics not in get_args(Statistics):
        raise ValueError(f"unknown `statistics` {statistics!r}; known: {', '.join(get_args(Statistics))}.")

    def apply(params, support, query):
        context = support.inputs if statistics == "support" else query
        return backbone.apply(params, query, context=context).logits[None]

    return AdaptationRule(apply, uses_labels=False, transductive=statistics == "query")


def tent(
    backbone: Backbone,
    *,
    optimizer: optax.GradientTransformation,
    steps: tuple[int, ...] = (0, 1, 5, 10),
    pattern: str = NORMALISATION,
) -> AdaptationRule:
    r"""Entropy minimisation on the unlabelled query images: they should be classified surely, whatever as.

    Steps on the mean of $-\sum_k p_k \log p_k$ over the queries move scales and shifts of normalisation, which takes
    the statistics of the query images. Every episode starts from the trained parameters.

    It is transductive: it knows the query set's balance of classes through the statistics. With a small query set, or
    one of a single class, the entropy is also low where all images are called the same, and many steps end there; a
    table should show few steps beside many, and `bn_adapt(statistics="query")`, which is what it does in no step.

    Args:
        backbone: the model.

    Other Arguments:
        optimizer: any of optax.
        steps: after how many steps to score, ascending, from 0 up.
        pattern: which parameters move (see `metaforge.core.param_paths`).

    Returns:
        An `AdaptationRule`.

    Raises:
        ValueError: for steps that do not ascend from 0 or more; when used, for a pattern that no path has.

    Example:
        >>> from metaforge.backbones import conv4
        >>> from metaforge.types import Batch
        >>> images = jnp.zeros((4, 16, 16, 3))
        >>> model = conv4(width=2)
        >>> params = jax.jit(model.init)(jax.random.key(0), images)
        >>> rule = tent(model, optimizer=optax.sgd(1e-3), steps=(0, 1))
        >>> jax.jit(rule.apply)(params, Batch(images, jnp.array([0, 1, 0, 1])), images).shape
        (2, 4, 2)

    References:
        Wang, Shelhamer, Liu, Olshausen and Darrell, *Tent: Fully Test-Time Adaptation by Entropy Minimization*, ICLR
        2021, eq. 1 and section 3.
    """
    check_steps(steps)

    def apply(params, support, query):
        moving, frozen = partition(params, pattern)

        def score(part):
            return backbone.apply(merge(part, frozen), query).logits

        def entropy(part):
            logs = jax.nn.log_softmax(score(part))
            return -jnp.mean(jnp.sum(jnp.exp(logs) * logs, axis=-1))

        return trajectory(entropy, score, moving, optimizer, steps)

    return AdaptationRule(apply, steps, uses_labels=False, transductive=True)
