r"""Light on a face: from where it comes, and which colour it has, on one part of the face and on another.

A face is taken for half an ellipsoid with normals $n$. Under light of low order (ambient, and a direction) a matt
surface shows

    $I(p) = a + \ell^\top n(p)$,

which are the spherical harmonics of orders 0 and 1; $a$ and $\ell$ are least squares over skin. A face that was laid
onto another head may be lit from elsewhere than the head.

References:
    Johnson and Farid, *Exposing Digital Forgeries in Complex Lighting Environments*, 2007. Ramamoorthi and Hanrahan,
    *An Efficient Representation for Irradiance Environment Maps*, 2001.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from metaforge.face_regions import OVAL
from metaforge.screening.evidence.view import View, mean_of, neck, part, skin


class Light(NamedTuple):
    """Light of low order.

    Attributes:
        ambient: what every normal gets.
        towards: x (right), y (down) and z (to the eye) of the direction that it comes from, as long as it is strong.
        explained: the share of the variance that it explains, in [0, 1].
    """

    ambient: float
    towards: Float[np.ndarray, "3"]
    explained: float


def normals(view: View) -> Float[np.ndarray, "height width 3"]:
    """Normals of half an ellipsoid over the face's oval; not a number outside."""
    oval = view.mesh[list(OVAL)]
    middle = (oval.min(axis=0) + oval.max(axis=0)) / 2
    across, down = np.ptp(oval, axis=0) / 2
    rows, columns = np.indices(view.depth.shape)
    x, y = (columns - middle[0]) / across, (rows - middle[1]) / down
    left = 1 - x**2 - y**2
    return np.stack([x, y, np.sqrt(np.where(left > 0, left, np.nan))], axis=-1)


def fit_light(
    luma: Float[np.ndarray, "height width"],
    facing: Float[np.ndarray, "height width 3"],
    mask: Bool[np.ndarray, "height width"],
) -> Light:
    """The light that explains brightness best, in least squares.

    Args:
        luma: brightness.
        facing: normals, as `normals` gives them.
        mask: the pixels that count.

    Example:
        >>> facing = np.random.default_rng(0).normal(size=(9, 9, 3))
        >>> light = fit_light(5 + facing @ [1.0, 2.0, 3.0], facing, np.ones((9, 9), bool))
        >>> round(light.ambient, 6), light.towards.round(6).tolist(), round(light.explained, 6)
        (5.0, [1.0, 2.0, 3.0], 1.0)
    """
    mask = mask & np.isfinite(facing).all(axis=-1)
    if mask.sum() < 50:
        return Light(np.nan, np.full(3, np.nan), np.nan)
    rows = np.column_stack([np.ones(int(mask.sum())), facing[mask]])
    values = luma[mask]
    found, *_ = np.linalg.lstsq(rows, values, rcond=None)
    spread = float(values.var())
    rest = float((values - rows @ found).var())
    return Light(float(found[0]), found[1:], 1 - rest / spread if spread > 1e-12 else 0.0)


def direction(view: View) -> np.ndarray:
    """Whether the middle of a face is lit from where its border is, and one half as the other.

    Returns:
        How far the two directions in the picture's plane lie apart, by the brightness of the face; how well one light
        explains the whole; and how far the fits of the left and the right half lie apart.
    """
    luma, facing, where = view.luma, normals(view), skin(view)
    scale = max(float(mean_of(luma, where)), 1.0) if where.sum() > 30 else 1.0
    whole = fit_light(luma, facing, where)
    inner = fit_light(luma, facing, where & (view.depth > 0.3))
    border = fit_light(luma, facing, where & (view.depth <= 0.3) & (view.depth > 0.02))
    columns = np.arange(view.depth.shape[1])[None] < view.mesh[[1, 168], 0].mean()
    left, right = (fit_light(luma, facing, where & half) for half in (columns, ~columns))
    apart = lambda one, other, axes: float(np.linalg.norm(one.towards[axes] - other.towards[axes])) / scale
    return np.array([apart(inner, border, [0, 1]), whole.explained, apart(left, right, [1])])


def colour(view: View) -> np.ndarray:
    r"""How far the colour of the skin inside lies from that of the neck, of its own border, and left from right.

    Colour is $(\log R/G, \log B/G)$, which brightness does not change.
    """
    logs = np.log(view.image + 4.0)
    chroma = np.stack([logs[..., 0] - logs[..., 1], logs[..., 2] - logs[..., 1]], axis=-1)
    where = skin(view)
    inner = mean_of(chroma, where & (view.depth > 0.3))
    border = mean_of(chroma, where & (view.depth < 0.12))
    below = mean_of(chroma, neck(view))
    sides = [mean_of(chroma, part(view, f"{side}_cheek")) for side in ("left", "right")]
    apart = lambda one, other: float(np.linalg.norm(one - other))
    return np.array([apart(inner, below), apart(inner, border), apart(*sides)])
