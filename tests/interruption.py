"""Runs that are interrupted where a row is to be logged."""

from collections.abc import Callable

import pytest

from metaforge import runs


def interrupted(train: Callable[[], object], *, when: Callable[[list[dict]], bool]) -> None:
    """Trains until a row is to be logged at which all rows so far ask for it; that one is not logged."""
    log, rows = runs.Run.log, []

    def interrupt(self, row):
        rows.append(row)
        if when(rows):
            raise KeyboardInterrupt
        log(self, row)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs.Run, "log", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train()
