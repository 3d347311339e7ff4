"""Another person's face, whole or in parts: colour-matched, Poisson-blended, or spliced by region."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float
from scipy.sparse import coo_array
from scipy.sparse.linalg import splu

from metaforge.forgeries.alignment import align, transfer_colour
from metaforge.forgeries.base import Face, Forged, Forgery, compose
from metaforge.forgeries.masks import REGIONS, face_mask, region_mask, soften


def swap(faces: Sequence[Face] = ()) -> Forgery:
    """Cross-identity face swap: the donor's face, in the target's colours, blended with a soft edge.

    References:
        Li et al., *Face X-ray for More General Face Forgery Detection*, CVPR 2020, section 3.2 (blended images).
    """

    def forge(rng: np.random.Generator, target: Face, donor: Face | None) -> Forged:
        content, real = _content(target, donor), target.image.astype(np.float64)
        mask = face_mask(rng, target)
        soft, parameters = soften(rng, mask)
        return compose(target.image, transfer_colour(content, real, mask), soft, parameters)

    return Forgery("swap", True, forge)


def poisson_swap(faces: Sequence[Face] = ()) -> Forgery:
    """Cross-identity face swap without a seam: the donor's gradients inside, the target's pixels on the boundary.

    References:
        Pérez, Gangnet and Blake, *Poisson Image Editing*, SIGGRAPH 2003, eq. 7.
    """

    def forge(rng: np.random.Generator, target: Face, donor: Face | None) -> Forged:
        content, real = _content(target, donor), target.image.astype(np.float64)
        inside = face_mask(rng, target) > 0.5
        # The equation needs a known pixel on every side.
        inside[[0, -1]] = inside[:, [0, -1]] = False
        return compose(target.image, poisson_blend(content, real, inside), inside.astype(np.float64), {})

    return Forgery("poisson_swap", True, forge)


def splice(faces: Sequence[Face] = ()) -> Forgery:
    """Region splice: one or two of eyes, nose and mouth of another person, in the target's colours.

    References:
        Chen et al., *Self-supervised Learning of Adversarial Example: Towards Good Generalizations for Deepfake
        Detection* (SLADD), CVPR 2022, section 3.2 (region masks).
    """

    def forge(rng: np.random.Generator, target: Face, donor: Face | None) -> Forged:
        content, real = _content(target, donor), target.image.astype(np.float64)
        names = sorted(rng.choice(list(REGIONS), int(rng.integers(1, 3)), replace=False).tolist())
        moved = transfer_colour(content, real, face_mask(rng, target))
        return compose(target.image, moved, region_mask(rng, target, names), {"regions": names})

    return Forgery("splice", True, forge)


def poisson_blend(
    content: Float[np.ndarray, "height width 3"],
    target: Float[np.ndarray, "height width 3"],
    inside: Bool[np.ndarray, "height width"],
) -> Float[np.ndarray, "height width 3"]:
    r"""Solves $\Delta f = \Delta g$ inside, $f = t$ outside: content $g$ continued from target $t$ without a seam.

    Args:
        content: what goes in.
        target: what it goes into.
        inside: the unknown pixels, none of them on the image's border.

    Returns:
        The target outside; inside the solution, which may leave [0, 255].

    Example:
        >>> inside = np.zeros((5, 5), bool); inside[1:4, 1:4] = True
        >>> target = np.full((5, 5, 3), 7.0)
        >>> blended = poisson_blend(np.zeros((5, 5, 3)), target, inside)  # flat content: the boundary's value
        >>> bool(np.allclose(blended, 7))
        True

    References:
        Pérez, Gangnet and Blake, *Poisson Image Editing*, SIGGRAPH 2003, eq. 7.
    """
    rows, columns = np.nonzero(inside)
    count = len(rows)
    result = target.copy()
    if not count:
        return result
    number = np.full(inside.shape, -1)
    number[rows, columns] = np.arange(count)
    entries, right = [(np.arange(count), np.arange(count), np.full(count, 4.0))], 4.0 * content[rows, columns]
    for down, across in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        there = (rows + down, columns + across)
        right -= content[there]
        known = number[there] < 0
        right[known] += target[there][known]
        entries.append((np.flatnonzero(~known), number[there][~known], np.full((~known).sum(), -1.0)))
    i, j, values = (np.concatenate(part) for part in zip(*entries, strict=True))
    result[rows, columns] = splu(coo_array((values, (i, j)), shape=(count, count)).tocsc()).solve(right)
    return result


def _content(target: Face, donor: Face | None) -> np.ndarray:
    if donor is None:
        raise ValueError("this forgery needs a donor, got None.")
    return align(target, donor)
