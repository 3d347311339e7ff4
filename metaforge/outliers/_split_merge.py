"""How the number of clusters changes: Hastings splits, then Hastings merges."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from metaforge.outliers._gaussian import factor
from metaforge.outliers._niw import NIW, Moments, covariance, log_hastings_split, merged, moments
from metaforge.outliers._subclusters import Subclusters, expectation_maximisation, members, moments_of
from metaforge.types import PRNGKey


class Moves(NamedTuple):
    """What a round did: splits and merges that were accepted, and splits refused for want of a free slot."""

    splits: Int[Array, ""]
    merges: Int[Array, ""]
    refused: Int[Array, ""]


def round_of_moves(
    key: PRNGKey,
    rows: Float[Array, "rows space"],
    clusters: Subclusters,
    may_have,
    prior: NIW,
    *,
    alpha: float = 1.0,
    min_count: int = 5,
    max_merges: int = 8,
    em_steps: int = 5,
    coin: bool = False,
    constrained: bool = True,
) -> tuple[Subclusters, Moves]:
    """One round: EM, all splits that pay, EM, the best merges that pay, EM.

    Args:
        key: the randomness of the coin.
        rows: the points, in few enough dimensions (see `log_hastings_split`).
        clusters: where they stand.
        may_have: clusters to `(rows, slots)`, which clusters each point may belong to.
        prior: the prior that all Gaussians share.

    Other Arguments:
        alpha: the concentration of the Dirichlet process.
        min_count: a half must hold more points than this.
        max_merges: how many merges a round may make.
        em_steps: steps of EM between the moves.
        coin: whether a move that does not pay is still made with probability $H$, as in a Markov chain.
        constrained: whether only clusters of one class may merge.

    References:
        Ronen, Finder and Freifeld, *DeepDPM: Deep Clustering with an Unknown Number of Clusters*, CVPR 2022,
        section 4.2.
    """
    settle = lambda now: expectation_maximisation(rows, now, may_have(now), prior, steps=em_steps)
    clusters = settle(clusters)
    clusters, splits, refused = _split(
        key, rows, clusters, members(rows, clusters, may_have(clusters)), prior, alpha, min_count, coin
    )
    clusters = settle(clusters)

    def merge(carry):
        now, done, _ = carry
        now, found = _merge(rows, now, members(rows, now, may_have(now)), prior, alpha, constrained)
        return now, done + found, found

    begin = (clusters, jnp.zeros((), jnp.int32), jnp.array(True))
    clusters, merges, _ = jax.lax.while_loop(lambda carry: carry[2] & (carry[1] < max_merges), merge, begin)
    return settle(clusters), Moves(splits, merges, refused)


def two_halves(rows: Float[Array, "rows space"], weights: Float[Array, " rows"]) -> Bool[Array, " rows"]:
    """Which half of a cluster each point is in: 2-means along its widest direction; nothing random.

    Args:
        rows: all points.
        weights: 1 for those in the cluster.
    """
    points = moments(rows, weights)
    along = (rows - points.mean[None, :]) @ jnp.linalg.eigh(points.scatter)[1][:, -1]
    spread = jnp.sqrt(jnp.sum(weights * along**2) / jnp.maximum(points.count, 1e-9))

    def step(_, ends):
        near = (jnp.abs(along - ends[0]) < jnp.abs(along - ends[1])).astype(rows.dtype)

        def mean(half, old):
            count = jnp.sum(half)
            return jnp.where(count > 0, jnp.sum(half * along) / jnp.maximum(count, 1e-9), old)

        return mean(weights * near, ends[0]), mean(weights * (1.0 - near), ends[1])

    low, high = jax.lax.fori_loop(0, 20, step, (-spread, spread))
    return jnp.abs(along - low) < jnp.abs(along - high)


def _split(key, rows, clusters: Subclusters, hard, prior: NIW, alpha, min_count, coin):
    """Every cluster whose halves are likelier than the whole, into its own slot and a free one."""

    def propose(weights):
        half = two_halves(rows, weights).astype(rows.dtype)
        first, second = moments(rows, weights * half), moments(rows, weights * (1.0 - half))
        enough = (first.count > min_count) & (second.count > min_count)
        return jnp.where(enough, log_hastings_split(first, second, prior, alpha=alpha), -jnp.inf), first, second

    nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(propose, hard[:, 0]))
    worth = lambda slot: jax.lax.cond(slot[1], lambda: propose(slot[0]), lambda: (-jnp.inf, *nothing[1:]))
    ratios, first, second = jax.lax.map(worth, (hard.T, clusters.active))
    accepted = ratios > 0
    if coin:
        accepted |= jnp.log(jax.random.uniform(key, ratios.shape)) < ratios
    accepted &= clusters.active  # those born in this round rest

    def write(slot, carry):
        now, splits, refused = carry
        free = jnp.argmin(now.active)  # the first slot that is not in use, or slot 0 if all are

        def move():
            halves = [_at(first, slot), _at(second, slot)]
            return _placed(now, halves, jnp.stack([slot, free]), now.label[slot], prior), splits + 1, refused

        room = ~now.active[free]
        return jax.lax.cond(accepted[slot] & room, move, lambda: (now, splits, refused + (accepted[slot] & ~room)))

    zero = jnp.zeros((), jnp.int32)
    return jax.lax.fori_loop(0, clusters.count.shape[0], write, (clusters, zero, zero))


def _merge(rows, clusters: Subclusters, hard, prior: NIW, alpha, constrained):
    """The pair of neighbours that is likeliest to be one, if it pays."""
    slots = clusters.count.shape[0]
    apart = jnp.sum((clusters.mean[:, None] - clusters.mean[None]) ** 2, axis=-1)
    pairs = clusters.active[:, None] & clusters.active[None] & ~jnp.eye(slots, dtype=bool)
    if constrained:
        pairs &= clusters.label[:, None] == clusters.label[None]
    nearest = jnp.argmin(jnp.where(pairs, apart, jnp.inf), axis=1)
    points = moments_of(rows, hard)

    def worth(slot):
        here, there = _at(points, slot), _at(points, nearest[slot])
        empty = (here.count < 1) | (there.count < 1)  # a cluster that lost all of its points goes first
        ratio = jax.lax.cond(empty, lambda: jnp.inf, lambda: -log_hastings_split(here, there, prior, alpha=alpha))
        return ratio

    may = jnp.any(pairs, axis=1)
    guarded = lambda slot: jax.lax.cond(may[slot], lambda: worth(slot), lambda: -jnp.inf)
    ratios = jax.lax.map(guarded, jnp.arange(slots))
    keep = jnp.argmax(ratios)
    gone = nearest[keep]

    def move():
        both = merged(_at(points, keep), _at(points, gone))
        now = _placed(clusters, [both], keep[None], clusters.label[keep], prior)
        return now._replace(count=now.count.at[gone].set(0.0), active=now.active.at[gone].set(False))

    found = ratios[keep] > 0
    return jax.lax.cond(found, move, lambda: clusters), found


def _placed(clusters: Subclusters, parts: list[Moments], slots, label, prior: NIW) -> Subclusters:
    """The clusters with `parts` written into `slots`."""
    factors = jnp.stack([factor(covariance(part, prior), ridge=1e-6) for part in parts])
    return Subclusters(
        clusters.mean.at[slots].set(jnp.stack([part.mean for part in parts])),
        clusters.factor.at[slots].set(factors),
        clusters.count.at[slots].set(jnp.stack([part.count for part in parts])),
        clusters.label.at[slots].set(label),
        clusters.active.at[slots].set(True),
    )


def _at(points: Moments, slot) -> Moments:
    return jax.tree.map(lambda leaf: leaf[slot], points)
