"""How long a file would wait now, and what the service does about it: answers with less, and then refuses."""

import threading
from math import ceil
from typing import NamedTuple

from metaforge.serving.buckets import SIZES
from metaforge.serving.errors import Problem, problem
from metaforge.serving.queue import LANES, MOST, Lane
from metaforge.serving.scoring import Ask
from metaforge.serving.served import Served

_SHARE = 0.2
"""How much the latest batch counts in the mean time of a file."""

LONGEST = 0.5
"""Seconds that a batch should take at most."""


class Policy(NamedTuple):
    """What is done when.

    Attributes:
        degrade: from so many seconds of waiting on, evidence is left out, and the spare detector answers, if there is
            one.
        refuse: from so many on, what is not breaking is refused, before the queue grows.
    """

    degrade: float
    refuse: float

    def lighter(self, wait: float, filled: float) -> bool:
        """Whether answers have less in them.

        Args:
            wait: seconds that a file would wait.
            filled: the share of the queue that is taken; a full one refuses, as `refuse` seconds do.

        Example:
            >>> policy = Policy(degrade=5, refuse=15)
            >>> policy.lighter(6, 0.1), policy.lighter(1, 0.5), policy.lighter(1, 0.3)
            (True, True, False)
        """
        return wait > self.degrade or filled > self.degrade / self.refuse

    def check(self, wait: float) -> None:
        """Holds that a file would not wait too long.

        Args:
            wait: seconds that it would.

        Raises:
            Problem: if it would; after how long to come again stands in it.
        """
        if wait > self.refuse:
            text = f"Files wait for {wait:.0f} seconds already. Come again later."
            raise problem("too_many", text, retry_after=ceil(wait - self.refuse / 2))


SLOWER: dict[Lane, float] = {"fast": 1.0, "slow": 5.0}
"""So many times as long may a file of a lane wait: a video or a map takes seconds, a picture a part of one."""


def policies(degrade: float, refuse: float) -> dict[Lane, Policy]:
    """What is done when, in each lane.

    Args:
        degrade: of pictures.
        refuse: likewise.

    Example:
        >>> policies(1, 3)["slow"]
        Policy(degrade=5.0, refuse=15.0)
    """
    return {lane: Policy(degrade * times, refuse * times) for lane, times in SLOWER.items()}


def full(wait: float) -> Problem:
    """The problem of a file for which there is no room, where others wait for so many seconds.

    Example:
        >>> full(5.0).retry_after
        3
    """
    return problem(
        "too_many", "Too many files wait already. Come again in a moment.", retry_after=max(1, ceil(wait / 2))
    )


def lightened(ask: Ask, spare: Served | None) -> tuple[Ask, tuple[str, ...]]:
    """An ask with less in it, and what was left out.

    Args:
        ask: a file, and what is asked.
        spare: the detector that answers in place of the service's own, if there is one.
    """
    left = [name for name in ("evidence", "map") if getattr(ask, name)]
    lighter = ask._replace(evidence=False, map=False)
    if spare is not None and ask.served.id == "default":
        lighter, left = lighter._replace(served=spare), [*left, "model"]
    return lighter, tuple(left)


class Load:
    """How long a file takes in each lane, and so how long one would wait.

    The mean is exponential, $m <- (1 - s) m + s t / n$ for a batch of n files that took t seconds.
    """

    def __init__(self, workers: dict[Lane, int]):
        """Nothing is known yet, and nobody waits.

        Args:
            workers: of each lane.
        """
        self._workers = workers
        self._seconds: dict[Lane, float] = dict.fromkeys(LANES, 0.0)
        self._lock = threading.Lock()

    def took(self, lane: Lane, files: int, seconds: float) -> None:
        """A worker answered so many files in so many seconds."""
        with self._lock:
            each, before = seconds / max(files, 1), self._seconds[lane]
            self._seconds[lane] = each if before == 0 else before + _SHARE * (each - before)

    def batch(self, lane: Lane) -> int:
        """How many files a worker takes at a time: what it answers in `LONGEST`, since breaking ones wait behind them.

        Example:
            >>> load = Load({"fast": 1, "slow": 1})
            >>> load.took("fast", 4, 0.25)
            >>> load.batch("fast"), load.batch("slow")
            (8, 1)
        """
        with self._lock:
            each = self._seconds[lane]
        sizes = [size for size in SIZES if size <= MOST[lane] and size * each <= LONGEST]
        return max(sizes, default=1)

    def wait(self, lane: Lane, waiting: int) -> float:
        """Seconds that a file would wait behind so many.

        Example:
            >>> load = Load({"fast": 2, "slow": 1})
            >>> load.took("fast", 4, 2.0)
            >>> load.wait("fast", 10)
            2.5
        """
        with self._lock:
            return self._seconds[lane] * waiting / max(self._workers[lane], 1)
