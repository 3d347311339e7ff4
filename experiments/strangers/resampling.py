"""Metrics on resamples of people, where each support set judges others, and intervals of their means."""

import zlib

import numpy as np

from experiments.strangers.config import Config
from metaforge.evaluation import people as of_people
from metaforge.evaluation.people import auc, interval, mean

__all__ = ["People", "auc", "interval", "mean", "over_draws"]


class People(of_people.People):
    """How often each resample holds each person of a collection: the same for all its methods and support sets.

    Args:
        config: says how many resamples.
        collection: its name, which seeds them.
        people: all of its people.
    """

    def __init__(self, config: Config, collection: str, people: np.ndarray):
        """Draws them; the first is everybody, once."""
        super().__init__(people, resamples=config.resamples, seed=[config.seed, zlib.crc32(collection.encode()), 1])


def over_draws(each: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The mean over support sets, which are resampled too but for the first, of values `(draws, resamples + 1)`."""
    count, resamples = each.shape
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=resamples - 1)
    times = np.concatenate([np.ones((1, count)), drawn]).T
    known = np.isfinite(each)
    with np.errstate(invalid="ignore"):
        return np.sum(np.where(known, each, 0.0) * times, axis=0) / np.sum(known * times, axis=0)
