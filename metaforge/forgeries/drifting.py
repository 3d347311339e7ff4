"""A generator whose continuous draws drift slowly with time: what makes a forgery of frames one of a video.

A forgery method draws its parameters from a generator. Given one of its own for each frame it would flicker; given the
same one for each, its parameters would stand still, which no real forgery's do.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

RATE = 0.2
"""How far a draw moves in a second at most, in parts of its range."""


class Drifting(np.random.Generator):
    r"""The generator of a video at one moment: every moment draws the same, but for numbers from a range.

    A number in [low, high) is $l + (h - l)\,\Lambda(u + v t)$ with $u$ uniform in [0, 1), a pace $v$ uniform in $\pm$
    `RATE`, and $\Lambda$ the reflection at 0 and 1. At every moment it is therefore distributed as if drawn anew, and
    it moves on smoothly. Coins, whole numbers and choices stay as they are for the whole video.

    Args:
        words: whole numbers that seed the video.
        seconds: the moment.

    Example:
        >>> first, later, end = (Drifting([1, 2], seconds) for seconds in (0.0, 0.04, 2.0))
        >>> begun, moved = first.uniform(10, 20, 100), later.uniform(10, 20, 100)
        >>> bool(0 < np.abs(moved - begun).max() < 0.081), bool(np.abs(end.uniform(10, 20, 100) - begun).max() > 2)
        (True, True)
        >>> len({int(each.integers(0, 1000)) for each in (first, later, end)}) == 1
        True
    """

    def __init__(self, words: Sequence[int], seconds: float):
        """Seeds the generator."""
        super().__init__(np.random.PCG64(np.random.SeedSequence([*words, 0])))
        self._paces = np.random.default_rng(np.random.SeedSequence([*words, 1]))
        self._seconds = seconds

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        """Numbers in [low, high) that drift; otherwise as `numpy.random.Generator.uniform`."""
        shape = np.broadcast_shapes(np.shape(low), np.shape(high)) if size is None else size
        place = self.random(shape) + self._paces.uniform(-RATE, RATE, shape) * self._seconds
        drawn = low + (np.asarray(high) - low) * reflected(place)
        return float(drawn) if np.ndim(drawn) == 0 else drawn


def reflected(place: Any) -> Any:
    """Numbers folded into [0, 1] as between two mirrors.

    Example:
        >>> reflected(np.array([0.25, 1.25, -0.25, 2.0])).tolist()
        [0.25, 0.75, 0.25, 0.0]
    """
    return 1 - np.abs(1 - np.mod(place, 2))
