"""Sorting more than the memory should hold: sorted runs in files without a name, merged."""

import contextlib
import heapq
import itertools
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any

RUN = 50_000
"""Items that are held in memory at a time."""


def sorted_on_disk(items: Iterable[Any], *, key: Callable[[Any], Any], run: int = RUN) -> Iterator[Any]:
    """Any number of items in order, of which `run` are held in memory, and of each run on the disk one.

    Args:
        items: what JSON can say; an item comes back as JSON gives it.

    Other Arguments:
        key: what they are ordered by. Items with equal keys come in the order in which they were given.
        run: how many are sorted in memory. No file is made for so few.

    Example:
        >>> list(sorted_on_disk([5, 3, 9, 1, 4], key=lambda number: number, run=2))
        [1, 3, 4, 5, 9]
    """
    items = iter(items)
    runs: list[Iterator[Any]] = []
    with contextlib.ExitStack() as files:
        while some := sorted(itertools.islice(items, run), key=key):
            if len(some) < run and not runs:
                yield from some
                return
            file = files.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8"))
            file.writelines(f"{json.dumps(item)}\n" for item in some)
            runs.append(_read(file))
        del some
        yield from heapq.merge(*runs, key=key)


def _read(file: IO[str]) -> Iterator[Any]:
    file.seek(0)
    return map(json.loads, file)
