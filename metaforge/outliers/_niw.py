"""The normal-inverse-Wishart prior: how likely points are to be one Gaussian, and the covariance to expect."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln
from jaxtyping import Array, Float

from metaforge.outliers._gaussian import product


class NIW(NamedTuple):
    r"""The conjugate prior of a Gaussian's mean and covariance.

    Attributes:
        mean: $m$, where the mean is expected.
        strength: $\kappa$, how many points that expectation counts for.
        scale: $\Psi$, the expected scatter.
        degrees: $\nu$, how many points that scatter counts for; above the dimension plus 1.
    """

    mean: Float[Array, " space"]
    strength: Float[Array, ""]
    scale: Float[Array, "space space"]
    degrees: Float[Array, ""]


class Moments(NamedTuple):
    """What a Gaussian needs to know of its points: their number, mean, and scatter about it."""

    count: Float[Array, ""]
    mean: Float[Array, " space"]
    scatter: Float[Array, "space space"]


def moments(rows: Float[Array, "rows space"], weights: Float[Array, " rows"]) -> Moments:
    r"""$n = \sum_i w_i$, $\bar{x} = \sum_i w_i x_i / n$ and $S = \sum_i w_i (x_i - \bar{x})(x_i - \bar{x})^\top$.

    A cluster is a column of weights, never an index, so that no shape depends on it.

    Example:
        >>> print(moments(jnp.array([[0.0], [2.0], [9.0]]), jnp.array([1.0, 1.0, 0.0])).scatter)
        [[2.]]
    """
    count = jnp.sum(weights)
    mean = product(weights[None, :], rows)[0] / jnp.maximum(count, 1e-12)
    centred = (rows - mean[None, :]) * jnp.sqrt(weights)[:, None]
    return Moments(count, mean, product(centred.T, centred))


def merged(first: Moments, second: Moments) -> Moments:
    """The moments of both sets of points together, by the parallel-axis rule.

    Example:
        >>> one, other = (moments(jnp.array([[x]]), jnp.ones(1)) for x in (0.0, 2.0))
        >>> print(merged(one, other).scatter)
        [[2.]]
    """
    count = first.count + second.count
    safe = jnp.maximum(count, 1e-12)
    mean = (first.count * first.mean + second.count * second.mean) / safe
    apart = first.mean - second.mean
    between = first.count * second.count / safe * jnp.outer(apart, apart)
    return Moments(count, mean, first.scatter + second.scatter + between)


def covariance(points: Moments, prior: NIW) -> Float[Array, "space space"]:
    r"""The covariance to expect, $\hat\Sigma = \Psi^* / (\nu + n - D - 1)$; of full rank for any number of points.

    DeepDPM takes the mode instead, with $\nu + n + D + 2$ below the line: of 20 points in 16 dimensions that is less
    than half as wide as the points are.

    References:
        Murphy, *Conjugate Bayesian analysis of the Gaussian distribution*, 2007, section 8.
    """
    return _posterior_scale(points, prior) / (prior.degrees + points.count - points.mean.shape[0] - 1.0)


def log_marginal(points: Moments, prior: NIW) -> Float[Array, ""]:
    r"""The log probability of the points under one Gaussian of unknown mean and covariance.

    $$\log f = -\tfrac{nD}{2} \log \pi + \log \tfrac{\Gamma_D(\nu^*/2)}{\Gamma_D(\nu/2)} + \tfrac{\nu}{2} \log |\Psi|
    - \tfrac{\nu^*}{2} \log |\Psi^*| + \tfrac{D}{2} \log \tfrac{\kappa}{\kappa^*}$$

    with $\kappa^* = \kappa + n$, $\nu^* = \nu + n$ and
    $\Psi^* = \Psi + S + \frac{\kappa n}{\kappa^*} (\bar{x} - m)(\bar{x} - m)^\top$.

    Example:
        >>> prior = NIW(jnp.zeros(1), jnp.array(1.0), jnp.eye(1), jnp.array(3.0))
        >>> print(log_marginal(moments(jnp.zeros((0, 1)), jnp.zeros(0)), prior).round(4))  # of no points
        0.0

    References:
        Murphy, *Conjugate Bayesian analysis of the Gaussian distribution*, 2007, eq. 266.
    """
    space, count = points.mean.shape[0], points.count
    strength, degrees = prior.strength + count, prior.degrees + count
    logdet = lambda matrix: jnp.linalg.slogdet(matrix)[1]
    return (
        -0.5 * count * space * jnp.log(jnp.pi)
        + _log_multigamma(0.5 * degrees, space)
        - _log_multigamma(0.5 * prior.degrees, space)
        + 0.5 * prior.degrees * logdet(prior.scale)
        - 0.5 * degrees * logdet(_posterior_scale(points, prior))
        + 0.5 * space * (jnp.log(prior.strength) - jnp.log(strength))
    )


def log_hastings_split(first: Moments, second: Moments, prior: NIW, *, alpha: float = 1.0) -> Float[Array, ""]:
    r"""How much more likely two clusters are than one: above 0, a split is accepted.

    $$\log H_s = \log \alpha + \log \Gamma(n_1) f(Z_1) + \log \Gamma(n_2) f(Z_2) - \log \Gamma(n) f(Z_1 \cup Z_2)$$

    The ratio for merging the two is its negative. A full covariance costs about $D^2 \log n$ nats, so that above some
    64 dimensions nothing ever splits, and everything merges: project first.

    Args:
        first: one half.
        second: the other; both hold points.
        prior: the prior that all Gaussians share.
        alpha: the concentration of the Dirichlet process, above 0.

    References:
        Chang and Fisher, *Parallel Sampling of DP Mixture Models using Sub-Cluster Splits*, NeurIPS 2013, eq. 12.
        Ronen, Finder and Freifeld, *DeepDPM*, CVPR 2022, eq. 3.
    """
    # Stacked, so that one determinant is compiled and not three.
    three = jax.tree.map(lambda *leaves: jnp.stack(leaves), first, second, merged(first, second))
    terms = gammaln(three.count) + jax.vmap(lambda points: log_marginal(points, prior))(three)
    return jnp.log(alpha) + terms[0] + terms[1] - terms[2]


def _posterior_scale(points: Moments, prior: NIW):
    apart = points.mean - prior.mean
    pull = prior.strength * points.count / (prior.strength + points.count)
    return prior.scale + points.scatter + pull * jnp.outer(apart, apart)


def _log_multigamma(value, space: int):
    """`jax.scipy.special.multigammaln` as one vector operation instead of a program of `space` gamma functions."""
    constant = 0.25 * space * (space - 1) * jnp.log(jnp.pi)
    return constant + jnp.sum(gammaln(value - 0.5 * jnp.arange(space)))
