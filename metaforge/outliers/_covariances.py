"""The covariance that outliers are drawn with, and whether it fits points that it was not estimated from.

Estimated from fewer points than some multiples of its size, a covariance is far too narrow in most directions, and
"outliers" of low likelihood lie among the data. So the fit is judged on points held out: with a right covariance the
mean of $d^2 / D$ is 1.
"""

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Bool, Float

from metaforge.outliers._gaussian import factor, product
from metaforge.outliers._subclusters import moments_of

Covariance = Literal["full", "shrunk", "tied", "calibrated"]
"""Whose covariance outliers are drawn with: each cluster's own ("full"), the same moved towards a ball ("shrunk"), one
for all clusters ("tied"), or one for all, moved and scaled to fit held-out points ("calibrated")."""

SHRINKAGES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""What "calibrated" tries, as shares of the ball."""

QUANTILES = 33


class Gaussians(NamedTuple):
    """What Gaussian outliers are drawn from.

    Attributes:
        mean: the centre of every cluster, in the space of the features.
        factor: lower Cholesky factors, one for every cluster, or one for all.
        shell: squared radii at evenly spaced quantiles of the held-out distances, from the shell's inside to its
            outside.
    """

    mean: Float[Array, "slots features"]
    factor: Float[Array, "factors features features"]
    shell: Float[Array, " quantiles"]


class Fit(NamedTuple):
    """How a covariance fits points that it has not seen: the mean of $d^2 / D$, and the 99th percentile of $d^2$."""

    calibration: Float[Array, ""]
    far: Float[Array, ""]


def fit_gaussians(
    rows: Float[Array, "rows features"],
    hard: Float[Array, "rows slots"],
    fold: Bool[Array, " rows"],
    *,
    covariance: Covariance,
    quantiles: tuple[float, float],
    shrinkage: float = 0.1,
    ridge: float = 1e-4,
) -> tuple[Gaussians, Fit]:
    """Means and covariances of the clusters from all points, judged by a fit to one fold and a look at the other.

    Args:
        rows: the features.
        hard: 1 for the cluster of each, zeros for those that do not count.
        fold: which rows the judged covariance is estimated from; about half.

    Other Arguments:
        covariance: whose covariance.
        quantiles: the shell's inside and outside, as quantiles of held-out distances in [0, 1].
        shrinkage: the share of the ball in "shrunk".
        ridge: what is added to every covariance, as a share of its mean variance.
    """
    size = rows.shape[1]
    seen, unseen = hard * fold[:, None], hard * ~fold[:, None]
    # A cluster without a mean to measure from cannot be judged.
    unseen = unseen * (jnp.sum(seen, axis=0) >= 2)[None, :]
    judged = jnp.sum(unseen, axis=1) > 0
    count = jnp.maximum(jnp.sum(judged), 1)

    share, scale = jnp.asarray(shrinkage if covariance == "shrunk" else 0.0), jnp.ones(())
    if covariance == "calibrated":
        share, scale = _calibrate(rows, seen, unseen, ridge)
    means, factors = _estimate(rows, seen, covariance, share, ridge)
    found = jnp.where(judged, own_distances(rows, unseen, means, factors), 0.0) / scale
    fit = Fit(jnp.sum(found) / (count * size), masked_quantiles(found, judged, jnp.array([0.99]))[0])
    shell = masked_quantiles(found, judged, jnp.linspace(*quantiles, QUANTILES))
    means, factors = _estimate(rows, hard, covariance, share, ridge)
    return Gaussians(means, factors * jnp.sqrt(scale), shell), fit


def own_distances(
    rows: Float[Array, "rows features"],
    hard: Float[Array, "rows slots"],
    means: Float[Array, "slots features"],
    factors: Float[Array, "factors features features"],
) -> Float[Array, " rows"]:
    """The squared Mahalanobis distance of each point to its own cluster; 0 for a point without."""
    if factors.shape[0] == 1:
        apart = (rows - product(hard, means)) * jnp.sum(hard, axis=1, keepdims=True)
        return jnp.sum(solve_triangular(factors[0], apart.T, lower=True) ** 2, axis=0)

    def add(total, slot):
        weight, mean, lower = slot
        whiten = lambda: weight * jnp.sum(solve_triangular(lower, (rows - mean[None, :]).T, lower=True) ** 2, axis=0)
        return total + jax.lax.cond(jnp.any(weight > 0), whiten, lambda: jnp.zeros_like(weight)), None

    return jax.lax.scan(add, jnp.zeros(rows.shape[0]), (hard.T, means, factors))[0]


def masked_quantiles(
    values: Float[Array, " rows"], where: Bool[Array, " rows"], shares: Float[Array, " quantiles"]
) -> Float[Array, " quantiles"]:
    """Quantiles of the values that exist, interpolated linearly; zeros if none does.

    Example:
        >>> values, where = jnp.array([3.0, 9.0, 1.0]), jnp.array([True, False, True])
        >>> print(masked_quantiles(values, where, jnp.array([0.0, 0.5, 1.0])))
        [1. 2. 3.]
    """
    count = jnp.sum(where)
    ordered = jnp.sort(jnp.where(where, values, jnp.inf))
    place = shares * jnp.maximum(count - 1, 0)
    below = jnp.floor(place).astype(jnp.int32)
    above = jnp.minimum(below + 1, jnp.maximum(count - 1, 0))
    found = ordered[below] + (place - below) * (ordered[above] - ordered[below])
    return jnp.where(count > 0, found, 0.0)


def _estimate(rows, hard, covariance: Covariance, share, ridge: float):
    """Means, and the factors of one kind of covariance."""
    if covariance in ("tied", "calibrated"):
        means, pooled, _ = _pooled(rows, hard)
        return means, factor(_towards_a_ball(pooled, share), ridge=ridge)[None]
    points = moments_of(rows, hard)
    own = points.scatter / jnp.maximum(points.count, 1.0)[:, None, None]
    eye = jnp.eye(rows.shape[1], dtype=rows.dtype)
    fit = lambda slot: jax.lax.cond(
        slot[1] > 0, lambda: factor(_towards_a_ball(slot[0], share), ridge=ridge), lambda: eye
    )
    return points.mean, jax.lax.map(fit, (own, points.count))


def _pooled(rows, hard):
    """Every cluster's mean, the covariance of all points about their own mean, and those differences."""
    counts = jnp.sum(hard, axis=0)
    means = product(hard.T, rows) / jnp.maximum(counts, 1e-12)[:, None]
    apart = (rows - product(hard, means)) * jnp.sum(hard, axis=1, keepdims=True)
    scatter = product(apart.T, apart)
    return means, scatter / jnp.maximum(jnp.sum(counts), 1.0), apart


def _calibrate(rows, seen, unseen, ridge: float):
    """The shrinkage that makes held-out points likeliest, and the scale that makes their mean d^2 / D equal 1."""
    means, pooled, _ = _pooled(rows, seen)
    # Moving towards a ball keeps the eigenvectors: one decomposition serves all shares.
    variances, basis = jnp.linalg.eigh(pooled)
    level = jnp.mean(variances)
    apart = (rows - product(unseen, means)) * jnp.sum(unseen, axis=1, keepdims=True)
    squares = jnp.sum(product(apart, basis) ** 2, axis=0) / jnp.maximum(jnp.sum(unseen), 1.0)

    def judge(share):
        shrunk = (1.0 - share) * jnp.maximum(variances, 0.0) + (share + ridge) * level
        spread = jnp.mean(squares / jnp.maximum(shrunk, 1e-30))
        return jnp.sum(jnp.log(jnp.maximum(shrunk, 1e-30))) + shrunk.size * jnp.log(jnp.maximum(spread, 1e-12)), spread

    shares = jnp.asarray(SHRINKAGES)
    surprises, spreads = jax.vmap(judge)(shares)
    best = jnp.argmin(surprises)
    # Nothing held out: nothing to correct by.
    return shares[best], jnp.where(jnp.any(unseen > 0), jnp.maximum(spreads[best], 1e-6), 1.0)


def _towards_a_ball(matrix, share):
    size = matrix.shape[-1]
    return (1.0 - share) * matrix + share * jnp.trace(matrix) / size * jnp.eye(size, dtype=matrix.dtype)
