"""Losses for hard examples against closed forms and optax, and through an inner loop."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree
from scipy.special import softmax

import metaforge as mf
from metaforge import losses, objectives

LABELS = np.array([0, 1, 2, 1, 0, 2, 1, 0])
ROWS = np.random.default_rng(0).normal(scale=3.0, size=(8, 3)).astype(np.float32)
RIGHT = softmax(ROWS.astype(np.float64), axis=1)[np.arange(8), LABELS]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("focal", {"gamma": 0.0}),
        ("poly1", {"epsilon": 0.0}),
        ("hard_example_mining", {"share": 1.0}),
        ("smoothed_cross_entropy", {"smoothing": 0.0}),
    ],
)
def test_at_one_end_each_is_cross_entropy(name, options):
    expected = -np.log(RIGHT)
    np.testing.assert_allclose(
        jax.jit(functools.partial(getattr(losses, name), **options))(ROWS, LABELS), expected, rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("gamma", [0.5, 2.0, 5.0])
def test_focal_is_its_formula_and_optax_s_of_the_difference_of_two_logits(gamma):
    run = jax.jit(functools.partial(losses.focal, gamma=gamma))
    np.testing.assert_allclose(run(ROWS, LABELS), -((1 - RIGHT) ** gamma) * np.log(RIGHT), rtol=1e-4, atol=1e-6)
    two, labels = ROWS[:, :2], LABELS % 2
    weighed = jax.jit(functools.partial(losses.focal, gamma=gamma, alpha=0.3))(two, labels)
    expected = optax.losses.sigmoid_focal_loss(two[:, 1] - two[:, 0], labels, alpha=0.3, gamma=gamma)
    np.testing.assert_allclose(weighed, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("epsilon", [-1.0, 2.0])
def test_poly1_changes_the_first_coefficient_alone(epsilon):
    powers = np.arange(1, 4000)[:, None]
    coefficients = 1 / powers + epsilon * (powers == 1)
    kept = RIGHT > 0.01
    expected = np.sum(coefficients * (1 - RIGHT[kept]) ** powers, axis=0)
    values = jax.jit(functools.partial(losses.poly1, epsilon=epsilon))(ROWS, LABELS)
    np.testing.assert_allclose(np.asarray(values)[kept], expected, rtol=1e-4, atol=1e-5)
    assert kept.sum() >= 5


def test_smoothing_is_optax_s():
    wanted = optax.losses.smooth_labels(jax.nn.one_hot(LABELS, 3), 0.2)
    values = jax.jit(functools.partial(losses.smoothed_cross_entropy, smoothing=0.2))(ROWS, LABELS)
    np.testing.assert_allclose(values, optax.losses.softmax_cross_entropy(ROWS, wanted), rtol=1e-5)


@pytest.mark.parametrize(("share", "weights"), [(0.25, [1, 1]), (0.3125, [1, 1, 0.5]), (0.05, [0.4]), (1.0, [1] * 8)])
def test_mining_is_the_mean_of_the_hardest_share_the_last_one_in_part(share, weights):
    values = jax.jit(functools.partial(losses.hard_example_mining, share=share))(ROWS, LABELS)
    hardest = np.sort(-np.log(RIGHT))[::-1][: len(weights)]
    np.testing.assert_allclose(np.mean(values), np.dot(weights, hardest) / np.sum(weights), rtol=1e-5)
    assert np.sum(np.asarray(values) > 0) == len(weights)


def test_mining_ranks_only_what_exists():
    where = np.array([True, False] * 4)
    run = jax.jit(functools.partial(losses.hard_example_mining, share=0.5))
    values = np.asarray(run(ROWS, LABELS, where=where))
    hardest = np.sort(-np.log(RIGHT[where]))[::-1][:2]
    np.testing.assert_allclose(values.sum() / where.sum(), hardest.mean(), rtol=1e-5)


@pytest.mark.parametrize("name", ["focal", "poly1", "hard_example_mining", "smoothed_cross_entropy"])
def test_answers_that_are_sure_have_finite_values_and_gradients(name):
    rows = jnp.array([[3e4, -3e4], [-3e4, 3e4], [200.0, 0.0]])
    loss = jax.jit(jax.value_and_grad(lambda rows: getattr(losses, name)(rows, jnp.zeros(3, int)).sum()))
    value, gradient = loss(rows)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: objectives.focal(gamma=-1.0), "`gamma` must be 0 or more, got -1.0"),
        (lambda: objectives.focal(alpha=1.0), "`alpha` must be between 0 and 1, got 1.0"),
        (lambda: losses.focal(jnp.asarray(ROWS), jnp.asarray(LABELS), alpha=0.5), "`alpha` is for two classes"),
        (lambda: objectives.poly1(epsilon=-2.0), "`epsilon` must be -1 or more, got -2.0"),
        (lambda: objectives.hard_example_mining(share=0.0), "`share` must be above 0, got 0.0"),
        (lambda: objectives.hard_example_mining(share=1.5), "`share` must be at most 1, got 1.5"),
        (lambda: objectives.smoothed_cross_entropy(smoothing=1.5), r"`smoothing` must be in \[0, 1\], got 1.5"),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_made(make, word):
    with pytest.raises(ValueError, match=word):
        make()


def test_a_label_that_is_no_class_shows_unless_it_is_padding():
    where = np.array([True, True, True, False])
    for name in ("focal", "poly1", "hard_example_mining", "smoothed_cross_entropy"):
        values = jax.jit(getattr(losses, name))(ROWS[:4], np.array([0, 3, -1, 9]), where=where)
        np.testing.assert_array_equal(np.isnan(values), [False, True, True, False], err_msg=name)


@pytest.mark.parametrize(
    "objective",
    [objectives.focal(), objectives.poly1(), objectives.hard_example_mining(), objectives.smoothed_cross_entropy()],
    ids=["focal", "poly1", "hard_example_mining", "smoothed_cross_entropy"],
)
def test_through_an_inner_step_the_exact_gradient_agrees_with_central_differences(objective, x64):
    model = mf.backbones.mlp(hidden=(), outputs=2)
    loss_fn = objectives.loss_fn(model, objective)
    rng = np.random.default_rng(1)
    support, query = (mf.Batch(jnp.asarray(rng.normal(size=(6, 3))), jnp.array([0, 1] * 3)) for _ in range(2))
    flat, rebuild = ravel_pytree(
        {"head": {"kernel": jnp.asarray(rng.normal(size=(3, 2))), "bias": jnp.asarray(rng.normal(size=2))}}
    )

    def outer(flat):
        params = rebuild(flat)
        inner = jax.grad(lambda params: loss_fn(params, support)[0])(params)
        return loss_fn(jax.tree.map(lambda leaf, step: leaf - 0.5 * step, params, inner), query)[0]

    shifts = 1e-6 * jnp.eye(flat.size)
    differences = jax.vmap(lambda shift: (outer(flat + shift) - outer(flat - shift)) / 2e-6)
    gradient, expected = jax.jit(lambda: (jax.grad(outer)(flat), differences(shifts)))()
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8)
    assert np.all(np.abs(gradient[:2]) > 0)
