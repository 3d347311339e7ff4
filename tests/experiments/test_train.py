"""Training: whole runs at a tiny size."""

import json

import numpy as np
import pytest

from metaforge import runs
from metaforge.cli import train
from metaforge.errors import InputError
from metaforge.settings import change, fields_of
from metaforge.training import build, meta_train
from metaforge.training.config import PAPER, Config
from tests.experiments.conftest import FLAGS, TINY
from tests.interruption import interrupted


def params_of(folder):
    import jax

    template = jax.eval_shape(lambda: build.learner(TINY).init(build.init_params(TINY)))
    return runs.fingerprint(runs.restore(folder, template).params)


def rows_of(folder):
    timings = ("seconds", "data_wait")
    return [{k: v for k, v in row.items() if k not in timings} for row in runs.read_rows(folder)]


def test_a_run_leaves_config_log_checkpoint_context_report_and_its_baseline(trained):
    for folder in (trained, trained / "erm"):
        assert json.loads((folder / "config.json").read_text())["model"]["width"] == 4
        assert runs.latest_step(folder) == TINY.run.iterations
        assert [row["step"] for row in runs.read_rows(folder)] == [2, 4, 6, 8, 10, 12]
        assert np.load(folder / "context.npz")["images"].shape == (64, 16, 16, 3)
        report = json.loads((folder / "report.json").read_text())
        assert report["adaptation"]["rate"] > 0
        assert set(report["data"]["images"]["train"]) == {"warp", "smooth", "swap"}
    assert json.loads((trained / "erm" / "config.json").read_text())["learner"]["name"] == "erm"


def test_the_log_holds_validation_rows_and_the_share_of_time_waiting_for_data(trained):
    rows = runs.read_rows(trained)
    assert [row["step"] for row in rows if "val_accuracy" in row] == [4, 8, 12]
    assert all(0 <= row["data_wait"] <= 1 for row in rows)
    # DAML's weights lie in (0.5, 1), its gradient factor in (0.5, 1.0998).
    assert all(0.5 < row["weight"] < 1 and 0.5 < row["gradient_factor"] < 1.0999 for row in rows)


def test_a_finished_run_returns_its_report_without_training(trained):
    before = (trained / "log.jsonl").stat().st_mtime_ns
    assert meta_train.run(TINY, trained, quiet=True) == json.loads((trained / "report.json").read_text())
    assert (trained / "log.jsonl").stat().st_mtime_ns == before


@pytest.mark.parametrize("stop_at", [3, 7])
def test_an_interrupted_run_ends_bitwise_like_one_that_was_not(trained, tmp_path, stop_at):
    interrupted(lambda: meta_train.run(TINY, tmp_path / "run", quiet=True), when=lambda rows: len(rows) == stop_at)
    meta_train.run(TINY, tmp_path / "run", quiet=True)
    for part in ("", "erm"):
        assert rows_of(tmp_path / "run" / part) == rows_of(trained / part)
        assert params_of(tmp_path / "run" / part) == params_of(trained / part)


def test_episodes_and_initial_parameters_are_the_same_for_all_learners():
    one, other = (change(TINY, {"learner.name": name}) for name in ("maml", "erm"))
    assert runs.fingerprint(build.init_params(one)) == runs.fingerprint(build.init_params(other))


def test_held_out_methods_are_not_among_the_training_records():
    config = change(TINY, {"faces.methods": "all", "faces.holdout": "swap,warp"})
    source, held = build.methods(config)
    assert set(held) == {"swap", "warp"}
    assert not {*source} & {*held}
    assert len(source) == 6


def test_a_non_finite_loss_stops_with_step_and_domain_and_keeps_the_last_good_checkpoint(tmp_path, capsys):
    code = train.main(
        ["train", f"--workdir={tmp_path / 'run'}", *FLAGS, "--run.baseline=false", "--learner.outer_lr=1e30"]
    )
    error = capsys.readouterr().err.splitlines()[-1]
    assert code == 2
    assert "not finite at step" in error
    assert any(name in error for name in ("warp", "smooth", "swap"))
    step = runs.latest_step(tmp_path / "run")
    rows = runs.read_rows(tmp_path / "run")
    assert all(np.isfinite(row["outer_loss"]) for row in rows)
    assert step <= (rows[-1]["step"] if rows else 0)


def test_the_papers_setting_is_the_paper_preset():
    stated = {
        "learner.name": "daml",
        "model.width": 64,
        "episodes.tasks": 4,
        "run.iterations": 3000,
        "learner.outer_lr": 1e-3,
        "learner.outer_decay": 0.1,
        "learner.decay_epochs": 150,
        "learner.inner_steps": 1,
        "learner.order": "first",
        "learner.reduction": "sum",
        "learner.detach": False,
        "adapt.lr": 1e-4,
        "model.normalisation": "episode",
    }
    said = {name: value for name, _, value in fields_of(PAPER)}
    assert {name: said[name] for name in stated} == stated


def test_what_the_paper_leaves_open_says_so_on_the_field():
    marked = {name for name, field, _ in fields_of(Config()) if "Open in the paper" in field.metadata["help"]}
    assert {
        "learner.inner_lr",
        "model.image_size",
        "episodes.shots",
        "episodes.queries",
        "adapt.steps",
        "learner.detach",
    } <= marked


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"run.checkpoint_every": 3}, "multiple"),
        ({"model.image_size": 8}, "16 pixels"),
        ({"faces.holdout": "warp"}, "held-out"),
        ({"episodes.shots": 0}, "at least 1"),
        ({"faces.methods": "oops"}, "known: "),
    ],
)
def test_settings_that_cannot_work_are_refused_before_anything_is_written(tmp_path, changes, word):
    with pytest.raises(InputError, match=word):
        meta_train.run(change(TINY, changes), tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()
