"""The sinusoid table in small: tasks as the paper draws them, errors that can be worked out, MAML far below."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.sinusoid import __main__ as sinusoid_command
from experiments.sinusoid import running as sinusoid
from experiments.sinusoid.config import Config
from metaforge.errors import InputError
from metaforge.runs import Run, read_rows

SMALL = Config(seeds=2, iterations=30, tasks=1, chunk=1)


def draw(*, tasks=2000, support=10, query=10, grid=False):
    return sinusoid.sample_episodes(jax.random.key(3), tasks=tasks, support=support, query=query, grid=grid)


def test_points_lie_in_the_papers_range_and_fill_it():
    episodes = draw()
    assert episodes.support.inputs.shape == episodes.support.targets.shape == (2000, 10, 1)
    assert episodes.query.inputs.shape == episodes.query.targets.shape == (2000, 10, 1)
    inputs = np.concatenate([episodes.support.inputs, episodes.query.inputs], axis=None)
    assert -5 <= inputs.min() < -4.99
    assert 4.99 < inputs.max() < 5
    # Uniform on [-5, 5] has variance 100 / 12.
    np.testing.assert_allclose([inputs.mean(), inputs.var()], [0, 100 / 12], atol=0.1)


def test_support_and_query_lie_on_one_sinusoid_within_the_papers_bounds():
    # A sin(x - phase) = (A cos phase) sin x - (A sin phase) cos x: linear in what a least-squares fit can find.
    episodes = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64)[..., 0], draw(grid=True, query=100))
    design = lambda x: np.stack([np.sin(x), -np.cos(x)], axis=-1)
    coefficients = np.stack(
        [np.linalg.lstsq(design(x), y, rcond=None)[0] for x, y in zip(*episodes.support[:2], strict=True)]
    )
    predicted = (design(episodes.query.inputs) @ coefficients[..., None])[..., 0]
    np.testing.assert_allclose(predicted, episodes.query.targets, atol=2e-4)
    amplitude, phase = np.hypot(*coefficients.T), np.arctan2(coefficients[:, 1], coefficients[:, 0])
    assert 0.1 - 1e-3 < amplitude.min() < 0.15
    assert 4.95 < amplitude.max() < 5 + 1e-3
    assert -1e-3 < phase.min() < 0.02
    assert np.pi - 0.02 < phase.max() < np.pi + 1e-3
    np.testing.assert_allclose([amplitude.mean(), phase.mean()], [2.55, np.pi / 2], rtol=0.05)


def test_the_grid_is_even_and_the_same_for_every_task():
    inputs = draw(query=100, grid=True).query.inputs
    np.testing.assert_allclose(inputs, np.broadcast_to(np.linspace(-5, 5, 100)[:, None], inputs.shape), atol=1e-6)


def test_predictors_that_know_only_x_have_the_error_of_the_task_distribution():
    # Over phases of half a turn sin^2 averages to 1/2 at every x, so predicting 0 costs E[A^2] / 2. The best function
    # of x is E[A] E[sin(x - phase)] = -2 E[A] cos(x) / pi; it saves its own mean square.
    square = (5**3 - 0.1**3) / (3 * 4.9)
    mean = 2 * (5 + 0.1) / 2 / np.pi
    cosine = 0.5 + np.sin(10) / 20  # mean of cos^2 over [-5, 5]
    query = draw(tasks=100_000, support=1, query=5).query
    zero = float(jnp.mean(query.targets**2))
    best = float(jnp.mean((query.targets + mean * jnp.cos(query.inputs)) ** 2))
    np.testing.assert_allclose([zero, best], [square / 2, square / 2 - mean**2 * cosine], rtol=0.01)
    assert f"{square / 2 - mean**2 * cosine:.2f}" in str(sinusoid_command.__doc__)  # the floor that the docstring names


@pytest.mark.parametrize("rate", [0.01, 0.1])
def test_a_network_of_zeros_adapts_its_last_bias_alone(rate):
    # No unit is active and no weight passes a gradient on: b_n = mean(y) (1 - (1 - 2 rate)^n).
    episodes = draw(tasks=200, support=5, query=100, grid=True)
    params = sinusoid.MODEL.init(jax.random.key(0), jnp.zeros((1, 1)))
    params = jax.tree.map(lambda leaf: jnp.zeros((1, *leaf.shape)), params)
    found = sinusoid.task_errors(params, episodes, rate)
    support, query = (np.asarray(batch.targets) for batch in (episodes.support, episodes.query))
    bias = support.mean(axis=1) * (1 - (1 - 2 * rate) ** np.array(sinusoid.STEPS))
    expected = np.mean((query - bias[:, None, :]) ** 2, axis=1)
    np.testing.assert_allclose(found, expected[None], rtol=1e-4)


def test_the_interval_is_the_normal_one_for_one_seed_and_many_tasks():
    errors = np.random.default_rng(1).exponential(size=(1, 600))
    value, low, high = sinusoid.interval(errors)
    assert value == errors.mean()
    np.testing.assert_allclose([value - low, high - value], 1.96 * errors.std() / np.sqrt(600), rtol=0.1)


def test_the_interval_counts_the_spread_of_seeds():
    assert sinusoid.interval(np.full((3, 50), 0.5)) == pytest.approx((0.5, 0.5, 0.5))
    # With three seeds all draws are of the same one in 1/27 of the resamples, more than 2.5 %.
    assert sinusoid.interval(np.tile([[1.0], [2.0], [6.0]], 50)) == pytest.approx((3.0, 1.0, 6.0))


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    return tmp_path_factory.mktemp("sinusoid") / "short"


SHORT = ["--seeds=1", "--iterations=1000", "--chunk=200", "--outer_lr=0.005"]
SHORT += ["--test_tasks=200", "--validation_tasks=200", "--rates=0.002,0.005,0.01"]


def test_the_short_version_has_maml_far_below_pretraining(workdir, capsys):
    assert sinusoid_command.main(["sinusoid", f"--workdir={workdir}", *SHORT]) == 0
    rows = json.loads((workdir / "report.json").read_text())["rows"]
    found = {(row["method"], row["shots"], row["steps"]): row for row in rows}
    for shots in (5, 10):
        floor = found["pretrain", shots, 0]["mse"]
        assert floor["low"] < 3.01 < floor["high"]
        for steps in (1, 5, 10):
            for method in ("maml", "maml_tuned"):
                assert (
                    found[method, shots, steps]["mse"]["value"] < 0.5 * found["pretrain", shots, steps]["mse"]["value"]
                )
                assert found[method, shots, steps]["below_pretrain"]["low"] > 0.5
            assert found["maml", shots, steps]["rate"] == 0.01
    assert all(row["mse"]["low"] < row["mse"]["value"] < row["mse"]["high"] for row in rows)
    printed = capsys.readouterr().out
    assert printed.startswith((workdir / "report.md").read_text())
    assert printed.count("\n| ") == len(rows) == 24
    assert [row["step"] for row in read_rows(workdir / "maml")] == [200, 400, 600, 800, 1000]


def test_a_task_on_which_descent_diverges_counts_as_the_cap_and_is_counted():
    params = sinusoid.MODEL.init(jax.random.key(0), jnp.zeros((1, 1)))
    params = jax.tree.map(lambda leaf: leaf[None], params)
    config = Config(inner_lr=1e6, rates="1000000.0,0.001", test_tasks=200, validation_tasks=200)
    rows = sinusoid.judge(config, {"maml": params, "pretrain": params})
    found = {(row["method"], row["shots"], row["steps"]): row for row in rows}
    assert (found["maml", 5, 10]["mse"]["value"], found["maml", 5, 10]["capped"]) == (25.0, 200)
    assert found["pretrain", 5, 10]["rate"] == 0.001
    assert found["pretrain", 5, 10]["capped"] < 20
    assert found["maml_tuned", 5, 10]["below_pretrain"] == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_a_finished_run_is_returned_as_it_is_and_never_overwritten(workdir, capsys):
    report = (workdir / "report.json").read_bytes()
    assert sinusoid_command.main(["sinusoid", f"--workdir={workdir}", *SHORT]) == 0
    assert capsys.readouterr().out.startswith((workdir / "report.md").read_text())
    assert sinusoid_command.main(["sinusoid", f"--workdir={workdir}", *SHORT, "--seeds=2"]) == 2
    assert "another configuration (seeds: 1 there, 2 asked)" in capsys.readouterr().err
    assert (workdir / "report.json").read_bytes() == report


def test_a_killed_run_goes_on_as_if_it_had_not_been(tmp_path, monkeypatch):
    whole = sinusoid.train(SMALL, "pretrain", Run(tmp_path / "whole", {}), quiet=True)
    log = Run.log

    def die(self, row):
        if row["step"] == 15:
            raise KeyboardInterrupt
        log(self, row)

    monkeypatch.setattr(Run, "log", die)
    with pytest.raises(KeyboardInterrupt):
        sinusoid.train(SMALL, "pretrain", Run(tmp_path / "killed", {}), quiet=True)
    monkeypatch.undo()
    resumed = sinusoid.train(SMALL, "pretrain", Run(tmp_path / "killed", {}), quiet=True)
    jax.tree.map(np.testing.assert_array_equal, whole, resumed)
    assert [row["step"] for row in read_rows(tmp_path / "killed")] == list(range(1, 31))
    # Every step has a task of its own, so the loss jumps with the amplitude; every seed has its own parameters.
    losses = [row["query_loss"] for row in read_rows(tmp_path / "whole")]
    assert max(losses) > 5 * min(losses)
    assert not np.allclose(*whole["Dense_1"]["kernel"])


@pytest.mark.parametrize(
    ("field", "value"),
    [("seeds", 0), ("iterations", -5), ("inner_lr", -1.0), ("rates", "0.1,x"), ("rates", "0,0.1"), ("rates", "nan")],
)
def test_settings_that_cannot_work_are_named(tmp_path, field, value):
    with pytest.raises(InputError, match=f"--{field}="):
        sinusoid.run(Config(**{field: value}), tmp_path / "run")
    assert not (tmp_path / "run").exists()
