"""Metrics on resamples of people, where each support set judges others, and intervals of their means."""

import zlib

import numpy as np

from experiments.strangers.config import Config
from metaforge.evaluation.interval import Interval


class People:
    """How often each resample holds each person of a collection: the same for all its methods and support sets.

    Args:
        config: says how many resamples.
        collection: its name, which seeds them.
        people: all of its people.
    """

    def __init__(self, config: Config, collection: str, people: np.ndarray):
        """Draws them; the first is everybody, once."""
        self.names = np.unique(people)
        num = len(self.names)
        rng = np.random.default_rng([config.seed, zlib.crc32(collection.encode()), 1])
        drawn = rng.multinomial(num, np.full(num, 1 / num), size=config.resamples)
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


def over_draws(each: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The mean over support sets, which are resampled too but for the first, of values `(draws, resamples + 1)`."""
    count, resamples = each.shape
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=resamples - 1)
    times = np.concatenate([np.ones((1, count)), drawn]).T
    known = np.isfinite(each)
    with np.errstate(invalid="ignore"):
        return np.sum(np.where(known, each, 0.0) * times, axis=0) / np.sum(known * times, axis=0)


def interval(replicates: np.ndarray) -> dict[str, float]:
    """The first of them, and where the middle 95 % of the others lie, as a report has it."""
    value = float(replicates[0])
    low, high = np.nanquantile(replicates[1:], [0.025, 0.975])
    return Interval(value, min(float(low), value), max(float(high), value)).as_json()
