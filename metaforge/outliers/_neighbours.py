"""Outliers without a model of the data: perturbed boundary points that are far from their neighbours (NPOS)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from metaforge.outliers._gaussian import product
from metaforge.outliers._gaussian_outliers import clean_rows, prior_of
from metaforge.outliers._spaces import Projection, fit_projection, project, unit_rows
from metaforge.outliers._subclusters import nothing, one_a_class
from metaforge.outliers.base import OutlierInfo, Outliers, OutlierState, OutlierSynthesizer, per_class


class Pool(NamedTuple):
    """Outliers made at the last update, from which every step draws."""

    rows: Float[Array, "pool features"]
    slot: Int[Array, " pool"]
    where: Bool[Array, " pool"]


def neighbour_outliers(
    num_classes: int,
    *,
    neighbours: int = 10,
    boundary: int = 64,
    candidates: int = 32,
    keep: int = 2,
    noise: float = 0.1,
) -> OutlierSynthesizer:
    r"""Perturbs the loneliest features of every class, and keeps the perturbations that are loneliest themselves.

    On features of length 1: the `boundary` points of a class with the farthest `neighbours`-th neighbour each get
    `candidates` perturbations $x + \sigma\, \varepsilon$, $\varepsilon \sim \mathcal{N}(0, I)$; the `keep` with the
    farthest `neighbours`-th neighbour in the class become outliers, at the boundary point's own length. No covariance
    is estimated, so none can be wrong; the cost is a matrix of distances for every class.

    Args:
        num_classes: real (label 0), and every kind of forgery.

    Other Arguments:
        neighbours: K; the paper has 400 for 1,000 features a class.
        boundary: boundary points of each class, at most as many as there are rows.
        candidates: perturbations of each.
        keep: how many of them stay.
        noise: $\sigma$, as a share of the length of a feature in each dimension.

    Returns:
        An `OutlierSynthesizer` with one cluster for every class. Its covariance is none: `calibration` is NaN.

    Raises:
        ValueError: for counts that are not above 0, or more kept than tried.

    Example:
        >>> synthesizer = neighbour_outliers(2, neighbours=3, boundary=4)
        >>> outliers = synthesizer.sample(jax.random.key(0), synthesizer.init(3), 6)
        >>> print(outliers.features.shape, outliers.where.any())  # before the first update there are none
        (6, 3) False

    References:
        Tao, Du, Zhu and Li, *Non-Parametric Outlier Synthesis*, ICLR 2023, section 3.1.
    """
    if min(num_classes, neighbours, boundary, candidates, keep) < 1 or keep > candidates:
        raise ValueError(
            "`neighbours`, `boundary`, `candidates` and `keep` must be above 0, and `keep` <= `candidates`."
        )
    size_of_pool = num_classes * boundary * keep

    def init(features):
        clusters = nothing(slots=num_classes, space=features)
        pool = Pool(
            jnp.zeros((size_of_pool, features)), jnp.zeros(size_of_pool, jnp.int32), jnp.zeros(size_of_pool, bool)
        )
        projection = Projection(jnp.zeros(features), jnp.eye(features), jnp.array(False))
        centers = jnp.zeros((num_classes, features))
        return OutlierState(projection, clusters, centers, pool, jnp.zeros((), jnp.int32))

    def update(key, state, rows, labels, *, where=None):
        rows, exists = clean_rows(rows, where)
        classes = jax.nn.one_hot(labels, num_classes) * exists[:, None]
        projection = fit_projection(rows, exists.astype(rows.dtype))
        points = project(projection, rows)
        clusters = one_a_class(points, classes, prior_of(points, classes), slots=num_classes)
        counts = jnp.sum(classes, axis=0)
        centers = product(classes.T, rows) / jnp.maximum(counts, 1.0)[:, None]
        made = jax.lax.map(
            lambda each: _of_a_class(
                each[0], rows, each[1], neighbours=neighbours, boundary=boundary, candidates=candidates, keep=keep,
                noise=noise,
            ),
            (jax.random.split(key, num_classes), classes.T > 0),
        )  # fmt: skip
        slot = jnp.repeat(jnp.arange(num_classes, dtype=jnp.int32), boundary * keep)
        pool = Pool(made[0].reshape(size_of_pool, -1), slot, made[1].reshape(size_of_pool))
        zero = jnp.zeros((), jnp.int32)
        info = OutlierInfo(
            jnp.sum(clusters.active), per_class(clusters, num_classes), zero, zero, zero, jnp.array(jnp.nan),
            jnp.array(jnp.nan),
        )  # fmt: skip
        return OutlierState(projection, clusters, centers, pool, state.updates + 1), info

    def sample(key, state, count):
        pool = state.source
        turn_key, pick_key = jax.random.split(key)
        # Classes in turn, then any of a class's outliers: few boundary points make no class rarer.
        held = jnp.zeros(num_classes, bool).at[pool.slot].max(pool.where)
        used = jnp.maximum(jnp.sum(held), 1)
        begin = jax.random.randint(turn_key, (), 0, used)
        slot = jnp.argsort(~held)[(begin + jnp.arange(count)) % used]
        mine = pool.where[None, :] & (pool.slot[None, :] == slot[:, None])
        pick = jax.random.categorical(pick_key, jnp.where(mine, 0.0, -1e30), axis=1)
        return jax.lax.stop_gradient(Outliers(pool.rows[pick], slot.astype(jnp.int32), pool.where[pick]))

    return OutlierSynthesizer(init, update, sample)


def _of_a_class(key, rows, mine, *, neighbours, boundary, candidates, keep, noise):
    """The outliers of one class: `(boundary * keep, features)`, and which of them exist."""
    lengths = jnp.linalg.norm(rows, axis=1)
    units = unit_rows(rows)
    count = min(boundary, rows.shape[0])
    # A point is its own nearest neighbour, hence one more.
    lonely, edge = jax.lax.top_k(jnp.where(mine, _reach(units, units, mine, neighbours + 1), -jnp.inf), count)
    tried = units[edge][:, None, :] + noise * jax.random.normal(key, (count, candidates, rows.shape[1]))
    reach = _reach(tried.reshape(count * candidates, -1), units, mine, neighbours).reshape(count, candidates)
    best = jax.lax.top_k(reach, keep)[1]
    chosen = jnp.take_along_axis(tried, best[:, :, None], axis=1) * lengths[edge][:, None, None]
    exist = jnp.broadcast_to((lonely > -jnp.inf)[:, None], best.shape)
    short = boundary - count
    chosen = jnp.pad(chosen, ((0, short), (0, 0), (0, 0)))
    return chosen.reshape(boundary * keep, -1), jnp.pad(exist, ((0, short), (0, 0))).reshape(-1)


def _reach(points, bank, mine, neighbours):
    """How far the `neighbours`-th nearest member is, or the farthest of a class with fewer."""
    products = product(points, bank.T)
    squares = jnp.sum(points**2, axis=1)[:, None] - 2.0 * products + jnp.sum(bank**2, axis=1)[None, :]
    nearest = -jax.lax.top_k(jnp.where(mine[None, :], -squares, -jnp.inf), min(neighbours, bank.shape[0]))[0]
    last = jnp.clip(jnp.sum(mine), 1, nearest.shape[1]) - 1
    return nearest[:, last]
