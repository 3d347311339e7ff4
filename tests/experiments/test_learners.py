"""Every learner from its configuration: the outer step and adaptation fit a run's images, as far as shapes can say."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import metaforge as mf
from experiments import _adaptation, _learners, _setup, train
from experiments.config import Config
from metaforge.errors import InputError

TINY = Config(image_size=16, width=4, convolution="lax", tasks=2, shots=2, queries=3, inner_steps=2)
IMAGES = jax.ShapeDtypeStruct((12, 16, 16, 3), jnp.uint8)


def int32(*shape):
    return jax.ShapeDtypeStruct(shape, jnp.int32)


def test_every_learner_says_what_it_takes():
    assert set(_learners.TAKES) == set(mf.LEARNERS)


@pytest.mark.parametrize("name", mf.LEARNERS)
def test_a_run_s_programs_fit_every_learner(name):
    config = dataclasses.replace(TINY, learner=name)
    learner = _setup.learner(config)
    state = jax.eval_shape(lambda: learner.init(_setup.init_params(config)))
    update, evaluate = train._compiled(config)
    after, info = jax.eval_shape(update, state, IMAGES, int32(12), int32(2, 4), int32(2, 6), int32(2))
    assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), (after,)) == jax.tree.map(
        lambda leaf: (leaf.shape, leaf.dtype), (state,)
    )
    infos = jax.tree.map(lambda leaf: np.ones(leaf.shape), info)
    row = train.summarise([infos], [("swap", "warp")])
    assert {"query_loss", "support_loss", "weight"} < set(row)
    assert {"query_loss/swap", "weight/swap"} <= set(row) or len(info.query_losses) == 1
    jax.eval_shape(evaluate, state.params, IMAGES, int32(12), int32(2, 4), int32(2, 6))
    support = mf.Batch(jax.ShapeDtypeStruct((4, 16, 16, 3), jnp.uint8), int32(4))
    key = _adaptation.rule_key(config)
    adapted = jax.eval_shape(
        lambda p, s: _adaptation.adapt_params(_adaptation.start(config, p), s, 0.1, config=key, steps=2),
        state.params,
        support,
    )
    model = jax.eval_shape(lambda: _setup.init_params(config))
    assert jax.tree.map(lambda leaf: leaf.shape, adapted) == jax.tree.map(lambda leaf: leaf.shape, model)


def test_anil_and_partial_runs_adapt_what_they_learned_to_adapt():
    params = jax.eval_shape(lambda: _setup.init_params(TINY))
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), params)
    support = mf.Batch(jnp.zeros((2, 16, 16, 3), jnp.uint8), jnp.array([0, 0]))
    for changes, moving in (({"learner": "anil"}, "head"), ({"learner": "maml", "adapts": "^head/bias"}, "head")):
        key = _adaptation.rule_key(dataclasses.replace(TINY, **changes))
        adapted = _adaptation.adapt_params(zeros, support, 0.1, config=key, steps=1)
        moved = {name for name in adapted for leaf in jax.tree.leaves(adapted[name]) if np.any(np.asarray(leaf) != 0)}
        assert moved == {moving}


def test_a_weighting_for_a_learner_that_takes_none_is_one_line():
    with pytest.raises(InputError, match="erm weighs no tasks"):
        _setup.learner(dataclasses.replace(TINY, learner="erm", weighting="detached"))
