"""A backbone of levels: standardised, under a head."""

import functools
from collections.abc import Callable
from typing import Any, cast

import jax
import jax.numpy as jnp

from metaforge.backbones._head import Head, check_head, head_of, make_head
from metaforge.backbones.levels._made import Levels
from metaforge.backbones.levels._statistics import STANDARDISE, standardised
from metaforge.types import Backbone, Outputs, Params


def levels(made: Levels, *, num_classes: int = 2, head: Head = "linear") -> Backbone:
    r"""A backbone whose embeddings are $(x - \mathrm{mean}) / \mathrm{scale}$ of the levels $x$ of an image.

    The statistics are parameters under "standardise" which no gradient reaches: at first 0 and 1, so that the
    embeddings are the levels themselves; `with_statistics` takes them from images. The network is meant to stay as it
    is: train "head" alone (see `metaforge.core.param_paths`).

    Args:
        made: of `lite0`, `clip` or `beside`.

    Other Arguments:
        num_classes: how many logits.
        head: "linear", "quadratic" or "mlp"; see `metaforge.backbones.Head`.

    Returns:
        A `Backbone`; `metaforge.backbones.features.embed` gives the matrix of many images.

    Raises:
        ValueError: for an unknown head.

    Example:
        >>> from metaforge.backbones.levels import lite0
        >>> model = levels(lite0(pretrained=False, blocks=(0,)))
        >>> images = jnp.zeros((5, 32, 32, 3))
        >>> params = model.init(jax.random.key(0), images)
        >>> model.apply(params, images).embeddings.shape, sorted(params)
        ((5, 32), ['block0', 'head', 'standardise', 'stem', 'stem_norm'])
    """
    check_head(head)

    def init(key, images):
        network, own = jax.random.split(key)
        statistics = {"mean": jnp.zeros(made.size), "scale": jnp.ones(made.size)}
        last = make_head(head, num_classes).init(own, jnp.zeros((1, made.size)))["params"]
        return {**made.init(network, images), STANDARDISE: statistics, "head": last}

    return Backbone(init, _apply(made.apply, head, num_classes), _head(head, num_classes))


# Equal settings give the same functions, and with them each other's compiled programs.
_head = functools.lru_cache(maxsize=64)(head_of)


@functools.lru_cache(maxsize=64)
def _apply(made: Callable[[Params, Any], jax.Array], head: Head, num_classes: int):
    logits = _head(head, num_classes)

    def apply(params, inputs, *, context=None):
        seen = standardised(params, made(params, inputs))
        return Outputs(cast(jax.Array, logits(params, seen)), seen)

    return apply
