"""Objectives against scikit-learn and plain NumPy."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss, mean_squared_error

from metaforge import Batch, Outputs
from metaforge.objectives import cross_entropy, loss_fn, squared_error


def scored(classes=3, examples=20):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(examples, classes)) * 3
    labels = rng.integers(0, classes, size=examples)
    return logits, labels, Outputs(jnp.asarray(logits), jnp.asarray(np.zeros((examples, 1))))


def probabilities(logits):
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("classes", [2, 3])
def test_cross_entropy_and_accuracy_are_scikit_learn_s(classes, x64):
    logits, labels, outputs = scored(classes)
    expected = log_loss(labels, probabilities(logits), labels=range(classes))
    value, metrics = jax.jit(cross_entropy())(outputs, Batch(None, jnp.asarray(labels)))
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    np.testing.assert_allclose(metrics["accuracy"], accuracy_score(labels, logits.argmax(axis=1)), rtol=1e-6)


def test_the_sum_of_equation_3_is_the_mean_times_the_number_of_examples(x64):
    logits, labels, outputs = scored()
    value, _ = jax.jit(cross_entropy(reduction="sum"))(outputs, Batch(None, jnp.asarray(labels)))
    np.testing.assert_allclose(value, 20 * log_loss(labels, probabilities(logits), labels=range(3)), rtol=1e-12)


def test_equal_logits_cost_the_logarithm_of_the_number_of_classes():
    outputs = Outputs(np.zeros((4, 2), np.float32), np.zeros((4, 1), np.float32))
    value, _ = jax.jit(cross_entropy())(outputs, Batch(None, jnp.array([0, 1, 0, 1])))
    np.testing.assert_allclose(value, np.log(2), rtol=1e-6)


def test_large_logits_stay_finite():
    outputs = Outputs(jnp.array([[1e4, -1e4]]), jnp.array([[0.0]]))
    value, _ = jax.jit(cross_entropy())(outputs, Batch(None, jnp.array([1])))
    np.testing.assert_allclose(value, 2e4, rtol=1e-6)


def test_squared_error_is_scikit_learn_s(x64):
    rng = np.random.default_rng(0)
    predicted, wanted = rng.normal(size=(2, 7, 3))
    outputs = Outputs(jnp.asarray(predicted), jnp.asarray(np.zeros((7, 1))))
    value, metrics = jax.jit(squared_error())(outputs, Batch(None, jnp.asarray(wanted)))
    np.testing.assert_allclose(value, mean_squared_error(wanted, predicted), rtol=1e-12)
    assert metrics == {}


def test_squared_error_refuses_targets_of_another_shape():
    # Outside the tests (n, 1) minus (n,) would broadcast to all n x n pairs: 0.5 here where the error is 0.
    outputs = Outputs(jnp.array([[1.0], [2.0]]), jnp.zeros((2, 1)))
    with jax.numpy_rank_promotion("allow"), pytest.raises(ValueError, match=r"\(2, 1\)"):
        squared_error()(outputs, Batch(None, jnp.array([1.0, 2.0])))


def test_an_unknown_reduction_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown `reduction` 'median'; known: mean, sum"):
        inspect.unwrap(cross_entropy)(reduction="median")


def test_loss_fn_hands_the_model_inputs_and_context_and_the_objective_the_whole_batch():
    seen = {}

    def apply(params, inputs, *, context=None):
        seen.update(params=params, inputs=inputs, context=context)
        return Outputs(jnp.zeros((2, 2)), jnp.zeros((2, 1)))

    def objective(outputs, batch):
        seen.update(outputs=outputs, batch=batch)
        return jnp.array(7.0), {"noted": 1}

    batch = Batch(inputs="images", targets="labels", context="support images")
    assert loss_fn(apply, objective)("parameters", batch) == (7.0, {"noted": 1})
    assert (seen["params"], seen["inputs"], seen["context"]) == ("parameters", "images", "support images")
    assert seen["batch"] is batch
    assert seen["outputs"].logits.shape == (2, 2)
