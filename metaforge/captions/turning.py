"""Whether one image is another one turned or of another scale, and by how much."""

import numpy as np
from jaxtyping import Bool, Float
from scipy import fft
from scipy.ndimage import affine_transform, gaussian_filter, map_coordinates

_ANGLES, _RADII = 360, 200  # of the spectrum: steps of half a degree, and of 1.3 %
_LOW, _HIGH = 0.03, 0.4  # cycles a pixel: below, the window itself; above, noise
_MOST = 15.0, 1.2  # degrees and times that are looked for


def turn_and_scale(
    real: Float[np.ndarray, "height width"], fake: Float[np.ndarray, "height width"]
) -> tuple[float, float]:
    """Degrees by which the second image is turned clockwise, and times by which it is larger, wherever it was moved.

    The magnitude of the spectrum does not change by a shift; it turns with the image and shrinks as this grows. By
    angle and the logarithm of the radius both are shifts, which the phase correlation finds, to a part of a step by a
    parabola. Up to 15 degrees and 20 % are looked for.

    References:
        Reddy and Chatterji, *An FFT-Based Technique for Translation, Rotation, and Scale-Invariant Image Registration*,
        1996.
    """
    window = np.hanning(_RADII)[None]
    ours, theirs = (np.asarray(fft.fft2((part - part.mean(axis=0)) * window)) for part in map(_log_polar, (real, fake)))
    cross = theirs * ours.conj()
    peak = np.real(np.asarray(fft.ifft2(cross / np.maximum(np.abs(cross), 1e-9))))
    peak = np.asarray(gaussian_filter(peak, 1.0, mode="wrap"))
    step = np.log(_HIGH / _LOW) / _RADII
    far, large = int(_MOST[0] * _ANGLES / 180), int(np.ceil(np.log(_MOST[1]) / step))
    near = np.roll(peak, (far, large), axis=(0, 1))[: 2 * far + 1, : 2 * large + 1]
    row, column = (int(n) for n in np.unravel_index(int(near.argmax()), near.shape))
    turned = _summit(peak[:, (column - large) % _RADII], row - far) * 180 / _ANGLES
    return turned, float(np.exp(-step * _summit(peak[(row - far) % _ANGLES], column - large)))


def turned_back(
    image: Float[np.ndarray, "height width"], degrees: float, scale: float
) -> tuple[Float[np.ndarray, "height width"], Bool[np.ndarray, "height width"]]:
    """An image turned counter-clockwise about its middle and made smaller, by lines, and where it shows anything.

    Example:
        >>> image = np.zeros((5, 5)); image[2, 3] = 1.0  # right of the middle
        >>> turned_back(image, 90.0, 1.0)[0].round().nonzero()  # above it
        (array([1]), array([2]))
    """
    angle = np.deg2rad(degrees)
    middle = (np.array(image.shape) - 1) / 2
    matrix = scale * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    back, seen = (
        np.asarray(affine_transform(part, matrix, list(middle - matrix @ middle), order=1))  # type: ignore[arg-type]
        for part in (image, np.ones_like(image))
    )
    return back, seen > 0.999


def _log_polar(image: np.ndarray) -> np.ndarray:
    """The logarithm of the spectrum's magnitude, by angle and the logarithm of the radius."""
    height, width = image.shape
    window = np.hanning(height)[:, None] * np.hanning(width)[None]
    spectrum = np.abs(fft.fftshift(fft.fft2((image - image.mean()) * window)))
    angle, radius = np.arange(_ANGLES) * np.pi / _ANGLES, _LOW * (_HIGH / _LOW) ** (np.arange(_RADII) / _RADII)
    places = [side // 2 + side * np.outer(part(angle), radius) for side, part in ((height, np.sin), (width, np.cos))]
    return np.log1p(np.asarray(map_coordinates(spectrum, places, order=1)))


def _summit(line: np.ndarray, place: int) -> float:
    """The top of the parabola through a place and its neighbours, on a line that closes."""
    before, here, after = (float(line[(place + off) % len(line)]) for off in (-1, 0, 1))
    bend = before - 2 * here + after
    return place + (0.5 * (before - after) / bend if bend < 0 else 0.0)
