"""Every learner from its configuration: the outer step and adaptation fit a run's images, as far as shapes can say."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import metaforge as mf
from experiments.study import models as study_models
from metaforge.errors import InputError
from metaforge.settings import change
from metaforge.training import build, learner_choice, loop, meta_test
from metaforge.training.config import Config

TINY = change(
    Config(),
    {
        "model.image_size": 16,
        "model.width": 4,
        "model.convolution": "lax",
        "episodes.tasks": 2,
        "episodes.shots": 2,
        "episodes.queries": 3,
        "learner.inner_steps": 2,
    },
)
IMAGES = jax.ShapeDtypeStruct((12, 16, 16, 3), jnp.uint8)


def int32(*shape):
    return jax.ShapeDtypeStruct(shape, jnp.int32)


def test_every_learner_says_what_it_takes():
    assert set(learner_choice.TAKES) == set(mf.LEARNERS)


@pytest.mark.parametrize("name", mf.LEARNERS)
def test_a_run_s_programs_fit_every_learner(name):
    config = change(TINY, {"learner.name": name})
    learner = build.learner(config)
    state = jax.eval_shape(lambda: learner.init(build.init_params(config)))
    update = loop._outer_step(config)
    after, info = jax.eval_shape(update, state, IMAGES, int32(12), int32(2, 4), int32(2, 6), int32(2))
    assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), (after,)) == jax.tree.map(
        lambda leaf: (leaf.shape, leaf.dtype), (state,)
    )
    infos = jax.tree.map(lambda leaf: np.ones(leaf.shape), info)
    row = loop.summarise([infos], [("swap", "warp")])
    assert {"query_loss", "support_loss", "weight"} < set(row)
    assert {"query_loss/swap", "weight/swap"} <= set(row) or len(info.query_losses) == 1
    support = mf.Batch(jax.ShapeDtypeStruct((4, 16, 16, 3), jnp.uint8), int32(4))
    key = meta_test.rule_key(config)
    start = functools.partial(meta_test.start, config)
    jax.eval_shape(
        lambda p, *rows: loop._evaluate(start(p), *rows, 0.1, 2, config=key),
        *(state.params, IMAGES, int32(12), int32(2, 4), int32(2, 6)),
    )
    adapted = jax.eval_shape(
        lambda p, s: meta_test.adapt_params(start(p), s, 0.1, 2, config=key),
        state.params,
        support,
    )
    model = jax.eval_shape(lambda: build.init_params(config))
    assert jax.tree.map(lambda leaf: leaf.shape, adapted) == jax.tree.map(lambda leaf: leaf.shape, model)


def test_anil_and_partial_runs_adapt_what_they_learned_to_adapt():
    params = jax.eval_shape(lambda: build.init_params(TINY))
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), params)
    support = mf.Batch(jnp.zeros((2, 16, 16, 3), jnp.uint8), jnp.array([0, 0]))
    for changes, moving in (
        ({"learner.name": "anil"}, "head"),
        ({"learner.name": "maml", "learner.adaptable": "^head/bias"}, "head"),
    ):
        key = meta_test.rule_key(change(TINY, changes))
        adapted = meta_test.adapt_params(zeros, support, 0.1, 1, config=key)
        moved = {name for name in adapted for leaf in jax.tree.leaves(adapted[name]) if np.any(np.asarray(leaf) != 0)}
        assert moved == {moving}


def test_a_weighting_for_a_learner_that_takes_none_is_one_line():
    with pytest.raises(InputError, match="erm weighs no tasks"):
        build.learner(change(TINY, {"learner.name": "erm", "learner.weighting": "detached"}))


def test_what_a_learner_draws_it_draws_by_the_run_s_seed(monkeypatch):
    configs = [change(TINY, {"learner.name": "ltw", "learner.inner_steps": 1, "run.seed": seed}) for seed in (0, 1)]
    params = build.init_params(TINY)
    made = [build.learner(config).init(params).params.weigher["hidden"]["kernel"] for config in configs]
    assert not np.allclose(*made)
    # A study's models of one kind share their programs, and start as those of their own seed do.
    for config, expected in zip(configs, made, strict=True):
        found = study_models.initial(config).params.weigher["hidden"]["kernel"]
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    given, plain = [], mf.LEARNERS["reptile"]
    seen = lambda *args, **options: given.append(options["seed"]) or plain(*args, **options)
    monkeypatch.setitem(mf.LEARNERS, "reptile", seen)
    for seed in (0, 5):
        build.learner(learner_choice.for_step(change(TINY, {"learner.name": "reptile", "run.seed": seed})))
    assert given == [0, 5]
    assert learner_choice.for_step(
        change(TINY, {"run.seed": 5, "faces.folder": "mine", "run.iterations": 7, "adapt.lr": 1.0})
    ) == learner_choice.for_step(TINY)
