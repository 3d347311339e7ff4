"""Cells, lines and heads of tables in Markdown, for what reports on strangers have in common."""

from collections.abc import Sequence

from metaforge.evaluation.interval import Interval


def head(names: Sequence[str]) -> list[str]:
    """The two lines above a table."""
    return [line(names), "|---" * len(names) + "|"]


def line(cells: Sequence[str]) -> str:
    """A line of a table.

    Example:
        >>> line(["a", "b"])
        '| a | b |'
    """
    return "| " + " | ".join(cells) + " |"


def show(part: dict[str, float], spec: str) -> str:
    """An interval as a report has it, each of its numbers by the same format."""
    return format(Interval.from_json(part), spec)
