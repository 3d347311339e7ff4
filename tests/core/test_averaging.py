"""The average of what an optimizer moves: its closed form, and that the training does not notice."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import metaforge as mf
from metaforge.core.averaging import average_of, averaged


def test_it_is_the_average_of_the_trace_and_changes_nothing_else():
    gradients = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    plain, kept = optax.adam(0.1), averaged(optax.adam(0.1), 0.6)
    params = [jnp.ones(3), jnp.ones(3)]
    states, mean = [plain.init(params[0]), kept.init(params[1])], np.ones(3)
    for step, gradient in enumerate(gradients):
        for place, optimizer in enumerate((plain, kept)):
            updates, states[place] = optimizer.update(jnp.asarray(gradient), states[place], params[place])
            params[place] = optax.apply_updates(params[place], updates)
        decay = min(0.6, (1 + step) / (10 + step))
        mean = decay * mean + (1 - decay) * np.asarray(params[1], np.float64)
    np.testing.assert_array_equal(params[0], params[1])
    np.testing.assert_allclose(average_of(states[1]), mean, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["fomaml", "reptile", "group_dro"])
def test_as_an_outer_optimizer_it_keeps_one_of_the_meta_parameters(name):
    loss_fn = lambda params, batch: (jnp.mean(jnp.square(batch.inputs @ params - batch.targets)), {})
    more = {"domains": 2} if name == "group_dro" else {}
    outer = averaged(optax.sgd(0.1), 0.5)
    learner = mf.LEARNERS[name].make(loss_fn, inner_optimizer=optax.sgd(0.1), outer_optimizer=outer, **more)
    rng = np.random.default_rng(1)
    side = lambda: mf.Batch(*(jnp.asarray(rng.normal(size=size), jnp.float32) for size in ((2, 6, 3), (2, 6))))
    state = learner.init(jnp.ones(3))
    before = average_of(state.opt_state)
    state, _ = jax.jit(learner.update)(state, mf.Episode(side(), side(), jnp.array([0, 1])))
    # In the first step the decay is a tenth.
    np.testing.assert_allclose(average_of(state.opt_state), 0.1 * before + 0.9 * state.params, rtol=1e-5, atol=1e-6)
    assert np.any(state.params != before)


@pytest.mark.parametrize("decay", [0.0, 1.0, -1.0])
def test_a_decay_outside_is_refused(decay):
    with pytest.raises(ValueError, match="between 0 and 1"):
        averaged(optax.sgd(1.0), decay)


def test_without_parameters_or_average_it_says_so():
    optimizer = averaged(optax.sgd(1.0), 0.5)
    with pytest.raises(ValueError, match="give the parameters"):
        optimizer.update(jnp.ones(1), optimizer.init(jnp.ones(1)))
    with pytest.raises(KeyError, match="keeps no average"):
        average_of(optax.adam(1.0).init(jnp.ones(1)))
