"""Energies against scipy, and the hinges on both sides of both margins."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp, softmax

import metaforge as mf
from metaforge import losses

energy, energy_bounded = jax.jit(losses.energy), jax.jit(losses.energy_bounded)


def logits():
    return jnp.asarray(np.random.default_rng(0).normal(scale=4.0, size=(5, 3)), jnp.float32)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 10.0])
def test_energy_is_the_formula(temperature):
    expected = -temperature * logsumexp(np.asarray(logits(), np.float64) / temperature, axis=1)
    np.testing.assert_allclose(energy(logits(), temperature=temperature), expected, rtol=1e-5, atol=1e-5)


def test_energy_falls_by_what_is_added_to_all_logits():
    for temperature in (1.0, 3.0):
        before, after = (
            np.asarray(energy(np.asarray(logits()) + np.float32(shift), temperature=temperature))
            for shift in (0.0, 7.5)
        )
        np.testing.assert_allclose(before - after, np.full(5, 7.5), rtol=1e-5, atol=1e-5)


def test_a_cold_energy_is_minus_the_largest_logit():
    np.testing.assert_allclose(energy(logits(), temperature=1e-4), -np.max(logits(), axis=1), rtol=1e-4, atol=1e-5)


def test_its_gradient_is_minus_the_softmax():
    gradient = jax.jit(jax.grad(lambda rows: energy(rows, temperature=2.0).sum()))(logits())
    np.testing.assert_allclose(gradient, -softmax(np.asarray(logits()) / 2.0, axis=1), atol=1e-6)


def rows_of_energy(energies):
    """Logits `(a, a)` have the energy `-a - log 2`."""
    return jnp.asarray(np.tile(-(np.asarray(energies) + np.log(2.0))[:, None], (1, 2)), jnp.float32)


def test_the_hinges_by_hand():
    rows = rows_of_energy([-9.0, -4.0, 0.0, -9.0, -4.0, 0.0])
    labels = jnp.array([mf.REAL, mf.FAKE, mf.REAL, mf.OUTLIER, mf.OUTLIER, mf.OUTLIER])
    bounded = lambda rows: energy_bounded(rows, labels, known_margin=-6.0, outlier_margin=-1.0)
    np.testing.assert_allclose(bounded(rows), [0, 4, 36, 64, 9, 0], atol=1e-4)
    # Half of twice the excess for each of two equal logits; known examples are pushed up in logits, outliers down.
    gradient = jax.jit(jax.grad(lambda rows: bounded(rows).sum()))(rows)
    np.testing.assert_allclose(gradient[:, 0], [0, -2, -6, 8, 3, 0], atol=1e-4)


def test_the_hinges_take_the_temperature():
    labels = jnp.array([0, 1, 2, 2, 0])
    energies = np.asarray(energy(logits(), temperature=3.0), np.float64)
    expected = np.where(np.asarray(labels) == 2, np.maximum(0, -2.0 - energies), np.maximum(0, energies + 8.0)) ** 2
    values = energy_bounded(logits(), labels, known_margin=-8.0, outlier_margin=-2.0, temperature=3.0)
    assert np.any(expected > 0)
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-6)


def test_margins_are_data():
    run = jax.jit(lambda known: energy_bounded(
        logits(), jnp.zeros(5, int), known_margin=known, outlier_margin=known + 4.0
    ))  # fmt: skip
    assert np.all(run(jnp.asarray(-20.0)) > run(jnp.asarray(-15.0)))


def test_temperatures_are_above_zero():
    for loss in (losses.energy, lambda rows, **options: losses.energy_bounded(
        rows, jnp.zeros(5, int), known_margin=-1.0, outlier_margin=0.0, **options
    )):  # fmt: skip
        with pytest.raises(ValueError, match=r"`temperature` must be above 0, got 0\.0"):
            loss(logits(), temperature=0.0)
