"""Embeddings of many images, computed once and in equal batches: what a frozen network is good for."""

import functools
from typing import Any

import jax
import numpy as np

from metaforge.types import ApplyFn, Backbone, Params


def embed(backbone: Backbone, params: Params, images: Any, *, batch: int = 32, context: Any = None) -> np.ndarray:
    """What the head would see, for every image.

    All batches have one shape, so that one program is compiled: the last one is filled up with its last image. With
    `normalisation="episode"` an image's embedding depends on its batch, and such a model has no place here.

    Args:
        backbone: the model.
        params: its parameters.
        images: shape `(images, ...)`, at least one image; an array, or anything whose slices are arrays, such as a
            memory map. One batch is read at a time.

    Other Arguments:
        batch: images at a time.
        context: as in `metaforge.Batch`, for a backbone with `normalisation="support"`.

    Returns:
        Embeddings, shape `(images, features)`.

    Raises:
        ValueError: for no images, or a batch of less than one.

    Example:
        >>> from metaforge.backbones import mlp
        >>> model = mlp(hidden=(4,))
        >>> embed(model, model.init(jax.random.key(0), np.zeros((1, 3))), np.zeros((5, 3)), batch=2).shape
        (5, 4)
    """
    count = len(images)
    if count < 1 or batch < 1:
        raise ValueError(f"embed: {count} images in batches of {batch}. Give at least one of each.")
    batch = min(batch, count)
    parts = []
    for begin in range(0, count, batch):
        some = np.asarray(images[begin : begin + batch])
        filled = np.concatenate([some, np.repeat(some[-1:], batch - len(some), axis=0)])
        parts.append(np.asarray(_embeddings(backbone.apply, params, filled, context))[: len(some)])
    return np.concatenate(parts)


@functools.partial(jax.jit, static_argnums=0)
def _embeddings(apply: ApplyFn, params: Params, images: jax.Array, context: Any) -> jax.Array:
    return apply(params, images, context=context).embeddings
