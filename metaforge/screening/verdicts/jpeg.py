"""What JPEG has done to a picture: how strongly it was compressed, whether twice, and the blocks that it left."""

import io

import numpy as np
from jaxtyping import UInt8
from PIL import Image

SEEN = 512
"""Pixels a side of the middle of a picture that is looked at for an earlier compression."""

_BAND = 256  # lines of a picture that are measured at a time

_STANDARD = np.array([
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51,
    87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
])  # fmt: skip
"""The luminance table of annex K of the JPEG standard, of which libjpeg takes multiples."""


_LOW = ((0, 1), (1, 0), (2, 0), (1, 1), (0, 2), (0, 3), (1, 2), (2, 1), (3, 0))
"""The coefficients that are looked at: low frequencies, which are seldom 0."""

_PLACES = (2 * np.arange(8) + 1) * np.pi / 16
_COSINES = np.cos(np.outer(np.arange(8), _PLACES)) * np.where(np.arange(8) > 0, 0.5, 0.5**1.5)[:, None]


def jpeg_quality(data: bytes) -> float | None:
    r"""The quality, 1 to 100, at which libjpeg would have written a JPEG's luminance table; `None` of other files.

    libjpeg scales the standard's table by $5000 / Q$ percent below a quality $Q$ of 50, and by $200 - 2 Q$ above. The
    scale is the median of the table's ratios, so tables of other programs get the quality that comes nearest.

    Args:
        data: a file.

    Example:
        >>> held = io.BytesIO()
        >>> Image.new("RGB", (8, 8)).save(held, "JPEG", quality=30)
        >>> round(jpeg_quality(held.getvalue())), jpeg_quality(b"no image")
        (30, None)
    """
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            table = np.array(image.quantization[0], np.float64)  # type: ignore[attr-defined]
    except Exception:  # noqa: BLE001 - whatever is wrong with it, reading the picture will say
        return None
    # Where a value was cut to 1 or 255 it says nothing of the scale.
    free = (table > 1) & (table < 255)
    if table.shape != (64,) or not free.any():
        return 100.0 if table.shape == (64,) and table.max() <= 1 else 1.0
    scale = float(np.median(100 * table[free] / _STANDARD[free]))
    return float(np.clip(5000 / scale if scale > 100 else (200 - scale) / 2, 1, 100))


def blockiness(picture: UInt8[np.ndarray, "height width 3"]) -> float:
    r"""How far steps in brightness stand out at every eighth line and column, wherever the grid begins.

    With $d_i$ the mean size of the step from column $i$ to the next, it is the largest over the eight phases of the
    mean of $d_i - (d_{i-1} + d_{i+1}) / 2$, less the median phase, by the mean step; the mean over columns and lines.

    Args:
        picture: uint8 RGB in [0, 255].

    Returns:
        About 0 without blocks; 0 of a picture with fewer than 32 pixels a side.

    Example:
        >>> blocks = np.kron(np.arange(36).reshape(6, 6) % 7, np.ones((8, 8))).astype(np.uint8) * 30
        >>> blockiness(np.repeat(blocks[..., None], 3, axis=-1)) > 1
        True
    """
    grey = np.asarray(Image.fromarray(picture).convert("L"))
    if min(grey.shape) < 32:
        return 0.0
    found = []
    for turned in (grey, grey.T):
        steps = _mean_steps(turned)
        edges = steps[1:-1] - (steps[:-2] + steps[2:]) / 2
        phases = [edges[phase::8].mean() for phase in range(8)]
        found.append((max(phases) - np.median(phases)) / max(steps.mean(), 1e-3))
    return float(np.mean(found))


def _mean_steps(grey: UInt8[np.ndarray, "height width"]) -> np.ndarray:
    """The mean size of the step from each column to the next, in bands of lines, for a picture may be large."""
    total = np.zeros(grey.shape[1] - 1, np.int64)
    for top in range(0, len(grey), _BAND):
        total += np.abs(np.diff(grey[top : top + _BAND].astype(np.int16), axis=1)).sum(axis=0)
    return total / len(grey)


def comb(data: bytes) -> float:
    r"""How far a JPEG's coefficients stand like the teeth of a comb, as those do that were quantised twice.

    What was quantised with a step $q_1$ and then with a smaller $q_2$ has gaps or peaks at every $q_1 / q_2$-th value.
    Of each of nine low frequencies the histogram of absolute values above 0 is compared with its mean over five values,
    $\bar h$. The largest Fourier amplitude of $(h - \bar h) / \sqrt{\bar h}$ beyond the slow ones, by
    $\sqrt{\sum \bar h}$, is the comb; the mean over the frequencies. It finds an earlier compression on the same grid
    of blocks, and none that was weaker.

    Args:
        data: a file.

    Returns:
        About 1.3 for one compression; 0 of what is no JPEG or has too few blocks.

    Example:
        >>> comb(b"no image")
        0.0

    References:
        Popescu and Farid, *Statistical Tools for Digital Forensics*, Information Hiding 2004, section 3 (double JPEG).
    """
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            table = np.array(image.quantization[0], np.float64).reshape(8, 8)  # type: ignore[attr-defined]
            image.draft("L", image.size)
            grey = np.asarray(image.convert("L"))
    except Exception:  # noqa: BLE001 - as above
        return 0.0
    # More blocks make small deviations of any picture large.
    (top, height), (left, width) = ((max(side - SEEN, 0) // 16 * 8, min(side, SEEN) // 8 * 8) for side in grey.shape)
    middle = grey[top : top + height, left : left + width].astype(np.float64) - 128
    blocks = middle.reshape(height // 8, 8, width // 8, 8).transpose(0, 2, 1, 3).reshape(-1, 8, 8)
    return float(np.mean([_teeth(_COSINES[u] @ blocks @ _COSINES[v] / table[u, v]) for u, v in _LOW] or [0.0]))


def _teeth(coefficients: np.ndarray) -> float:
    values = np.abs(np.round(coefficients)).astype(int)
    largest = int(min(values.max(initial=0), 60))
    if largest < 6:
        return 0.0
    counts = np.bincount(np.minimum(values, largest))[1:largest].astype(float)
    around = np.convolve(counts, np.ones(5) / 5, "same")
    spread = np.abs(np.fft.rfft((counts / (around + 1) - 1) * np.sqrt(around), 128))
    return float(spread[16:].max() / max(np.sqrt(around.sum()), 1.0))
