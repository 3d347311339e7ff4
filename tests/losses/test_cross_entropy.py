"""The cross-entropies of three classes and of outliers against optax and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.special import softmax

import metaforge as mf
from metaforge import losses

cross_entropy = jax.jit(losses.outlier_conditioned_cross_entropy, static_argnames="label_smoothing")
outlier_exposure = jax.jit(losses.outlier_exposure)

LABELS = jnp.array([mf.REAL, mf.FAKE, mf.OUTLIER, mf.FAKE, mf.REAL])


def logits(columns=3):
    return jnp.asarray(np.random.default_rng(0).normal(scale=3.0, size=(5, columns)), jnp.float32)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_outlier_conditioned_cross_entropy_is_that_of_smoothed_labels(smoothing):
    @jax.jit
    def optaxs(rows, smoothing):
        return optax.losses.softmax_cross_entropy(
            rows, optax.losses.smooth_labels(jax.nn.one_hot(LABELS, 3), smoothing)
        )

    values = cross_entropy(logits(), LABELS, label_smoothing=smoothing)
    np.testing.assert_allclose(values, optaxs(logits(), smoothing), rtol=1e-5, atol=1e-6)


def test_its_gradient_is_the_prediction_minus_the_label():
    gradient = jax.jit(jax.grad(lambda rows: cross_entropy(rows, LABELS).sum()))(logits())
    np.testing.assert_allclose(gradient, softmax(logits(), axis=1) - np.eye(3)[LABELS], atol=1e-6)


def test_logits_far_apart_lose_nothing():
    rows = jnp.array([[3e4, -3e4, 0.0], [-3e4, 3e4, 0.0]])
    values = cross_entropy(rows, jnp.array([mf.REAL, mf.REAL]))
    np.testing.assert_array_equal(values, [0, 6e4])


def test_a_label_that_is_none_of_the_three_shows_unless_it_is_padding():
    values = cross_entropy(logits(), jnp.array([0, 3, -1, 7, 2]), where=jnp.array([True, True, True, False, True]))
    np.testing.assert_array_equal(np.isnan(values), [False, True, True, False, False])
    assert values[3] == 0


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match=r"real, fake and outlier, \(examples, 3\); got \(5, 2\)"):
        losses.outlier_conditioned_cross_entropy(logits(2), LABELS)
    with pytest.raises(ValueError, match=r"`label_smoothing` must be in \[0, 1\], got 1.5"):
        losses.outlier_conditioned_cross_entropy(logits(), LABELS, label_smoothing=1.5)


@pytest.mark.parametrize("classes", [2, 5])
def test_outlier_exposure_is_cross_entropy_to_uniform(classes):
    uniform = np.full((5, classes), 1 / classes, np.float32)
    expected = jax.jit(optax.losses.softmax_cross_entropy)(logits(classes), uniform)
    np.testing.assert_allclose(outlier_exposure(logits(classes)), expected, rtol=1e-5, atol=1e-6)


def test_outlier_exposure_is_least_where_nothing_is_believed():
    run = jax.jit(jax.value_and_grad(lambda rows: outlier_exposure(rows).sum()))
    least, gradient = run(np.full((1, 4), 2.5, np.float32))
    np.testing.assert_allclose(least, np.log(4), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(gradient, np.zeros((1, 4)), atol=1e-7)
    assert np.all(np.asarray(outlier_exposure(logits(4))) > np.log(4))
