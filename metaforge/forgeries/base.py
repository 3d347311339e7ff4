"""What a forgery is: a face and perhaps a donor in, the forged image, its real pair and the exact mask out."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Float32, UInt8


class Frame(NamedTuple):
    """Where the usual crop of a face lies: its first pixel's corner and its side, in pixels of another picture."""

    left: float
    top: float
    side: float


class Surroundings(NamedTuple):
    """A part of a photograph with room around the usual crop of its face.

    Attributes:
        image: uint8 RGB.
        frame: where the usual crop lies in it.
    """

    image: UInt8[np.ndarray, "rows columns 3"]
    frame: Frame


class Face(NamedTuple):
    """A real face.

    Attributes:
        image: uint8 RGB in [0, 255], square.
        landmarks: x and y in pixels, shape `(points, 2)`, or `None`.
        name: of the photograph, unique in its set.
        identity: of the person.
        frame: where the usual crop lies in the image, if the image is another one (`metaforge.forgeries.framing`).
        around: what lies around it, if it was asked for, so that it can be cut wider.
    """

    image: UInt8[np.ndarray, "height width 3"]
    landmarks: Float32[np.ndarray, "points 2"] | None
    name: str
    identity: str
    frame: Frame | None = None
    around: Surroundings | None = None


class Forged(NamedTuple):
    """A forgery and what it was made from.

    Attributes:
        fake: uint8 RGB.
        real: uint8 RGB; where the mask is 0 the two are equal to the bit, until a shared acquisition follows.
        mask: how much of each pixel is forged, in [0, 1].
        parameters: what was drawn, JSON-able.
    """

    fake: UInt8[np.ndarray, "height width 3"]
    real: UInt8[np.ndarray, "height width 3"]
    mask: Float32[np.ndarray, "height width"]
    parameters: dict[str, Any]


class Forgery(NamedTuple):
    """A forgery method.

    Attributes:
        name: a key of `metaforge.forgeries.FORGERIES`.
        needs_donor: whether another person's face goes in.
        forge: `forge(rng, target, donor) -> Forged`; pure but for the generator.
    """

    name: str
    needs_donor: bool
    forge: Callable[[np.random.Generator, Face, Face | None], Forged]


ForgeryFactory = Callable[[Sequence[Face]], Forgery]
"""Training faces to a forgery method; most methods learn nothing of them."""


def compose(
    real: UInt8[np.ndarray, "height width 3"],
    content: Float[np.ndarray, "height width 3"],
    mask: Float[np.ndarray, "height width"],
    parameters: dict[str, Any],
) -> Forged:
    """Blends forged content into a real image: `fake = mask * content + (1 - mask) * real`, rounded.

    A grey photograph (three equal channels) stays grey, whatever the content. Where the mask is 0 the real pixel
    stays as it is, to the bit.

    Example:
        >>> real = np.full((2, 2, 3), 10, np.uint8)
        >>> forged = compose(real, np.full((2, 2, 3), 30.0), np.array([[0.0, 0.5], [1.0, 0.0]]), {})
        >>> forged.fake[..., 0].tolist()
        [[10, 20], [30, 10]]
    """
    if is_grey(real):
        content = np.repeat(content.mean(axis=-1, keepdims=True), 3, axis=-1)
    # What would not move a pixel by a grey level is not forged: the mask says where the image was touched.
    mask = np.where(mask < 1 / 255, 0.0, np.minimum(mask, 1.0)).astype(np.float32)
    soft = mask[..., None].astype(np.float64)
    blended = soft * np.clip(content, 0, 255) + (1 - soft) * real
    fake = np.clip(np.round(blended), 0, 255).astype(np.uint8)
    return Forged(fake, real.copy(), mask, parameters)


def is_grey(image: UInt8[np.ndarray, "height width 3"]) -> bool:
    """Whether the three channels are equal."""
    return bool((image[..., 0] == image[..., 1]).all() and (image[..., 1] == image[..., 2]).all())
