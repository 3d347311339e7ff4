"""The gradient noise scale against gradients of which mean and covariance are known."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from metaforge.core.averaging import averaged
from metaforge.core.noise_scale import LEAST, noise_measured, noise_scale


def after(gradients, tasks, *, decay):
    """The state after gradients that are means of so many tasks."""
    state = noise_measured(optax.sgd(1.0), 1, decay=decay).init({"w": jnp.zeros(len(gradients[0]))})
    steps = {size: jax.jit(noise_measured(optax.sgd(1.0), size, decay=decay).update) for size in {*tasks}}
    for gradient, size in zip(gradients, tasks, strict=True):
        _, state = steps[size]({"w": jnp.asarray(gradient, jnp.float32)}, state)
    return state


@pytest.mark.parametrize("sizes", [(1,), (2, 8)])
def test_of_gaussian_gradients_it_is_trace_over_squared_mean_whatever_the_batches(sizes):
    rng, mean, deviation, count = np.random.default_rng(0), np.array([3.0, 0, 4, 0]), 5.0, 2000
    tasks = [sizes[n % len(sizes)] for n in range(count)]
    gradients = [mean + rng.normal(0, deviation / np.sqrt(size), 4) for size in tasks]
    # tr(Sigma) = 4 * 25 and |G|^2 = 25; averages over some thousand steps know it to a few per cent.
    assert noise_scale(after(gradients, tasks, decay=0.999)) == pytest.approx(4.0, rel=0.1)


def test_it_is_the_papers_estimate_from_two_batch_sizes():
    # Two steps that weigh alike: batches of 1, and their mean as one of 2 (appendix A.1).
    one, two = np.array([1.0, 2.0]), np.array([3.0, -1.0])
    small, big = (one @ one + two @ two) / 2, np.square((one + two) / 2).sum()
    trace, true = (small - big) / (1 - 1 / 2), (2 * big - small) / (2 - 1)
    # An exponential average weighs steps alike as its decay goes to 1.
    state = after([one, two], [1, 1], decay=1 - 1e-4)._replace(count=jnp.array(LEAST))
    assert noise_scale(state) == pytest.approx(trace / true, rel=1e-3)


def test_before_enough_steps_nothing_is_said_and_without_noise_it_is_none():
    gradients = [np.ones(2)] * LEAST
    assert np.isnan(noise_scale(after(gradients[1:], [1] * (LEAST - 1), decay=0.9)))
    assert noise_scale(after(gradients, [1] * LEAST, decay=0.9)) == pytest.approx(0, abs=1e-5)


def test_the_optimizers_own_steps_stay_what_they_are_and_it_is_found_within_another():
    plain, measured = optax.adam(0.1), averaged(noise_measured(optax.adam(0.1), 3), 0.9)
    params = jnp.array([1.0, -2.0])
    one, other = plain.init(params), measured.init(params)
    for gradient in (jnp.array([1.0, 2.0]), jnp.array([-3.0, 0.5])):
        expected, one = plain.update(gradient, one, params)
        found, other = measured.update(gradient, other, params)
        np.testing.assert_array_equal(found, expected)
    assert np.isnan(noise_scale((other, None)))
    with pytest.raises(KeyError, match="noise_measured"):
        noise_scale(one)


@pytest.mark.parametrize(("options", "word"), [({"decay": 1.0}, "decay"), ({"tasks": 0}, "tasks")])
def test_what_cannot_be_is_refused(options, word):
    with pytest.raises(ValueError, match=word):
        noise_measured(optax.sgd(1.0), **{"tasks": 1} | options)
