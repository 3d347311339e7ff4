"""Dropout in training: drawn of the seed and the step, and of nothing else."""

import dataclasses

import jax
import jax.numpy as jnp
import pytest

import metaforge as mf
from metaforge import runs
from metaforge.backbones.clip_model import VISION
from metaforge.settings import change
from metaforge.training import build, episodic, learner_choice, meta_train
from tests.experiments.conftest import TINY
from tests.experiments.test_train import rows_of
from tests.interruption import interrupted

SMALL = dataclasses.replace(VISION["ViT-B/32"], image_size=16, patch_size=8, width=8, layers=1, heads=2)
CONFIG = change(
    TINY,
    {
        "learner.name": "erm",
        "model.backbone": "clip",
        "model.variant": "ViT-B/32",
        "model.normalisation": "none",
        "model.dropout": 0.5,
        "run.baseline": False,
        "run.iterations": 4,
        "run.checkpoint_every": 2,
    },
)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setitem(VISION, "ViT-B/32", SMALL)


def params_of(folder):
    template = jax.eval_shape(lambda: build.learner(CONFIG).init(build.init_params(CONFIG)))
    return runs.fingerprint(runs.restore(folder, template).params)


def test_an_interrupted_run_with_dropout_ends_bitwise_like_one_that_was_not(tmp_path):
    meta_train.run(CONFIG, tmp_path / "whole", quiet=True)
    interrupted(lambda: meta_train.run(CONFIG, tmp_path / "run", quiet=True), when=lambda rows: rows[-1]["step"] == 4)
    assert runs.latest_step(tmp_path / "run") == 2
    meta_train.run(CONFIG, tmp_path / "run", quiet=True)
    assert rows_of(tmp_path / "run") == rows_of(tmp_path / "whole")
    assert params_of(tmp_path / "run") == params_of(tmp_path / "whole")


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_an_outer_step_draws_where_there_is_dropout_and_only_there(dropout):
    config = change(CONFIG, {"model.dropout": dropout})
    shape = jax.ShapeDtypeStruct
    state = jax.eval_shape(lambda: build.learner(config).init(build.init_params(config)))
    rows, domain = shape((2, 4), jnp.int32), shape((2,), jnp.int32)
    pool = shape((9, 16, 16, 3), jnp.uint8), shape((9,), jnp.int32)
    step = jax.make_jaxpr(episodic.outer_step(learner_choice.for_step(config)))(state, *pool, rows, rows, domain)
    assert ("random_bits" in str(step)) == bool(dropout)


def test_keys_are_of_the_seed_and_the_step():
    batch = mf.Batch(jnp.zeros((3, 2, 1)), jnp.zeros((3, 2), int))
    episodes = mf.Episode(batch, batch)
    keys = lambda config, step: jax.random.key_data(
        episodic.keyed(config, jnp.array(step), episodes).query.key
    ).tolist()
    other = change(CONFIG, {"run.seed": 1})
    assert keys(CONFIG, 1) == keys(CONFIG, 1)
    assert len({str(keys(config, step)) for config in (CONFIG, other) for step in (0, 1)}) == 4
    assert episodic.keyed(change(CONFIG, {"model.dropout": 0.0}), jnp.array(1), episodes) is episodes
    # The seed is part of the compiled step, so that two seeds do not share one that draws for the first.
    assert learner_choice.for_step(CONFIG) != learner_choice.for_step(other)
