"""What a model of the FakeRadar experiment sees: images, or what a frozen network says of them, on the device."""

import functools
import hashlib
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import metaforge as mf
from experiments.fakeradar.config import Config
from metaforge.backbones.features import embed
from metaforge.data.pools import pool
from metaforge.data.records import Records


class Data(NamedTuple):
    """Images, or what a frozen network says of them, on the device.

    Attributes:
        inputs: one a row.
        label: `REAL` or `FAKE`.
        kind: 0 for real, and a number for each forgery method.
    """

    inputs: jax.Array
    label: jax.Array
    kind: jax.Array


def data(config: Config, records: Records, methods: list[str]) -> Data:
    """A table on the device: its images, or their features under a frozen network."""
    held = pool(records)
    kind = np.array([0 if label == mf.REAL else 1 + methods.index(str(name))
                     for label, name in zip(records.label, records.method, strict=True)], np.int32)  # fmt: skip
    inputs = features(config, held.image)[held.index]
    return Data(jnp.asarray(inputs), jnp.asarray(records.label, jnp.int32), jnp.asarray(kind))


def features(config: Config, images: np.ndarray) -> np.ndarray:
    """What the trained part sees: the images themselves, or a frozen network's features of them."""
    if config.backbone == "conv4":
        return images
    # A frozen network says the same of an image whoever asks; rows and held-out methods ask again and again.
    about = f"{images.dtype} {images.shape}".encode()
    name = hashlib.sha256(about + np.ascontiguousarray(images).tobytes()).digest()
    if name not in _SEEN:
        while len(_SEEN) >= 64:
            _SEEN.pop(next(iter(_SEEN)))
        _SEEN[name] = embed(*_frozen(), images)
    return _SEEN[name]


_SEEN: dict[bytes, np.ndarray] = {}


@functools.lru_cache(maxsize=1)
def _frozen():
    backbone = mf.backbones.efficientnet_lite0(pretrained=True)
    return backbone, backbone.init(jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
