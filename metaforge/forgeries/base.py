"""What a face, a forged pair and a forgery are, and the one place where a forged face meets its background."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Float32, UInt8

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""How much red, green and blue count in brightness (ITU-R BT.601, as in JPEG)."""


class Face(NamedTuple):
    """A real photograph of one face.

    Attributes:
        image: uint8 RGB in [0, 255], shape `(height, width, 3)`.
        landmarks: float32, shape `(points, 2)`: x and y in pixels, the centre of the top left pixel being (0, 0);
            `None` if unknown. With 68 or 81 points the layout is taken to be dlib's.
        name: a name of its own: no two faces of a set share it.
        identity: who it is.
    """

    image: np.ndarray
    landmarks: np.ndarray | None
    name: str
    identity: str


class Forged(NamedTuple):
    """A forged image beside the real one that it was made from.

    Attributes:
        fake: uint8 RGB in [0, 255], shape `(height, width, 3)`.
        real: the same, without the forgery; equal to `fake` bit by bit wherever `mask` is 0.
        mask: how much of the forged face a pixel holds, float32 in [0, 1], shape `(height, width)`.
        parameters: what was drawn, ready for JSON.
    """

    fake: np.ndarray
    real: np.ndarray
    mask: np.ndarray
    parameters: dict[str, Any]


class Forgery(NamedTuple):
    """A way to forge: `forge(rng, face, donor)` makes one `Forged`; `donor` is `None` unless `needs_donor`."""

    name: str
    needs_donor: bool
    forge: Callable[[np.random.Generator, Face, Face | None], Forged]


def is_grey(image: np.ndarray) -> bool:
    """Whether the three channels of an image, shape `(height, width, 3)`, are equal.

    Example:
        >>> is_grey(np.zeros((8, 8, 3), np.uint8))
        True
    """
    return bool((image[..., 0] == image[..., 1]).all() and (image[..., 1] == image[..., 2]).all())


def as_grey(image: Float[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "h w 3"]:
    """The brightness of every pixel in all three channels, in the units of `image`."""
    luma = image.astype(np.float32) @ LUMA
    return np.repeat(luma[..., None], 3, axis=2)


def to_uint8(image: Float[np.ndarray, "h w 3"], *, like: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """Rounds grey levels to [0, 255], without colours if `like` has none."""
    if is_grey(like):
        image = as_grey(image)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def blend(
    target: UInt8[np.ndarray, "h w 3"], source: Float[np.ndarray, "h w 3"], mask: Float[np.ndarray, "h w"]
) -> UInt8[np.ndarray, "h w 3"]:
    r"""Puts `source` into `target` where the mask says so: $\mathrm{round}(m \odot s + (1 - m) \odot t)$.

    The target stands bit by bit wherever the mask is 0, and a grey target stays grey.

    Args:
        target: the background, in [0, 255].
        source: the forged face, grey levels, of which what is outside [0, 255] is clipped.
        mask: in [0, 1].

    Example:
        >>> target, source = np.zeros((1, 2, 3), np.uint8), np.full((1, 2, 3), 100.0)
        >>> blend(target, source, np.array([[0.0, 0.25]]))[0, :, 0].tolist()
        [0, 25]
    """
    weight = mask[..., None].astype(np.float32)
    # Clipped before the blend: a source beyond 255 must not count for more than white in the soft edge.
    return to_uint8(weight * np.clip(source, 0, 255) + (1 - weight) * target.astype(np.float32), like=target)


def forged(target: np.ndarray, source: np.ndarray, mask: np.ndarray, **parameters: Any) -> Forged:
    """The pair of `target` and `blend(target, source, mask)`, with plain numbers for parameters."""
    mask = mask.astype(np.float32)
    return Forged(blend(target, source.astype(np.float32), mask), target, mask, parameters)
