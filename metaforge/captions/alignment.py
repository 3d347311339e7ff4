"""Whether two images are a pair at all: of one size, not the same, lying on each other, of one photograph."""

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, UInt8
from scipy import fft
from scipy.ndimage import gaussian_filter

from metaforge.captions.thresholds import Thresholds
from metaforge.captions.turning import turn_and_scale, turned_back
from metaforge.errors import InputError

Answer = Literal["aligned", "size", "identical", "shifted"]
"""What two images are to each other."""

_TURN, _SCALE = 0.75, 0.01  # degrees and share: smaller ones are named neither
_ROOM = 0.1  # of the side: a larger shift leaves too little to compare


class Alignment(NamedTuple):
    """What two images are to each other.

    Attributes:
        answer: "aligned", or why they cannot be compared pixel by pixel.
        reason: one sentence; empty for "aligned".
        shift: pixels to the right and down by which the forged image lies off the real one; (0, 0) unless "shifted". Of
            one that is turned or of another scale, what is left when it is turned back about its middle.
    """

    answer: Answer
    reason: str = ""
    shift: tuple[int, int] = (0, 0)


def aligned(
    real: UInt8[np.ndarray, "height width 3"],
    fake: UInt8[np.ndarray, "rows columns 3"],
    outside: Bool[np.ndarray, "height width"],
    *,
    thresholds: Thresholds = Thresholds(),  # noqa: B008 - frozen
) -> Alignment:
    """Compares sizes, then bits, then shifts, turns and scales, then what is around the face.

    The shift is the peak of the phase correlation. It is believed only if moving the forged image back leaves less than
    `thresholds.shifted` of the median difference: a forged face moves the peak, but it is not most of the image. A turn
    and a change of scale are looked for where a tenth of the pixels around the face differs by more than half of
    `thresholds.unlike`, and believed if undoing them leaves less than `thresholds.shifted` of that.

    Two images are unpaired when their gradients outside the face do not correlate and a tenth of the pixels there
    differs by more than `thresholds.unlike`. Two people before one backdrop differ so along hair and shoulders; noise
    on a flat backdrop does not correlate either, but it is small.

    Args:
        real: uint8 RGB in [0, 255].
        fake: uint8 RGB in [0, 255].
        outside: where the face is not.

    Other Arguments:
        thresholds: `shifted`, `likeness` and `unlike` are used.

    Returns:
        An `Alignment`.

    Raises:
        InputError: for unpaired images, with the numbers that say so.

    Example:
        >>> image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
        >>> aligned(image, image, np.ones((32, 32), bool)).reason
        'The two images are identical.'

    References:
        Kuglin and Hines, *The Phase Correlation Image Alignment Method*, 1975.
        Reddy and Chatterji, *An FFT-Based Technique for Translation, Rotation, and Scale-Invariant Image Registration*,
        1996 (turn and scale).
    """
    if real.shape != fake.shape:
        (height, width), (rows, columns) = real.shape[:2], fake.shape[:2]
        return Alignment("size", f"The real image is {width} x {height} pixels, the forged one {columns} x {rows}.")
    if (real == fake).all():
        return Alignment("identical", "The two images are identical.")
    ours, theirs = (image.astype(np.float32) @ np.full(3, 1 / 3, np.float32) for image in (real, fake))
    right, down = phase_shift(ours, theirs)
    if (right, down) != (0, 0) and max(abs(right), abs(down)) <= _ROOM * min(ours.shape):
        before = np.median(np.abs(ours - theirs))
        after = np.median(np.abs(_overlap(ours, right, down) - _overlap(theirs, -right, -down)))
        if after < thresholds.shifted * before:
            reason = f"The forged image lies {_places(right, down)} of the real one: they are not aligned."
            return Alignment("shifted", reason, (right, down))
    where = outside if outside.any() else np.ones_like(outside)
    apart = float(np.percentile(np.abs(ours - theirs)[where], 90))
    if apart > thresholds.unlike / 2 and (moved := _turned(ours, theirs, where, thresholds)):
        return moved
    if apart > thresholds.unlike and (alike := likeness(ours, theirs, where)) < thresholds.likeness:
        raise InputError(
            f"pair: the images are not of one photograph: outside the face their gradients correlate by {alike:.2f} "
            f"(a pair: at least {thresholds.likeness}) and a tenth of the pixels differs by more than {apart:.0f} grey "
            "levels. Give the image that the forgery was made from."
        )
    return Alignment("aligned")


def phase_shift(real: Float[np.ndarray, "height width"], fake: Float[np.ndarray, "height width"]) -> tuple[int, int]:
    """Pixels to the right and down by which `fake` is moved: the peak of the phase correlation, under a Hann window.

    Example:
        >>> image = np.random.default_rng(0).normal(size=(32, 32))
        >>> phase_shift(image, np.roll(image, (-2, 3), axis=(0, 1)))
        (3, -2)
    """
    window = np.hanning(real.shape[0])[:, None] * np.hanning(real.shape[1])[None]
    window = window.astype(real.dtype)
    ours, theirs = (np.asarray(fft.rfft2((image - image.mean()) * window)) for image in (real, fake))
    cross = theirs * ours.conj()
    peak = np.asarray(fft.irfft2(cross / np.maximum(np.abs(cross), 1e-12), real.shape))
    place = np.unravel_index(int(peak.argmax()), peak.shape)
    down, right = (int(n) if n <= size // 2 else int(n) - size for n, size in zip(place, peak.shape, strict=True))
    return right, down


def likeness(
    real: Float[np.ndarray, "height width"],
    fake: Float[np.ndarray, "height width"],
    where: Bool[np.ndarray, "height width"],
) -> float:
    """Pearson's correlation of the gradients' magnitudes, smoothed by a pixel, in [-1, 1]; 0 where one is flat."""
    ours, theirs = (_steepness(image)[where] for image in (real, fake))
    ours, theirs = ours - ours.mean(), theirs - theirs.mean()
    spread = float(np.sqrt((ours**2).sum() * (theirs**2).sum()))
    return float((ours * theirs).sum()) / spread if spread > 0 else 0.0


def _steepness(image: np.ndarray) -> np.ndarray:
    smooth = np.asarray(gaussian_filter(image, 1.0), np.float64)
    return np.hypot(np.gradient(smooth, axis=0), np.gradient(smooth, axis=1))


def _turned(ours: np.ndarray, theirs: np.ndarray, where: np.ndarray, thresholds: Thresholds) -> Alignment | None:
    """The turn and the scale, if undoing them explains what is around the face."""
    degrees, scale = turn_and_scale(ours, theirs)
    if abs(degrees) < _TURN and abs(scale - 1) < _SCALE:
        return None
    back, seen = turned_back(theirs, degrees, scale)
    right, down = phase_shift(ours, back)
    if max(abs(right), abs(down)) > _ROOM * min(ours.shape):
        return None
    # Pixels that both show, in the frame of the real image.
    apart = np.abs(_overlap(ours, right, down) - _overlap(back, -right, -down))
    shown = _overlap(where, right, down) & _overlap(seen, -right, -down)
    before = np.percentile(np.abs(ours - theirs)[where], 90)
    if not shown.any() or np.percentile(apart[shown], 90) >= thresholds.shifted * before:
        return None
    parts = []
    if abs(degrees) >= _TURN:
        parts.append(f"turned by {abs(degrees):.1f} degrees {'clockwise' if degrees > 0 else 'counter-clockwise'}")
    if abs(scale - 1) >= _SCALE:
        parts.append(f"{'larger' if scale > 1 else 'smaller'} by {100 * abs(scale - 1):.1f} %")
    reason = f"The forged image is {' and '.join(parts)} beside the real one: they are not aligned."
    return Alignment("shifted", reason, (right, down))


def _overlap(image: np.ndarray, right: int, down: int) -> np.ndarray:
    """The part of the real image that a forged one moved by so much shows; with the signs turned, where it shows it."""
    height, width = image.shape
    return image[max(0, -down) : height - max(0, down), max(0, -right) : width - max(0, right)]


def _places(right: int, down: int) -> str:
    parts = []
    if right:
        parts.append(f"{abs(right)} pixel{'s' * (abs(right) > 1)} {'right' if right > 0 else 'left'}")
    if down:
        parts.append(f"{abs(down)} pixel{'s' * (abs(down) > 1)} {'below' if down > 0 else 'above'}")
    return " and ".join(parts)
