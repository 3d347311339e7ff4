"""The equal error rate of many resamples at once, without sorting or laying out the rows of any of them.

Resamples differ only in how often each cluster counts. So the weight of fakes and reals above a few thresholds is one
matrix product for all resamples; it says between which two of them a resample's rates cross, and only the rows in
between are looked at one by one. Counts are whole numbers, whose sums float64 holds exactly: the values are those of
`equal_error_rate` on the resampled rows.
"""

import numpy as np

_KNOTS = 256  # thresholds that every resample is measured at


def crossings(
    fake: np.ndarray, scores: np.ndarray, index: np.ndarray, counts: np.ndarray, *, at_once: int
) -> np.ndarray:
    """The equal error rate on every resample, float64, shape `(resamples,)`.

    Args:
        fake: bool, shape `(rows,)`.
        scores: shape `(rows,)`, one detector's.
        index: the cluster of every row, shape `(rows,)`.
        counts: how often each resample holds each cluster, shape `(resamples, clusters)`; both classes are in each.

    Other Arguments:
        at_once: how many numbers may be laid out together.
    """
    order = np.argsort(-scores)
    ranked, fake, index = scores[order], fake[order], index[order]
    # A threshold lies below a whole run of equal scores, so ties are neither won nor lost.
    ends = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)
    knots = ends[np.unique(np.linspace(0, len(ends) - 1, min(_KNOTS, len(ends))).astype(int))]
    starts = np.append(0, knots[:-1] + 1)
    block = np.searchsorted(knots, np.arange(len(ranked)))
    counts = counts.astype(np.float64)

    def above(kind: np.ndarray) -> np.ndarray:
        places = index[kind] * len(knots) + block[kind]
        held = np.bincount(places, minlength=counts.shape[1] * len(knots)).reshape(-1, len(knots))
        return counts @ held.cumsum(axis=1, dtype=np.float64)

    hits, alarms = above(fake), above(~fake)
    totals = np.stack([hits[:, -1], alarms[:, -1]], axis=1)
    where = np.argmax(_excess(hits, alarms, totals) >= 0, axis=1)
    found = np.empty(len(counts))
    for number in np.unique(where).tolist():
        rows = slice(starts[number], knots[number] + 1)
        points = ends[(ends >= rows.start) & (ends < rows.stop)] - rows.start
        mine = np.flatnonzero(where == number)
        step = max(1, at_once // (rows.stop - rows.start))
        for some in (mine[at : at + step] for at in range(0, len(mine), step)):
            base = [each[some, number - 1] if number else np.zeros(len(some)) for each in (hits, alarms)]
            weights = counts[np.ix_(some, index[rows])]
            hits_here, alarms_here = (
                np.concatenate([at[:, None], at[:, None] + (weights * kind).cumsum(axis=1)[:, points]], axis=1)
                for at, kind in zip(base, (fake[rows], ~fake[rows]), strict=True)
            )
            found[some] = _cross(hits_here, alarms_here, totals[some])
    return found


def _excess(hits: np.ndarray, alarms: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """The share of reals accused minus that of fakes missed: climbs from -1 to 1 along the curve."""
    return alarms / totals[:, 1:] - (1 - hits / totals[:, :1])


def _cross(hits: np.ndarray, alarms: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Where a piece of the curve, below the crossing at its first point and not at its last, crosses; interpolated."""
    accused, excess = alarms / totals[:, 1:], _excess(hits, alarms, totals)
    after = np.argmax(excess >= 0, axis=1)[:, None]
    low, high = np.take_along_axis(excess, after - 1, 1), np.take_along_axis(excess, after, 1)
    start, end = np.take_along_axis(accused, after - 1, 1), np.take_along_axis(accused, after, 1)
    return (start + (end - start) * -low / (high - low))[:, 0]
