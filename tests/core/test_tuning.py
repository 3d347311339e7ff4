"""The fastest form is found once and remembered; a run keeps the form that it began in."""

import itertools
import json
from types import MappingProxyType

import pytest

from metaforge import processor
from metaforge.core import tuning
from metaforge.settings import change
from metaforge.training import execution_form
from tests.experiments.conftest import TINY


class Clock:
    """Time that passes only when a program runs."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now

    def program(self, seconds):
        """Takes the given times, call by call."""
        calls = itertools.cycle([seconds] if isinstance(seconds, float) else seconds)

        def run(*_):
            self.now += next(calls)

        return run


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(tuning, "time", clock)
    monkeypatch.setattr(execution_form, "time", clock)
    return clock


def test_the_first_of_two_calls_is_not_measured_and_one_slow_round_decides_nothing(clock):
    programs = {"steady": clock.program([9.0, 2.0] * 3), "hiccup": clock.program([9.0, 1.0, 9.0, 8.0, 9.0, 1.0])}
    assert tuning.interleave(programs, rounds=3)["steady"].tolist() == [2000.0, 2000.0, 2000.0]
    assert tuning.fastest(programs, key={}, say=lambda _: None) == "hiccup"


def test_every_round_begins_one_program_later():
    order = []
    tuning.interleave({name: lambda name=name: order.append(name) for name in "abc"}, rounds=2)
    assert "".join(order) == "aabbccbbccaa"


def test_an_answer_is_remembered_by_its_key_and_a_damaged_one_is_measured_again(clock, tmp_path):
    said = []
    ask = lambda fast, slow, **key: tuning.fastest(
        {"a": clock.program(fast), "b": clock.program(slow)}, key=key, cache=tmp_path, say=said.append
    )
    assert ask(1.0, 2.0, size=84) == "a"
    assert said == ["milliseconds per outer step: a 1000.0; b 2000.0"]
    assert ask(2.0, 1.0, size=84) == "a"
    assert ask(2.0, 1.0, size=32) == "b"
    assert len(said) == 2
    for file in tmp_path.iterdir():
        file.write_text("{")
    assert ask(2.0, 1.0, size=84) == "b"
    assert {json.loads(file.read_text())["fastest"] for file in tmp_path.glob("*.json") if file.read_text() != "{"} == {
        "b"
    }


def test_a_cache_that_cannot_be_written_is_done_without(clock, tmp_path):
    (tmp_path / "file").write_text("")
    assert tuning.fastest({"a": clock.program(1.0)}, key={}, cache=tmp_path / "file", say=lambda _: None) == "a"


def choose(clock, directory, seconds, monkeypatch, changes=MappingProxyType({})):
    """What a run settles on when each form takes the given seconds."""
    monkeypatch.setattr(execution_form, "cache_folder", lambda: directory / "cache")
    monkeypatch.setattr(tuning.jax, "default_backend", lambda: "cpu")

    def attempt(config):
        clock.now += seconds.get((config.run.strategy, config.model.convolution), 100.0)

    found = execution_form.choose(change(TINY, {"run.iterations": 1000, **changes}), directory, attempt)
    return found.run.strategy, found.model.convolution


def test_a_long_run_takes_the_fastest_form_and_keeps_it(clock, tmp_path, monkeypatch):
    seconds = {("scan", "winograd"): 2.0, ("scan", "patches"): 1.0}
    assert choose(clock, tmp_path, seconds, monkeypatch) == ("scan", "patches")
    assert json.loads((tmp_path / "execution.json").read_text())["by"] == "measurement"
    # Called again, though another form is faster by now.
    assert choose(clock, tmp_path, {("scan", "winograd"): 0.1}, monkeypatch) == ("scan", "patches")


def test_a_short_run_is_not_measured(clock, tmp_path, monkeypatch):
    seconds = {("scan", "winograd"): 0.02, ("scan", "patches"): 0.01}
    assert choose(clock, tmp_path, seconds, monkeypatch) == ("scan", "winograd")


@pytest.mark.parametrize(
    ("forced", "expected"),
    [
        ({"run.strategy": "vmap"}, ("vmap", "patches")),
        ({"model.convolution": "lax"}, ("unroll", "lax")),
        ({"run.strategy": "vmap", "model.convolution": "lax"}, ("vmap", "lax")),
    ],
)
def test_what_is_forced_is_taken_and_the_rest_measured(forced, expected, clock, tmp_path, monkeypatch):
    seconds = {("vmap", "patches"): 3.0, ("unroll", "lax"): 3.0, ("vmap", "winograd"): 4.0}
    assert choose(clock, tmp_path, seconds, monkeypatch, forced) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # The first three are other programs, the last is the same one.
        ({"learner.name": "anil"}, ("scan", "winograd")),
        ({"objective.name": "fakeradar", "model.neck": 4}, ("scan", "winograd")),
        ({"learner.adaptable": "^head/"}, ("scan", "winograd")),
        ({"run.seed": 3, "learner.outer_lr": 0.5, "faces.holdout": "warp"}, ("scan", "patches")),
    ],
)
def test_a_measurement_is_for_all_that_a_step_s_time_depends_on(changes, expected, clock, tmp_path, monkeypatch):
    slow, fast = {("scan", "winograd"): 2.0, ("scan", "patches"): 1.0}, {("scan", "winograd"): 1.0}
    assert choose(clock, tmp_path, slow, monkeypatch) == ("scan", "patches")
    (tmp_path / "execution.json").unlink()
    assert choose(clock, tmp_path, fast, monkeypatch, changes) == expected


def test_processors_that_call_themselves_cpu_are_told_apart_by_their_instructions(tmp_path, monkeypatch):
    monkeypatch.setattr(tuning.jax, "default_backend", lambda: "cpu")
    monkeypatch.setattr(processor, "_ABOUT", tmp_path / "cpuinfo")
    found = []
    for flags in ("avx2", "avx2 avx512f", "avx2"):
        (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags : {flags}\n", encoding="utf-8")
        found.append(tuning.here()["processor"])
    assert found[0] == found[2] != found[1]
