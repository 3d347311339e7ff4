"""How small and how large a number among the settings of a command may be."""

import dataclasses
import math
from typing import Any, NamedTuple, TypeAlias

from metaforge.errors import InputError

Number: TypeAlias = int | float
"""A whole number is no `float` to those who check types while a program runs."""

MOST = 10**9
"""What no number of a command exceeds, unless its bounds say so: it fits 32 bits, and nothing takes so many steps."""

MOST_FLOAT = 3e38
"""What float32 can hold. A rate may be as large: one at which training diverges is said so when it does."""


class Bounds(NamedTuple):
    """What a number may be.

    Attributes:
        least: the smallest that will do.
        most: the largest that will do.
        above: what it must exceed, if anything.
        below: what it must stay under, if anything.

    Example:
        >>> Bounds(least=1).holds(0), Bounds(above=0, below=1).holds(0.5), Bounds().holds(math.nan)
        (False, True, False)
        >>> print(Bounds(above=0, below=1))
        above 0 and below 1
    """

    least: Number = 0
    most: Number = MOST
    above: Number | None = None
    below: Number | None = None

    def holds(self, value: Number) -> bool:
        """Whether a number is finite and within."""
        over = self.above is None or value > self.above
        under = self.below is None or value < self.below
        return math.isfinite(value) and self.least <= value <= self.most and over and under

    def __str__(self) -> str:
        """For a message: what stands behind "give a number,"."""
        said = lambda number: f"{number:,}" if number < 10**12 else f"{number:g}"
        low = f"at least {said(self.least)}" if self.above is None else f"above {said(self.above)}"
        high = f"at most {said(self.most)}" if self.below is None else f"below {said(self.below)}"
        return f"{low} and {high}"


def check_bounds(group: Any, *, prefix: str = "") -> None:
    """Holds every number among the settings, nested ones too, against its bounds.

    Args:
        group: a dataclass instance whose fields are made by `metaforge.settings.setting`.

    Other Arguments:
        prefix: of its flags, such as "learner.".

    Raises:
        InputError: for the first that is outside, or not finite, naming the flag and what it may be.

    Example:
        >>> from metaforge.settings import setting
        >>> @dataclasses.dataclass
        ... class Options:
        ...     rounds: int = setting(7, "Rounds.", least=1)
        >>> check_bounds(Options(rounds=0))
        Traceback (most recent call last):
        metaforge.errors.InputError: --rounds=0: give a whole number, at least 1 and at most 1,000,000,000.
    """
    for field in dataclasses.fields(group):
        value, bounds = getattr(group, field.name), field.metadata.get("bounds", Bounds())
        if dataclasses.is_dataclass(value):
            check_bounds(value, prefix=f"{prefix}{field.name}.")
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if not bounds.holds(value):
            kind = "a whole number" if field.type is int else "a number"
            raise InputError(f"--{prefix}{field.name}={value}: give {kind}, {bounds}.")
