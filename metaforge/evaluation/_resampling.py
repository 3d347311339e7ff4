"""How resamples are drawn and what a metric is on each: the machinery of `metaforge.evaluation.intervals`."""

import numpy as np

from metaforge.errors import InputError
from metaforge.evaluation._crossings import crossings
from metaforge.evaluation._rows import checked
from metaforge.evaluation.interval import Interval
from metaforge.evaluation.metrics import METRICS, OF_RESAMPLES, ROW_VALUES
from metaforge.labels import FAKE

_AT_ONCE = 2_000_000  # numbers in memory while resamples are measured together


def replicates(labels, methods, clusters, names, *, resamples, level, rng, slots):
    """The point values, and their `(resamples,)` replicates, both by `(method, metric)`.

    `slots`, shape `(resamples, seeds)`, holds the seeds that each resample drew; or it says whether to draw them
    (`True`) or to take every seed once (`False`).
    """
    labels, clusters = np.asarray(labels), np.asarray(clusters)
    methods = {method: np.asarray(scores, np.float64) for method, scores in methods.items()}
    _check(labels, methods, clusters, names, resamples, level)
    seeds, draws = np.broadcast_shapes(*(scores.shape[:2] for scores in methods.values()))
    members, index = np.unique(clusters, return_inverse=True)
    counts = cluster_counts(rng, index, labels == FAKE, len(members), resamples)
    if isinstance(slots, bool):
        slots = seed_slots(rng, seeds, resamples, slots)
    times = _model_counts(rng, slots, draws)
    values, found = {}, {}
    for method, scores in methods.items():
        for name in names:
            values[method, name] = np.mean(METRICS[name](labels, scores))
            each = resampled(name, labels, scores, index, counts)
            # Whole numbers, and one division: a mean of numbers of at most 1 is none above.
            found[method, name] = (each * times).sum(axis=(1, 2)) / (seeds * draws)
    return values, found


def cluster_counts(rng, index: np.ndarray, fake: np.ndarray, num: int, resamples: int) -> np.ndarray:
    """How often each resample holds each cluster, shape `(resamples, clusters)`; both classes always present."""
    holds = np.stack([np.bincount(index[kind], minlength=num) for kind in (fake, ~fake)], axis=1)
    counts = rng.multinomial(num, np.full(num, 1 / num), size=resamples)
    if not holds.any(axis=0).all():
        return counts
    # At least 1 - (1 - 1/num)^num > 0.63 of resamples hold a given cluster, so this ends soon.
    while (lacking := ((counts @ holds) == 0).any(axis=1)).any():
        counts[lacking] = rng.multinomial(num, np.full(num, 1 / num), size=int(lacking.sum()))
    return counts


def seed_slots(rng, seeds: int, resamples: int, resample_seeds: bool) -> np.ndarray:
    """The seeds in each resample, shape `(resamples, seeds)`."""
    if resample_seeds:
        return rng.integers(seeds, size=(resamples, seeds))
    return np.tile(np.arange(seeds), (resamples, 1))


def _model_counts(rng, slots: np.ndarray, draws: int) -> np.ndarray:
    """How often every (seed, draw) is in each resample, shape `(resamples, seeds, draws)`: `seeds * draws` in all."""
    # A seed that was drawn twice has its draws resampled twice, independently: one slot for each time.
    resamples, seeds = slots.shape
    in_slot = rng.multinomial(draws, np.full(draws, 1 / draws), size=(resamples, seeds))
    times = np.zeros((resamples, seeds, draws))
    np.add.at(times, (np.arange(resamples)[:, None], slots), in_slot)
    return times


def resampled(name: str, labels, scores, index: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The metric of every (seed, draw) on every resample of the clusters, shape `(resamples, seeds, draws)`."""
    if name in ROW_VALUES:
        # A mean over rows is a mean over clusters: no resample of the rows is laid out.
        each = ROW_VALUES[name](checked(labels, scores, None, probabilities=name))
        flat = each.reshape(-1, each.shape[-1]).astype(np.float64)
        sums = np.stack([np.bincount(index, weights=row, minlength=counts.shape[1]) for row in flat], axis=1)
        sizes = np.bincount(index, minlength=counts.shape[1])
        return (counts @ sums / (counts @ sizes)[:, None]).reshape(len(counts), *scores.shape[:-1])
    if name in OF_RESAMPLES:
        rows = checked(labels, scores, None)
        chunk = max(1, _AT_ONCE // scores.size)
        parts = [
            OF_RESAMPLES[name](rows._replace(weights=counts[at : at + chunk, index].astype(np.float64)))
            for at in range(0, len(counts), chunk)
        ]
        return np.concatenate(parts)
    if name not in ("auc", "eer"):
        return np.stack([METRICS[name](labels, scores, weights=count[index]) for count in counts])
    fake, flat = checked(labels, scores, None).fake, scores.reshape(-1, scores.shape[-1])
    if name == "auc":
        each = np.stack([_cluster_auc(fake, row, index, counts) for row in flat], axis=1)
    else:
        each = np.stack([crossings(fake, row, index, counts, at_once=_AT_ONCE) for row in flat], axis=1)
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
    if clusters.shape != labels.shape or _has_blank(clusters):
        raise InputError("bootstrap: a row has no cluster. Name the identity or video of every row.")
    if len(np.unique(clusters)) < 2:
        raise InputError(
            "bootstrap: one cluster says nothing of others. Give rows of at least two identities or videos."
        )
    if resamples < 1 or not 0 < level < 1:
        raise InputError(f"bootstrap: {resamples} resamples at level {level}. Use at least 1, and a level in (0, 1).")


def _has_blank(clusters: np.ndarray) -> bool:
    if clusters.dtype.kind == "O":  # of any Python objects, only text can be sorted and told from a missing value
        return not all(isinstance(name, str) and name for name in clusters)
    return clusters.dtype.kind in "UST" and bool((clusters == clusters.dtype.type()).any())


def interval_of(value: float, resampled: np.ndarray, level: float) -> Interval:
    """The value, and the middle `level` of the replicates."""
    low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(value), float(low), float(high))
