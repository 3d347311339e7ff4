"""What a detector's network sees of each region of one face: its maps, pooled inside the region."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

from metaforge.backbones import choice
from metaforge.backbones.spec import EFFICIENTNETS, BackboneSpec
from metaforge.captions.regions import region_masks
from metaforge.errors import InputError
from metaforge.screening.explaining.detail import CHANNELS, detail
from metaforge.screening.explaining.region_head import NAMES
from metaforge.types import Params

Maps = Callable[[Params, Any], tuple[jax.Array, ...]]
"""`maps(params, images)`: maps `(images, rows, columns, channels)`, from fine to coarse."""

_EPSILON = 1e-6  # added to variances, as where whole maps are pooled


def maps_of(spec: BackboneSpec) -> Maps:
    """The maps under a detector's levels.

    Raises:
        InputError: for a backbone without them: only levels of an EfficientNet are pooled from maps.

    Example:
        >>> maps_of(BackboneSpec())
        Traceback (most recent call last):
        metaforge.errors.InputError: explain: a detector on conv4 has no maps to look at; it needs levels of ...
    """
    made = None
    if spec.levels and spec.backbone in EFFICIENTNETS:
        made = choice.levels_of(choice.settled(spec).unread()).maps
    if made is None:
        raise InputError(
            f"explain: a detector on {spec.backbone} has no maps to look at; it needs levels of an EfficientNet "
            "alone. Give one that --preset=strong trains."
        )
    return made


@functools.lru_cache(maxsize=16)
def with_detail(maps: Maps) -> Maps:
    """The same maps behind one of fine detail (`metaforge.screening.explaining.detail`)."""
    return lambda params, images: (detail(images), *maps(params, images))


def size_of(levels: int) -> int:
    """How many numbers a region has, of a detector whose levels have so many.

    Example:
        >>> size_of(1504)
        1528
    """
    return levels + 2 * CHANNELS


def region_weights(landmarks: np.ndarray, size: int) -> UInt8[np.ndarray, "regions size size"]:
    """Where each of `NAMES` is in a square image, 0 or 1.

    Args:
        landmarks: the 468 points of the mesh, in pixels of the image.
        size: its side.

    Raises:
        InputError: for landmarks that are not 468 or 68 finite points, or enclose nothing.

    Example:
        >>> from metaforge.data.embedded_faces import embedded_faces
        >>> face = embedded_faces("london", size=32)[0]
        >>> found = region_weights(face.landmarks, 32)
        >>> found.shape, bool(found.any(axis=(1, 2)).all())
        ((12, 32, 32), True)
    """
    marks = np.asarray(landmarks)
    if marks.ndim != 2 or marks.shape[1] != 2 or len(marks) not in (468, 68) or not np.isfinite(marks).all():
        raise InputError(
            f"landmarks: an array of shape {marks.shape}{'' if marks.ndim == 2 else ','} is not the 468 or 68 finite "
            "points of a face. Leave them out to have them found."
        )
    found = region_masks(marks, (size, size))
    return np.stack([found.get(name, np.zeros((size, size), bool)) for name in NAMES]).astype(np.uint8)


def pooled(
    maps: tuple[Float[Array, "images _ _ _"], ...],
    weights: Float[Array, "images parts height width"],
) -> Float[Array, "images parts size"]:
    r"""Weighted means of every channel, then their deviations $\sqrt{\mathrm{var} + 10^{-6}}$, level by level.

    Args:
        maps: whose sides divide those of the weights.
        weights: at least 0; how much of every pixel counts. A part without any has means 0.

    Example:
        >>> ramp = jnp.arange(4.0).reshape(1, 2, 2, 1)
        >>> left = jnp.array([1.0, 0.0, 1.0, 0.0]).reshape(1, 1, 2, 2)
        >>> print(pooled((ramp,), left))
        [[[1.        1.0000005]]]
    """
    height, width = weights.shape[-2:]
    found = []
    for level in maps:
        rows, columns = level.shape[1:3]
        cells = weights.reshape(*weights.shape[:2], rows, height // rows, columns, width // columns).sum((3, 5))
        cells = cells / jnp.maximum(cells.sum((2, 3), keepdims=True), 1e-9)
        mean = jnp.einsum("irab,iabc->irc", cells, level)
        # Of the differences from the whole map's mean, so that no digits are lost.
        middle = jnp.mean(level, (1, 2))
        moved = level - middle[:, None, None]
        first = jnp.einsum("irab,iabc->irc", cells, moved)
        second = jnp.einsum("irab,iabc->irc", cells, jnp.square(moved))
        found += [mean, jnp.sqrt(jnp.maximum(second - jnp.square(first), 0) + _EPSILON)]
    return jnp.concatenate(found, axis=-1)
