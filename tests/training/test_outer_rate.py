"""The outer rate: the paper's schedule, and the cosine with warm-up, in what steps and in what the log says."""

from typing import Any

import numpy as np
import pytest

from metaforge import runs
from metaforge.errors import InputError
from metaforge.settings import change
from metaforge.training import learner_choice, meta_train
from metaforge.training import outer_rate as module
from metaforge.training.config import PAPER, Config
from tests.experiments.conftest import TINY
from tests.interruption import interrupted

outer_rate: Any = module.outer_rate
COSINE = change(Config(), {"learner.schedule": "cosine", "run.iterations": 40, "learner.outer_lr": 0.02})


def expected(steps, *, warmup, of, peak):
    """Of each step the rate, by plain arithmetic."""
    rising = peak * (steps + 1) / (warmup + 1)
    falling = peak * (1 + np.cos(np.pi * (steps - warmup) / (of - warmup))) / 2
    return np.where(steps < warmup, rising, falling)


def test_the_paper_s_falls_tenfold_every_so_often():
    rate = outer_rate(PAPER)
    every = PAPER.learner.decay_epochs * PAPER.learner.epoch_iterations
    np.testing.assert_allclose([rate(0), rate(every - 1), rate(every)], [1e-3, 1e-3, 1e-4], rtol=1e-5)
    assert outer_rate(change(PAPER, {"learner.decay_epochs": 0})) == 1e-3


@pytest.mark.parametrize("warmup", [0, 1, 7, 39])
def test_the_cosine_is_its_formula_after_a_line(warmup):
    steps = np.arange(40)
    rate = outer_rate(change(COSINE, {"learner.warmup": warmup}))
    # float32 has few digits of a cosine that is nearly -1.
    np.testing.assert_allclose(rate(steps), expected(steps, warmup=warmup, of=40, peak=0.02), rtol=1e-5, atol=1e-8)
    assert np.all(np.asarray(rate(steps)) > 0)


def test_the_program_of_a_step_has_the_rate_of_the_run():
    config = change(COSINE, {"learner.warmup": 3})
    steps = np.arange(40)
    np.testing.assert_array_equal(outer_rate(learner_choice.for_step(config))(steps), outer_rate(config)(steps))
    # Runs of other lengths share their steps where the rate does not look at it.
    plain = change(config, {"learner.schedule": "steps", "learner.warmup": 0})
    assert learner_choice.for_step(plain) == learner_choice.for_step(change(plain, {"run.iterations": 7}))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"learner.warmup": 3}, "--learner.warmup=3: for --learner.schedule=cosine"),
        (
            {"learner.schedule": "cosine", "learner.warmup": 12, "run.iterations": 12},
            "--learner.warmup=12: of --run.iterations=12 no step is left",
        ),
        ({"learner.schedule": "cosine", "learner.decay_epochs": 3}, "--learner.decay_epochs=3: for"),
        ({"learner.schedule": "cosine", "learner.outer_decay": 0.5}, "--learner.outer_decay=0.5: for"),
        ({"learner.schedule": "linear"}, "--learner.schedule=linear: known: steps, cosine"),
        ({"objective.gamma": 1.0}, "--objective.gamma=1: for focal"),
        ({"objective.name": "focal", "objective.share": 0.25}, "--objective.share=0.25: for hard_example_mining"),
        ({"objective.name": "focal", "objective.alpha": 1.0}, "--objective.alpha"),
    ],
)
def test_settings_that_cannot_work_are_refused_in_a_line(changes, said):
    with pytest.raises(InputError) as caught:
        change(TINY, changes).check()
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_interrupted_run_goes_on_at_the_rate_of_its_step_to_the_same_bits(tmp_path):
    config = change(TINY, {
        "learner.name": "erm", "run.baseline": False, "objective.name": "focal", "learner.schedule": "cosine",
        "learner.warmup": 3, "run.iterations": 8, "run.log_every": 2, "run.checkpoint_every": 4, "run.eval_every": 8,
    })  # fmt: skip
    meta_train.run(config, tmp_path / "whole", quiet=True)
    interrupted(
        lambda: meta_train.run(config, tmp_path / "stopped", quiet=True), when=lambda rows: rows[-1]["step"] == 6
    )
    assert runs.latest_step(tmp_path / "stopped") == 4
    meta_train.run(config, tmp_path / "stopped", quiet=True)
    rows, again = (runs.read_rows(tmp_path / name) for name in ("whole", "stopped"))
    # A row is written after its step, and says at which rate it was made.
    steps = np.array([row["step"] for row in rows]) - 1
    np.testing.assert_allclose(
        [row["outer_lr"] for row in rows], expected(steps, warmup=3, of=8, peak=TINY.learner.outer_lr), rtol=1e-5
    )
    kept = ("step", "outer_lr", "outer_loss", "val_accuracy")
    assert [[row.get(name) for name in kept] for row in again] == [[row.get(name) for name in kept] for row in rows]
