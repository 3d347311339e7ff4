"""The bridge from a flax module to a `Backbone`."""

from collections.abc import Callable
from typing import Any, cast

import flax.linen as nn
import jax
import jax.numpy as jnp

from metaforge.types import Backbone, Outputs


def from_flax(module: nn.Module, *, head: Callable[[Any, Any], Any] | None = None) -> Backbone:
    """Turns a flax module into a `Backbone` that the loops can move.

    The module is called as `module(inputs, context)` and returns `Outputs`. Its only variables must be parameters:
    what the inner loop cannot adapt has no place in it. A `key` that `apply` is given is its random stream "dropout".

    Args:
        module: the module.

    Other Arguments:
        head: `head(params, embeddings) -> logits`, the module's last part alone; needed only where outliers are
            synthesised.

    Raises:
        ValueError: when `init` finds other variable collections, such as the running averages of `nn.BatchNorm`.

    Example:
        >>> from metaforge.backbones._mlp import MLP
        >>> backbone = from_flax(MLP(hidden=(4,), outputs=2))
    """

    def init(key, inputs):
        variables = dict(module.init(key, _arrays(inputs), None))
        params = variables.pop("params", {})
        if variables:
            raise ValueError(
                f"{type(module).__name__} keeps {sorted(variables)} besides its parameters, which the inner loop "
                "cannot adapt. Use `metaforge.backbones` normalisations or `nn.GroupNorm` in place of `nn.BatchNorm`."
            )
        return params

    def apply(params, inputs, *, context=None, key=None):
        rngs = None if key is None else {"dropout": key}
        return cast(Outputs, module.apply({"params": params}, _arrays(inputs), _arrays(context), rngs=rngs))

    return Backbone(init, apply, head)


def _arrays(tree):
    """NumPy arrays are welcome."""
    return jax.tree.map(jnp.asarray, tree)
