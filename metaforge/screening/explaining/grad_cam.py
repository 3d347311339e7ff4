r"""Grad-CAM of a detector on levels: where its maps speak for a fake, without any head for regions.

For one map $A$ (rows x columns x channels) of an image and the logit $y$ of a fake over a real,

$$\mathrm{cam} = \mathrm{relu}\Big(\sum_c w_c A_c\Big), \qquad w_c = \frac{1}{n} \sum_{ij}
\frac{\partial y}{\partial A_{ijc}}.$$

The logit sees each level by its own mean and deviation, so every level has a map of its own. A deviation's gradient has
mean 0 over the map, and adds nothing.

References:
    Selvaraju et al., *Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization*, ICCV 2017.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from metaforge.backbones import choice
from metaforge.backbones.levels import mean_and_deviation, standardised
from metaforge.backbones.spec import BackboneSpec
from metaforge.types import Params


def fake_logit(spec: BackboneSpec, params: Params, maps: tuple[Any, ...]) -> Float[Array, " images"]:
    """The logit of a fake over a real, from the maps that the levels are means and deviations of.

    Args:
        spec: of a detector with levels.
        params: its parameters.
        maps: of `metaforge.screening.explaining.seeing.maps_of`.
    """
    levels = jnp.concatenate([mean_and_deviation(level, (1, 2)) for level in maps], axis=1)
    logits = choice.choose(spec).head(params, standardised(params, levels))  # type: ignore[misc]
    return jax.nn.logsumexp(logits[:, 1:], axis=1) - logits[:, 0]


def grad_cam(
    spec: BackboneSpec, params: Params, maps: tuple[Float[Array, "images _ _ _"], ...]
) -> tuple[Float[Array, "images _ _"], ...]:
    """Grad-CAM of every level.

    Args:
        spec: as of `fake_logit`.
        params: as there.
        maps: as there.

    Returns:
        At least 0, a map for each level, in its own resolution; without a scale, so for comparison inside an image.
    """
    gradients = jax.grad(lambda some: jnp.sum(fake_logit(spec, params, some)))(maps)
    return tuple(
        jax.nn.relu(jnp.einsum("iabc,ic->iab", level, jnp.mean(gradient, (1, 2))))
        for level, gradient in zip(maps, gradients, strict=True)
    )


def inside(
    cam: Float[Array, "images rows columns"], weights: Float[Array, "images parts height width"]
) -> Float[Array, "images parts"]:
    """The weighted mean of a map in each part, 0 of a part that is not there.

    Example:
        >>> cam = jnp.array([[[1.0, 3.0]]])
        >>> print(inside(cam, jnp.array([[[[1.0, 0.0]], [[1.0, 1.0]], [[0.0, 0.0]]]])))
        [[1. 2. 0.]]
    """
    (rows, columns), (height, width) = cam.shape[1:], weights.shape[-2:]
    cells = weights.reshape(*weights.shape[:2], rows, height // rows, columns, width // columns).sum((3, 5))
    return jnp.einsum("ipab,iab->ip", cells, cam) / jnp.maximum(cells.sum((2, 3)), 1e-9)
