"""How sure one can be of a share or an AUC where there are few mistakes, or none: intervals that do not close there.

A bootstrap of ten images without a mistake has no mistake either, and its interval is a point. What is held against a
target needs the intervals of this module.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from metaforge.errors import InputError
from metaforge.evaluation.interval import Interval
from metaforge.evaluation.ranking import auc

RESAMPLES = 1000
"""Of people, for an AUC."""

_Z = 1.959963984540054
"""Of the normal distribution, 2.5 % lie above."""


def share_interval(hits: ArrayLike, clusters: ArrayLike) -> Interval:
    r"""The share of rows that are hits, and its 95 % interval, where rows of one person are alike.

    Clopper and Pearson's interval for as many independent rows as these are worth,

    $$n_\text{eff} = \frac{n}{\text{deff}}, \qquad
    \text{deff} = \frac{G}{G - 1} \sum_g \Big(\sum_{i \in g} (x_i - p)\Big)^2 \frac{n - 1}{n^2\,p (1 - p)},$$

    for $n$ rows in $G$ clusters; at most $n$. With a cluster for each row it is that of Clopper and Pearson. With $p$
    of 0 or 1 nothing is known of how alike rows are, and $n_\text{eff} = G$.

    Args:
        hits: whether each row is one, shape `(rows,)`.
        clusters: the person of each row, or what else rows have in common, shape `(rows,)`.

    Raises:
        InputError: without rows.

    Example:
        >>> print(f"{share_interval(np.zeros(122), np.arange(122)):.4f}")
        0.0000 [0.0000, 0.0298]

    References:
        Korn and Graubard, *Confidence Intervals For Proportions With Small Expected Number of Positive Counts
        Estimated From Survey Data*, 1998.
    """
    from scipy.stats import beta

    each, names = np.asarray(hits, np.float64), np.asarray(clusters)
    if each.ndim != 1 or not len(each) or names.shape != each.shape:
        raise InputError(
            f"share_interval: {each.shape} rows and {names.shape} clusters. Give both (rows,), at least 1."
        )
    _, index = np.unique(names, return_inverse=True)
    count, groups, share = len(each), int(index.max()) + 1, float(each.mean())
    worth = float(groups)
    if 0 < share < 1 and groups > 1:
        sums = np.bincount(index, weights=each - share)
        spread = (sums**2).sum() * groups / (groups - 1) * (count - 1) / count**2
        worth = count * share * (1 - share) / spread if spread > 0 else float(count)
    worth = min(max(worth, 1.0), float(count))
    right = share * worth
    low = float(beta.ppf(0.025, right, worth - right + 1)) if share > 0 else 0.0
    high = float(beta.ppf(0.975, right + 1, worth - right)) if share < 1 else 1.0
    return Interval(share, min(low, share), max(high, share))


def rows_without_a_mistake(share: float) -> int:
    """How many rows of different people, all of them right, show that mistakes are rarer than a share.

    Example:
        >>> rows_without_a_mistake(0.03), rows_without_a_mistake(0.02)
        (122, 183)
    """
    return math.floor(math.log(0.025) / math.log(1 - share)) + 1


def auc_interval(labels: ArrayLike, scores: ArrayLike, clusters: ArrayLike, *, seed: int = 0) -> Interval:
    r"""The AUC and its 95 % interval: Newcombe's, as wide as a bootstrap of people says, and never closed at 1.

    It holds all $\theta$ with $(\hat\theta - \theta)^2 \le z^2\,V(\theta) / f$, where

    $$V(\theta) = \frac{\theta (1 - \theta)}{m n} \Big(1 + k\,\frac{1 - \theta}{2 - \theta} +
    k\,\frac{\theta}{1 + \theta}\Big), \qquad k = \frac{m + n}{2} - 1,$$

    for $m$ people with reals and $n$ with fakes. With one image a person and class $f = 1$ is Newcombe's interval. Here
    $f$ is $V(\hat\theta)$ divided by the variance over resamples, at most the number of images a person and class, by
    which a person with many images may tell more. At an AUC of 1, where every resample has 1 too, $f = 1$. Where the
    middle 95 % of the resamples reach further, as with a handful of people, so does the interval.

    Args:
        labels: 0 (real) or 1 (fake), shape `(rows,)`.
        scores: higher for fake, shape `(rows,)`.
        clusters: the person of each row, shape `(rows,)`.

    Other Arguments:
        seed: of the bootstrap.

    Raises:
        InputError: as `metaforge.evaluation.auc`, or where all rows are of one person.

    Example:
        >>> labels = np.tile([0, 1], 20)
        >>> print(auc_interval(labels, labels, np.arange(40)))
        1.00 [0.90, 1.00]

    References:
        Newcombe, *Confidence intervals for an effect size measure based on the Mann-Whitney statistic. Part 2:
        asymptotic methods and evaluation*, 2006, method 5.
    """
    value = float(auc(labels, scores))
    fake = np.asarray(labels) > 0
    _, people = np.unique(np.asarray(clusters), return_inverse=True)
    if people.shape != fake.shape or people.max() < 1:
        raise InputError("auc_interval: name the person of every row, and give rows of two people or more.")
    apart = len(np.unique(people[~fake])), len(np.unique(people[fake]))
    drawn = _resampled(fake, np.asarray(scores, np.float64), people, seed)
    own, spread = _newcombe(value, *apart), float(np.var(drawn))
    worth = min(own / spread, len(fake) / sum(apart)) if own > 0 and spread > 0 else 1.0
    inside = lambda at: (value - at) ** 2 <= _Z**2 * _newcombe(at, *apart) / worth
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(value, min(_edge(inside, value, 0.0), float(low)), max(_edge(inside, value, 1.0), float(high)))


def _resampled(fake: np.ndarray, scores: np.ndarray, people: np.ndarray, seed: int) -> np.ndarray:
    """The AUC of each resample of people, in time and memory that grow with the rows alone."""
    _, place = np.unique(scores, return_inverse=True)
    count, levels, rng = int(people.max()) + 1, int(place.max()) + 1, np.random.default_rng(seed)
    sides = [(people[side], place[side]) for side in (fake, ~fake)]
    found = []
    while len(found) < RESAMPLES:
        times = np.bincount(rng.integers(count, size=count), minlength=count).astype(np.float64)
        fakes, reals = (np.bincount(at, weights=times[who], minlength=levels) for who, at in sides)
        pairs = fakes.sum() * reals.sum()
        if pairs > 0:  # a resample without one of the classes has no AUC
            found.append(float(fakes @ (np.cumsum(reals) - reals / 2)) / pairs)
    return np.array(found)


def _newcombe(at: float, reals: int, fakes: int) -> float:
    """The variance of an AUC."""
    beside = (reals + fakes) / 2 - 1
    return at * (1 - at) / (reals * fakes) * (1 + beside * ((1 - at) / (2 - at) + at / (1 + at)))


def _edge(inside: Callable[[float], bool], within: float, beyond: float) -> float:
    """Where an interval ends between a point within it and one beyond; the point itself if it ends there."""
    if within == beyond:
        return beyond
    # At 0 and 1 themselves the variance is 0; a hair away they are within.
    within += 1e-9 * (beyond - within)
    for _ in range(60):
        middle = (within + beyond) / 2
        within, beyond = (middle, beyond) if inside(middle) else (within, middle)
    return within
