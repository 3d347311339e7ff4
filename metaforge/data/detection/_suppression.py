"""Boxes that are one face: overlap, and what is left of many boxes."""

import numpy as np
from jaxtyping import Float


def overlap(
    box: Float[np.ndarray, "4"], others: Float[np.ndarray, "boxes 4"], *, of_smaller: bool = False
) -> Float[np.ndarray, " boxes"]:
    """The common area of a box and others, x0, y0, x1, y1, as a share in [0, 1].

    Args:
        box: the one.
        others: any number.

    Other Arguments:
        of_smaller: of the smaller box, in place of what both cover together (intersection over union).

    Example:
        >>> overlap(np.array([0.0, 0, 2, 2]), np.array([[1.0, 0, 3, 2], [5, 5, 6, 6]])).round(3).tolist()
        [0.333, 0.0]
    """
    low, high = np.maximum(box[..., :2], others[..., :2]), np.minimum(box[..., 2:], others[..., 2:])
    common = np.maximum(high - low, 0).prod(axis=-1)
    first, second = areas(box[None])[0], areas(others)
    whole = np.minimum(first, second) if of_smaller else first + second - common
    return common / np.maximum(whole, 1e-12)


def areas(boxes: Float[np.ndarray, "boxes 4"]) -> Float[np.ndarray, " boxes"]:
    """Of boxes; one that is turned inside out has none."""
    return np.maximum(boxes[..., 2:] - boxes[..., :2], 0).prod(axis=-1)


def groups(
    boxes: Float[np.ndarray, "boxes 4"], scores: Float[np.ndarray, " boxes"], most: float, *, of_smaller: bool = False
) -> list[np.ndarray]:
    """Indices of boxes in groups, best score first: each has a best box, and all that share more than `most` with it.

    Args:
        boxes: x0, y0, x1, y1.
        scores: theirs.
        most: the share of common area up to which two boxes are two faces.

    Other Arguments:
        of_smaller: what it is a share of, as in `overlap`.
    """
    order, found = np.argsort(-scores, kind="stable"), []
    while len(order):
        same = overlap(boxes[order[0]], boxes[order], of_smaller=of_smaller) > most
        same[0] = True
        found.append(order[same])
        order = order[~same]
    return found
