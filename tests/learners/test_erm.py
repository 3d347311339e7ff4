"""Joint training: the gradient of one pooled batch, and fine-tuning as its inner loop."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

import metaforge as mf

OPTIMIZERS = {"inner_optimizer": optax.sgd(0.5), "outer_optimizer": optax.sgd(1.0)}


def quadratic(params, batch):
    return 0.5 * jnp.mean((params - batch.inputs) ** 2), {"label": jnp.mean(batch.targets)}


def episodes():
    """Two tasks of two support and three query examples; every example's target is its input."""
    support = np.array([[1.0, 2.0], [3.0, 4.0]])
    query = np.array([[5.0, 6.0, 7.0], [8.0, 9.0, 10.0]])
    return mf.Episode(mf.Batch(support, support), mf.Batch(query, query))


def test_one_step_follows_the_gradient_over_every_support_and_query_example(x64):
    images = np.arange(1.0, 11.0)
    learner = mf.erm(quadratic, **OPTIMIZERS)
    state, info = jax.jit(learner.update)(learner.init(jnp.asarray(0.0)), episodes())
    np.testing.assert_allclose(state.params, images.mean(), rtol=1e-5)
    np.testing.assert_allclose(info.loss, 0.5 * np.mean(images**2), rtol=1e-5)
    np.testing.assert_allclose(info.metrics["label"], [images.mean()], rtol=1e-5)
    np.testing.assert_allclose(info.grad_norm, images.mean(), rtol=1e-5)
    assert info.query_losses.shape == info.weights.shape == info.gradient_factors.shape == (1,)
    assert info.support_losses.shape == (1, 1)
    assert state.step == 1


def test_pooling_keeps_every_input_beside_its_own_target():
    seen = []

    def loss_fn(params, batch):
        seen.append(batch)
        return params * jnp.sum(batch.inputs - batch.targets) + params**2, {}

    learner = mf.erm(loss_fn, **OPTIMIZERS)
    with jax.disable_jit():
        learner.update(learner.init(jnp.asarray(1.0)), episodes())
    np.testing.assert_array_equal(seen[0].inputs, seen[0].targets)
    np.testing.assert_array_equal(np.sort(seen[0].inputs), np.arange(1.0, 11.0))
    assert seen[0].context is None


def test_inputs_may_be_a_pytree():
    data = episodes()
    pair = lambda batch: batch._replace(inputs={"a": batch.inputs, "b": batch.inputs[..., None]})
    loss_fn = lambda params, batch: (jnp.mean((params - batch.inputs["a"] - batch.inputs["b"][:, 0]) ** 2), {})
    learner = mf.erm(loss_fn, **OPTIMIZERS)
    data = mf.Episode(pair(data.support), pair(data.query))
    _, info = jax.jit(learner.update)(learner.init(jnp.asarray(0.0)), data)
    np.testing.assert_allclose(info.loss, np.mean((2 * np.arange(1.0, 11.0)) ** 2), rtol=1e-5)


def test_adapt_is_fine_tuning_with_the_inner_optimizer():
    learner = mf.erm(quadratic, **OPTIMIZERS, inner_steps=2)
    support = mf.Batch(jnp.array([4.0]), jnp.array([1]))
    adapted, info = jax.jit(learner.adapt)(jnp.asarray(0.0), support)
    np.testing.assert_allclose(adapted, 3.0, rtol=1e-5)  # half the way, and half of the rest
    np.testing.assert_allclose(info.losses, [8.0, 2.0], rtol=1e-5)


def test_the_outer_optimizer_alone_moves_training():
    still = mf.erm(quadratic, inner_optimizer=optax.sgd(0.5), outer_optimizer=optax.sgd(0.0))
    state, _ = jax.jit(still.update)(still.init(jnp.asarray(2.0)), episodes())
    assert state.params == 2.0
