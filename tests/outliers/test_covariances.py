"""Whether a covariance fits what it has not seen."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaforge.outliers import _covariances


def sample(count, size, *, seed=0, slots=1):
    rng = np.random.default_rng(seed)
    spread = 1.0 / np.sqrt(np.arange(1, size + 1))
    rows = rng.normal(size=(count, size)) * spread
    hard = np.eye(slots)[np.arange(count) % slots]
    return jnp.asarray(rows + 5.0 * (hard @ rng.normal(size=(slots, size))), jnp.float32), jnp.asarray(
        hard, jnp.float32
    )


@functools.partial(jax.jit, static_argnames="covariance")
def fit(rows, hard, covariance):
    fold = jax.random.bernoulli(jax.random.key(0), shape=(rows.shape[0],))
    return _covariances.fit_gaussians(rows, hard, fold, quantiles=(0.99, 0.999), covariance=covariance)


@pytest.mark.parametrize("covariance", ["full", "shrunk", "tied", "calibrated"])
def test_with_many_points_every_covariance_is_the_true_one(covariance):
    rows, hard = sample(4000, 4)
    source, found = fit(rows, hard, covariance=covariance)
    np.testing.assert_allclose(found.calibration, 1.0, atol=0.05)
    true = np.diag(1.0 / np.arange(1, 5))
    lower = np.asarray(source.factor)[0]
    estimate = lower @ lower.T
    np.testing.assert_allclose(estimate, true, atol=0.15 if covariance == "shrunk" else 0.05)


def test_with_few_points_only_the_calibrated_one_fits():
    # 60 points a cluster in 48 dimensions. With half of them to estimate from, a cluster's own covariance is singular.
    rows, hard = sample(240, 48, slots=4)
    spread = {kind: float(fit(rows, hard, covariance=kind)[1].calibration) for kind in ("full", "shrunk", "tied")}
    assert spread["full"] > 20
    assert spread["full"] > spread["shrunk"] > 1.2
    assert spread["tied"] > 1.2
    assert 0.9 <= fit(rows, hard, covariance="calibrated")[1].calibration <= 1.2


def test_what_calibration_promises_holds_for_points_that_chose_nothing():
    rows, hard = sample(240, 48, slots=4)
    fresh, fresh_hard = sample(
        4000, 48, slots=4
    )  # the same seed draws other rows, and the same centres are added below
    rng_rows = np.asarray(rows) - np.asarray(hard) @ (np.asarray(hard).T @ np.asarray(rows) / 60)
    source, _ = fit(jnp.asarray(rng_rows), hard, covariance="calibrated")
    centred = np.asarray(fresh) - np.asarray(fresh_hard) @ (np.asarray(fresh_hard).T @ np.asarray(fresh) / 1000)
    white = np.linalg.solve(np.asarray(source.factor[0], np.float64), centred.T)
    assert 0.8 <= np.mean(white**2) <= 1.2


def test_masked_quantiles_are_numpys():
    values = np.random.default_rng(0).normal(size=50)
    where = np.arange(50) % 3 > 0
    shares = np.array([0.0, 0.1, 0.5, 0.999, 1.0])
    wild = np.where(where, values, np.nan).astype(np.float32)
    found = jax.jit(_covariances.masked_quantiles)(wild, where, shares.astype(np.float32))
    np.testing.assert_allclose(found, np.quantile(values[where], shares), rtol=1e-5)


@pytest.mark.parametrize("covariance", ["full", "tied", "calibrated"])
def test_rows_that_do_not_count_change_nothing(covariance):
    rows, hard = sample(60, 4, slots=2)
    more = np.concatenate([rows, 1e3 * np.ones((5, 4), np.float32)])
    fold = np.arange(65) % 2 == 0
    run = lambda rows, hard, fold: _covariances.fit_gaussians(
        rows, hard, fold, covariance=covariance, quantiles=(0.5, 0.9)
    )
    padded = jax.jit(run)(more, np.pad(hard, ((0, 5), (0, 0))), fold)
    alone = jax.jit(run)(rows, hard, fold[:60])
    for left, right in zip(jax.tree.leaves(padded), jax.tree.leaves(alone), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-5)
