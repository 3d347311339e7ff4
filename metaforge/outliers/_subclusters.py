"""A mixture of Gaussians with a fixed number of places and a changing number of clusters, each of one class."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from metaforge.outliers._gaussian import factor, log_densities
from metaforge.outliers._niw import NIW, Moments, covariance, moments

NEVER = -1e30
"""The log density of a place that is not in use. Minus infinity would turn a row of them into NaN."""


class Subclusters(NamedTuple):
    """The clusters, in a fixed number of slots, so that nothing compiles again when their number changes.

    Attributes:
        mean: the centres.
        factor: lower Cholesky factors of the covariances.
        count: how many points each holds; 0 in an empty slot.
        label: the class each belongs to. 0 is real, a number above 0 is a kind of forgery.
        active: which slots are in use.
    """

    mean: Float[Array, "slots space"]
    factor: Float[Array, "slots space space"]
    count: Float[Array, " slots"]
    label: Int[Array, " slots"]
    active: Bool[Array, " slots"]


def nothing(*, slots: int, space: int) -> Subclusters:
    """No cluster at all."""
    eye = jnp.broadcast_to(jnp.eye(space), (slots, space, space))
    none = jnp.zeros(slots)
    return Subclusters(jnp.zeros((slots, space)), eye, none, none.astype(jnp.int32), none.astype(bool))


def one_a_class(
    rows: Float[Array, "rows space"], classes: Float[Array, "rows classes"], prior: NIW, *, slots: int
) -> Subclusters:
    """The beginning: one cluster for every class that has points, in the first slots.

    Args:
        rows: the points.
        classes: 1 where a point is of a class, 0 elsewhere.
        prior: the prior that all Gaussians share.
        slots: how many clusters there can ever be, at least as many as classes.
    """
    hard = in_slots(classes, slots=slots)
    empty = nothing(slots=slots, space=rows.shape[1])
    return refit(
        rows, hard, empty._replace(label=jnp.arange(slots) % classes.shape[1], active=jnp.any(hard > 0, 0)), prior
    )


def in_slots(classes: Float[Array, "rows classes"], *, slots: int) -> Float[Array, "rows slots"]:
    """The columns of the classes, followed by empty ones."""
    return jnp.pad(classes, ((0, 0), (0, slots - classes.shape[1])))


def refit(
    rows: Float[Array, "rows space"], weights: Float[Array, "rows slots"], clusters: Subclusters, prior: NIW
) -> Subclusters:
    r"""The M-step: $\mu_k = (n_k \bar{x}_k + \kappa m) / (n_k + \kappa)$, and $\hat\Sigma_k$ under the prior."""

    def fit(slot):
        weight, mean, old, active = slot

        def update():
            points = moments(rows, weight)
            pulled = (points.count * points.mean + prior.strength * prior.mean) / (points.count + prior.strength)
            return pulled, factor(covariance(points, prior), ridge=1e-6), points.count

        # In a loop a slot that is not in use costs nothing.
        return jax.lax.cond(active, update, lambda: (mean, old, jnp.zeros_like(weight[0])))

    means, factors, counts = jax.lax.map(fit, (weights.T, clusters.mean, clusters.factor, clusters.active))
    return clusters._replace(mean=means, factor=factors, count=counts)


def allowed(
    clusters: Subclusters, labels: Int[Array, " rows"], *, constrained: bool = True
) -> Bool[Array, "rows slots"]:
    """Which clusters each point may belong to: those in use, and under `constrained` those of its own class."""
    same = clusters.label[None, :] == labels[:, None]
    return clusters.active[None, :] & (same | (not constrained))


def responsibilities(
    rows: Float[Array, "rows space"], clusters: Subclusters, may: Bool[Array, "rows slots"]
) -> Float[Array, "rows slots"]:
    r"""The E-step: $r_{ik} \propto \pi_k \mathcal{N}(z_i; \mu_k, \Sigma_k)$ over the clusters that a point `may` have.

    A row sums to 1, or to 0 for a point that may have none.
    """
    logs = log_densities(rows, clusters.mean, clusters.factor) + jnp.log(jnp.maximum(clusters.count, 1e-6))[None, :]
    shares = jax.nn.softmax(jnp.where(may, logs, NEVER), axis=1)
    return jnp.where(may, shares, 0.0)


def members(
    rows: Float[Array, "rows space"], clusters: Subclusters, may: Bool[Array, "rows slots"]
) -> Float[Array, "rows slots"]:
    """1 for the most likely cluster of each point, 0 elsewhere; zeros for a point that may have none."""
    shares = responsibilities(rows, clusters, may)
    return jax.nn.one_hot(jnp.argmax(shares, axis=1), shares.shape[1]) * jnp.any(may, axis=1, keepdims=True)


def expectation_maximisation(
    rows: Float[Array, "rows space"], clusters: Subclusters, may: Bool[Array, "rows slots"], prior: NIW, *, steps: int
) -> Subclusters:
    """`steps` of EM with soft counts: the clusters move, none is born or dies."""
    step = lambda _, now: refit(rows, responsibilities(rows, now, may), now, prior)
    return jax.lax.fori_loop(0, steps, step, clusters)


def moments_of(rows: Float[Array, "rows space"], weights: Float[Array, "rows slots"]) -> Moments:
    """The moments of every column of weights, stacked."""
    none = Moments(jnp.zeros(()), jnp.zeros(rows.shape[1]), jnp.zeros((rows.shape[1],) * 2))
    some = lambda weight: jax.lax.cond(jnp.any(weight > 0), lambda: moments(rows, weight), lambda: none)
    return jax.lax.map(some, weights.T)
