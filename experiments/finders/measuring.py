"""What the finder found in a picture, matched with the faces that are there; and thresholds of equal false boxes."""

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from experiments.finders.pictures import Picture
from metaforge.data.detection import Detection, find_faces
from metaforge.data.detection._suppression import overlap

SAME = 0.5
"""The intersection over union from which on a face is found."""
BESIDE = 0.2
"""Below it with every face, a box is false."""
LOWEST = 0.3
"""The threshold at which scores are gathered that a threshold is chosen from."""
LOW_SHARE, SHARE = 0.02, 0.03
"""`min_face` for pictures of small faces, and for all others."""


class Match(NamedTuple):
    """What came of one picture.

    Attributes:
        found: whether each face was found.
        offsets: of those found, how far the five points are from where they are, in distances of the eyes: to the
            right and down as an upright face has it.
        false: scores of boxes that are no face, or a second one of the same.
    """

    found: list[bool]
    offsets: list[np.ndarray]
    false: list[float]


def looked(picture: Picture, threshold: float) -> tuple[list[Detection], float, float]:
    """The faces that it sees, and the seconds and the CPU seconds of all threads that it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    share = LOW_SHARE if picture.low else SHARE
    found = find_faces(np.ascontiguousarray(picture.image), min_face=share, threshold=threshold)
    return found, time.perf_counter() - wall, time.process_time() - cpu


def match(picture: Picture, seen: Sequence[Detection], *, threshold: float = 0.0) -> Match:
    """Compares what was seen with what is there; where only width and centre are known, those decide.

    Args:
        picture: with its faces.
        seen: detections.

    Other Arguments:
        threshold: the score below which a detection does not count.
    """
    seen = sorted((one for one in seen if one.score >= threshold), key=lambda one: -one.score)
    shared = np.array([overlap(one.box.astype(np.float64), picture.boxes) for one in seen])
    shared = shared.reshape(len(seen), len(picture.boxes))
    agrees = shared >= SAME if picture.points is not None else _centred(seen, picture.boxes)
    taken: dict[int, int] = {}
    false = []
    for index, one in enumerate(seen):
        free = [face for face in np.flatnonzero(agrees[index]).tolist() if face not in taken]
        if free:
            taken[max(free, key=lambda face: shared[index, face])] = index
        elif agrees[index].any() or not (shared[index] >= BESIDE).any():
            false.append(one.score)
    offsets = []
    for face, index in taken.items():
        if picture.points is not None:
            truth = picture.points[face]
            right = truth[1] - truth[0]
            frame = np.array([right, [-right[1], right[0]]]) / (right @ right)
            offsets.append((seen[index].points.astype(np.float64) - truth) @ frame.T)
    return Match([face in taken for face in range(len(picture.boxes))], offsets, false)


def _centred(seen: Sequence[Detection], boxes: Float[np.ndarray, "faces 4"]) -> np.ndarray:
    """Whether the centre is within a third of the width, and the width within a factor of 1.6."""
    agrees = np.zeros((len(seen), len(boxes)), bool)
    for index, one in enumerate(seen):
        middle, width = (one.box[:2] + one.box[2:]) / 2, one.box[2] - one.box[0]
        there, wide = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2] - boxes[:, 0]
        near = np.linalg.norm(middle - there, axis=1) <= wide / 3
        agrees[index] = near & (width < 1.6 * wide) & (width > wide / 1.6)
    return agrees


def threshold_of(false: Sequence[float], *, pictures: int, allowed: float) -> float:
    """The lowest threshold, in steps of 0.01 up to 0.99, at which at most `allowed` false boxes a picture are left.

    Args:
        false: the scores of all false boxes.

    Other Arguments:
        pictures: how many they come from.
        allowed: false boxes a picture.

    Example:
        >>> threshold_of([0.2, 0.3, 0.655, 0.9], pictures=100, allowed=0.01)
        0.66
    """
    scores = np.asarray(false)
    for step in range(round(100 * LOWEST), 100):
        if (scores >= step / 100).sum() <= allowed * pictures:
            return step / 100
    return 0.99
