"""The contrastive losses against plain loops in double precision, at their edges, and far out of scale."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.special import logsumexp

from metaforge import losses

# Compiled: a temperature is data, so that tests share programs.
outlier_contrastive = jax.jit(losses.outlier_contrastive, static_argnames="detach")
supervised_contrastive = jax.jit(losses.supervised_contrastive)


ATOL = 1e-5
"""A loss near 0 is a difference of numbers of size 1 / temperature, at most 20, which float32 has to 1e-6."""


def cosine(a, b):
    return a @ b / np.sqrt((a @ a) * (b @ b))


def slow_outlier_contrastive(features, assignments, centers, outliers, tau, classes=None):
    values = []
    for z, own in zip(features, assignments, strict=True):
        rivals = [k for k in range(len(centers)) if classes is None or k == own or classes[k] != classes[own]]
        scores = [cosine(z, centers[k]) / tau for k in rivals] + [cosine(z, v) / tau for v in outliers]
        values.append(logsumexp(scores) - cosine(z, centers[own]) / tau)
    return np.array(values)


def slow_supervised_contrastive(features, labels, tau):
    values = []
    for i, z in enumerate(features):
        others = [a for a in range(len(features)) if a != i]
        friends = [p for p in others if labels[p] == labels[i]]
        bottom = logsumexp([cosine(z, features[a]) / tau for a in others])
        values.append(-np.mean([cosine(z, features[p]) / tau - bottom for p in friends]) if friends else 0.0)
    return np.array(values)


ASSIGNMENTS, CLASSES, LABELS = np.array([0, 2, 1, 3, 0]), np.array([0, 0, 1, 1]), np.array([4, 0, 4, 9, 4])


def arrays(dtype=jnp.float32, seed=0):
    rng = np.random.default_rng(seed)
    return [jnp.asarray(rng.normal(size=shape), dtype) for shape in ((5, 3), (4, 3), (6, 3))]


def doubles(arrays):
    return [np.asarray(array, np.float64) for array in arrays]


@pytest.mark.parametrize("tau", [0.05, 0.1, 1.0])
@pytest.mark.parametrize("classes", [None, CLASSES], ids=["all", "siblings let alone"])
def test_outlier_contrastive_is_the_formula(tau, classes):
    z, c, v = arrays()
    options = {} if classes is None else {"center_classes": jnp.asarray(classes)}
    values = outlier_contrastive(z, jnp.asarray(ASSIGNMENTS), c, v, temperature=tau, **options)
    z, c, v = doubles((z, c, v))
    np.testing.assert_allclose(
        values, slow_outlier_contrastive(z, ASSIGNMENTS, c, v, tau, classes), rtol=2e-5, atol=ATOL
    )


def test_outlier_contrastive_by_hand():
    # An example on its centre, another centre at a right angle, an outlier opposite: log(1 + e^-1 + e^-2).
    values = outlier_contrastive(
        jnp.array([[7.0, 0.0]]), jnp.array([0]), jnp.array([[0.1, 0.0], [0.0, 5.0]]), jnp.array([[-2.0, 0.0]]),
        temperature=1.0,
    )  # fmt: skip
    np.testing.assert_allclose(values, [np.log(1 + np.exp(-1) + np.exp(-2))], rtol=1e-6)


def test_without_outliers_it_is_cross_entropy_over_normalised_centres():
    z, c, _ = arrays()
    unit = lambda rows: rows / np.linalg.norm(rows, axis=1, keepdims=True)
    scores = unit(z) @ unit(c).T / 0.1
    expected = jax.jit(optax.losses.softmax_cross_entropy_with_integer_labels)(scores, ASSIGNMENTS)
    values = outlier_contrastive(z, jnp.asarray(ASSIGNMENTS), c, jnp.zeros((0, 3)))
    np.testing.assert_allclose(values, expected, rtol=1e-5, atol=ATOL)


def test_lengths_do_not_count():
    z, c, v = arrays()
    run = jax.jit(lambda z, c, v: outlier_contrastive(z, jnp.asarray(ASSIGNMENTS), c, v))
    z, c, v = map(np.asarray, (z, c, v))
    scaled = (np.float32(factor) * rows for factor, rows in ((9.0, z), (0.2, c), (1e3, v)))
    np.testing.assert_allclose(run(*scaled), run(z, c, v), rtol=1e-5, atol=ATOL)
    gradient = jax.jit(jax.grad(lambda z: run(z, c, v).sum()))(z)
    np.testing.assert_allclose(np.sum(gradient * z, axis=1), np.zeros(5), atol=1e-5)


@pytest.mark.parametrize("padding", [np.nan, np.inf])
def test_padded_centres_and_outliers_are_as_if_not_there(padding):
    z, c, v = arrays()
    keep_c, keep_v = jnp.array([True, True, False, True]), jnp.array([True, False, True, True, False, False])
    assignments = jnp.array([0, 1, 3, 3, 0])

    def total(z, c, v):
        values = outlier_contrastive(
            z, assignments, c, v, where_centers=keep_c, where_outliers=keep_v, detach=False,
            center_classes=jnp.asarray(CLASSES),
        )  # fmt: skip
        return values.sum(), values

    holes = [
        np.where(np.asarray(keep)[:, None], rows, np.float32(padding)) for rows, keep in ((c, keep_c), (v, keep_v))
    ]
    run = jax.jit(jax.value_and_grad(total, argnums=(0, 1, 2), has_aux=True))
    (_, values), gradients = jax.tree.map(np.asarray, run(z, *holes))
    keep_c, keep_v = np.asarray(keep_c), np.asarray(keep_v)
    short = [np.asarray(rows, np.float64)[np.asarray(keep)] for rows, keep in ((c, keep_c), (v, keep_v))]
    renamed = np.array([0, 1, 2, 2, 0])
    expected = slow_outlier_contrastive(*doubles([z]), renamed, *short, 0.1, CLASSES[np.asarray(keep_c)])
    np.testing.assert_allclose(values, expected, rtol=2e-5, atol=ATOL)
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    np.testing.assert_array_equal(gradients[1][~keep_c], 0)
    np.testing.assert_array_equal(gradients[2][~keep_v], 0)
    assert np.all(np.any(gradients[2][keep_v] != 0, axis=1))


def test_centres_and_outliers_are_constants_unless_asked(x64):
    z, c, v = arrays(jnp.float64)

    def total(c, v, detach):
        return outlier_contrastive(z, jnp.asarray(ASSIGNMENTS), c, v, detach=detach).sum()

    value = lambda joined: total(joined[:4], joined[4:], False)
    both = np.concatenate([c, v])
    shifts = 1e-6 * np.eye(both.size).reshape(-1, *both.shape)

    @jax.jit
    def run(both):
        differences = jax.vmap(lambda shift: (value(both + shift) - value(both - shift)) / 2e-6)(shifts)
        return jax.grad(lambda joined: total(joined[:4], joined[4:], True))(both), jax.grad(value)(both), differences

    still, gradient, expected = run(both)
    np.testing.assert_array_equal(still, np.zeros(both.shape))
    np.testing.assert_allclose(gradient.ravel(), expected, rtol=1e-6, atol=1e-7)


def test_an_assignment_to_no_centre_in_use_shows():
    z, c, v = arrays()
    values = outlier_contrastive(
        z, jnp.array([0, 1, 4, -1, 9]), c, v,
        where=jnp.array([True, True, True, True, False]), where_centers=jnp.array([True, False, True, True]),
    )  # fmt: skip
    np.testing.assert_array_equal(np.isnan(values), [False, True, True, True, False])
    assert values[4] == 0


@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e30])
def test_features_of_any_length_have_finite_values_and_gradients(scale):
    z, c, v = arrays()
    labels = jnp.asarray(LABELS)
    contrast = lambda z: outlier_contrastive(z, jnp.asarray(ASSIGNMENTS), c, v)
    for loss in (contrast, lambda z: supervised_contrastive(z, labels)):
        scaled = np.asarray(z) * np.float32(scale)
        values, gradient = loss(scaled), jax.jit(jax.grad(lambda z, loss=loss: loss(z).sum()))(scaled)
        assert np.isfinite(values).all()
        assert np.isfinite(gradient).all()
        if scale:
            np.testing.assert_allclose(values, loss(z), rtol=1e-5, atol=ATOL)


def test_half_precision_does_not_overflow_inside():
    z, c, v = arrays()
    # Squares of 3e4 are beyond float16.
    big = jnp.asarray(np.asarray(1e4 * np.asarray(z)), jnp.float16)
    values = outlier_contrastive(big, jnp.asarray(ASSIGNMENTS), c, v)
    expected = slow_outlier_contrastive(*doubles([big]), ASSIGNMENTS, *doubles([c, v]), 0.1)
    np.testing.assert_allclose(values, expected, rtol=2e-5, atol=ATOL)


@pytest.mark.parametrize("tau", [0.05, 0.1, 1.0])
def test_supervised_contrastive_is_the_formula(tau):
    z, _, _ = arrays()
    values = supervised_contrastive(z, jnp.asarray(LABELS), temperature=tau)
    np.testing.assert_allclose(values, slow_supervised_contrastive(*doubles([z]), LABELS, tau), rtol=2e-5, atol=1e-6)


def test_supervised_contrastive_of_pairs_is_ntxent():
    rng = np.random.default_rng(3)
    z, labels = jnp.asarray(rng.normal(size=(6, 4)), jnp.float32), jnp.array([0, 1, 2, 0, 1, 2])
    values = supervised_contrastive(z, labels, temperature=0.2)
    np.testing.assert_allclose(np.mean(values), jax.jit(optax.losses.ntxent)(z, labels, 0.2), rtol=1e-5, atol=ATOL)


def test_supervised_contrastive_without_company_is_zero_and_so_is_its_gradient():
    for z in (jnp.ones((1, 3)), arrays()[0]):
        labels = jnp.arange(len(z))
        total = lambda z, labels=labels: supervised_contrastive(z, labels).sum()
        value, gradient = jax.jit(jax.value_and_grad(total))(z)
        assert value == 0
        np.testing.assert_array_equal(gradient, np.zeros(z.shape))


def test_two_alike_and_nobody_else_have_nothing_to_learn():
    values = supervised_contrastive(np.asarray(arrays()[0])[:2], jnp.array([1, 1]))
    np.testing.assert_allclose(values, [0, 0], atol=1e-6)


def test_the_temperature_and_the_masks_are_data():
    z, c, v = arrays()
    chex.clear_trace_counter()

    @jax.jit
    @chex.assert_max_traces(n=1)
    def run(temperature, where_centers):
        return outlier_contrastive(z, jnp.zeros(5, int), c, v, temperature=temperature, where_centers=where_centers)

    first = run(jnp.asarray(0.5), jnp.array([True, True, True, True]))
    assert np.all(run(jnp.asarray(0.5), jnp.array([True, True, False, True])) < first)
    assert np.all(run(jnp.asarray(0.1), jnp.array([True, True, True, True])) != first)


def test_temperatures_are_above_zero():
    z, c, v = arrays()
    with pytest.raises(ValueError, match=r"`temperature` must be above 0, got 0\.0"):
        losses.outlier_contrastive(z, jnp.zeros(5, int), c, v, temperature=0.0)
    with pytest.raises(ValueError, match=r"`temperature` must be above 0, got -1\.0"):
        losses.supervised_contrastive(z, jnp.zeros(5, int), temperature=-1.0)
