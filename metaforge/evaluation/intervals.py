"""How sure one can be of a metric: bootstrap intervals over seeds, support sets and whole identities or videos.

Rows of one identity or video are alike, so they are not independent evidence; resampling them one by one gives
intervals that are far too narrow. Here the **resampling unit of the query rows is the cluster**, whatever `clusters`
names (say it beside every interval).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from metaforge.evaluation._resampling import interval_of, replicates
from metaforge.evaluation.interval import Interval
from metaforge.evaluation.multiple import bootstrap_p
from metaforge.evaluation.targets import Target, of_target


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

    Few clusters make intervals too narrow. In simulated studies of 10 videos, with half of the variance or more between
    videos and an AUC of 0.7 to 0.8, the 95 % interval held the truth in 87 % of studies; of 20 videos in 91 %, of 40 to
    60 in 93 to 94 %, of 80 to 200 in 94 %. It lies too high more often than too low. Resampling the frames of 60 videos
    one by one, it held the truth in 74 to 80 %.

    Repeating rows makes any detector look less calibrated, so the interval of `ece` lies too high, often above the
    value itself: compare two of them with `paired_difference`, where this nearly cancels.

    For the AUC it is enough to know $W_{ab}$, how often a fake of cluster $a$ outscores a real of cluster $b$ (ties
    half): with clusters counted $w$ times, $\mathrm{AUC}(w) = w^\top W w / (w^\top p)(w^\top q)$, where $p$ and $q$ are
    the numbers of fakes and reals in each. This is exact, and no resample is sorted. Nor is one for the EER, of which
    1,000 resamples of 160,000 rows in 5,000 clusters take half a second a model on two cores. `ap` and `ece` take a
    minute there, and the others but means over rows as long: ask for them on fewer rows, or with fewer resamples.

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
    rng = np.random.default_rng(seed)
    values, found = replicates(
        labels, methods, clusters, names, resamples=resamples, level=level, rng=rng, slots=resample_seeds
    )
    answers = {}
    for method in methods:
        of_metric = {name: interval_of(values[method, name], found[method, name], level) for name in names}
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
    how = {"metric": metric, "resamples": resamples, "seed": seed, "resample_seeds": resample_seeds}
    return paired_differences(labels, scores, baseline, clusters, levels=(level,), **how)[0]


def paired_differences(
    labels: ArrayLike,
    scores: ArrayLike,
    baseline: ArrayLike,
    clusters: ArrayLike,
    *,
    levels: Sequence[float],
    metric: str = "auc",
    resamples: int = 1000,
    seed: int = 0,
    resample_seeds: bool = True,
) -> list[Interval]:
    """The intervals of `paired_difference` at several levels, of the same resamples.

    So a difference can be told with its 95 % interval, and decided on by one for as many comparisons as were made: for
    `m` of them the interval of level `1 - 0.05 / m` (Bonferroni).

    Args:
        labels: 0 (real) or 1 (fake), shape `(rows,)`.
        scores: shape `(seeds, draws, rows)`; seed and draw `i` go with seed and draw `i` of `baseline`.
        baseline: likewise; an axis of 1 serves for all seeds or draws.
        clusters: the name of every row's identity or video, shape `(rows,)`: the resampling unit of rows.
        levels: the shares of resamples inside the intervals, in (0, 1), one or more.
        metric: a name in `METRICS`.
        resamples: how many resamples; a level nearer to 1 asks for more.
        seed: seeds the resampling.
        resample_seeds: `False` holds the seeds as they are.

    Returns:
        One interval for each level.

    Raises:
        InputError: as `bootstrap`.

    Example:
        >>> labels, people = np.array([0, 1] * 10), np.repeat(["ann", "bo", "cy", "di"], 5)
        >>> scores = np.random.default_rng(0).uniform(size=(1, 1, 20))
        >>> narrow, wide = paired_differences(labels, labels[None, None], scores, people, levels=(0.9, 0.99))
        >>> narrow.value == wide.value, wide.low <= narrow.low, narrow.high <= wide.high
        (True, True, True)
    """
    how = {"resamples": resamples, "rng": np.random.default_rng(seed), "slots": resample_seeds}
    found = of_target(Target(labels, scores, clusters, baseline), metric, level=max(levels), **how)
    return [interval_of(*found, level) for level in levels]


def paired_p(
    labels: ArrayLike,
    scores: ArrayLike,
    baseline: ArrayLike,
    clusters: ArrayLike,
    *,
    metric: str = "auc",
    resamples: int = 1000,
    seed: int = 0,
    resample_seeds: bool = True,
) -> float:
    """The p-value of "no difference", from the resamples of `paired_difference` with the same arguments.

    Two-sided; the 95 % interval leaves 0 out where this is below 0.05, but for rounding. Of differences on several
    targets, some fall below 0.05 by luck: take all p-values to `holm` and report what it says.

    Args:
        labels: 0 (real) or 1 (fake), shape `(rows,)`.
        scores: shape `(seeds, draws, rows)`; seed and draw `i` go with seed and draw `i` of `baseline`.
        baseline: likewise; an axis of 1 serves for all seeds or draws.
        clusters: the name of every row's identity or video, shape `(rows,)`: the resampling unit of rows.
        metric: a name in `METRICS`.
        resamples: how many resamples; p is at least `2 / (resamples + 1)`, so many targets ask for more of them.
        seed: seeds the resampling.
        resample_seeds: `False` holds the seeds as they are.

    Returns:
        p in (0, 1], as `bootstrap_p` has it.

    Raises:
        InputError: as `bootstrap`.

    Example:
        >>> labels, people = np.array([0, 1] * 10), np.repeat(["ann", "bo", "cy", "di"], 5)
        >>> scores = np.random.default_rng(0).uniform(size=(1, 1, 20))
        >>> paired_p(labels, scores, scores, people)
        1.0
    """
    rng = np.random.default_rng(seed)
    how = {"resamples": resamples, "level": 0.95, "rng": rng, "slots": resample_seeds}
    return bootstrap_p(of_target(Target(labels, scores, clusters, baseline), metric, **how)[1])
