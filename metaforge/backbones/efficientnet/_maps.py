"""The maps of an EfficientNet's blocks, for whoever looks at the middle of it."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp

from metaforge.backbones.efficientnet._depthwise import DepthwiseForm
from metaforge.backbones.efficientnet._models import filled, shapes_of
from metaforge.backbones.efficientnet._network import Maps
from metaforge.backbones.efficientnet._plan import Plan
from metaforge.types import Params


@functools.lru_cache(maxsize=64)
def maps(
    plan: Plan, blocks: tuple[int, ...], *, depthwise: DepthwiseForm = "auto"
) -> Callable[[Params, Any], tuple[jax.Array, ...]]:
    """`maps(params, images)`: what chosen blocks of a plan with frozen statistics hand on; parameters as in `trunk`."""
    module = Maps(plan, blocks, depthwise)
    return lambda params, images: cast(Any, module.apply({"params": params}, jnp.asarray(images)))


def maps_params(plan: Plan, blocks: tuple[int, ...], pretrained: bool | str | Path, key: jax.Array) -> Params:
    """The parameters that `maps` looks at: of a file of weights, or with `False` random."""
    parts = ("stem", *(f"block{number}" for number in range(blocks[-1] + 1)))
    shapes = shapes_of(plan, 2, "frozen", 0, "linear")
    own = {name: part for name, part in shapes.items() if name.removesuffix("_norm") in parts}
    if pretrained is False:
        return jax.jit(Maps(plan, blocks).init)(key, jnp.zeros((1, 32, 32, 3)))["params"]
    return filled(plan, own, pretrained, but=())
