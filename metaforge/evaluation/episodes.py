"""Intervals for few-shot episodes: the mean AUC of an episode, over seeds, support sets and the people in the queries.

Episodes are drawn again and again from the same few people, so the usual 1.96 standard deviations over the root of the
number of episodes describes the drawing and not the data: it shrinks with patience.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from metaforge.errors import InputError
from metaforge.evaluation._resampling import interval_of, seed_slots
from metaforge.evaluation.interval import Interval
from metaforge.evaluation.multiple import bootstrap_p
from metaforge.types import FAKE


class Queries(NamedTuple):
    """The query images of one domain's episodes. Every episode has the same number of each class.

    Attributes:
        labels: 0 (real) or 1 (fake), shape `(seeds, episodes, queries)`.
        people: the name of each image's person (or video), same shape. A name means the same person in all domains.
    """

    labels: ArrayLike
    people: ArrayLike


class Resampled(NamedTuple):
    """An estimate, and what it was on every resample: two of them can be subtracted, and several averaged.

    Attributes:
        value: on the data as they are.
        each: on every resample, shape `(resamples,)`. Row `i` of all estimates of one call is the same resample.
    """

    value: float
    each: np.ndarray

    def minus(self, other: "Resampled") -> "Resampled":
        """The difference, on the same resamples: what moves both alike cancels."""
        return Resampled(self.value - other.value, self.each - other.each)

    def interval(self, level: float = 0.95) -> Interval:
        """The value and the middle `level` of the resamples."""
        return interval_of(self.value, self.each, level)

    def p(self) -> float:
        """The two-sided p-value of "the truth is 0": see `metaforge.evaluation.multiple.bootstrap_p`."""
        return bootstrap_p(self.each)


def mean_of(estimates: list[Resampled]) -> Resampled:
    """The mean of several estimates, such as those of several domains, resample by resample.

    Example:
        >>> found = mean_of([Resampled(0.5, np.array([0.4, 0.6])), Resampled(0.7, np.array([0.8, 0.6]))])
        >>> print(round(found.value, 3), found.each.round(3))
        0.6 [0.6 0.6]
    """
    return Resampled(float(np.mean([one.value for one in estimates])), np.mean([one.each for one in estimates], axis=0))


def episode_auc(labels: ArrayLike, scores: ArrayLike) -> np.ndarray:
    """The AUC of every episode, ties half: labels and scores `(..., queries)` to `(...)`.

    Example:
        >>> print(episode_auc([[0, 0, 1, 1], [0, 1, 0, 1]], [[0.1, 0.4, 0.3, 0.9], [0.5, 0.5, 0.5, 0.5]]))
        [0.75 0.5 ]
    """
    labels = np.asarray(labels)
    return _wins(_order(labels), np.asarray(scores), labels).mean(axis=(-1, -2))


def episode_bootstrap(
    domains: Mapping[str, Queries],
    scores: Mapping[str, Mapping[str, ArrayLike]],
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, dict[str, Resampled]]:
    r"""The mean AUC of an episode in every domain by every method, on resamples that all of them share.

    Every resample draws, each with replacement and as many as there are: the seeds (trained models), once for all
    domains; the episodes within every drawn seed; and the people, once for all domains, since forgeries of one face
    are not independent. With person $a$ counted $c_a$ times and episode $e$ counted $n_e$ times, the mean is
    $\sum_e n_e \sum_{ij} c_i c_j W^e_{ij} / \sum_e n_e \sum_{ij} c_i c_j$ over the fakes $i$ and reals $j$ of each
    episode, where $W_{ij}$ is 1 if the fake scores higher, and one half in a tie; so an episode of people who were not
    drawn counts nothing, and one of people drawn twice counts more.

    Args:
        domains: name to the query images of its episodes.
        scores: domain to method to the score of every query, shape `(seeds, episodes, queries)`; all methods of a
            domain were judged on the same episodes.

    Other Arguments:
        resamples: how many.
        seed: of the resampling.

    Returns:
        Domain to method to `Resampled`: differences and means over domains are taken resample by resample.

    Raises:
        InputError: when shapes differ, episodes have different numbers of a class, a score is not finite, or people
            and episodes are too few for any resample.

    Example:
        >>> labels = np.tile([0, 0, 1, 1], (2, 50, 1))
        >>> rng = np.random.default_rng(0)
        >>> people = rng.integers(20, size=labels.shape).astype(str)
        >>> scores = rng.normal(labels, 1.0)
        >>> found = episode_bootstrap({"swap": Queries(labels, people)}, {"swap": {"a": scores, "b": -scores}})
        >>> a, b = found["swap"]["a"], found["swap"]["b"]
        >>> bool(a.interval().low < a.value < a.interval().high), bool(a.minus(b).interval().low > 0)
        (True, True)

    References:
        Davison and Hinkley, *Bootstrap Methods and their Application*, 1997, section 3.8. Allen et al., *Oops, I
        Sampled it Again: Reinterpreting Confidence Intervals in Few-Shot Learning*, TMLR 2024, on why not otherwise.
    """
    _check(domains, scores)
    rng = np.random.default_rng(seed)
    names = sorted({name for queries in domains.values() for name in np.unique(np.asarray(queries.people)).tolist()})
    place = {name: number for number, name in enumerate(names)}
    counts = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples).astype(np.float32)
    seeds = {np.shape(queries.labels)[0] for queries in domains.values()}
    slots = seed_slots(rng, max(seeds), resamples, True)
    found, measured = {}, np.ones(resamples, bool)
    # By name, so that the order in which domains were judged changes nothing.
    for (domain, queries), stream in zip(sorted(domains.items()), rng.spawn(len(domains)), strict=True):
        found[domain], weighs = _of_domain(queries, scores[domain], place, counts, slots, stream)
        measured &= weighs
    if not measured.any():
        raise InputError("episodes: no resample holds a fake and a real of one episode. Give more people or episodes.")
    # Of a resample without one there is no AUC: another stands in its place, the same in all domains.
    rows = np.arange(resamples)
    rows[~measured] = np.resize(np.flatnonzero(measured), int((~measured).sum()))
    return {
        domain: {name: one._replace(each=one.each[rows]) for name, one in found[domain].items()} for domain in domains
    }


def _of_domain(queries: Queries, methods, place, counts, slots, rng) -> tuple[dict[str, Resampled], np.ndarray]:
    """By method, and which of the resamples hold anything to be measured."""
    labels = np.asarray(queries.labels)
    seeds, episodes, _ = labels.shape
    order, fakes = _order(labels), int((labels[0, 0] == FAKE).sum())
    numbers = np.vectorize(place.__getitem__, otypes=[int])(np.asarray(queries.people))
    who = np.take_along_axis(numbers, order, axis=-1).reshape(seeds * episodes, -1)
    drawn = rng.multinomial(episodes, np.full(episodes, 1 / episodes), size=slots.shape)
    shares = np.zeros((len(counts), seeds, episodes), np.float32)
    np.add.at(shares, (np.arange(len(counts))[:, None], slots), drawn)
    shares = shares.reshape(len(counts), -1)
    wins = {
        name: _wins(order, np.asarray(one), labels).reshape(len(who), fakes, -1).astype(np.float32)
        for name, one in methods.items()
    }
    total = {name: np.zeros(len(counts)) for name in methods}
    weight = np.zeros(len(counts))
    # One episode at a time: (resamples, fakes) @ (fakes, reals), and nothing of that size is kept.
    for episode, people in enumerate(who):
        of_fakes, of_reals = counts[:, people[:fakes]], counts[:, people[fakes:]]
        share = shares[:, episode]
        weight += share * of_fakes.sum(axis=1) * of_reals.sum(axis=1)
        for name in methods:
            total[name] += share * ((of_fakes @ wins[name][episode]) * of_reals).sum(axis=1)
    found = {
        name: Resampled(float(wins[name].mean(dtype=np.float64)), total[name] / np.maximum(weight, 1e-30))
        for name in methods
    }
    return found, weight > 0


def _order(labels: np.ndarray) -> np.ndarray:
    """Where the fakes and then the reals of every episode are."""
    return np.argsort(labels != FAKE, axis=-1, kind="stable")


def _wins(order: np.ndarray, scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Whether each fake outscores each real, ties half: `(..., fakes, reals)`."""
    fakes = int((labels.reshape(-1, labels.shape[-1])[0] == FAKE).sum())
    sorted_scores = np.take_along_axis(scores, order, axis=-1)
    above, below = sorted_scores[..., :fakes, None], sorted_scores[..., None, fakes:]
    return (above > below) + 0.5 * (above == below)


def _check(domains: Mapping[str, Queries], scores: Mapping[str, Mapping[str, ArrayLike]]) -> None:
    if not domains or set(domains) != set(scores):
        raise InputError("episodes: give query images and scores of the same domains, of one at least.")
    for domain, queries in domains.items():
        labels, people = np.asarray(queries.labels), np.asarray(queries.people)
        if labels.ndim != 3 or labels.shape != people.shape:
            raise InputError(
                f"episodes: labels {labels.shape} and people {people.shape} of '{domain}'. Give (seeds, episodes, "
                "queries) of both."
            )
        fakes = (labels == FAKE).sum(axis=-1)
        if fakes.min() != fakes.max() or not 0 < fakes.min() < labels.shape[-1]:
            raise InputError(f"episodes: those of '{domain}' differ in their numbers of fakes, or have one class only.")
        for method, values in scores[domain].items():
            if np.shape(values) != labels.shape:
                raise InputError(
                    f"episodes: scores of {method} on '{domain}' are {np.shape(values)}, labels {labels.shape}."
                )
            if not np.isfinite(np.asarray(values, np.float64)).all():
                raise InputError(f"episodes: a score of {method} on '{domain}' is not finite. Leave that method out.")
    if len({np.shape(queries.labels)[0] for queries in domains.values()}) > 1:
        raise InputError("episodes: domains with different numbers of seeds. Judge the same number of models on each.")
