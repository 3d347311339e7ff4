"""FakeRadar's outlier probing: subclusters that split and merge, and features from the edge of each."""

from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular

from metaforge.outliers._covariances import QUANTILES, Covariance, Gaussians, fit_gaussians
from metaforge.outliers._gaussian import directions, largest_squared_radius, product
from metaforge.outliers._niw import NIW
from metaforge.outliers._spaces import Projection, fit_projection, project, unit_rows
from metaforge.outliers._split_merge import Moves, expectation_maximisation, round_of_moves
from metaforge.outliers._subclusters import allowed, in_slots, members, nothing, refit
from metaforge.outliers.base import (
    OutlierInfo,
    Outliers,
    OutlierState,
    OutlierSynthesizer,
    per_class,
    slots_in_turn,
)  # fmt: skip
from metaforge.types import REAL


def subcluster_outliers(
    num_classes: int,
    *,
    slots: int = 32,
    components: int | None = 16,
    unit: bool = False,
    prior_scale: float | None = None,
    dynamic_updates: int = 10,
    constrained: bool = True,
    alpha: float = 1.0,
    coin: bool = False,
    em_steps: int = 5,
    covariance: Covariance = "calibrated",
    ridge: float = 1e-4,
    radius: Literal["tail", "shell"] = "shell",
    pool: int = 10_000,
    quantiles: tuple[float, float] = (0.99, 0.999),
    towards: Literal["all", "others"] = "all",
    noise: float = 1.0,
    around: Literal["all", "real", "fake"] = "all",
) -> OutlierSynthesizer:
    r"""Models each class as a few Gaussians whose number it finds, and draws features of low likelihood around them.

    $$v = \mu_k + d\, L_k u, \qquad \|u\| = 1$$

    with a radius $d$ beyond nearly all of the cluster. Radius and direction of a Gaussian are independent, so that with
    `radius="tail"` and a uniform direction this is exactly "the least likely of `pool` draws" from
    $\mathcal{N}(\mu_k, \Sigma_k)$.

    Args:
        num_classes: real (label 0), and every kind of forgery.

    Other Arguments:
        slots: how many clusters there can be, in all.
        components: principal components in which clusters are looked for; `None` for the features themselves. Above
            some 64 dimensions nothing ever splits.
        unit: whether features are scaled to length 1 before clusters are looked for.
        prior_scale: $\Psi = s I$; `None` for the mean variance within clusters.
        dynamic_updates: for how many updates clusters may split and merge; 0 keeps one a class.
        constrained: whether a cluster holds points of one class only.
        alpha: the concentration of the Dirichlet process: more makes splits cheaper.
        coin: whether a move that does not pay is made with its Hastings probability.
        em_steps: steps of EM between moves.
        covariance: whose covariance outliers are drawn with: "full", "shrunk", "tied" or "calibrated".
        ridge: what is added to it, as a share of its mean variance.
        radius: "tail" for the least likely of `pool` draws, or "shell" for a distance between two `quantiles` of
            held-out features.
        pool: how many draws a tail outlier is the least likely of.
        quantiles: the shell.
        towards: "all" for every direction, or "others" for those to clusters of the other side (of fakes around real,
            of real around fakes). A linear head sees the second kind only.
        noise: with "others", how much random direction is mixed in, as a multiple of the direction's length.
        around: which clusters outliers are made around.

    Returns:
        An `OutlierSynthesizer`. Its `update` expects labels in [0, num_classes), 0 for real.

    Raises:
        ValueError: for fewer slots than classes, an unknown option, or quantiles that are not in order.

    Example:
        >>> synthesizer = subcluster_outliers(2, slots=4, components=2)
        >>> outliers = synthesizer.sample(jax.random.key(0), synthesizer.init(3), 6)
        >>> print(outliers.features.shape, outliers.where.any())  # before the first update there are none
        (6, 3) False

    References:
        Li et al., *FakeRadar*, ICCV 2025. Ronen, Finder and Freifeld, *DeepDPM*, CVPR 2022 (splits and merges). Du,
        Wang, Cai and Li, *VOS*, ICLR 2022, eq. 3 (features of low likelihood).
    """
    _check(num_classes, slots, covariance, radius, quantiles, towards, around)

    def init(features):
        space = features if components is None else min(components, features)
        clusters = nothing(slots=slots, space=space)
        factors = 1 if covariance in ("tied", "calibrated") else slots
        eye = jnp.broadcast_to(jnp.eye(features), (factors, features, features))
        source = Gaussians(jnp.zeros((slots, features)), eye, jnp.zeros(QUANTILES))
        projection = Projection(jnp.zeros(features), jnp.eye(features, space), jnp.array(unit))
        return OutlierState(projection, clusters, source.mean, source, jnp.zeros((), jnp.int32))

    def update(key, state, rows, labels, *, where=None):
        coin_key, fold_key = jax.random.split(key)
        rows, exists = clean_rows(rows, where)
        classes = jax.nn.one_hot(labels, num_classes) * exists[:, None]
        projection = fit_projection(rows, exists.astype(rows.dtype), components=components, unit=unit)
        points = project(projection, rows)
        hard, begun = follow(state, rows, labels, classes, constrained=constrained)
        prior = prior_of(points, hard, prior_scale)
        clusters = refit(points, hard, begun, prior)
        may = lambda now: allowed(now, labels, constrained=constrained) & exists[:, None]

        def move():
            return round_of_moves(
                coin_key, points, clusters, may, prior,
                alpha=alpha, coin=coin, em_steps=em_steps, constrained=constrained,
            )  # fmt: skip

        def stay():
            zero = jnp.zeros((), jnp.int32)
            settled = expectation_maximisation(points, clusters, may(clusters), prior, steps=em_steps)
            return settled, Moves(zero, zero, zero)

        clusters, moves = jax.lax.cond(state.updates < dynamic_updates, move, stay) if dynamic_updates else stay()
        hard = members(points, clusters, may(clusters))
        fold = jax.random.bernoulli(fold_key, shape=exists.shape)
        source, fit = fit_gaussians(rows, hard, fold, covariance=covariance, quantiles=quantiles, ridge=ridge)
        # A cluster to which no point is nearest has no place among the features.
        clusters = clusters._replace(active=clusters.active & (jnp.sum(hard, axis=0) > 0))
        info = OutlierInfo(
            jnp.sum(clusters.active), per_class(clusters, num_classes), moves.splits, moves.merges, moves.refused,
            fit.calibration, fit.far,
        )  # fmt: skip
        return OutlierState(projection, clusters, source.mean, source, state.updates + 1), info

    def sample(key, state, count):
        turn_key, radius_key, direction_key, other_key = jax.random.split(key, 4)
        clusters, source, size = state.clusters, state.source, state.centers.shape[1]
        real = clusters.label == REAL
        sides = {"all": jnp.ones_like(real), "real": real, "fake": ~real}
        chosen = clusters.active & sides[around]
        slot = slots_in_turn(turn_key, chosen, count)
        factors = source.factor[jnp.zeros_like(slot) if source.factor.shape[0] == 1 else slot]
        if radius == "tail":
            squares = largest_squared_radius(radius_key, count, space=size, pool=pool)
        else:
            place = jax.random.uniform(radius_key, (count,)) * (QUANTILES - 1)
            squares = jnp.interp(place, jnp.arange(QUANTILES), source.shell)
        ways = directions(direction_key, count, space=size)
        if towards == "others":
            other = clusters.active[None, :] & (real[None, :] != real[slot][:, None])
            goal = jax.random.categorical(other_key, jnp.where(other, 0.0, -1e30), axis=1)
            apart = (source.mean[goal] - source.mean[slot])[:, :, None]
            white = solve_triangular(factors, apart, lower=True)[:, :, 0] if count else ways
            some = jnp.any(other, axis=1, keepdims=True)
            ways = unit_rows(jnp.where(some, unit_rows(white), 0.0) + jnp.where(some, noise, 1.0) * ways)
        steps = jnp.einsum("oij,oj->oi", factors, jnp.sqrt(squares)[:, None] * ways)
        ready = jnp.broadcast_to((state.updates > 0) & jnp.any(chosen), (count,))
        return jax.lax.stop_gradient(Outliers(source.mean[slot] + steps, slot.astype(jnp.int32), ready))

    return OutlierSynthesizer(init, update, sample)


def clean_rows(rows, where):
    """The rows in float32, zeros where there is none, and which exist; a row that is not finite does not."""
    rows = jax.lax.stop_gradient(rows).astype(jnp.float32)
    exists = jnp.all(jnp.isfinite(rows), axis=1)
    exists = exists if where is None else exists & where
    return jnp.where(exists[:, None], rows, 0.0), exists


def follow(state: OutlierState, rows, labels, classes, *, constrained: bool):
    """Which cluster of the last update each of today's features is in, and those clusters, to be fitted again.

    Features and principal components have both moved since. So today's features are told apart by yesterday's clusters
    in yesterday's components. Before the first update there is one cluster for every class.
    """
    slots = state.clusters.active.shape[0]

    def first():
        hard = in_slots(classes, slots=slots)
        label = jnp.arange(slots, dtype=jnp.int32) % classes.shape[1]
        return hard, state.clusters._replace(label=label, active=jnp.any(hard > 0, axis=0))

    def later():
        may = allowed(state.clusters, labels, constrained=constrained) & jnp.any(classes > 0, axis=1, keepdims=True)
        return members(project(state.projection, rows), state.clusters, may), state.clusters

    return jax.lax.cond(state.updates > 0, later, first)


def prior_of(points, hard, scale: float | None = None) -> NIW:
    """A prior around the mean of all points, as wide as the clusters are on average if `scale` is left out."""
    space, exists = points.shape[1], jnp.sum(hard, axis=1)
    count = jnp.maximum(jnp.sum(exists), 1.0)
    if scale is None:
        means = product(hard.T, points) / jnp.maximum(jnp.sum(hard, axis=0), 1.0)[:, None]
        apart = (points - product(hard, means)) * exists[:, None]
        # Wider than rounding, should all points of a cluster be one.
        width = jnp.maximum(jnp.sum(apart**2) / (count * space), 1e-12)
    else:
        width = jnp.asarray(scale)
    mean = product(exists[None, :], points)[0] / count
    return NIW(mean, jnp.asarray(1e-4), width * jnp.eye(space), jnp.asarray(space + 2.0))


def _check(num_classes, slots, covariance, radius, quantiles, towards, around):
    if slots < num_classes:
        raise ValueError(f"`slots` must be at least one for each of {num_classes} classes, got {slots}.")
    known = {
        "covariance": (covariance, get_args(Covariance)), "radius": (radius, ("tail", "shell")),
        "towards": (towards, ("all", "others")), "around": (around, ("all", "real", "fake")),
    }  # fmt: skip
    for name, (value, values) in known.items():
        if value not in values:
            raise ValueError(f"unknown `{name}` {value!r}; known: {', '.join(values)}.")
    if not 0 <= quantiles[0] <= quantiles[1] <= 1:
        raise ValueError(f"`quantiles` must be two numbers in [0, 1], the smaller first; got {quantiles}.")
