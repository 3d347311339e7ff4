"""Metrics on resamples of people: each resample holds each person so many times, with all of their images."""

from collections.abc import Sequence

import numpy as np

from metaforge.evaluation.interval import Interval


class People:
    """How often each resample holds each person: the same for all that is measured of them.

    Args:
        people: all of them.

    Other Arguments:
        resamples: how many.
        seed: numbers that seed them.

    Example:
        >>> drawn = People(np.array(["a", "b"]), resamples=3, seed=[0]).weights(np.array(["a", "b", "b"]))
        >>> drawn[0].tolist(), drawn.shape, bool((drawn[:, 1] == drawn[:, 2]).all())
        ([1.0, 1.0, 1.0], (4, 3), True)
    """

    def __init__(self, people: np.ndarray, *, resamples: int, seed: Sequence[int]):
        """Draws them; the first is everybody, once."""
        self.names = np.unique(people)
        num = len(self.names)
        drawn = np.random.default_rng(seed).multinomial(num, np.full(num, 1 / num), size=resamples)
        self.counts = np.concatenate([np.ones((1, num)), drawn])

    def weights(self, person: np.ndarray) -> np.ndarray:
        """Of each row the weight in each resample, `(resamples + 1, rows)`."""
        return self.counts[:, np.searchsorted(self.names, person)]


def auc(label: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """How often a fake scores higher than a real image, ties half, on each resample; no number without both."""
    fake, real = scores[label > 0], scores[label == 0]
    wins = (fake[:, None] > real[None]) + 0.5 * (fake[:, None] == real[None])
    fakes, reals = weights[:, label > 0], weights[:, label == 0]
    with np.errstate(invalid="ignore"):
        return np.einsum("rf,rf->r", fakes, reals @ wins.T) / (fakes.sum(axis=1) * reals.sum(axis=1))


def mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The mean over rows on each resample; no number without any."""
    with np.errstate(invalid="ignore"):
        return weights @ values / weights.sum(axis=1)


def interval(replicates: np.ndarray) -> dict[str, float]:
    """The first of them, and where the middle 95 % of the others lie, as a report has it."""
    value = float(replicates[0])
    low, high = np.nanquantile(replicates[1:], [0.025, 0.975])
    return Interval(value, min(float(low), value), max(float(high), value)).as_json()
