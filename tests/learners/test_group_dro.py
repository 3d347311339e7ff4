"""Group DRO against a loop in NumPy over steps whose domains change."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import metaforge as mf
from metaforge.errors import InputError

RULES = {"inner_optimizer": optax.sgd(0.5), "outer_optimizer": optax.sgd(0.5)}


def quadratic(params, batch):
    return 0.5 * jnp.mean((params - batch.inputs) ** 2), {"label": jnp.mean(batch.targets)}


def episode(images, domain):
    batch = lambda part: mf.Batch(jnp.asarray(images[:, part]), jnp.asarray(images[:, part]))
    return mf.Episode(batch(slice(2)), batch(slice(2, None)), domain)


@pytest.mark.parametrize("strategy", ["scan", "vmap"])
def test_weights_and_parameters_follow_the_algorithm_over_steps_with_changing_domains(strategy, x64):
    rng = np.random.default_rng(0)
    learner = mf.group_dro(quadratic, domains=4, rate=0.8, strategy=strategy, **RULES)
    state, update = learner.init(jnp.asarray(0.0)), jax.jit(learner.update)
    theta, q = 0.0, np.full(4, 0.25)
    # All but one, one twice, and the one that was missing.
    for domains in ([0, 1, 2], [2, 0, 2], [3, 1, 0]):
        images = rng.normal(size=(3, 5)) + 2 * np.array(domains)[:, None]
        losses = 0.5 * np.mean((theta - images) ** 2, axis=1)
        for domain, loss in zip(domains, losses, strict=True):
            q[domain] *= np.exp(0.8 * loss)
            q /= q.sum()
        factors = 4 / 3 * q[domains]
        slope = np.sum(factors * (theta - images.mean(axis=1)))
        state, info = update(state, episode(images, jnp.array(domains)))
        np.testing.assert_allclose(jnp.exp(state.opt_state.log_weights), q, rtol=1e-10)
        np.testing.assert_allclose(info.query_losses, losses, rtol=1e-10)
        np.testing.assert_allclose(info.weights, q[domains], rtol=1e-10)
        np.testing.assert_allclose(info.gradient_factors, factors, rtol=1e-10)
        np.testing.assert_allclose(info.loss, np.sum(factors * losses), rtol=1e-10)
        theta = theta - 0.5 * slope
        np.testing.assert_allclose(state.params, theta, rtol=1e-10)


def test_a_weight_that_underflowed_can_grow_again():
    learner = mf.group_dro(quadratic, domains=2, rate=1.0, inner_optimizer=optax.sgd(0.5), outer_optimizer=optax.sgd(0))
    state, update = learner.init(jnp.asarray(0.0)), jax.jit(learner.update)
    hard, easy = jnp.full((1, 5), 30.0), jnp.zeros((1, 5))
    state, _ = update(state, episode(jnp.concatenate([hard, easy]), jnp.array([0, 1])))
    assert jnp.exp(state.opt_state.log_weights[1]) == 0
    for _ in range(2):
        state, info = update(state, episode(jnp.concatenate([easy, hard]), jnp.array([0, 1])))
    np.testing.assert_allclose(info.weights, [0, 1], atol=1e-6)


def test_episodes_must_say_their_domains():
    learner = mf.group_dro(quadratic, domains=2, **RULES)
    state = learner.init(jnp.asarray(0.0))
    with pytest.raises(InputError, match="do not say their domains"):
        learner.update(state, episode(jnp.ones((2, 5)), None))
    _, info = jax.jit(learner.update)(state, episode(jnp.ones((2, 5)), jnp.array([0, 2])))
    assert np.isnan(info.loss)
    with pytest.raises(ValueError, match="`domains` must be at least 1, got 0"):
        mf.group_dro(quadratic, domains=0, **RULES)
