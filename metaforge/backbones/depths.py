"""What weight a network with fusion of depths gave each depth."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from metaforge.backbones import choice
from metaforge.backbones.efficientnet._fusion import Fusion
from metaforge.backbones.efficientnet._network import EfficientNet
from metaforge.backbones.spec import EFFICIENTNETS, BackboneSpec
from metaforge.errors import InputError
from metaforge.types import Params

BATCH = 32
"""Images at a time."""


def depth_weights(
    spec: BackboneSpec, params: Params, images: Any, *, context: Any = None
) -> Float[np.ndarray, "images depths"]:
    """How much each depth counted in each image's embedding, as the gate of `BackboneSpec.fusion` said.

    Args:
        spec: of a backbone with fusion, such as a loaded detector's `spec`.
        params: all of its parameters, such as a detector's `params`.
        images: `(images, height, width, 3)`, as the backbone takes them.

    Other Arguments:
        context: images whose statistics normalise, of "support".

    Returns:
        Weights from 0 to 1 in the order of the blocks; those of an image sum to 1.

    Raises:
        InputError: for a backbone without fusion.

    Example:
        >>> spec = BackboneSpec(backbone="efficientnet_lite0", fusion="0,2", image_size=32)
        >>> images = np.zeros((1, 32, 32, 3), np.uint8)
        >>> params = choice.choose(spec).init(jax.random.key(0), images)
        >>> depth_weights(spec, params, images).tolist()  # equal before training
        [[0.5, 0.5]]
    """
    if spec.backbone not in EFFICIENTNETS or not spec.fusion:
        raise InputError("fusion: this network has none, so that depths have no weights. Take one with `fusion`.")
    look = _look(choice.settled(spec.alone().unread()))
    step = BATCH if spec.normalisation != "episode" else max(len(images), 1)
    parts = [look(params, images[at : at + step], context) for at in range(0, len(images), step)]
    return np.concatenate([np.zeros((0, len(choice.numbers(spec.fusion))), np.float32), *map(np.asarray, parts)])


@functools.lru_cache(maxsize=16)
def _look(spec: BackboneSpec):
    head: Any = spec.head
    kind: Any = spec.normalisation
    network = EfficientNet(choice.plan(spec), spec.num_classes, kind, neck=spec.neck, head=head)

    @jax.jit
    def look(params, images, context):
        _, state = network.apply(
            {"params": params}, jnp.asarray(images), context,
            capture_intermediates=lambda module, _: isinstance(module, Fusion), mutable=["intermediates"],
        )  # fmt: skip
        found: Any = state["intermediates"]["fusion"]["__call__"][0]
        return found.weights[-len(images) :]

    return look
