"""So many requests a minute, counted for each client on a clock that the test sets."""

import types

import limits.storage.memory
import pytest

from metaforge.serving import rates as module
from metaforge.serving.rates import Rates


@pytest.fixture
def clock(monkeypatch):
    """The time, which is what `clock.now` says."""
    held = types.SimpleNamespace(now=1_000_020.0)  # the first second of a minute: 1,000,020 = 60 * 16,667
    held.time = lambda: held.now
    for place in (limits.storage.memory, module, limits.strategies):
        monkeypatch.setattr(place, "time", held)
    return held


def test_no_more_than_so_many_are_let_through_in_any_minute(clock):
    rates, through = Rates(6), []
    for second in range(300):
        clock.now = 1_000_020.0 + second
        through += [second] * (rates.hit("ann") == 0)
    for begin in range(240):
        assert sum(begin <= second < begin + 60 for second in through) <= 6
    assert through[:7] == [0, 1, 2, 3, 4, 5, through[6]]
    assert through[6] in (60, 61)  # when the first is a minute old
    assert 6 * 4 < len(through) <= 6 * 5


def test_after_the_seconds_that_it_was_told_a_client_is_let_through(clock):
    rates = Rates(3)
    assert [rates.hit("ann") for _ in range(3)] == [0, 0, 0]
    wait = rates.hit("ann")
    assert 1 <= wait <= 61
    clock.now += wait - 1.5
    assert rates.hit("ann") > 0  # it was not told a second too many
    clock.now += 1.5
    assert rates.hit("ann") == 0


def test_clients_are_counted_apart(clock):
    rates = Rates(1)
    assert [rates.hit("token ann"), rates.hit("token bob"), rates.hit("client 127.0.0.1")] == [0, 0, 0]
    assert rates.hit("token bob") > 0


def test_none_stands_for_any_number():
    assert {Rates(0).hit("ann") for _ in range(1000)} == {0}
