"""Gaussians and their prior against scipy, and the law of the least likely draw."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.special import gammaln, multigammaln

from metaforge.outliers import _gaussian, _niw

factor = jax.jit(_gaussian.factor)
largest = jax.jit(_gaussian.largest_squared_radius, static_argnums=1, static_argnames=("space", "pool"))


def positive(rng, size):
    root = rng.normal(size=(size, size + 2))
    return root @ root.T


def test_log_densities_are_scipys():
    rng = np.random.default_rng(0)
    rows, means = rng.normal(size=(9, 6)), rng.normal(size=(3, 6))
    covariances = [positive(rng, 6) for _ in means]
    factors = jnp.asarray([np.linalg.cholesky(each) for each in covariances], jnp.float32)
    found = jax.jit(_gaussian.log_densities)(jnp.asarray(rows, jnp.float32), jnp.asarray(means, jnp.float32), factors)
    expected = np.stack(
        [stats.multivariate_normal(m, c).logpdf(rows) for m, c in zip(means, covariances, strict=True)], axis=1
    )
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_a_factor_is_of_full_rank_whatever_the_covariance(scale):
    # Three points in eight dimensions, and no points at all.
    rows = np.random.default_rng(0).normal(size=(3, 8)) * scale
    for covariance in (rows.T @ rows, np.zeros((8, 8))):
        lower = np.asarray(factor(jnp.asarray(covariance, jnp.float32)))
        assert np.isfinite(lower).all()
        assert np.all(np.diag(lower) > 0)
        np.testing.assert_allclose(lower @ lower.T, covariance, atol=2e-3 * max(np.trace(covariance), 1e-15))


def product_of_predictives(rows, mean, strength, scale, degrees):
    """The log probability of points one after the other: each is Student-t given those before it."""
    total, size = 0.0, rows.shape[1]
    for row in rows:
        free = degrees - size + 1
        shape = scale * (strength + 1) / (strength * free)
        total += stats.multivariate_t(loc=mean, shape=shape, df=free).logpdf(row)
        apart = row - mean
        scale = scale + strength / (strength + 1) * np.outer(apart, apart)
        mean = (strength * mean + row) / (strength + 1)
        strength, degrees = strength + 1, degrees + 1
    return total


@pytest.mark.parametrize("size", [1, 3])
def test_the_marginal_is_the_product_of_predictives(size, x64):
    rng = np.random.default_rng(size)
    rows, mean, scale = rng.normal(size=(7, size)), rng.normal(size=size), positive(rng, size)
    prior = _niw.NIW(jnp.asarray(mean), jnp.asarray(0.3), jnp.asarray(scale), jnp.asarray(size + 2.5))
    found = jax.jit(lambda rows: _niw.log_marginal(_niw.moments(rows, jnp.ones(7)), prior))(rows)
    np.testing.assert_allclose(found, product_of_predictives(rows, mean, 0.3, scale, size + 2.5), rtol=1e-11)


def test_moments_add_up_and_leave_out_what_weighs_nothing(x64):
    rows = jnp.asarray(np.random.default_rng(0).normal(size=(9, 3)))
    first, second, neither = (jnp.asarray(np.arange(9) % 3 == i, float) for i in range(3))
    both = jax.jit(lambda *given: _niw.merged(*(_niw.moments(rows, some) for some in given)))(first, second)
    kept = np.asarray(rows)[np.asarray(neither) == 0]
    assert both.count == 6
    np.testing.assert_allclose(both.mean, kept.mean(0))
    np.testing.assert_allclose(both.scatter, np.cov(kept.T, bias=True) * 6, atol=1e-12)


def slow_log_hastings(first, second, mean, scale):
    def term(rows):
        count, size = rows.shape
        apart, centre = rows - rows.mean(0), rows.mean(0) - mean
        posterior = scale * np.eye(size) + apart.T @ apart + 1e-4 * count / (1e-4 + count) * np.outer(centre, centre)
        degrees = size + 2.0
        return (
            gammaln(count) - count * size / 2 * np.log(np.pi) + multigammaln((degrees + count) / 2, size)
            - multigammaln(degrees / 2, size) + degrees / 2 * size * np.log(scale)
            - (degrees + count) / 2 * np.linalg.slogdet(posterior)[1] + size / 2 * np.log(1e-4 / (1e-4 + count))
        )  # fmt: skip

    return term(first) + term(second) - term(np.concatenate([first, second]))


@pytest.mark.parametrize("size", [4, 64])
def test_single_precision_is_enough_for_the_hastings_ratio(size):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(600, size)) / np.sqrt(np.arange(1, size + 1))
    rows[:300, 0] += 8.0
    halves = [jnp.asarray(half, jnp.float32) for half in np.split(rows, 2)]
    prior = _niw.NIW(
        jnp.asarray(rows.mean(0), jnp.float32), jnp.asarray(1e-4), jnp.asarray(0.05 * np.eye(size), jnp.float32),
        jnp.asarray(size + 2.0),
    )  # fmt: skip
    ratio = lambda *halves: _niw.log_hastings_split(*(_niw.moments(half, jnp.ones(300)) for half in halves), prior)
    expected = slow_log_hastings(rows[:300], rows[300:], rows.mean(0), 0.05)
    # Sums of thousands of nats, of which float32 keeps a tenth; a split is decided by e to this.
    np.testing.assert_allclose(jax.jit(ratio)(*halves), expected, atol=0.2)
    # In few dimensions two modes pay; in many, two covariances cost more than they explain.
    assert (expected > 0) == (size == 4)


@pytest.mark.parametrize("size", [2, 16, 768])
def test_the_largest_radius_of_a_pool_has_its_law(size):
    pool = 1_000
    found = largest(jax.random.key(1), 2_000, space=size, pool=pool)
    # P(max <= x) = F(x)^M, so that F(max)^M is uniform.
    uniform = np.exp(pool * np.log1p(-stats.chi2(size).sf(np.asarray(found, np.float64))))
    assert stats.kstest(uniform, "uniform").pvalue > 0.01


def test_the_largest_radius_is_that_of_an_actual_pool():
    draws = np.random.default_rng(0).normal(size=(400, 200, 5))
    expected = np.max(np.sum(draws**2, axis=-1), axis=1)
    found = largest(jax.random.key(0), 400, space=5, pool=200)
    assert stats.ks_2samp(expected, np.asarray(found)).pvalue > 0.01


def test_the_covariance_is_the_mean_of_its_posterior(x64):
    rng = np.random.default_rng(0)
    rows, scale = rng.normal(size=(12, 3)), positive(rng, 3)
    prior = _niw.NIW(jnp.asarray(np.zeros(3)), jnp.asarray(0.5), jnp.asarray(scale), jnp.asarray(7.0))
    found = jax.jit(lambda rows: _niw.covariance(_niw.moments(rows, jnp.ones(12)), prior))(rows)
    centre, apart = rows.mean(0), rows - rows.mean(0)
    posterior = scale + apart.T @ apart + 0.5 * 12 / 12.5 * np.outer(centre, centre)
    np.testing.assert_allclose(found, stats.invwishart(df=19, scale=posterior).mean(), rtol=1e-12)
