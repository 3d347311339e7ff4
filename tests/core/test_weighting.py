"""DAML's weight against its formula, and against the gradient of `silu`, which is the same sum."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaforge.core.weighting import WEIGHTINGS, difficulty_aware, focal, softmax, uniform

LOSSES = np.array([0.0, 0.05, 0.3, np.log(2), 1.0, 2.4, 5.0, 20.0])


def sigma(losses):
    return 1 / (1 + np.exp(-losses))


def factors(weighting, losses):
    """How many times each task's gradient counts: the derivative of the weighted sum by each loss."""
    run = jax.jit(jax.grad(lambda losses: jnp.sum(weighting(losses) * losses)))
    return np.asarray(run(jnp.asarray(losses)))


def test_uniform_weights_and_factors_are_ones(x64):
    np.testing.assert_array_equal(uniform()(jnp.asarray(LOSSES)), np.ones(8))
    np.testing.assert_array_equal(factors(uniform(), LOSSES), np.ones(8))


def test_the_weight_is_the_paper_s_sigmoid_of_the_loss(x64):
    weights = difficulty_aware()(jnp.asarray(LOSSES))
    np.testing.assert_allclose(weights, 1 / (1 + np.exp(-LOSSES)), rtol=1e-12)
    assert weights[0] == 0.5
    assert np.all((weights >= 0.5) & (weights < 1))


def test_differentiated_as_printed_a_task_counts_sigma_plus_loss_times_its_slope(x64):
    s = sigma(LOSSES)
    np.testing.assert_allclose(factors(difficulty_aware(), LOSSES), s + LOSSES * s * (1 - s), rtol=1e-12)
    silu = jax.jit(jax.vmap(jax.grad(jax.nn.silu)))(jnp.asarray(LOSSES))
    np.testing.assert_allclose(factors(difficulty_aware(), LOSSES), silu, rtol=1e-12)


def test_the_factor_takes_the_values_that_the_docstring_names(x64):
    grid = np.linspace(0, 10, 10_001)
    values = factors(difficulty_aware(), grid)
    assert values[0] == 0.5
    at_chance = factors(difficulty_aware(), [np.log(2)])[0]
    assert at_chance == pytest.approx(2 / 3 + 2 / 9 * np.log(2), rel=1e-12)
    assert at_chance == pytest.approx(0.82, abs=0.005)
    assert values.max() == pytest.approx(1.0998, abs=5e-5)
    assert grid[values.argmax()] == pytest.approx(2.4, abs=0.01)
    assert values[-1] == pytest.approx(1, abs=1e-3)


def test_detached_the_factor_is_the_weight(x64):
    values = factors(difficulty_aware(detach=True), LOSSES)
    np.testing.assert_allclose(values, sigma(LOSSES), rtol=1e-12)
    assert np.all((values >= 0.5) & (values < 1))


@pytest.mark.parametrize("detach", [False, True])
def test_normalised_weights_have_mean_one_and_keep_their_ratios(detach, x64):
    weights = np.asarray(jax.jit(difficulty_aware(detach=detach, normalize=True))(LOSSES))
    np.testing.assert_allclose(np.mean(weights), 1, rtol=1e-12)
    np.testing.assert_allclose(weights / weights[0], sigma(LOSSES) / 0.5, rtol=1e-12)


def test_normalised_and_detached_the_factors_too_have_mean_one(x64):
    values = factors(difficulty_aware(detach=True, normalize=True), LOSSES)
    np.testing.assert_allclose(values, sigma(LOSSES) / sigma(LOSSES).mean(), rtol=1e-12)


@pytest.mark.parametrize("spread", [1.0, 4.0, 10.0])
def test_normalising_never_teaches_an_easy_task_to_get_worse(spread, x64):
    # A negative factor would be gradient ascent on that task.
    assert np.all(factors(difficulty_aware(normalize=True), [0.0, spread]) > 0)


@pytest.mark.parametrize("temperature", [0.3, 2.0])
def test_softmax_weights_give_the_gradient_of_the_soft_maximum(temperature, x64):
    losses = jnp.array([0.1, 0.7, 2.4])
    weigh = softmax(temperature=temperature)
    soft = lambda x: 3 * temperature * jnp.log(jnp.mean(jnp.exp(x / temperature)))
    counted = jax.grad(lambda x: jnp.sum(weigh(x) * x))
    found, expected, weights = jax.jit(lambda x: (counted(x), jax.grad(soft)(x), weigh(x)))(losses)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_allclose(np.mean(weights), 1.0, rtol=1e-12)


def test_softmax_runs_from_uniform_to_the_hardest_task(x64):
    losses = jnp.array([0.1, 0.7, 2.4])
    even, hardest = jax.jit(lambda x: [softmax(temperature=heat)(x) for heat in (1e6, 1e-2)])(losses)
    np.testing.assert_allclose(even, np.ones(3), rtol=1e-5)
    np.testing.assert_allclose(hardest, [0, 0, 3], atol=1e-9)


def test_focal_weights_are_the_loss_s_factor_and_nothing_is_divided_by_nothing(x64):
    p = np.array([0.9, 0.5, 0.1])
    both = lambda losses: (focal(power=2.0, normalize=False)(losses), focal(power=2.0)(losses), focal()(0 * losses))
    found, normal, nothing = jax.jit(both)(-np.log(p))
    np.testing.assert_allclose(found, (1 - p) ** 2, rtol=1e-12)
    np.testing.assert_allclose(normal, (1 - p) ** 2 / np.mean((1 - p) ** 2), rtol=1e-12)
    np.testing.assert_array_equal(nothing, np.ones(3))


@pytest.mark.parametrize("power", [0.5, 2.0])
def test_focal_differentiated_through_has_the_gradient_of_the_focal_loss(power, x64):
    # Lin et al., eq. 4: FL(p) = -(1 - p)^gamma log p, with p = exp(-loss); its slope by p, by hand.
    p = np.array([0.9, 0.5, 0.1])
    slope = power * (1 - p) ** (power - 1) * np.log(p) - (1 - p) ** power / p
    found = factors(focal(power=power, detach=False, normalize=False), -np.log(p))
    np.testing.assert_allclose(found, slope * -p, rtol=1e-12)


def test_weightings_by_name_are_daml_s_four_variants_and_the_others(x64):
    counted = lambda weigh, losses: jax.grad(lambda losses: jnp.sum(weigh(losses) * losses))(losses)
    run = lambda losses: {name: (make()(losses), counted(make(), losses)) for name, make in WEIGHTINGS.items()}
    found = jax.tree.map(np.asarray, jax.jit(run)(LOSSES))
    weights, counts = ({name: pair[i] for name, pair in found.items()} for i in range(2))
    means = {name: np.mean(values) == pytest.approx(1) for name, values in weights.items()}
    held = {name: np.allclose(values, weights[name]) for name, values in counts.items()}
    names = ("uniform", "through", "detached", "normalised", "detached_normalised", "softmax", "focal")
    assert means == dict(zip(names, (True, False, False, True, True, True, True), strict=True))
    assert held == dict(zip(names, (True, False, True, False, True, True, True), strict=True))


@pytest.mark.parametrize(("factory", "setting"), [(softmax, "temperature"), (focal, "power")])
def test_settings_that_cannot_work_are_refused(factory, setting):
    with pytest.raises(ValueError, match=setting):
        factory(**{setting: -1.0})
