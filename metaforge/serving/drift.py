r"""Whether what comes now is like what the detector was fitted on: the last verdicts beside the source's own numbers.

The familiarity of a picture is the share of the source's images that are at least as unusual. Over the source it is
uniform, by construction (`metaforge.evaluation.calibration.fit_familiarity`), so the source need not be at hand: a
tenth of its images has a familiarity below 0.1, and its distribution is $F(x) = x$. No detector says how the scores of
its source are distributed, so scores are compared with the first ones of this service.

All claims are made at a level of one in a thousand, for verdicts that are independent. Pictures that come in series
from one camera are not: to such a series an alarm says that this series is strange.
"""

import collections
import math
import threading
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

WINDOW = 1000
"""Verdicts that are looked at, and as many first ones that later scores are compared with."""

FEWEST = 100
"""Verdicts below which nothing is said."""

UNFAMILIAR = 0.1
"""The share of the source's pictures that count as unfamiliar, and the familiarity below which they do."""

BINS = 10

_LEVEL = 0.001
_Z = 3.2905267314918945
"""Of the normal distribution, half of the level lies above."""
_CHI = 27.877164871256575
"""Of the chi-squared distribution with one degree less than there are bins, the level lies above."""


class Share(NamedTuple):
    """A share and an interval for it."""

    value: float
    low: float
    high: float


class Drift:
    """The last verdicts of one detector, in bounded memory."""

    def __init__(self, *, window: int = WINDOW):
        """None was made yet.

        Other Arguments:
            window: how many are looked at.
        """
        self._window, self._lock = window, threading.Lock()
        self._familiar: collections.deque[float] = collections.deque(maxlen=window)
        self._decisions: collections.deque[str] = collections.deque(maxlen=window)
        self._first: list[int] = []
        self._bins: collections.deque[int] = collections.deque(maxlen=window)

    def saw(self, record: Mapping[str, Any]) -> None:
        """A file was judged.

        Of a picture its first face counts, for the source's familiarities are of single crops. Which face is the most
        suspicious depends on the scores, so the familiarity of that one would not be uniform.

        Args:
            record: `FileVerdict.as_json()`.
        """
        with self._lock:
            self._decisions.append(record["decision"])
            if record["kind"] != "image" or not record["faces"]:
                return
            face = record["faces"][0]
            if face["familiarity"] is not None:
                self._familiar.append(face["familiarity"])
            if face["p_fake"] is not None:
                place = min(int(face["p_fake"] * BINS), BINS - 1)
                (self._bins if len(self._first) >= self._window else self._first).append(place)

    @property
    def verdicts(self) -> int:
        """How many are looked at."""
        return len(self._decisions)

    def unfamiliar(self) -> Share | None:
        """The share of pictures with a familiarity below 0.1, which is 0.1 on the source; `None` of too few."""
        with self._lock:
            count, hits = len(self._familiar), sum(each < UNFAMILIAR for each in self._familiar)
        return None if count < FEWEST else wilson(hits, count)

    def distance(self) -> tuple[float, float] | None:
        """How far familiarities are from those of the source, and at least are; `None` of too few (`from_uniform`)."""
        with self._lock:
            found = list(self._familiar)
        return None if len(found) < FEWEST else from_uniform(found)

    def shift(self) -> tuple[float, float] | None:
        """How far scores have moved since the start, and how far chance moves them; `None` of too few (`stability`)."""
        with self._lock:
            first, now = self._first, list(self._bins)
            if len(first) < self._window or len(now) < FEWEST:
                return None
            return stability(_counts(first), _counts(now))

    def decisions(self) -> dict[str, float] | None:
        """The share of each decision; `None` of too few."""
        with self._lock:
            counts = collections.Counter(self._decisions)
        total = counts.total()
        if total < FEWEST:
            return None
        return {each: counts[each] / total for each in ("real", "cannot tell", "fake")}


def wilson(hits: int, count: int) -> Share:
    r"""A share, and Wilson's interval for it, at 99.9 %.

    $$\frac{\hat p + z^2 / 2n \pm z \sqrt{\hat p (1 - \hat p) / n + z^2 / 4n^2}}{1 + z^2 / n}$$

    Args:
        hits: of so many.
        count: how many there were, at least 1.

    Example:
        >>> share = wilson(10, 100)
        >>> print(f"{share.value} [{share.low:.3f}, {share.high:.3f}]")
        0.1 [0.037, 0.241]

    References:
        Wilson, *Probable Inference, the Law of Succession, and Statistical Inference*, 1927.
    """
    share, square = hits / count, _Z**2 / count
    middle = (share + square / 2) / (1 + square)
    half = math.sqrt(square * (share * (1 - share) + square / 4)) / (1 + square)
    return Share(share, max(0.0, middle - half), min(1.0, middle + half))


def from_uniform(values: Sequence[float]) -> tuple[float, float]:
    r"""The distance of Kolmogorov and Smirnov from the uniform distribution, and a bound that the true one is above.

    $$D_n = \sup_x |F_n(x) - x|, \qquad P(D_n - D > \epsilon) \le 2 e^{-2 n \epsilon^2},$$

    so with the level $\alpha$ the true distance is above $D_n - \sqrt{\ln(2 / \alpha) / 2n}$, and 0 is said where that
    is below.

    Args:
        values: in [0, 1], at least one.

    Example:
        >>> from_uniform([0.25, 0.75])
        (0.25, 0.0)
        >>> round(from_uniform([0.0] * 1000)[1], 3)
        0.938

    References:
        Massart, *The Tight Constant in the Dvoretzky-Kiefer-Wolfowitz Inequality*, 1990.
    """
    count = len(values)
    steps = enumerate(sorted(values))
    distance = max(max((place + 1) / count - value, value - place / count) for place, value in steps)
    return distance, max(0.0, distance - math.sqrt(math.log(2 / _LEVEL) / (2 * count)))


def stability(before: Sequence[int], now: Sequence[int]) -> tuple[float, float]:
    r"""The population stability index of counts in bins, and the value that chance exceeds once in a thousand.

    $$\text{PSI} = \sum_b (q_b - p_b) \ln \frac{q_b}{p_b}, \qquad
    \text{PSI} \sim \Big(\frac{1}{m} + \frac{1}{n}\Big) \chi^2_{B - 1}$$

    where nothing changed, for m counts before and n now. Half is added to each count, so that no bin is empty.

    Args:
        before: counts of each of the `BINS`.
        now: likewise.

    Example:
        >>> stability([50] * 10, [50] * 10)[0]
        0.0
        >>> value, chance = stability([100] * 10, [200] * 5 + [0] * 5)
        >>> value > 0.25 > chance
        True

    References:
        Yurdakul and Naranjo, *Statistical Properties of the Population Stability Index*, 2020.
    """
    m, n = sum(before), sum(now)
    shares = [((p + 0.5) / (m + BINS / 2), (q + 0.5) / (n + BINS / 2)) for p, q in zip(before, now, strict=True)]
    return sum((q - p) * math.log(q / p) for p, q in shares), (1 / m + 1 / n) * _CHI


def _counts(places: Sequence[int]) -> list[int]:
    found = collections.Counter(places)
    return [found[place] for place in range(BINS)]
