"""Both directions of the divergence against scipy and optax, and classes that are left out."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.special import rel_entr, softmax

from metaforge import losses

kl_divergence = jax.jit(losses.kl_divergence, static_argnames="direction")


def pair(scale=2.0):
    rng = np.random.default_rng(0)
    return [jnp.asarray(rng.normal(scale=scale, size=(6, 4)), jnp.float32) for _ in range(2)]


def test_each_direction_is_its_sum():
    logits, target = pair()
    p, q = (softmax(np.asarray(rows, np.float64), axis=1) for rows in (logits, target))
    forward, reverse = (np.asarray(kl_divergence(logits, target, direction=way)) for way in ("forward", "reverse"))
    np.testing.assert_allclose(forward, rel_entr(q, p).sum(axis=1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(reverse, rel_entr(p, q).sum(axis=1), rtol=1e-5, atol=1e-6)
    assert np.all(np.abs(forward - reverse) > 1e-3)


def test_forward_is_optax():
    logits, target = pair()
    expected = jax.jit(lambda p, q: optax.kl_divergence(jax.nn.log_softmax(p), jax.nn.softmax(q)))(logits, target)
    np.testing.assert_allclose(kl_divergence(logits, target), expected, rtol=1e-5, atol=1e-6)


def test_reverse_is_forward_with_the_arguments_exchanged():
    logits, target = pair()
    exchanged = kl_divergence(target, logits)
    np.testing.assert_array_equal(kl_divergence(logits, target, direction="reverse"), exchanged)


@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_equal_distributions_are_at_the_least(direction):
    logits, _ = pair()
    total = lambda rows: kl_divergence(rows, logits + 3.0, direction=direction).sum()
    value, gradient = jax.jit(jax.value_and_grad(total))(logits)
    np.testing.assert_allclose(value, 0, atol=1e-5)
    np.testing.assert_allclose(gradient, np.zeros((6, 4)), atol=1e-5)


def test_the_forward_gradient_is_prediction_minus_target():
    logits, target = pair()
    gradient = jax.jit(jax.grad(lambda rows: kl_divergence(rows, target).sum()))(logits)
    np.testing.assert_allclose(gradient, softmax(logits, axis=1) - softmax(target, axis=1), atol=1e-6)


@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_classes_left_out_by_both_are_as_if_not_there(direction):
    logits, target = pair()

    def total(logits, target):
        values = kl_divergence(logits, target, direction=direction)
        return values.sum(), values

    run = jax.jit(jax.value_and_grad(total, argnums=(0, 1), has_aux=True))
    holes = [np.where(np.arange(4) == 2, np.float32(-np.inf), rows) for rows in (logits, target)]
    short = [np.delete(rows, 2, axis=1) for rows in (logits, target)]
    ((_, values), gradients), ((_, few), expected) = (jax.tree.map(np.asarray, run(*rows)) for rows in (holes, short))
    np.testing.assert_allclose(values, few, rtol=1e-5, atol=1e-6)
    for gradient, want in zip(gradients, expected, strict=True):
        np.testing.assert_array_equal(gradient[:, 2], np.zeros(6))
        np.testing.assert_allclose(np.delete(gradient, 2, axis=1), want, rtol=1e-5, atol=1e-6)


def test_a_class_that_only_one_leaves_out_costs_everything_or_nothing():
    full, hole = jnp.array([[0.0, 0.0]]), jnp.array([[0.0, -jnp.inf]])
    np.testing.assert_allclose(kl_divergence(full, hole), [np.log(2)], rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(kl_divergence(hole, full), [np.inf])
    np.testing.assert_array_equal(kl_divergence(full, hole, direction="reverse"), [np.inf])


def test_certain_distributions_stay_finite():
    logits, target = pair(scale=1e4)
    values, gradient = jax.jit(jax.value_and_grad(lambda rows: kl_divergence(rows, target).sum()))(logits)
    assert np.isfinite(values)
    assert np.isfinite(gradient).all()


def test_an_unknown_direction_is_refused():
    with pytest.raises(ValueError, match="unknown `direction` 'sideways'; known: forward, reverse"):
        # Past the tests' own type checks, as a user meets it.
        inspect.unwrap(losses.kl_divergence)(*pair(), direction="sideways")
