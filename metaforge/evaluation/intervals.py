"""How sure one can be of a metric: bootstrap intervals over seeds, support sets and whole identities or videos.

Rows of one identity or video are alike, so they are not independent evidence; resampling them one by one gives
intervals that are far too narrow. Here the **resampling unit of the query rows is the cluster**, whatever `clusters`
names (say it beside every interval).
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from metaforge.errors import InputError
from metaforge.evaluation.metrics import METRICS
from metaforge.types import FAKE


class Interval(NamedTuple):
    """A value and the interval around it. `str()` and `format()` print it: `f"{interval:.3f}"`.

    Example:
        >>> print(Interval(0.789, 0.741, 0.832))
        0.79 [0.74, 0.83]
        >>> f"{Interval(0.789, 0.741, 0.832):+.1%}"
        '+78.9% [+74.1%, +83.2%]'
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """The interval with two digits."""
        return format(self, ".2f")

    def __format__(self, spec: str) -> str:
        """The three numbers, each with the format `spec`; two digits if it is empty."""
        value, low, high = (format(number, spec or ".2f") for number in self)
        return f"{value} [{low}, {high}]"


def bootstrap(
    labels: ArrayLike,
    scores: ArrayLike | Mapping[str, ArrayLike],
    clusters: ArrayLike,
    *,
    metric: str | Sequence[str] = "auc",
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    resample_seeds: bool = True,
) -> Any:
    r"""Percentile intervals of the mean of a metric over seeds and support draws.

    The value is the mean over (seed, draw) of the metric on all rows. Every resample draws, each with replacement and
    as many as there are:

    1. seeds: trained models;
    2. draws, anew within every drawn seed: the support sets that a model was adapted on;
    3. clusters: identities or videos, each with all of its query rows, one selection for all models and draws.

    Its mean is taken again, and the interval holds the middle `level` of those. A resample without real or without
    fake rows has its clusters drawn again (unless the rows given are of one class already). All methods and metrics
    see the same resamples.

    The interval speaks of new seeds, new support sets and new identities from the same source; not of a new domain.
    Three seeds tell little about seeds: with $k$ seeds their part of the variance comes out $(k - 1) / k$ of what it
    is, and with one seed the interval is of that one model.

    Repeating rows makes any detector look less calibrated, so the interval of `ece` lies too high, often above the
    value itself: compare two of them with `paired_difference`, where this nearly cancels.

    For the AUC it is enough to know $W_{ab}$, how often a fake of cluster $a$ outscores a real of cluster $b$ (ties
    half): with clusters counted $w$ times, $\mathrm{AUC}(w) = w^\top W w / (w^\top p)(w^\top q)$, where $p$ and $q$ are
    the numbers of fakes and reals in each. This is exact, and no resample is sorted.

    Args:
        labels: 0 (real) or 1 (fake), shape `(rows,)`.
        scores: the probability of fake, shape `(seeds, draws, rows)`; or several methods, name to such scores of the
            same rows. An axis of 1 serves for all of another method's seeds or draws (a method without adaptation has
            one draw).
        clusters: the name of every row's identity or video, shape `(rows,)`.
        metric: a name in `METRICS`, or several.
        resamples: how many resamples.
        level: the share of resamples inside the interval, in (0, 1).
        seed: seeds the resampling; the same seed gives the same interval.
        resample_seeds: `False` holds the seeds as they are (all of them, once), for a statement on these models.

    Returns:
        An `Interval`; with several metrics, a dict from metric to `Interval`; with several methods, a dict from method
        to that.

    Raises:
        InputError: if a shape, a name or a metric is wrong, there are fewer than two clusters, or a metric that needs
            both classes has one.

    Example:
        >>> labels = np.array([0, 1] * 20)
        >>> people = np.repeat([f"person {i}" for i in range(10)], 4)
        >>> scores = np.random.default_rng(0).normal(labels, 1.0, size=(3, 5, 40))
        >>> interval = bootstrap(labels, scores, people)
        >>> bool(0.5 < interval.low < interval.value < interval.high < 1)
        True

    References:
        Davison and Hinkley, *Bootstrap Methods and their Application*, 1997, section 3.8 (resampling whole clusters).
    """
    methods = dict(scores) if isinstance(scores, Mapping) else {"": scores}
    names = [metric] if isinstance(metric, str) else list(metric)
    values, replicates = _replicates(labels, methods, clusters, names, resamples, level, seed, resample_seeds)
    answers = {}
    for method in methods:
        of_metric = {name: _interval(values[method, name], replicates[method, name], level) for name in names}
        answers[method] = of_metric[names[0]] if isinstance(metric, str) else of_metric
    return answers if isinstance(scores, Mapping) else answers[""]


def paired_difference(
    labels: ArrayLike,
    scores: ArrayLike,
    baseline: ArrayLike,
    clusters: ArrayLike,
    *,
    metric: str = "auc",
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    resample_seeds: bool = True,
) -> Interval:
    """How much higher the metric is with `scores` than with `baseline`, and the interval of that difference.

    Both are judged on the same resampled seeds, draws and clusters, so what moves both alike (an easy identity, an
    unlucky support set) cancels. If the interval leaves 0 out, the difference is more than the luck of these.

    Args:
        labels: 0 (real) or 1 (fake), shape `(rows,)`.
        scores: shape `(seeds, draws, rows)`; seed and draw `i` go with seed and draw `i` of `baseline`.
        baseline: likewise; an axis of 1 serves for all seeds or draws.
        clusters: the name of every row's identity or video, shape `(rows,)`: the resampling unit of rows.
        metric: a name in `METRICS`. Of `eer`, `ece`, `nll` and `brier` lower is better.
        resamples: how many resamples.
        level: the share of resamples inside the interval, in (0, 1).
        seed: seeds the resampling.
        resample_seeds: `False` holds the seeds as they are.

    Returns:
        The interval of the mean over (seed, draw) of `metric(scores) - metric(baseline)`.

    Raises:
        InputError: as `bootstrap`.

    Example:
        >>> labels, people = np.array([0, 1] * 10), np.repeat(["ann", "bo", "cy", "di"], 5)
        >>> scores = np.random.default_rng(0).uniform(size=(1, 1, 20))
        >>> print(paired_difference(labels, scores, scores, people))
        0.00 [0.00, 0.00]
    """
    methods = {"scores": scores, "baseline": baseline}
    values, replicates = _replicates(labels, methods, clusters, [metric], resamples, level, seed, resample_seeds)
    ours, theirs = ("scores", metric), ("baseline", metric)
    return _interval(values[ours] - values[theirs], replicates[ours] - replicates[theirs], level)


def _interval(value: float, replicates: np.ndarray, level: float) -> Interval:
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(value), float(low), float(high))


def _replicates(labels, methods, clusters, names, resamples, level, seed, resample_seeds):
    """The point values, and their `(resamples,)` replicates, both by `(method, metric)`."""
    labels, clusters = np.asarray(labels), np.asarray(clusters)
    methods = {method: np.asarray(scores, np.float64) for method, scores in methods.items()}
    _check(labels, methods, clusters, names, resamples, level)
    seeds, draws = np.broadcast_shapes(*(scores.shape[:2] for scores in methods.values()))
    rng = np.random.default_rng(seed)
    members, index = np.unique(clusters, return_inverse=True)
    counts = _cluster_counts(rng, index, labels == FAKE, len(members), resamples)
    shares = _model_shares(rng, seeds, draws, resamples, resample_seeds)
    values, replicates = {}, {}
    for method, scores in methods.items():
        for name in names:
            values[method, name] = np.mean(METRICS[name](labels, scores))
            each = _resampled(name, labels, scores, index, counts)
            replicates[method, name] = (each * shares).sum(axis=(1, 2))
    return values, replicates


def _cluster_counts(rng, index: np.ndarray, fake: np.ndarray, num: int, resamples: int) -> np.ndarray:
    """How often each resample holds each cluster, shape `(resamples, clusters)`; both classes always present."""
    holds = np.stack([np.bincount(index[kind], minlength=num) for kind in (fake, ~fake)], axis=1)
    counts = rng.multinomial(num, np.full(num, 1 / num), size=resamples)
    if not holds.any(axis=0).all():
        return counts
    # At least 1 - (1 - 1/num)^num > 0.63 of resamples hold a given cluster, so this ends soon.
    while (lacking := ((counts @ holds) == 0).any(axis=1)).any():
        counts[lacking] = rng.multinomial(num, np.full(num, 1 / num), size=int(lacking.sum()))
    return counts


def _model_shares(rng, seeds: int, draws: int, resamples: int, resample_seeds: bool) -> np.ndarray:
    """The weight of every (seed, draw) in each resample's mean, shape `(resamples, seeds, draws)`, summing to 1."""
    # A seed that was drawn twice has its draws resampled twice, independently: one slot for each time.
    slots = np.tile(np.arange(seeds), (resamples, 1))
    if resample_seeds:
        slots = rng.integers(seeds, size=(resamples, seeds))
    in_slot = rng.multinomial(draws, np.full(draws, 1 / draws), size=(resamples, seeds))
    shares = np.zeros((resamples, seeds, draws))
    np.add.at(shares, (np.arange(resamples)[:, None], slots), in_slot)
    return shares / (seeds * draws)


def _resampled(name: str, labels, scores, index: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The metric of every (seed, draw) on every resample of the clusters, shape `(resamples, seeds, draws)`."""
    if name != "auc":
        return np.stack([METRICS[name](labels, scores, weights=count[index]) for count in counts])
    flat = scores.reshape(-1, scores.shape[-1])
    each = np.stack([_cluster_auc(labels == FAKE, row, index, counts) for row in flat], axis=1)
    return each.reshape(len(counts), *scores.shape[:-1])


def _cluster_auc(fake: np.ndarray, scores: np.ndarray, index: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The AUC of one score vector on every resample, shape `(resamples,)`: `w W w / (w p) (w q)`."""
    num = counts.shape[1]
    fakes, reals = np.bincount(index[fake], minlength=num), np.bincount(index[~fake], minlength=num)
    order = np.argsort(scores[~fake])
    ranked, owner = scores[~fake][order], index[~fake][order]
    wins = np.zeros((num, num))
    # One cluster of fakes at a time: a real of rank r is beaten by the fakes whose insertion point lies beyond it.
    for cluster in np.flatnonzero(fakes):
        challengers = scores[fake & (index == cluster)]
        beaten = np.zeros(len(ranked) + 1)
        for side in ("left", "right"):  # strictly above, and at least equal: their mean counts ties half
            np.add.at(beaten, np.searchsorted(ranked, challengers, side), 0.5)
        beaten = beaten[::-1].cumsum()[::-1][1:]
        wins[cluster] = np.bincount(owner, weights=beaten, minlength=num)
    weights = counts.astype(np.float64)
    return ((weights @ wins) * weights).sum(axis=1) / ((weights @ fakes) * (weights @ reals))


def _check(labels, methods, clusters, names, resamples, level) -> None:
    unknown = [name for name in names if name not in METRICS]
    if unknown or not names:
        raise InputError(f"bootstrap: unknown metric {unknown}. Known: {', '.join(METRICS)}.")
    if not methods:
        raise InputError("bootstrap: no method was given. Give the scores of at least one.")
    for method, scores in methods.items():
        if scores.ndim != 3 or 0 in scores.shape or scores.shape[2] != labels.size:
            raise InputError(
                f"bootstrap: scores {method!r} have shape {scores.shape} for {labels.size} labels. "
                "Give (seeds, draws, rows), with an axis of 1 where there is one seed or one draw."
            )
    shapes = {method: scores.shape[:2] for method, scores in methods.items()}
    try:
        np.broadcast_shapes(*shapes.values())
    except ValueError:
        raise InputError(
            f"bootstrap: (seeds, draws) differ: {shapes}. Judge all on the same seeds and draws."
        ) from None
    if clusters.shape != labels.shape or (clusters.dtype.kind in "US" and (clusters == clusters.dtype.type()).any()):
        raise InputError("bootstrap: a row has no cluster. Name the identity or video of every row.")
    if len(np.unique(clusters)) < 2:
        raise InputError(
            "bootstrap: one cluster says nothing of others. Give rows of at least two identities or videos."
        )
    if resamples < 1 or not 0 < level < 1:
        raise InputError(f"bootstrap: {resamples} resamples at level {level}. Use at least 1, and a level in (0, 1).")
