r"""Whether a face has the rhythm of having been enlarged, turned or warped, and its surroundings do not.

Between two pixels of the source an interpolated one varies less than on one of them, so the mean size of second
differences along rows, $v(x) = \overline{|I(x - 1, y) - 2 I(x, y) + I(x + 1, y)|}^y$, has a rhythm in $x$, of one beat
a pixel of the source. Of $\log v$ without its slow part the spectrum $S(f)$ is taken, and

    $p = \max_f S(f) / \text{med}_f\, S(f), \quad f \ge 0.1$,

inside by around the face, on the same columns, so that as many frequencies compete. The same is done along columns.
A rhythm that the whole picture has, such as that of JPEG's blocks, is in both.

References:
    Popescu and Farid, *Exposing Digital Forgeries by Detecting Traces of Resampling*, 2005. Gallagher, *Detection of
    Linear and Cubic Interpolation in JPEG Compressed Images*, 2005.
"""

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import gaussian_filter1d

from metaforge.screening.evidence.view import View

_LOWEST, _SLOW, _FEWEST, _LEAST = 0.1, 4.0, 8, 32
"""The lowest frequency, the blur of the slow part, pixels in a column and columns that are needed."""


def sizes(
    luma: Float[np.ndarray, "height width"], mask: Bool[np.ndarray, "height width"]
) -> tuple[Float[np.ndarray, " width-2"], Bool[np.ndarray, " width-2"]]:
    """The logarithm of the mean second difference along rows, for each column, and where enough pixels have one.

    The largest tenth counts as the tenth does, so that one edge is no beat.
    """
    second, mask = np.abs(luma[:, :-2] - 2 * luma[:, 1:-1] + luma[:, 2:]), mask[:, 1:-1]
    if not mask.any():
        return np.zeros(luma.shape[1] - 2), np.zeros(luma.shape[1] - 2, bool)
    second = np.minimum(second, np.quantile(second[mask], 0.9))
    count = mask.sum(axis=0)
    return np.log((second * mask).sum(axis=0) / np.maximum(count, 1) + 0.05), count >= _FEWEST


def spectrum(
    values: Float[np.ndarray, " columns"],
) -> tuple[Float[np.ndarray, " frequencies"], Float[np.ndarray, " frequencies"]]:
    """Frequencies in beats a pixel, and how strong each is.

    Example:
        >>> frequencies, strong = spectrum(np.cos(np.arange(120) * 2 * np.pi / 3))
        >>> round(float(frequencies[np.argmax(strong)]), 2)
        0.33
    """
    quick = values - gaussian_filter1d(values, _SLOW)
    strong = np.abs(np.fft.rfft(quick * np.hanning(len(values))))
    frequencies = np.fft.rfftfreq(len(values))
    kept = frequencies >= _LOWEST
    return frequencies[kept], strong[kept]


def peaks(
    luma: Float[np.ndarray, "height width"],
    inside: Bool[np.ndarray, "height width"],
    around: Bool[np.ndarray, "height width"],
) -> np.ndarray:
    """The logarithms of peak by median along rows, inside and around."""
    found = [sizes(luma, mask) for mask in (inside, around)]
    columns = np.flatnonzero(found[0][1] & found[1][1])
    # The longest run, since a gap would break the rhythm.
    columns = max(np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1), key=len)
    if len(columns) < _LEAST:
        return np.full(2, np.nan)
    strong = [spectrum(values[columns])[1] for values, _ in found]
    return np.array([np.log(each.max() + 1e-6) - np.log(np.median(each) + 1e-6) for each in strong])


def resampling(view: View) -> np.ndarray:
    """How much stronger a rhythm the face has than what is around it.

    Returns:
        The logarithm of peak by median, inside by around, the mean along rows and columns; the larger of the two; and
        the peak inside alone, the mean of both.
    """
    inside, around = view.depth > 0.1, view.depth < -0.05
    found = np.stack([peaks(view.luma, inside, around), peaks(view.luma.T, inside.T, around.T)])
    # A face near the edge of a picture may have enough around it in one direction only.
    found = found[np.isfinite(found).all(axis=1)]
    if not len(found):
        return np.full(3, np.nan)
    ratio = found[:, 0] - found[:, 1]
    return np.array([ratio.mean(), ratio.max(), found[:, 0].mean()])
