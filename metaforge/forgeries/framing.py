"""How much of a photograph is in a crop: tighter and wider than the usual one, and not quite in its middle.

Every finder draws its own box and every data set has its own margin. A detector that knows one of them only takes the
framing of a stranger's crop for a trace.
"""

from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from scipy.ndimage import affine_transform

from metaforge.data.crops import apply_crop
from metaforge.forgeries.base import Face, Frame, Surroundings

SCALES = (0.8, 1.3)
"""The side of a crop, in sides of the usual one. If that is 1.3 times the box (FaceForensics++), it is 1.04 to 1.69
times the box: from nearly the box alone to the DFDC winner's thirds on each side (1.67)."""

SHIFT = 0.05
"""How far the middle moves at most, in sides of the usual crop: finders differ by as much."""


def surroundings(image: UInt8[np.ndarray, "rows columns 3"], frame: Frame, *, size: int) -> Surroundings:
    """The part of a photograph that crops of a face may show, no finer than they need it.

    Args:
        image: the photograph.
        frame: where the usual crop lies in it.

    Other Arguments:
        size: side of the crops, in pixels.

    Example:
        >>> part = surroundings(np.zeros((100, 90, 3), np.uint8), Frame(20, 30, 40), size=16)
        >>> part.image.shape, part.frame
        ((28, 28, 3), Frame(left=4.0, top=4.0, side=20.0))
    """
    room = (SCALES[1] - 1) / 2 + SHIFT
    limits = np.array(image.shape[1::-1])
    corner = np.array([frame.left, frame.top])
    low = np.clip(np.floor(corner - room * frame.side), 0, limits).astype(int)
    high = np.clip(np.ceil(corner + (1 + room) * frame.side), 0, limits).astype(int)
    part = image[low[1] : high[1], low[0] : high[0]]
    # The tightest crop still has a pixel of its own for each of its pixels.
    coarser = max(1.0, SCALES[0] * frame.side / size)
    across, down = (max(1, int(np.ceil(n / coarser))) for n in high - low)
    if coarser > 1:
        part = np.asarray(Image.fromarray(part).resize((across, down), Image.Resampling.BOX))
    ratio = np.array([across, down]) / (high - low)
    left, top = (corner - low) * ratio
    # Both sides are rounded up to whole pixels: what that stretches is below one pixel.
    return Surroundings(part.copy(), Frame(float(left), float(top), float(frame.side * ratio.mean())))


def framed(rng: np.random.Generator, face: Face) -> tuple[Face, dict[str, Any]]:
    """A face cut anew, its side and middle drawn within `SCALES` and `SHIFT`, with its landmarks there.

    A crop that would reach beyond the photograph is moved inside, and if it is larger, it is as large as the
    photograph. Without surroundings, that is as large as the usual crop.

    Args:
        rng: draws the side and the middle.
        face: in its usual crop.

    Returns:
        The face, its image of the same size, and what was drawn.

    Example:
        >>> face = Face(np.zeros((32, 32, 3), np.uint8), np.full((3, 2), 15.5, np.float32), "a.png", "a")
        >>> moved, drawn = framed(np.random.default_rng(0), face)
        >>> moved.image.shape, drawn["framing"]
        ((32, 32, 3), [1.0, 0.0, 0.0])
    """
    size = face.image.shape[0]
    image, usual = face.around or Surroundings(face.image, Frame(0, 0, size))
    scale, shift = rng.uniform(*SCALES), rng.uniform(-SHIFT, SHIFT, 2)
    side = min(scale * usual.side, *image.shape[:2])
    middle = np.array([usual.left, usual.top]) + usual.side * (0.5 + shift)
    corner = np.clip(middle - side / 2, 0, np.array(image.shape[1::-1]) - side)
    finer = size / side
    cut = apply_crop(image, np.array([[1 / finer, 0, corner[0]], [0, 1 / finer, corner[1]]]), size)
    left, top = (np.array([usual.left, usual.top]) - corner) * finer
    frame = Frame(float(left), float(top), float(usual.side * finer))
    marks = face.landmarks
    if marks is not None:
        marks = (np.array([left, top]) + (marks + 0.5) * frame.side / size - 0.5).astype(np.float32)
    off = (corner + side / 2 - usual.side / 2 - [usual.left, usual.top]) / usual.side
    drawn = [round(float(value), 3) + 0.0 for value in (side / usual.side, *off)]
    return face._replace(image=cut, landmarks=marks, frame=frame, around=None), {"framing": drawn}


def into_frame(image: Float[np.ndarray, "size size 3"], frame: Frame) -> Float[np.ndarray, "size size 3"]:
    """A usual crop laid where it belongs in a picture of its size; beyond it, its border is continued.

    Example:
        >>> ramp = np.repeat(np.arange(8.0), 24).reshape(8, 8, 3)
        >>> into_frame(ramp, Frame(2, 2, 4))[:, 0, 0].tolist()
        [0.0, 0.0, 0.5, 2.5, 4.5, 6.5, 7.0, 7.0]
    """
    step = len(image) / frame.side
    return _sampled(image, step, np.array([frame.top, frame.left]) * -step)


def out_of_frame(image: Float[np.ndarray, "size size 3"], frame: Frame) -> Float[np.ndarray, "size size 3"]:
    """The usual crop out of a picture that was cut otherwise; what the picture does not have, its border continues.

    Example:
        >>> out_of_frame(into_frame(np.full((8, 8, 3), 5.0), Frame(2, 1, 4)), Frame(2, 1, 4)).mean().item()
        5.0
    """
    return _sampled(image, frame.side / len(image), np.array([frame.top, frame.left]))


def _sampled(image: np.ndarray, step: float, start: np.ndarray) -> np.ndarray:
    """Bilinear samples, `step` apart, from the position `start` on; positions are rows and columns."""
    offset = (start + 0.5 * step - 0.5).tolist()
    planes = [affine_transform(image[..., c], [step, step], offset, order=1, mode="nearest") for c in range(3)]
    return np.stack(planes, axis=-1)
