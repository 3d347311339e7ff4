"""Reptile against a loop of minibatch steps in NumPy, and what a minibatch is."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import metaforge as mf
from metaforge.learners._reptile import minibatches

draw = jax.jit(minibatches, static_argnums=1, static_argnames=("steps", "size"))


def quadratic(params, batch):
    return 0.5 * jnp.mean((params - batch.inputs) ** 2), {"last": jnp.mean(batch.targets)}


def episodes():
    """Two tasks of four support and six query examples; every example's target is its input."""
    images = np.random.default_rng(0).normal(size=(2, 10))
    batch = lambda part: mf.Batch(jnp.asarray(images[:, part]), jnp.asarray(images[:, part]))
    return images, mf.Episode(batch(slice(4)), batch(slice(4, None)))


@pytest.mark.parametrize(("batch_size", "strategy"), [(3, "scan"), (3, "vmap"), (100, "unroll")])
def test_an_outer_step_walks_towards_where_minibatch_descent_leads(batch_size, strategy, x64):
    images, data = episodes()
    learner = mf.reptile(
        quadratic, inner_optimizer=optax.sgd(0.3, momentum=0.9), outer_optimizer=optax.sgd(0.25), inner_steps=6,
        batch_size=batch_size, seed=7, strategy=strategy,
    )  # fmt: skip
    state = learner.init(jnp.asarray(2.0))
    update, theta = jax.jit(learner.update), 2.0
    for outer in range(2):
        key = jax.random.fold_in(jax.random.key(7), outer)
        rows = np.asarray(draw(key, 10, steps=6, size=min(batch_size, 10)))
        ends, losses = [], np.zeros((2, 6))
        for task in range(2):
            trained, velocity = theta, 0.0
            for step in range(6):
                seen = images[task, rows[step]]
                losses[task, step] = 0.5 * np.mean((trained - seen) ** 2)
                velocity = 0.9 * velocity + (trained - seen.mean())
                trained = trained - 0.3 * velocity
            ends.append(trained)
        state, info = update(state, data)
        np.testing.assert_allclose(info.support_losses, losses, rtol=1e-10)
        np.testing.assert_allclose(info.query_losses, losses[:, -1], rtol=1e-10)
        np.testing.assert_allclose(info.loss, losses[:, -1].mean(), rtol=1e-10)
        np.testing.assert_allclose(info.metrics["last"], images[:, rows[-1]].mean(axis=1), rtol=1e-10)
        np.testing.assert_allclose(info.grad_norm, abs(theta - np.mean(ends)), rtol=1e-10)
        theta = theta + 0.25 * (np.mean(ends) - theta)
        np.testing.assert_allclose(state.params, theta, rtol=1e-10)


def test_minibatches_use_every_image_before_any_again_and_differ_from_step_to_step():
    rows = [np.asarray(draw(jax.random.key(seed), 10, steps=7, size=4)) for seed in (0, 1)]
    for found in rows:
        assert found.shape == (7, 4)
        np.testing.assert_array_equal(np.sort(found.ravel()[:10]), np.arange(10))
        np.testing.assert_array_equal(np.sort(found.ravel()[10:20]), np.arange(10))
        assert np.any(found.ravel()[:10] != found.ravel()[10:20])
    assert np.any(rows[0] != rows[1])


def test_adapt_takes_plain_steps_on_the_whole_support_set():
    learner = mf.reptile(
        quadratic, inner_optimizer=optax.sgd(0.5), outer_optimizer=optax.sgd(1.0), inner_steps=2, batch_size=1
    )
    adapted, info = jax.jit(learner.adapt)(jnp.asarray(0.0), mf.Batch(jnp.array([2.0, 6.0]), jnp.zeros(2)))
    np.testing.assert_allclose(adapted, 3.0)  # half the way to 4, and half of the rest
    np.testing.assert_allclose(info.losses, [10.0, 4.0])


def test_what_cannot_be_done_is_said():
    rules = {"inner_optimizer": optax.sgd(0.5), "outer_optimizer": optax.sgd(1.0)}
    with pytest.raises(ValueError, match="`batch_size` must be at least 1, got 0"):
        mf.reptile(quadratic, batch_size=0, **rules)
    learner = mf.reptile(quadratic, inner_steps=0, **rules)
    with pytest.raises(ValueError, match="`inner_steps` must be at least 1"):
        learner.update(learner.init(jnp.asarray(0.0)), episodes()[1])
