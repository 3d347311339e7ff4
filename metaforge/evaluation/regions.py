"""How well regions, masks and types that were said agree with those that are true.

Precision is the share of what was said that is true, recall the share of what is true that was said, and F1 their
harmonic mean. Where nothing was said, or nothing is true, the quotient does not exist: it counts as 1 if neither was,
and as 0 otherwise.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from metaforge.errors import InputError


class RegionScore(NamedTuple):
    """Precision, recall and F1, each in [0, 1]."""

    precision: float
    recall: float
    f1: float


def region_score(true: Bool[np.ndarray, "pairs regions"], said: Bool[np.ndarray, "rows names"]) -> RegionScore:
    """Micro-averaged: every region of every pair counts once.

    Args:
        true: which regions of which pair are forged.
        said: which were named.

    Returns:
        A `RegionScore`.

    Raises:
        InputError: for shapes that differ.

    Example:
        >>> true = np.array([[True, True, False], [False, True, False]])
        >>> said = np.array([[True, False, False], [True, True, False]])
        >>> region_score(true, said)
        RegionScore(precision=0.666..., recall=0.666..., f1=0.666...)

    References:
        Van Rijsbergen, *Information Retrieval*, 1979, chapter 7.
    """
    _same(true, said)
    hits, named, forged = int((true & said).sum()), int(said.sum()), int(true.sum())
    if not named and not forged:
        return RegionScore(1.0, 1.0, 1.0)
    return RegionScore(hits / max(named, 1), hits / max(forged, 1), 2 * hits / (named + forged))


def per_region(
    true: Bool[np.ndarray, "pairs regions"], said: Bool[np.ndarray, "rows names"], names: Sequence[str]
) -> dict[str, RegionScore]:
    """The same of each region by itself.

    Raises:
        InputError: for shapes that differ, or another number of names than of regions.

    Example:
        >>> true, said = np.array([[True, False]]), np.array([[True, True]])
        >>> [score.f1 for score in per_region(true, said, ["nose", "chin"]).values()]
        [1.0, 0.0]
    """
    _same(true, said)
    if len(names) != true.shape[1]:
        raise InputError(f"regions: {len(names)} names for {true.shape[1]} regions. Give one for each.")
    return {name: region_score(true[:, [i]], said[:, [i]]) for i, name in enumerate(names)}


def mask_iou(true: Bool[np.ndarray, "height width"], said: Bool[np.ndarray, "rows columns"]) -> float:
    """Intersection over union of two masks, in [0, 1]; 1 if both are empty.

    Raises:
        InputError: for shapes that differ.

    Example:
        >>> mask_iou(np.array([[True, True, False]]), np.array([[False, True, True]]))
        0.333...
    """
    _same(true, said)
    union = int((true | said).sum())
    return int((true & said).sum()) / union if union else 1.0


def type_confusion(true: Sequence[str], said: Sequence[str], names: Sequence[str]) -> Int[np.ndarray, "types types"]:
    """How often each true type (rows) was said to be which (columns).

    Args:
        true: one type a pair.
        said: likewise.
        names: the types, in the order of rows and columns.

    Raises:
        InputError: for another number of types than of pairs, or a type that is not among the names.

    Example:
        >>> type_confusion(["blur", "blur", "colour"], ["blur", "colour", "colour"], ["blur", "colour"]).tolist()
        [[1, 1], [0, 1]]
    """
    if len(true) != len(said):
        raise InputError(f"types: {len(true)} true ones and {len(said)} said. Give one of each for every pair.")
    place = {name: i for i, name in enumerate(names)}
    if unknown := sorted({*true, *said} - set(place)):
        raise InputError(f"types: '{unknown[0]}' is not among the names; they are: {', '.join(names)}.")
    counts = np.zeros((len(names), len(names)), int)
    for one, other in zip(true, said, strict=True):
        counts[place[one], place[other]] += 1
    return counts


def _same(true: np.ndarray, said: np.ndarray) -> None:
    if true.shape != said.shape:
        raise InputError(f"regions: {true.shape} are true and {said.shape} said. Give arrays of one shape.")
