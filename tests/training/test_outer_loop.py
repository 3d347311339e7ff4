"""The training loop on a toy state: what it logs, what it saves, and that an interrupted run ends as if it had not."""

import time

import jax.numpy as jnp
import numpy as np
import pytest

from metaforge.runs import Run, latest_step, read_rows
from metaforge.training.outer_loop import outer_loop


def start():
    return {"total": jnp.zeros((), jnp.int32)}


def advance(state, step, count):
    """Adds the numbers of its steps, from 1."""
    numbers = range(step + 1, step + count + 1)
    return {"total": state["total"] + sum(numbers)}, {"first": step + 1, "count": count}


def loop(folder, how=advance, **options):
    return outer_loop(Run(folder, {}), start(), how, **{"steps": 10, "chunk": 4} | options)


def rows_of(folder):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in read_rows(folder)]


def test_every_step_is_taken_once_and_the_last_chunk_is_what_is_left(tmp_path):
    step, state = loop(tmp_path)
    assert (step, int(state["total"])) == (10, 10 * 11 // 2)
    assert rows_of(tmp_path) == [
        {"step": 4, "first": 1, "count": 4}, {"step": 8, "first": 5, "count": 4}, {"step": 10, "first": 9, "count": 2}
    ]  # fmt: skip
    assert latest_step(tmp_path) == 10


@pytest.mark.parametrize("killed_in", [1, 5, 9])
@pytest.mark.parametrize("save_every", [0, 4, 8])
def test_an_interrupted_run_ends_as_if_it_had_not_been(tmp_path, killed_in, save_every):
    def dies(state, step, count):
        if step + 1 == killed_in:
            raise KeyboardInterrupt
        return advance(state, step, count)

    with pytest.raises(KeyboardInterrupt):
        loop(tmp_path / "run", dies, save_every=save_every)
    done = (killed_in - 1) // save_every * save_every if save_every else 0
    assert latest_step(tmp_path / "run") == done
    begun = []

    def seen(state, step, count):
        begun.append(step)
        return advance(state, step, count)

    step, state = loop(tmp_path / "run", seen, save_every=save_every)
    loop(tmp_path / "whole")
    assert begun[0] == done
    assert (step, int(state["total"])) == (10, 55)
    assert rows_of(tmp_path / "run") == rows_of(tmp_path / "whole")


def test_a_chunk_that_raises_is_neither_logged_nor_saved(tmp_path):
    def diverges(state, step, count):
        if step == 4:
            raise FloatingPointError
        return advance(state, step, count)

    with pytest.raises(FloatingPointError):
        loop(tmp_path, diverges, save_every=4)
    assert [row["step"] for row in rows_of(tmp_path)] == [4]
    assert latest_step(tmp_path) == 4


def test_when_the_time_is_over_the_chunk_is_finished_and_saved(tmp_path):
    step, _ = loop(tmp_path, until=time.monotonic())
    assert step == latest_step(tmp_path) == 4
    step, state = loop(tmp_path)
    assert (step, int(state["total"])) == (10, 55)


def test_a_checkpoint_is_due_after_so_many_seconds(tmp_path, monkeypatch):
    saved = []
    monkeypatch.setattr(Run, "save", lambda self, step, state: saved.append(step))
    loop(tmp_path / "always", save_seconds=-1.0)
    loop(tmp_path / "never", save_seconds=1e9)
    assert saved == [4, 8, 10, 10]


def test_what_is_judged_is_logged_with_the_state_after_the_chunk(tmp_path):
    loop(tmp_path, judge=lambda state, step: {"mean": float(state["total"]) / step})
    np.testing.assert_allclose([row["mean"] for row in rows_of(tmp_path)], [10 / 4, 36 / 8, 55 / 10])


def test_a_finished_run_takes_no_step(tmp_path):
    loop(tmp_path)
    step, state = loop(tmp_path, lambda *_: pytest.fail("a step was taken"))
    assert (step, int(state["total"])) == (10, 55)
