"""The cascade of MTCNN: windows of all sizes are proposed, looked at again, and the faces' points located.

The networks run compiled, on shapes that do not depend on the image: the pyramid of a square canvas, laid out in one
sheet, and batches of `_REFINED` and `_LOCATED` patches. So they are compiled once, whatever images follow.
"""

import math
from typing import Any

import numpy as np
from jaxtyping import UInt8

from metaforge.data.detection._networks import Weights, load_networks, locate, propose, refine
from metaforge.data.detection._pyramid import CELL, cut_patches, halves_of, layout, resized
from metaforge.data.detection._suppression import areas, groups
from metaforge.data.detection.detection import Detection

_STRIDE = 2  # from one window of the first network to the next, in pixels
_PROPOSED, _KEPT = 0.6, 0.7  # scores after the first and the second network: the authors' thresholds
_REFINED, _LOCATED = 64, 16  # patches that are looked at together
_MOST = 256  # windows that reach the second network, the best ones


def every_face(image: UInt8[np.ndarray, "height width 3"], *, min_face: float, threshold: float) -> list[Detection]:
    """The faces of a picture, the largest box first.

    Time and memory depend on `min_face` and hardly on the image: large images are first reduced until the smallest
    face has 48 pixels. Faces of under 12 pixels are not looked for. Each other value of `min_face` compiles the first
    network anew.
    """
    networks = load_networks()
    height, width = image.shape[:2]
    if min(height, width) < CELL:
        return []
    reduced = resized(image, min(1.0, 4 * CELL / (min_face * max(height, width))))
    boxes = _proposals(networks.pnet, reduced, min_face)
    halves = halves_of(reduced)
    scores, offsets = _in_batches(refine, networks.rnet, halves, boxes, side=24, batch=_REFINED)
    good = np.flatnonzero(scores >= _KEPT)
    good = good[_distinct(boxes[good], scores[good], 0.7)]
    boxes = _squares(_moved(boxes[good], offsets[good]))
    scores, offsets, points = _in_batches(locate, networks.onet, halves, boxes, side=48, batch=_LOCATED)
    found = _moved(boxes, offsets)
    smallest = min_face * max(reduced.shape[:2])  # the first network also answers to what is smaller than its windows
    good = np.flatnonzero((scores >= threshold) & ((found[:, 2:] - found[:, :2]).max(axis=1) >= smallest))
    found, scores = found[good], scores[good]
    points = boxes[good, None, :2] + points[good] * (boxes[good, 2] - boxes[good, 0])[:, None, None]
    # One box may lie inside another and be the same face, so the share is taken of the smaller one.
    kept = _distinct(found, scores, 0.7, of_smaller=True)
    kept = kept[np.argsort(-areas(found[kept]), kind="stable")]
    back = np.array([width / reduced.shape[1], height / reduced.shape[0]])
    return [
        Detection(
            (found[k] * np.tile(back, 2)).astype(np.float32), (points[k] * back).astype(np.float32), float(scores[k])
        )
        for k in kept
    ]


def largest_face(image: UInt8[np.ndarray, "height width 3"], *, min_face: float, threshold: float) -> Detection | None:
    """The first of `every_face`, or `None`."""
    return next(iter(every_face(image, min_face=min_face, threshold=threshold)), None)


def _proposals(weights: Weights, image: np.ndarray, min_face: float) -> np.ndarray:
    """Square windows in pixels of `image`, float64 `(windows, 4)`, at most `_MOST`, the best first."""
    slots, sheet_shape = layout(math.ceil(CELL / min_face))
    sheet = np.zeros(sheet_shape, np.uint8)
    placed = []
    for slot in slots:
        # Larger than it is, an image shows no more; faces of less than a window are not looked for.
        level = resized(image, min(1.0, slot.side / max(image.shape[:2])))
        if min(level.shape[:2]) >= CELL and (not placed or level.shape != placed[-1][1]):
            sheet[slot.top : slot.top + level.shape[0], slot.left : slot.left + level.shape[1]] = level
            placed.append((slot, level.shape))
    scores, offsets = (np.asarray(part, np.float64) for part in propose(weights, sheet))
    found: list[tuple[np.ndarray, ...]] = [(np.zeros((0, 4)), np.zeros((0, 4)), np.zeros(0))]
    for slot, (height, width, _) in placed:
        # Only the windows that lie inside the level.
        rows, columns = ((length - CELL) // _STRIDE + 1 for length in (height, width))
        part = np.s_[slot.top // _STRIDE :, slot.left // _STRIDE :]
        score, move = (values[part][:rows, :columns] for values in (scores, offsets))
        row, column = np.nonzero(score >= _PROPOSED)
        score, move = score[row, column], move[row, column]
        corner = _STRIDE * np.stack([column, row], axis=1)
        back = np.array([image.shape[1] / width, image.shape[0] / height])
        windows = np.concatenate([corner * back, (corner + CELL) * back], axis=1)
        kept = _distinct(windows, score, 0.5)
        found.append((windows[kept], move[kept], score[kept]))
    windows, moves, score = (np.concatenate(parts) for parts in zip(*found, strict=True))
    kept = _distinct(windows, score, 0.7)[:_MOST]
    return _squares(_moved(windows[kept], moves[kept]))


def _in_batches(network: Any, weights: Weights, halves: list[np.ndarray], boxes: np.ndarray, *, side: int, batch: int):
    """What a network says of the boxes, in float64. It always sees `batch` patches; those over are empty."""
    parts = []
    for begin in range(0, max(len(boxes), 1), batch):
        some = boxes[begin : begin + batch]
        patches = np.zeros((batch, side, side, 3), np.uint8)
        patches[: len(some)] = cut_patches(halves, some, side)
        parts.append([np.asarray(values, np.float64)[: len(some)] for values in network(weights, patches)])
    return [np.concatenate(values) for values in zip(*parts, strict=True)]


def _distinct(boxes: np.ndarray, scores: np.ndarray, most: float, *, of_smaller: bool = False) -> np.ndarray:
    """Indices of the best box of each group that share more than `most`, best score first."""
    return np.array([same[0] for same in groups(boxes, scores, most, of_smaller=of_smaller)], int)


def _moved(boxes: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    return boxes + offsets * np.tile(boxes[:, 2:] - boxes[:, :2], 2)


def _squares(boxes: np.ndarray) -> np.ndarray:
    """Squares around the centres, with the longer sides."""
    centre, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True) / 2
    return np.concatenate([centre - half, centre + half], axis=1)
