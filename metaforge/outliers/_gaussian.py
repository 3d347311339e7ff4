"""Gaussians by their Cholesky factors: densities, distances, and shells of low likelihood."""

import math

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular
from jax.scipy.special import gammaincc
from jaxtyping import Array, Float

from metaforge.types import PRNGKey


def factor(covariance: Float[Array, "... space space"], *, ridge: float = 1e-4) -> Float[Array, "... space space"]:
    r"""The lower Cholesky factor $L$ of $\Sigma + \epsilon \frac{\mathrm{tr} \Sigma}{D} I$.

    The ridge is relative, so that features may have any scale. A covariance of zeros is taken for a tiny ball.

    Args:
        covariance: symmetric and positive semi-definite; of any rank.
        ridge: $\epsilon$, above 0.

    Example:
        >>> print(factor(jnp.array([[4.0, 0.0], [0.0, 4.0]]), ridge=1e-6).round(2))
        [[2. 0.]
         [0. 2.]]
    """
    size = covariance.shape[-1]
    symmetric = 0.5 * (covariance + jnp.swapaxes(covariance, -1, -2))
    scale = jnp.trace(symmetric, axis1=-2, axis2=-1)[..., None, None] / size
    scale = jnp.maximum(scale, jnp.finfo(covariance.dtype).tiny ** 0.5)
    return jnp.linalg.cholesky(symmetric + ridge * scale * jnp.eye(size, dtype=covariance.dtype))


def product(left: Float[Array, "left inner"], right: Float[Array, "inner right"]) -> Float[Array, "left right"]:
    """The matrix product in full precision."""
    # Accelerators round the factors unless told not to, and a determinant of hundreds of dimensions would feel it.
    return jnp.matmul(left, right, precision=jax.lax.Precision.HIGHEST)


def squared_distances(
    rows: Float[Array, "rows space"], centers: Float[Array, "slots space"], factors: Float[Array, "slots space space"]
) -> Float[Array, "rows slots"]:
    r"""Squared Mahalanobis distances $(z - \mu_k)^\top \Sigma_k^{-1} (z - \mu_k)$.

    Example:
        >>> print(squared_distances(jnp.array([[3.0]]), jnp.array([[1.0]]), jnp.array([[[2.0]]])))
        [[1.]]
    """
    # One slot after the other: all at once would hold (slots, rows, space) numbers.
    whiten = lambda slot: jnp.sum(solve_triangular(slot[1], (rows - slot[0][None, :]).T, lower=True) ** 2, axis=0)
    return jax.lax.map(whiten, (centers, factors)).T


def log_densities(
    rows: Float[Array, "rows space"], centers: Float[Array, "slots space"], factors: Float[Array, "slots space space"]
) -> Float[Array, "rows slots"]:
    r"""$\log \mathcal{N}(z; \mu_k, L_k L_k^\top)$, in nats.

    Example:
        >>> with jnp.printoptions(precision=4):
        ...     print(log_densities(jnp.zeros((1, 1)), jnp.zeros((1, 1)), jnp.ones((1, 1, 1))))
        [[-0.9189]]
    """
    logdet = 2.0 * jnp.sum(jnp.log(jnp.diagonal(factors, axis1=-2, axis2=-1)), axis=-1)
    constant = rows.shape[1] * math.log(2.0 * math.pi)
    return -0.5 * (squared_distances(rows, centers, factors) + logdet[None, :] + constant)


def largest_squared_radius(key: PRNGKey, count: int, *, space: int, pool: int) -> Float[Array, " count"]:
    r"""The squared radius of the least likely of `pool` draws from a standard Gaussian, `count` times.

    The least likely draw is the farthest, and $d^2 \sim \chi^2_D$, so that $P(\max d^2 \le x) = F_{\chi^2_D}(x)^M$.
    This draws from that law by inversion: a number instead of $M$ vectors, exactly as distributed.

    Args:
        key: the randomness.
        count: how many, independently.
        space: $D$, the dimension.
        pool: $M$, the number of draws of which the farthest is kept; the mass of the tail is about $1 / M$.

    Example:
        >>> radii = largest_squared_radius(jax.random.key(0), 5, space=768, pool=10_000)
        >>> bool(jnp.all((radii > 880) & (radii < 1100)))  # the median is 768 * 1.21
        True

    References:
        Du, Wang, Cai and Li, *VOS: Learning What You Don't Know by Virtual Outlier Synthesis*, ICLR 2022, section 3.1.
    """
    # 1 - U^(1/M) without cancellation, from -log U; half a step of the generator is added lest it be 0.
    tail = -jnp.expm1(-jnp.maximum(jax.random.exponential(key, (count,)), 2.0**-24) / pool)
    half = 0.5 * space

    def halve(_, bounds):
        low, high = bounds
        middle = 0.5 * (low + high)
        farther = gammaincc(half, 0.5 * middle) > tail
        return jnp.where(farther, middle, low), jnp.where(farther, high, middle)

    # The chance to leave these bounds is below 1e-30 for any dimension and any pool that fits an int32.
    most = space + 20.0 * math.sqrt(2.0 * space) + 200.0
    low, high = jax.lax.fori_loop(0, 40, halve, (jnp.zeros(count), jnp.full(count, most)))
    return 0.5 * (low + high)


def directions(key: PRNGKey, count: int, *, space: int) -> Float[Array, "count space"]:
    """Directions spread evenly over the sphere: rows of length 1.

    Example:
        >>> print(jnp.linalg.norm(directions(jax.random.key(0), 2, space=3), axis=1).round(3))
        [1. 1.]
    """
    rows = jax.random.normal(key, (count, space))
    return rows / jnp.linalg.norm(rows, axis=1, keepdims=True)
