"""The three networks of MTCNN in JAX, and their weights out of the package `mtcnn`.

Each takes uint8 RGB and gives `scores`, the probability of a face, and `offsets`: how far the edges x0, y0, x1, y1 of
what it looked at are from the face's, in units of its width and height. The last gives five points, too.

Weights are the arrays of one file, in the order of the layers: kernel, bias and, where one follows, the slopes of the
PReLU.
"""

import functools
import hashlib
import importlib.util
import io
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from einops import rearrange
from jaxtyping import Array, Float, UInt8

from metaforge.errors import InputError

Weights = tuple[jax.Array, ...]

# What the package's version 1.0.0 holds. The files are pickles: nothing else is ever unpickled.
_SHA256 = {
    "pnet": "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5",
    "rnet": "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee",
    "onet": "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3",
}


class Networks(NamedTuple):
    """The weights of `propose`, `refine` and `locate`."""

    pnet: Weights
    rnet: Weights
    onet: Weights


@functools.cache
def load_networks() -> Networks:
    """Reads the weights of the installed package `mtcnn`, without importing it: it would import TensorFlow.

    Raises:
        InputError: if the package is missing, or its files are not those of version 1.0.0.
    """
    return Networks(*map(_unpacked, check_weights()))


def check_weights() -> list[bytes]:
    """The files of the weights; nothing is computed, so that a command can ask before hours of work.

    Raises:
        InputError: as `load_networks`.
    """
    found = importlib.util.find_spec("mtcnn")
    if found is None or not found.submodule_search_locations or importlib.util.find_spec("lz4") is None:
        raise InputError("faces: the weights of the detector are not installed. Install the extra `mtcnn`.")
    folder = Path(found.submodule_search_locations[0], "assets", "weights")
    return [_read(folder / f"{name}.lz4", _SHA256[name]) for name in Networks._fields]


def _read(path: Path, expected: str) -> bytes:
    data = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(data).hexdigest() != expected:
        raise InputError(
            f"faces: '{path.name}' of the package mtcnn is not that of version 1.0.0. Install mtcnn==1.0.0."
        )
    return data


def _unpacked(data: bytes) -> Weights:
    import joblib

    return tuple(jax.device_put([np.asarray(array, np.float32) for array in joblib.load(io.BytesIO(data))]))


@jax.jit
def propose(
    weights: Weights, image: UInt8[Array, "height width 3"]
) -> tuple[Float[Array, "rows columns"], Float[Array, "rows columns 4"]]:
    """Looks at every second 12 x 12 window: that at row `i`, column `j` begins at pixel `(2 i, 2 j)`."""
    seen = _features(weights, image[None], (("SAME", 2), None, None))[0]
    offsets, logits = (
        jnp.einsum("hwc,cd->hwd", seen, kernel[0, 0], precision="highest") + bias[None, None]
        for kernel, bias in (weights[9:11], weights[11:13])
    )
    return jax.nn.softmax(logits)[..., 1], offsets


@jax.jit
def refine(
    weights: Weights, patches: UInt8[Array, "patches 24 24 3"]
) -> tuple[Float[Array, " patches"], Float[Array, "patches 4"]]:
    """Looks again at 24 x 24 pixels."""
    seen = _features(weights, patches, (("SAME", 3), ("VALID", 3), None))
    offsets, logits = _heads(weights[9:], seen)
    return jax.nn.softmax(logits)[:, 1], offsets


@jax.jit
def locate(
    weights: Weights, patches: UInt8[Array, "patches 48 48 3"]
) -> tuple[Float[Array, " patches"], Float[Array, "patches 4"], Float[Array, "patches 5 2"]]:
    """Looks a last time, at 48 x 48 pixels; the points are x and y in units of the patch's side."""
    seen = _features(weights, patches, (("SAME", 3), ("VALID", 3), ("SAME", 2), None))
    offsets, points, logits = _heads(weights[12:], seen)
    return jax.nn.softmax(logits)[:, 1], offsets, rearrange(points, "n (xy point) -> n point xy", xy=2)


def _features(weights: Weights, images: jax.Array, pools: tuple[tuple[str, int] | None, ...]) -> jax.Array:
    """Convolutions, each with a PReLU; where `pools` gives padding and side, the maximum of every other window."""
    values = (images.astype(jnp.float32) - 127.5) / 128
    for place, pool in enumerate(pools):
        kernel, bias, slope = weights[3 * place : 3 * place + 3]
        # "highest": a GPU's short multiplication would move scores across the thresholds.
        values = jax.lax.conv_general_dilated(
            values, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"), precision="highest"
        )
        values = _prelu(values + bias[None, None, None], slope[None])
        if pool is not None:
            padding, window = pool
            values = jax.lax.reduce_window(values, -jnp.inf, jax.lax.max, (1, window, window, 1), (1, 2, 2, 1), padding)
    return values


def _heads(weights: Weights, values: jax.Array) -> list[jax.Array]:
    """One dense layer with a PReLU, and the linear heads on it. The authors' layout goes down the columns first."""
    flat = rearrange(values, "n row column channel -> n (column row channel)")
    kernel, bias, slope = weights[:3]
    hidden = _prelu(jnp.dot(flat, kernel, precision="highest") + bias[None], slope[None])
    pairs = zip(weights[3::2], weights[4::2], strict=True)
    return [jnp.dot(hidden, kernel, precision="highest") + bias[None] for kernel, bias in pairs]


def _prelu(values: jax.Array, slope: jax.Array) -> jax.Array:
    return jnp.maximum(values, 0) + slope * jnp.minimum(values, 0)
