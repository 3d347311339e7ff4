"""How a face looks, as a short vector: two pictures of one person in one video agree, those of two people seldom do.

The face is brought upright by its five points, made small, and split into brightness, of which mean and contrast are
taken away, and colour. It is a cheap cue for following a face through a video, and does not recognise people: it knows
nothing of light, of turned heads and of other days.
"""

import numpy as np
from jaxtyping import Float, Float64, UInt8
from PIL import Image

from metaforge.data.crops import similarity

SAME = 0.9
"""Two looks that agree so well are one person's, wherever they are.

So do 3 of 100 pairs of portraits of two people in one studio, and 2 of 10,000 of photographs from anywhere; a portrait
and its copy in other light, smaller, turned, sheared and compressed do not in 1 of 100.
"""

_SIDE = 16
_GREY = 0.1  # added to colours, so that those of two pale or grey pictures agree


def look_of(
    image: UInt8[np.ndarray, "height width 3"], points: Float[np.ndarray, "5 2"]
) -> Float64[np.ndarray, " parts"]:
    """How the face at these points looks.

    Args:
        image: uint8 RGB in [0, 255].
        points: eyes, nose and corners of the mouth, x and y in pixels.

    Returns:
        Of length 1; the product of two is how well they agree, at most 1.

    Example:
        >>> points = np.array([[9.0, 10], [22, 10], [16, 17], [11, 23], [21, 23]])
        >>> image = np.random.default_rng(0).integers(0, 200, (32, 32, 3), np.uint8)
        >>> brighter = np.rint(image * 1.2).astype(np.uint8)
        >>> bool(look_of(image, points) @ look_of(brighter, points) > 0.999)
        True
    """
    small = _upright(image, np.asarray(points, np.float64))
    luma = small @ np.array([0.299, 0.587, 0.114])
    shape = (luma - luma.mean()).ravel()
    colour = (small[..., [0, 2]] - luma[..., None]).ravel() / max(float(luma.mean()), 1.0) + _GREY
    parts = [part / max(float(np.linalg.norm(part)), 1e-9) for part in (shape, colour)]
    return np.concatenate(parts) / np.sqrt(2.0)


def _upright(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The inner face, float64 `(16, 16, 3)`; black beyond the image."""
    size = 2 * _SIDE
    transform = similarity(points, size, margin=0.0)
    # Only what is seen is looked at, and a large face is made smaller by averages first.
    scale = float(np.linalg.norm(transform[:, 0]))
    ends = transform @ np.array([[0, size, 0, size], [0, 0, size, size], [1, 1, 1, 1]])
    low = np.clip(np.floor(ends.min(1)) - 2 * scale, 0, image.shape[1::-1]).astype(int)
    high = np.clip(np.ceil(ends.max(1)) + 2 * scale, 0, image.shape[1::-1]).astype(int)
    if (high <= low).any():
        return np.zeros((_SIDE, _SIDE, 3))
    factor = max(1, int(scale))
    part = Image.fromarray(image[low[1] : high[1], low[0] : high[0]]).reduce(factor)
    matrix = np.column_stack([transform[:, :2], transform[:, 2] - low]) / factor
    found = part.transform((size, size), Image.Transform.AFFINE, tuple(matrix.ravel()), Image.Resampling.BILINEAR)
    return np.asarray(found.reduce(2), np.float64)
