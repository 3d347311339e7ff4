"""From a face's box and points to a square crop, by a convention that is named and never guessed.

Detectors are sensitive to how faces were cropped, so scores compare only under one convention. A crop is a transform: a
2 x 3 matrix that takes a position in the crop to one in the image. The same transform on a video and on its forgery
gives crops that lie on each other pixel by pixel.

Positions are continuous: the first pixel covers [0, 1) and has its centre at 0.5.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Float64, Int64, UInt8
from PIL import Image

from metaforge.data.sampling import sampling, upright_samples
from metaforge.errors import InputError

Crop = Literal["ffpp", "dfb", "sbi", "selimsef", "whole"]
"""The conventions; `crop_transform` says what each is."""

CROPS: tuple[Crop, ...] = get_args(Crop)
"""Their names."""

TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
"""Where ArcFace's alignment puts eyes, nose and corners of the mouth on 112 x 112 pixels: the wide form, x + 8."""

_MARGINS = {"sbi": 1 / 8, "selimsef": 1 / 3}
_MAX_SAMPLES = 4096
_SAME_ASPECT = 0.02  # sides are rounded to whole, often even, numbers when a video is made smaller


class _Rectangle(NamedTuple):
    x0: float
    y0: float
    x1: float
    y1: float


def crop_transform(
    box: np.ndarray | Sequence | None,
    points: np.ndarray | Sequence | None,
    *,
    convention: Crop,
    size: int,
    image_size: tuple[int, int],
) -> Float64[np.ndarray, "2 3"]:
    """The transform from a crop of `size` x `size` pixels to the image.

    - `ffpp` (FaceForensics++): the square with 1.3 times the box's longer side, around its centre. If it begins left of
      the image or above, it is moved inside; then it shrinks until it ends inside.
    - `sbi` (SBI, at test time): the box and an eighth of its width and height on each side, cut at the image's border
      and stretched to the crop.
    - `selimsef` (winner of the DFDC): the same with a third. (That code stores the crop unstretched, and fills it up to
      a square with black when it feeds its network.)
    - `dfb` (DeepfakeBench): the five points as close as a turn, a scale and a shift bring them to `TEMPLATE`, with 15 %
      of the template's width around it on each side. Beyond the image it is black. (That code takes landmarks 37, 44,
      30, 49 and 55 of dlib's 81, which are near a detector's five points and not the same.)
    - `whole`: the largest square in the image's middle, as `metaforge.data.images.square` takes it; no face is needed.

    The margins are theirs, the box is whose you give: the first three had it from dlib, RetinaFace and MTCNN.

    Args:
        box: x0, y0, x1, y1 in pixels of the image; not looked at by `dfb` and `whole`.
        points: eyes, nose and corners of the mouth, x and y, shape `(5, 2)`; looked at by `dfb` alone.

    Other Arguments:
        convention: its name.
        size: side of the crop, in pixels.
        image_size: height and width of the image.

    Returns:
        float64: `transform @ (x, y, 1)` is where the crop's position `(x, y)` lies in the image.

    Raises:
        InputError: if the convention is unknown, what it needs is missing or degenerate, or the box is outside.

    Example:
        >>> crop_transform([40, 30, 60, 70], None, convention="ffpp", size=104, image_size=(100, 100))
        array([[ 0.5,  0. , 24. ],
               [ 0. ,  0.5, 24. ]])

    References:
        Rössler et al., *FaceForensics++*, 2019 (ffpp). Shiohara and Yamasaki, *Detecting Deepfakes with Self-Blended
        Images*, 2022 (sbi). Yan et al., *DeepfakeBench*, 2023 (dfb). Deng et al., *ArcFace*, 2019 (the template).
    """
    height, width = image_size
    if min(height, width, size) < 1:
        raise InputError(f"crop: {height} x {width} pixels to {size}. All must be at least 1.")
    if convention == "dfb":
        return similarity(points, size)
    if convention == "whole":
        side = min(height, width)
        left, top = (width - side) // 2, (height - side) // 2
        return _stretched(_Rectangle(left, top, left + side, top + side), size)
    if convention not in ("ffpp", *_MARGINS):
        raise InputError(f"crop: unknown convention {convention!r}. Known: ffpp, dfb, sbi, selimsef, whole.")
    x0, y0, x1, y1 = _checked(box, (4,), f"a box (x0, y0, x1, y1) for '{convention}'")
    across, down = x1 - x0, y1 - y0
    if convention == "ffpp":
        side = 1.3 * max(across, down)
        left, top = max((x0 + x1 - side) / 2, 0.0), max((y0 + y1 - side) / 2, 0.0)
        side = min(side, width - left, height - top)
        cut = _Rectangle(left, top, left + side, top + side)
    else:
        margin = _MARGINS[convention]
        cut = _Rectangle(
            max(x0 - margin * across, 0.0),
            max(y0 - margin * down, 0.0),
            min(x1 + margin * across, width),
            min(y1 + margin * down, height),
        )
    if min(across, down, cut.x1 - cut.x0, cut.y1 - cut.y0) <= 0:
        place = f"the box {[round(float(value), 1) for value in (x0, y0, x1, y1)]}"
        raise InputError(f"crop: {place} is empty or outside an image of {height} x {width}. Check x0, y0, x1, y1.")
    return _stretched(cut, size)


def apply_crop(
    image: UInt8[np.ndarray, "height width 3"], transform: Float64[np.ndarray, "2 3"], size: int
) -> UInt8[np.ndarray, "size size 3"]:
    """Cuts a crop out of an image.

    Each pixel is the mean of bilinear samples that stand no more than one pixel of the image apart, so that fine
    patterns are averaged and do not alias. What lies outside the image is black.

    Args:
        image: uint8 RGB in [0, 255].
        transform: from the crop's pixels to the image's, as `crop_transform` gives it.
        size: side of the crop, in pixels, at least 1.

    Returns:
        uint8 in [0, 255], a new array.

    Raises:
        InputError: if `size` is below 1 or the transform is not finite.

    Example:
        >>> image = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
        >>> bool((apply_crop(image, np.array([[1.0, 0, 2], [0, 1, 3]]), 4) == image[3:7, 2:6]).all())
        True
    """
    if size < 1 or not np.isfinite(transform).all():
        raise InputError(f"crop: a crop of {size} pixels by {transform.tolist()}. Give a size and a finite transform.")
    low, high = reach(transform, size, (image.shape[0], image.shape[1]))
    if (high <= low).any():
        return np.zeros((size, size, 3), np.uint8)
    # Only the part that is seen is converted.
    part = image[low[1] : high[1], low[0] : high[0]]
    finer = int(np.clip(np.ceil(np.linalg.norm(transform[:, :2], 2) - 1e-9), 1, max(1, _MAX_SAMPLES // size)))
    matrix = np.column_stack([transform[:, :2] / finer, transform[:, 2] - low])
    if matrix[0, 1] == matrix[1, 0] == 0:
        across = sampling(matrix[0, 0], matrix[0, 2], size, finer, part.shape[1])
        return upright_samples(part, sampling(matrix[1, 1], matrix[1, 2], size, finer, part.shape[0]), across)
    crop = np.empty((size, size, 3), np.uint8)
    for channel in range(3):
        # Floating point: in 8 bits Pillow cuts off what is behind the point.
        source = Image.fromarray(part[..., channel].astype(np.float32))
        samples = source.transform(
            (size * finer, size * finer), Image.Transform.AFFINE, tuple(matrix.ravel()), Image.Resampling.BILINEAR
        )
        crop[..., channel] = np.rint(np.asarray(samples.reduce(finer)))
    return crop


def reach(
    transform: Float64[np.ndarray, "2 3"], size: int, image_size: tuple[int, int]
) -> tuple[Int64[np.ndarray, "2"], Int64[np.ndarray, "2"]]:
    """The part of an image that a crop is made of: x and y of its first pixel, and of the first beyond it.

    Its borders are the image's or are two pixels away from any sample.
    """
    ends = transform @ np.array([[0, size, 0, size], [0, 0, size, size], [1, 1, 1, 1]])
    limits = [image_size[1], image_size[0]]
    low = np.clip(np.floor(ends.min(1)).astype(np.int64) - 2, 0, limits)
    return low, np.clip(np.ceil(ends.max(1)).astype(np.int64) + 2, 0, limits)


def rescaled(
    transform: Float64[np.ndarray, "2 3"], image_size: tuple[int, int], other_size: tuple[int, int]
) -> Float64[np.ndarray, "2 3"]:
    """The same crop of the same picture at another resolution: a smaller copy, a larger one, or its mask.

    Args:
        transform: from the crop's pixels to the image's, as `crop_transform` gives it.
        image_size: height and width of the image that the transform was made for, at least 1.
        other_size: height and width of the other one, at least 1.

    Returns:
        The transform from the crop's pixels to the other image's.

    Raises:
        InputError: if the sizes differ by more than a scale (2 % are granted to rounding): such an image was cut, not
            only made smaller, and nobody knows where.

    Example:
        >>> rescaled(np.array([[1.0, 0, 20], [0, 1, 10]]), (100, 200), (50, 100))
        array([[ 0.5,  0. , 10. ],
               [ 0. ,  0.5,  5. ]])
    """
    (height, width), (other_height, other_width) = image_size, other_size
    down, across = other_height / height, other_width / width
    if abs(across / down - 1) > _SAME_ASPECT:
        raise InputError(
            f"crop: {other_width} x {other_height} pixels, where the real frame has {width} x {height}: "
            "not the same picture at another size. Give a video and fakes that were not cut."
        )
    return transform * np.array([[across], [down]])


def _stretched(cut: _Rectangle, size: int) -> np.ndarray:
    return np.array([[(cut.x1 - cut.x0) / size, 0, cut.x0], [0, (cut.y1 - cut.y0) / size, cut.y0]], np.float64)


def similarity(points: np.ndarray | Sequence | None, size: int, *, margin: float = 0.15) -> np.ndarray:
    """The inverse of the turn, scale and shift that bring five points closest to the template, in least squares.

    With a plane's points as complex numbers, a similarity is `a * z + b`, and the best one is a linear regression.

    Args:
        points: as in `crop_transform`.
        size: side of the crop, in pixels.

    Other Arguments:
        margin: around the template on each side, in shares of its width.
    """
    marks = _checked(points, (5, 2), "five points for 'dfb'")
    source, target = (z[:, 0] + 1j * z[:, 1] for z in (marks, (TEMPLATE / 112 + margin) / (1 + 2 * margin) * size))
    centred = source - source.mean()
    spread = (np.abs(centred) ** 2).sum()
    factor = (centred.conj() * (target - target.mean())).sum()
    if min(spread, abs(factor)) < 1e-9:
        raise InputError("crop: the five points are one. Give eyes, nose and corners of the mouth of one face.")
    back = spread / factor
    shift = source.mean() - back * target.mean()
    return np.array([[back.real, -back.imag, shift.real], [back.imag, back.real, shift.imag]])


def _checked(values: np.ndarray | Sequence | None, shape: tuple[int, ...], what: str) -> np.ndarray:
    array = np.asarray(np.nan if values is None else values, np.float64)
    if array.shape != shape or not np.isfinite(array).all():
        raise InputError(
            f"crop: it needs {what}, finite, of shape {shape}; shape {array.shape} was given. Detect a face."
        )
    return array
