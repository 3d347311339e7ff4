"""Which knob and how many steps a rule of adaptation gets: the choice by the mean AUC of source-validation episodes."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from metaforge.evaluation.episodes import episode_auc

FACTORS = (0.1, 1.0, 10.0)
"""What is tried of a knob, in its unit: the same number of tries, so the same tuning budget, for every rule."""


class Tried(NamedTuple):
    """One point of the grid, and what it was worth.

    Attributes:
        knob: a rate, or the strength of a penalty.
        steps: of adaptation.
        auc: the mean AUC of an episode, where an episode that diverged counts 0.
    """

    knob: float
    steps: int
    auc: float


class Choice(NamedTuple):
    """What validation chose.

    Attributes:
        knob: of the best point.
        steps: of the best point.
        auc: of the best point; 0 where nothing was tried, or all of it diverged.
        tried: the whole grid, all numbers of steps of the first knob first.
    """

    knob: float
    steps: int
    auc: float
    tried: tuple[Tried, ...] = ()


def grid(unit: float) -> tuple[float, ...]:
    """The knobs that are tried around a unit.

    Example:
        >>> grid(2.0)
        (0.2, 2.0, 20.0)
    """
    return tuple(unit * factor for factor in FACTORS)


def choose(
    knobs: Sequence[float],
    steps: Sequence[int],
    score: Callable[[float], Float[Any, "steps episodes queries"]],
    labels: Int[np.ndarray, "episodes queries"],
) -> Choice:
    """Scores the validation episodes at every knob and number of steps, and takes the best.

    Args:
        knobs: at least one.
        steps: at least one.
        score: `score(knob)` gives p(fake) of every query image after each of `steps`.
        labels: of the query images; every episode has as many of each class.

    Returns:
        A `Choice`. Its `auc` is 0 when everything diverged, which the caller reports.

    Example:
        >>> labels = np.array([[0, 1]])
        >>> better_with_steps = lambda knob: np.array([[[0.5, 0.5]], [[0.1, 0.9]]])
        >>> found = choose((0.1, 1.0), (0, 5), better_with_steps, labels)
        >>> found.knob, found.steps, found.auc, len(found.tried)
        (0.1, 5, 1.0, 4)
    """
    tried = tuple(
        Tried(knob, count, _mean_auc(labels, np.asarray(scores)))
        for knob in knobs
        for count, scores in zip(steps, score(knob), strict=True)
    )
    return Choice(*best(tried), tried)


def best(tried: Iterable[Tried]) -> Tried:
    """The point with the highest AUC, to six digits. Of equals it has the fewest steps, and then the smallest knob.

    Example:
        >>> best([Tried(1.0, 5, 0.8), Tried(0.1, 5, 0.8), Tried(0.1, 10, 0.8)])
        Tried(knob=0.1, steps=5, auc=0.8)
    """
    return max(tried, key=lambda one: (round(one.auc, 6), -one.steps, -one.knob))


def best_at(tried: Iterable[Tried], steps: int) -> Tried | None:
    """The best point with this number of steps; `None` where it was not tried, or diverged at every knob.

    Example:
        >>> best_at([Tried(1.0, 5, 0.9), Tried(0.1, 10, 0.8), Tried(1.0, 10, 0.7)], 10)
        Tried(knob=0.1, steps=10, auc=0.8)
    """
    with_steps = [one for one in tried if one.steps == steps and one.auc > 0]
    return best(with_steps) if with_steps else None


def _mean_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    # An episode on which a rule diverges is worth 0, the worst there is: that rule is not the one to take.
    finite = np.asarray(np.isfinite(scores).all(axis=-1))
    each = episode_auc(labels, np.where(finite[:, None], scores, 0.5))
    return float(np.mean(np.where(finite, each, 0.0)))
