"""Run directories: what was asked is kept, what was written is whole, what was torn is forgotten."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaforge import runs
from metaforge.errors import InputError
from metaforge.runs import checkpoints


def state(value=1.0, width=3):
    return {"w": jnp.full((width,), value), "count": jnp.zeros((), jnp.int32)}


def test_resuming_returns_the_last_checkpoint_and_drops_later_and_torn_rows(tmp_path):
    run = runs.Run(tmp_path / "run", {"seed": 0})
    for step in (1, 2, 3):
        run.log({"step": step, "loss": step / 2})
        if step < 3:
            run.save(step, state(float(step)))
    with open(tmp_path / "run" / "log.jsonl", "a") as file:
        file.write('{"step": 4, "lo')
    step, found = runs.Run(tmp_path / "run", {"seed": 0}).resume(state(0.0))
    assert step == 2
    np.testing.assert_array_equal(found["w"], np.full(3, 2.0))
    assert [row["step"] for row in runs.read_rows(tmp_path / "run")] == [1, 2]


def test_a_fresh_run_starts_at_zero_with_an_empty_log(tmp_path):
    run = runs.Run(tmp_path / "run", {})
    run.log({"step": 5})
    assert run.resume(state())[0] == 0
    assert runs.read_rows(tmp_path / "run") == []


def test_only_the_last_two_checkpoints_are_kept(tmp_path):
    run = runs.Run(tmp_path / "run", {})
    for step in (1, 2, 3):
        run.save(step, state())
    assert sorted(p.name for p in (tmp_path / "run" / "checkpoints").iterdir()) == ["2", "3"]


def test_another_configuration_is_refused_and_named_and_nothing_is_written(tmp_path):
    runs.Run(tmp_path / "run", {"seed": 0, "lr": 0.1})
    before = (tmp_path / "run" / "config.json").read_bytes()
    with pytest.raises(InputError, match=r"lr: 0.1 there, 0.2 asked"):
        runs.Run(tmp_path / "run", {"seed": 0, "lr": 0.2})
    assert (tmp_path / "run" / "config.json").read_bytes() == before


def test_what_passes_may_differ_in_a_group_of_settings_too_and_nothing_else(tmp_path):
    asked = {"config": {"lr": 0.1, "devices": 1}, "seeds": 3, "devices": 1}
    runs.Run(tmp_path / "run", asked)
    others = asked | {"config": {"lr": 0.1, "devices": 8}, "seeds": 1}
    runs.refuse_another(tmp_path / "run", others, ignored_fields=("seeds", "config.devices"))
    for passing, said in (
        ((), r"\(config.devices: 1 there, 8 asked; seeds: 3 "),
        (("seeds", "devices"), r"\(config.dev"),
    ):
        with pytest.raises(InputError, match=said):
            runs.refuse_another(tmp_path / "run", others, ignored_fields=passing)


def test_a_file_in_the_place_of_the_directory_is_refused(tmp_path):
    (tmp_path / "run").write_text("precious")
    with pytest.raises(InputError, match="is a file"):
        runs.Run(tmp_path / "run", {})
    assert (tmp_path / "run").read_text() == "precious"


def test_a_checkpoint_of_another_shape_is_refused(tmp_path):
    runs.Run(tmp_path / "run", {}).save(1, state(width=3))
    with pytest.raises(InputError, match="another backbone"):
        runs.restore(tmp_path / "run", state(width=4))


def test_a_checkpoint_whose_bytes_changed_is_refused(tmp_path, monkeypatch):
    run = runs.Run(tmp_path / "run", {})
    # As a flipped byte on the disk would show: the values restored are not those of the fingerprint.
    monkeypatch.setattr(checkpoints, "fingerprint", lambda _: "of other values")
    run.save(1, state())
    monkeypatch.undo()
    with pytest.raises(InputError, match="changed since it was written"):
        runs.restore(tmp_path / "run", state())


def test_the_fingerprint_sees_values_paths_dtypes_and_shapes():
    base = runs.fingerprint(state())
    assert base == runs.fingerprint(jax.tree.map(np.asarray, state()))
    others = [state(2.0), state(width=2), {"v": state()["w"], "count": state()["count"]}]
    others += [{"w": np.ones(3, np.float64), "count": np.zeros((), np.int32)}]
    assert base not in {runs.fingerprint(other) for other in others}


def test_a_name_that_is_there_twice_is_refused_and_nan_is_read(tmp_path):
    (tmp_path / "config.json").write_text('{"seed": 1, "inner": {"rate": 1, "rate": 2}}')
    with pytest.raises(InputError, match="'rate' is there twice"):
        runs.read_config(tmp_path)
    (tmp_path / "log.jsonl").write_text('{"loss": NaN}\n')
    assert np.isnan(runs.read_rows(tmp_path)[0]["loss"])
    (tmp_path / "log.jsonl").write_text('{"step": 1, "step": 2}\n')
    with pytest.raises(InputError, match="'step' is there twice"):
        runs.read_rows(tmp_path)


def test_a_missing_or_damaged_config_is_one_line(tmp_path):
    with pytest.raises(InputError, match="no config"):
        runs.read_config(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(InputError, match="cannot read"):
        runs.read_config(tmp_path)


def test_a_json_file_is_replaced_whole(tmp_path):
    runs.write_json(tmp_path / "a.json", {"x": 1})
    runs.write_json(tmp_path / "a.json", {"x": 2})
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": 2}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_restored_state_is_served_by_the_program_of_a_fresh_one(tmp_path):
    run, state = runs.Run(tmp_path, {}), {"w": jnp.ones(3)}
    run.save(1, state)
    step = jax.jit(lambda state: jax.tree.map(lambda leaf: 2 * leaf, state))
    for given in (state, jax.eval_shape(lambda: state)):
        jax.tree.map(np.testing.assert_array_equal, step(runs.restore(tmp_path, given)), step(state))
    assert step._cache_size() == 1
    # What was put on a device stays there.
    there = jax.device_put(state, jax.devices()[0])
    assert runs.restore(tmp_path, there)["w"].committed
