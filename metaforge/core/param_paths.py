"""Which parameters move: chosen by name, for optimizers, and for learners that should see no others.

A parameter's path is its keys joined by "/", such as "vision/blocks/03/attention/q/kernel" or "head/bias". A pattern is
a regular expression that is searched in it: "adapters|head", "^vision/blocks/1[01]", "bias$".
"""

import re
from typing import Any

import jax
import optax

from metaforge.types import ApplyFn, Params


def paths(params: Params) -> Any:
    """The path of every parameter: the same tree, of text.

    Example:
        >>> paths({"head": {"bias": 0.0}})
        {'head': {'bias': 'head/bias'}}
    """
    return jax.tree_util.tree_map_with_path(lambda path, _: "/".join(_key(step) for step in path), params)


def trainable(params: Params, pattern: str) -> Any:
    """Which parameters a pattern means: the same tree, of booleans, as `optax.masked` and others take it.

    Beware that `optax.masked` hands the gradients of the others on as they are; `moving_only` stops them.

    Args:
        params: a pytree of arrays.
        pattern: a regular expression, searched in every path.

    Returns:
        A tree of `True` where it is found, `False` elsewhere.

    Raises:
        ValueError: if it is found nowhere, or is no regular expression.

    Example:
        >>> trainable({"vision": {"class": 1.0}, "head": {"bias": 0.0}}, "adapters|head")
        {'head': {'bias': True}, 'vision': {'class': False}}
    """
    try:
        search = re.compile(pattern).search
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}.") from error
    mask = jax.tree.map(lambda path: search(path) is not None, paths(params))
    if not any(jax.tree.leaves(mask)):
        known = sorted({path.split("/")[0] for path in jax.tree.leaves(paths(params))})
        raise ValueError(f"no parameter's path has {pattern!r}; paths begin with {', '.join(known)}.")
    return mask


def moving_only(optimizer: optax.GradientTransformation, pattern: str) -> optax.GradientTransformation:
    """An optimizer that moves what a pattern means, and leaves everything else bitwise as it is.

    It keeps no state for what is frozen; weight decay and clipping by the norm do not see it.

    Args:
        optimizer: any of optax.
        pattern: as in `trainable`.

    Returns:
        A `GradientTransformation` of the whole parameters.

    Raises:
        ValueError: when used, as `trainable`.

    Example:
        >>> import jax.numpy as jnp
        >>> params = {"vision": jnp.ones(2), "head": jnp.ones(2)}
        >>> optimizer = moving_only(optax.sgd(0.5), "head")
        >>> updates, _ = optimizer.update(params, optimizer.init(params), params)
        >>> print(optax.apply_updates(params, updates))
        {'head': Array([0.5, 0.5], dtype=float32), 'vision': Array([1., 1.], dtype=float32)}
    """

    def labels(params):
        return jax.tree.map(lambda moves: "moving" if moves else "frozen", trainable(params, pattern))

    return optax.multi_transform({"moving": optimizer, "frozen": optax.set_to_zero()}, labels)


def partition(params: Params, pattern: str) -> tuple[Params, Params]:
    """Parts parameters into what a pattern means and the rest; each has `None` where the other has an array.

    So a learner copies, adapts and stores the moving part alone: see `attach`.

    Args:
        params: a pytree of arrays.
        pattern: as in `trainable`.

    Returns:
        The moving part and the frozen one. `merge` puts them together.

    Raises:
        ValueError: as `trainable`.

    Example:
        >>> partition({"vision": 1.0, "head": 2.0}, "head")
        ({'head': 2.0, 'vision': None}, {'head': None, 'vision': 1.0})
    """
    mask = trainable(params, pattern)
    moving = jax.tree.map(lambda moves, leaf: leaf if moves else None, mask, params)
    frozen = jax.tree.map(lambda moves, leaf: None if moves else leaf, mask, params)
    return moving, frozen


def merge(moving: Params, frozen: Params) -> Params:
    """The whole that `partition` parted.

    Example:
        >>> merge(*partition({"vision": 1.0, "head": 2.0}, "head"))
        {'head': 2.0, 'vision': 1.0}
    """
    return jax.tree.map(lambda a, b: b if a is None else a, moving, frozen, is_leaf=lambda leaf: leaf is None)


def attach(apply: ApplyFn, frozen: Params) -> ApplyFn:
    """A forward pass of the moving parameters alone, so that any learner moves only these.

    Inside `jax.jit`, make `frozen` an argument and attach it there: what a compiled function takes from outside becomes
    part of its program, and hundreds of megabytes do not belong there.

    Args:
        apply: `backbone.apply`.
        frozen: the frozen part, of `partition`.

    Returns:
        A forward pass whose parameters are the moving part.

    Example:
        >>> import jax.numpy as jnp
        >>> from metaforge.backbones import mlp
        >>> model = mlp(hidden=(4,), outputs=2)
        >>> moving, frozen = partition(model.init(jax.random.key(0), jnp.ones((1, 3))), "head")
        >>> attach(model.apply, frozen)(moving, jnp.ones((5, 3))).logits.shape
        (5, 2)
    """

    def attached(params, inputs, **options: Any):
        return apply(merge(params, frozen), inputs, **options)

    return attached


def _key(step: Any) -> str:
    """The key of a dictionary, the index in a list, the field of a tuple."""
    return str(next(getattr(step, name) for name in ("key", "idx", "name") if hasattr(step, name)))
