"""How far a probability can be believed: what share of the images with it were fake, from collection to collection."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from metaforge.errors import InputError
from metaforge.evaluation._rows import checked
from metaforge.evaluation.calibration._stored import number, stored

LEAST = 3
"""Collections from which on anything is said: two say hardly how far the next one lies, and one nothing."""

KNOTS = 41
"""Probabilities, evenly spaced from 0 to 1, at which the interval is kept; between two it is interpolated."""


class Spread(NamedTuple):
    """An interval for the share of fakes among the images with a probability, in a collection that is not known yet.

    Attributes:
        low: its lower end at probabilities that are evenly spaced from 0 to 1; never falling, and never above them.
        high: its upper end; never below them.
        level: how sure it is.
        collections: of how many it was fitted.

    Example:
        >>> Spread((0.0, 0.3, 0.8), (0.2, 0.7, 1.0), 0.95, 5)([0.5, 0.75])
        [(0.3, 0.7), (0.55, 0.85)]
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    level: float
    collections: int

    def __call__(self, probabilities: ArrayLike) -> list[tuple[float, float] | None]:
        """Low and high of each probability; `None` for one that is no number."""
        asked = np.asarray(probabilities, np.float64)
        places = np.linspace(0, 1, len(self.low))
        ends = (np.interp(asked, places, side).tolist() for side in (self.low, self.high))
        return [None if np.isnan(low) else (low, high) for low, high in zip(*ends, strict=True)]

    def as_json(self) -> dict[str, Any]:
        """What a file holds of it."""
        return self._asdict() | {"low": list(self.low), "high": list(self.high)}

    @classmethod
    def from_json(cls, found: Any) -> "Spread":
        """What `as_json` wrote.

        Raises:
            InputError: for anything else.
        """
        found = stored(found, cls._fields, "an interval for probabilities")
        ends = []
        for name in ("low", "high"):
            side = found[name]
            if not isinstance(side, list) or not 2 <= len(side) <= 10_001 or len(side) != len(found["low"]):
                raise InputError("calibration: the interval's ends are no two lists of as many. Fit them anew.")
            ends.append(tuple(number(each, "an end of the interval", low=0, high=1) for each in side))
            if list(ends[-1]) != sorted(ends[-1]):
                raise InputError("calibration: an end of the interval falls. Fit it anew.")
        if any(low > high for low, high in zip(*ends, strict=True)):
            raise InputError("calibration: the interval's low end lies above its high one. Fit it anew.")
        level = number(found["level"], "the interval's level", low=0, high=1)
        return cls(ends[0], ends[1], level, int(number(found["collections"], "the number of collections", low=0)))


def venn_abers(scores: ArrayLike, labels: ArrayLike, at: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    r"""The two probabilities that an inductive Venn-Abers predictor gives a score.

    Of a calibration set $(s_i, y_i)$ and a score $s$, $p_0$ is the value at $s$ of the isotonic regression of the set
    with $(s, 0)$ added to it, and $p_1$ the same with $(s, 1)$. One of the two is calibrated, that of the true label,
    whatever the distribution, if the set and the new image are exchangeable (theorem 1). Each class of the set weighs
    as much as half of its images.

    Args:
        scores: of the calibration set, higher for fake, shape `(rows,)`.
        labels: 0 (real) or 1 (fake), shape `(rows,)`.
        at: scores, shape `(places,)`.

    Returns:
        $p_0$ and $p_1$, shape `(places,)` each; $p_0 \le p_1$.

    Raises:
        InputError: without reals or without fakes.

    Example:
        >>> low, high = venn_abers([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1], [0.5, 0.95])
        >>> print(low.round(3), high.round(3))
        [0.    0.667] [1. 1.]

    References:
        Vovk, Petej, Fedorova, *Large-scale probabilistic predictors with and without guarantees of validity*, NeurIPS
        2015, section 3 and algorithms 1 to 4; <https://arxiv.org/abs/1511.00213>
    """
    # SciPy's optimizers load slowly, and only fitting needs them.
    from scipy.optimize import isotonic_regression

    rows = checked(labels, scores, None, both_classes="venn_abers")
    levels, place = np.unique(rows.scores, return_inverse=True)
    share = rows.fake.mean()
    weight = np.where(rows.fake, 0.5 / share, 0.5 / (1 - share))
    mass = np.bincount(place, weights=weight)
    fakes = np.bincount(place, weights=weight * rows.fake)
    found = np.empty((2, np.size(at)))
    for number_, score in enumerate(np.asarray(at, np.float64)):
        where = int(np.searchsorted(levels, score))
        known = where < len(levels) and levels[where] == score
        for label in (0, 1):
            total = mass.copy() if known else np.insert(mass, where, 0.0)
            hit = fakes.copy() if known else np.insert(fakes, where, 0.0)
            total[where] += 1
            hit[where] += label
            found[label, number_] = isotonic_regression(hit / total, weights=total).x[where]
    return found[0], found[1]


def fit_spread(
    probabilities: ArrayLike, labels: ArrayLike, groups: ArrayLike, *, level: float = 0.95, knots: int = KNOTS
) -> Spread | None:
    r"""The interval in which the next collection's share of fakes lies, from those that were left out.

    What is unsure about a probability is not the number of images but the next camera. Pooled over thousands of images,
    the two probabilities of a Venn-Abers predictor lie less than .01 apart, and are right for another image of the same
    collections alone. So each of the $m$ collections that were left out has its own, merged to
    $q_j = p_1 / (1 - p_0 + p_1)$ (section 4 there), and the interval is the one for one more observation of a normal
    variable whose mean and variance are not known,

    $$\bar q \pm t_{m - 1} \sqrt{1 + 1 / m} \; s_q, \qquad s_q^2 = \sum_j (q_j - \bar q)^2 / (m - 1).$$

    It is cut to [0, 1], and widened so that it holds the probability itself and neither end falls where the probability
    rises. With few collections $t$ is large, and the interval wide: so little they say.

    Args:
        probabilities: as they are told, each by a fit without the group of its image, shape `(rows,)`.
        labels: 0 (real) or 1 (fake), shape `(rows,)`.
        groups: the collection of each row, shape `(rows,)`.

    Other Arguments:
        level: how sure the interval is.
        knots: at how many probabilities it is kept.

    Returns:
        `None` with fewer than three collections that have reals and fakes.

    Example:
        >>> labels, groups = np.tile([0, 1], 60), np.repeat(["a", "b", "c"], 40)
        >>> found = fit_spread(np.where(labels, 0.9, 0.1), labels, groups)
        >>> [tuple(round(end, 2) for end in each) for each in found([0.9])]
        [(0.9, 0.95)]

    References:
        Vovk, Petej, Fedorova, *Large-scale probabilistic predictors with and without guarantees of validity*, NeurIPS
        2015, sections 3 and 4; <https://arxiv.org/abs/1511.00213>
    """
    from scipy.stats import t

    rows, named = checked(labels, probabilities, None, probabilities="fit_spread"), np.asarray(groups)
    places = np.linspace(0, 1, knots)
    each = []
    for name in np.unique(named):
        mine = named == name
        if 0 < rows.fake[mine].sum() < mine.sum():
            low, high = venn_abers(rows.scores[mine], rows.fake[mine].astype(int), places)
            each.append(high / (1 - low + high))
    count = len(each)
    if count < LEAST:
        return None
    middle, deviation = np.mean(each, axis=0), np.std(each, axis=0, ddof=1)
    reach = float(t.ppf((1 + level) / 2, count - 1)) * np.sqrt(1 + 1 / count) * deviation
    low = np.minimum(np.clip(middle - reach, 0, 1), places)
    high = np.maximum(np.clip(middle + reach, 0, 1), places)
    # Rounded, so that a detector's config.json stays short.
    kept = lambda side: tuple(side.round(4).tolist())
    return Spread(kept(np.minimum.accumulate(low[::-1])[::-1]), kept(np.maximum.accumulate(high)), level, count)
