"""A value with its interval: how it is printed, and the one form that it has in reports."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from metaforge.errors import InputError


class Interval(NamedTuple):
    """A value and the interval around it. `str()` and `format()` print it: `f"{interval:.3f}"`.

    Example:
        >>> print(Interval(0.789, 0.741, 0.832))
        0.79 [0.74, 0.83]
        >>> f"{Interval(0.789, 0.741, 0.832):+.1%}"
        '+78.9% [+74.1%, +83.2%]'
        >>> Interval(0.789, 0.741, 0.832).as_json()
        {'value': 0.789, 'low': 0.741, 'high': 0.832}
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

    def as_json(self) -> dict[str, float]:
        """What stands in a report: an object with `value`, `low` and `high`, and nothing else."""
        return self._asdict()

    @classmethod
    def from_json(cls, found: Any) -> "Interval":
        """An interval that a report holds.

        Raises:
            InputError: for anything but the form that `as_json` writes, such as the lists of earlier reports.

        Example:
            >>> print(Interval.from_json({"value": 0.789, "low": 0.741, "high": 0.832}))
            0.79 [0.74, 0.83]
        """
        if not isinstance(found, Mapping) or set(found) != set(cls._fields):
            raise InputError(
                f"report: {str(found)[:80]} stands for an interval, which is an object of value, low and high. Make "
                "the report anew: an earlier version wrote it otherwise."
            )
        return cls(**found)
