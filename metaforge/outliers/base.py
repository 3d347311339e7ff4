"""What every outlier synthesizer is: three pure functions, and a state that a run can checkpoint."""

from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from metaforge.outliers._gaussian import squared_distances
from metaforge.outliers._spaces import Projection, project
from metaforge.outliers._subclusters import Subclusters, responsibilities
from metaforge.types import REAL, PRNGKey


class OutlierState(NamedTuple):
    """What is known of the features, with shapes that never change.

    Attributes:
        projection: from features to the space of the clusters.
        clusters: the clusters, in that space.
        centers: their means in the space of the features.
        source: what outliers are drawn from.
        updates: how often it has been updated; at 0 there is nothing to draw from.
    """

    projection: Projection
    clusters: Subclusters
    centers: Float[Array, "slots features"]
    source: Any
    updates: Int[Array, ""]


class OutlierInfo(NamedTuple):
    """What a person wants to see of an update. All are scalars but for `per_class`.

    Attributes:
        clusters: how many are in use.
        per_class: how many each class has, shape `(classes,)`.
        splits: splits made.
        merges: merges made.
        refused: splits that found no free slot: raise the number of slots if this is not 0.
        calibration: the mean of $d^2 / D$ of held-out features under the covariance that outliers are drawn with: 1
            if it fits, far above 1 if outliers would lie among the data. NaN without a covariance.
        far: the 99th percentile of held-out $d^2$.
    """

    clusters: Int[Array, ""]
    per_class: Int[Array, " classes"]
    splits: Int[Array, ""]
    merges: Int[Array, ""]
    refused: Int[Array, ""]
    calibration: Float[Array, ""]
    far: Float[Array, ""]

    @property
    def calibrated(self) -> Bool[Array, ""]:
        """Whether `calibration` is in [0.9, 1.2]."""
        return (self.calibration >= 0.9) & (self.calibration <= 1.2)


class Outliers(NamedTuple):
    """Synthetic features that no image has. They are constants in every gradient.

    Attributes:
        features: one a row.
        slot: the cluster around which each was made.
        where: which of them exist: none before the first update.
    """

    features: Float[Array, "outliers features"]
    slot: Int[Array, " outliers"]
    where: Bool[Array, " outliers"]


class Probe(NamedTuple):
    """What synthesis says with one batch (`metaforge.types.Batch.probe`): where features lie, and fresh outliers."""

    state: OutlierState
    outliers: Outliers


@runtime_checkable
class InitFn(Protocol):
    """How a synthesizer's state starts."""

    def __call__(self, features: int, /) -> OutlierState:
        """The state of knowing nothing, for features of this size."""
        ...


@runtime_checkable
class UpdateFn(Protocol):
    """One refresh from a bank of features."""

    def __call__(
        self, key: PRNGKey, state: OutlierState, rows: Float[Array, "rows features"], labels: Int[Array, " rows"], /,
        *, where: Bool[Array, " rows"] | None = None,
    ) -> tuple[OutlierState, OutlierInfo]:  # fmt: skip
        """Learns where the features of each class lie; `where` marks the rows that exist."""
        ...


@runtime_checkable
class SampleFn(Protocol):
    """Fresh outliers."""

    def __call__(self, key: PRNGKey, state: OutlierState, count: int, /) -> Outliers:
        """`count` outliers, spread evenly over the clusters."""
        ...


class OutlierSynthesizer(NamedTuple):
    """Outlier synthesis as pure functions, to be jitted by the caller.

    Attributes:
        init: `init(features) -> OutlierState`.
        update: `update(key, state, rows, labels, where=None) -> (OutlierState, OutlierInfo)`, outside any gradient.
        sample: `sample(key, state, count) -> Outliers`, cheap enough for every step.
    """

    init: InitFn
    update: UpdateFn
    sample: SampleFn


def assign(
    state: OutlierState, features: Float[Array, "rows features"], targets: Int[Array, " rows"]
) -> Int[Array, " rows"]:
    """The cluster that each feature most likely belongs to, among those of its side: real, or any kind of fake.

    The kind of forgery need not be known, so that it works in an unseen domain too.

    Args:
        state: a synthesizer's state, updated at least once.
        features: any features; no gradient flows.
        targets: `REAL` or `FAKE`.

    Returns:
        Slot numbers; 0 where there is no cluster to choose.

    Example:
        >>> from metaforge.outliers import fakeradar
        >>> state = fakeradar(2, slots=2).init(2)  # two clusters, of real and of fake, at (0, 0) and at (9, 9)
        >>> known = state.clusters._replace(
        ...     mean=jnp.array([[0.0, 0.0], [9.0, 9.0]]), label=jnp.array([0, 1]), active=jnp.array([True, True])
        ... )
        >>> print(assign(state._replace(clusters=known), jnp.ones((2, 2)), jnp.array([0, 1])))
        [0 1]
    """
    rows = project(state.projection, jax.lax.stop_gradient(features))
    clusters = state.clusters
    fake = (clusters.label != REAL)[None, :] == (targets != REAL)[:, None]
    return jnp.argmax(responsibilities(rows, clusters, clusters.active[None, :] & fake), axis=1)


def real_distance(state: OutlierState, features: Float[Array, "rows features"]) -> Float[Array, " rows"]:
    r"""How far each feature is from anything real: $\min_k d_k^2 / D$ over the real clusters, 1 for a typical real one.

    A score of forgery that has never seen one, and an input that makes a shell visible to a linear head.

    Args:
        state: a synthesizer's state, updated at least once.
        features: any features; the state is a constant in the gradient.

    Returns:
        At least 0; infinity if there is no real cluster.

    Example:
        >>> from metaforge.outliers import fakeradar
        >>> state = fakeradar(2, slots=2).init(2)
        >>> known = state.clusters._replace(active=jnp.array([True, False]))  # one real cluster at the origin
        >>> print(real_distance(state._replace(clusters=known), jnp.array([[0.0, 0.0], [3.0, 1.0]])).round(2))
        [0. 5.]
    """
    rows = project(jax.lax.stop_gradient(state.projection), features)
    clusters = jax.lax.stop_gradient(state.clusters)
    apart = squared_distances(rows, clusters.mean, clusters.factor)
    real = clusters.active & (clusters.label == REAL)
    return jnp.min(jnp.where(real[None, :], apart, jnp.inf), axis=1) / rows.shape[1]


def slots_in_turn(key: PRNGKey, active: Bool[Array, " slots"], count: int) -> Int[Array, " outliers"]:
    """Slot numbers in use, each as often as any other, from a random beginning."""
    used = jnp.maximum(jnp.sum(active), 1)
    order = jnp.argsort(~active)  # stable: those in use first
    begin = jax.random.randint(key, (), 0, used)
    return order[(begin + jnp.arange(count)) % used]


def per_class(clusters: Subclusters, classes: int) -> Int[Array, " classes"]:
    """How many clusters each class has."""
    held = jax.nn.one_hot(clusters.label, classes, dtype=jnp.int32) * clusters.active[:, None]
    return jnp.sum(held, axis=0)
