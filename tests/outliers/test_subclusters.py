"""How many clusters are found, and what happens when there is no room for more."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from metaforge import outliers
from metaforge.outliers import _split_merge, _subclusters
from metaforge.outliers._gaussian_outliers import prior_of

SPACE, SLOTS = 6, 16


def blobs(modes, *, seed=0):
    """720 points: classes of as many Gaussians as `modes` says, far apart."""
    points = 720 // sum(modes)
    rng = np.random.default_rng(seed)
    rows, labels = [], []
    for label, count in enumerate(modes):
        for mode in range(count):
            center = np.zeros(SPACE)
            center[mode % 4] = 12.0 * (1 + mode // 4)
            center[-1] = 25.0 * label
            rows.append(center + rng.normal(size=(points, SPACE)))
            labels += [label] * points
    return jnp.asarray(np.concatenate(rows), jnp.float32), jnp.asarray(labels, jnp.int32)


@functools.cache
def synthesizer(**options):
    made = outliers.subcluster_outliers(5, slots=SLOTS, components=SPACE, **options)
    return made._replace(update=jax.jit(made.update), sample=jax.jit(made.sample, static_argnums=2))


@functools.cache
def settled():
    """Classes of one to three modes, after three updates with all the defaults."""
    rows, labels = blobs((1, 2, 3, 1, 2))
    return rows, labels, *updates(synthesizer(), rows, labels)


def updates(made, rows, labels, count=3):
    state = made.init(SPACE)
    infos = []
    for index in range(count):
        state, info = made.update(jax.random.key(index), state, rows, labels)
        infos.append(info)
    return state, infos


def test_each_class_gets_as_many_clusters_as_it_has_modes():
    rows, _, state, infos = settled()
    assert infos[-1].per_class.tolist() == [1, 2, 3, 1, 2]
    assert (infos[-1].splits, infos[-1].merges, infos[-1].refused) == (0, 0, 0)
    # Every cluster is one of the modes.
    truth = np.asarray(rows).reshape(9, 80, SPACE).mean(1)
    found = np.asarray(state.centers)[np.asarray(state.clusters.active)]
    nearest = np.linalg.norm(truth[:, None] - found[None], axis=-1).argmin(0)
    assert sorted(nearest) == list(range(9))
    np.testing.assert_allclose(found, truth[nearest], atol=0.05)


def test_one_gaussian_stays_one():
    rows = jnp.asarray(np.random.default_rng(1).normal(size=(720, SPACE)), jnp.float32)
    _, infos = updates(synthesizer(), rows, jnp.asarray(np.zeros(720), jnp.int32))
    assert infos[-1].per_class.tolist() == [1, 0, 0, 0, 0]


def test_copies_of_one_cluster_merge_into_one():
    rows = jnp.asarray(np.random.default_rng(2).normal(size=(300, SPACE)), jnp.float32)
    labels = jnp.asarray(np.zeros(300), jnp.int32)

    @jax.jit
    def merged(rows):
        prior = prior_of(rows, jnp.ones((300, 1)))
        one = _subclusters.one_a_class(rows, jnp.ones((300, 1)), prior, slots=4)
        copies = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf[:1], leaf.shape), one)
        may = lambda now: _subclusters.allowed(now, labels)
        return _split_merge.round_of_moves(jax.random.key(0), rows, copies, may, prior)

    now, moves = merged(rows)
    assert (np.sum(now.active), moves.merges) == (1, 3)
    np.testing.assert_allclose(np.asarray(now.mean)[np.argmax(now.active)], np.asarray(rows).mean(0), atol=1e-3)


def test_without_room_a_split_is_refused_and_counted():
    rows, labels = blobs((7, 5, 4, 2, 2))
    state, infos = updates(synthesizer(), rows, labels, count=5)
    assert infos[-1].clusters == SLOTS
    assert sum(info.refused for info in infos) >= 1
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state))


def test_clusters_stop_changing_in_number_when_told_to():
    calm, labels = blobs((1, 1, 1, 1, 1))
    made = synthesizer()
    state, infos = updates(made, calm, labels, count=1)
    assert infos[0].per_class.tolist() == [1, 1, 1, 1, 1]
    torn = jnp.asarray(calm + np.where(np.arange(720)[:, None] % 2, 0, 30.0 * np.eye(SPACE)[:1]), jnp.float32)
    assert made.update(jax.random.key(0), state, torn, labels)[1].splits == 5
    # Ten updates is what the default allows.
    late = state._replace(updates=jnp.array(10, jnp.int32))
    assert made.update(jax.random.key(0), late, torn, labels)[1].splits == 0


def test_unconstrained_clusters_may_hold_two_classes():
    # The same Gaussian under two labels is one cluster, unless each class keeps its own.
    rows = jnp.asarray(np.random.default_rng(3).normal(size=(720, SPACE)), jnp.float32)
    labels = jnp.asarray(np.arange(720) % 2, jnp.int32)
    assert updates(synthesizer(), rows, labels)[1][-1].clusters == 2
    assert updates(synthesizer(constrained=False), rows, labels)[1][-1].clusters == 1


def test_clusters_are_followed_when_the_features_turn():
    # Between updates a network turns its features; yesterday's components and clusters are no longer today's.
    rows, labels, state, _ = settled()
    turn = np.linalg.qr(np.random.default_rng(4).normal(size=(SPACE, SPACE)))[0]
    half = np.eye(SPACE) + 0.1 * (turn - np.eye(SPACE))
    turned = jnp.asarray(np.asarray(rows) @ half, jnp.float32)
    _, info = synthesizer().update(jax.random.key(9), state, turned, labels)
    assert info.per_class.tolist() == [1, 2, 3, 1, 2]
    assert info.splits + info.merges == 0


def test_a_feature_is_assigned_to_the_nearest_cluster_of_its_side():
    rows, labels, state, _ = settled()
    assign = jax.jit(outliers.assign)
    slots = assign(state, rows, np.minimum(labels, 1))
    of_class = np.asarray(state.clusters.label)[np.asarray(slots)]
    assert np.mean(of_class == np.asarray(labels)) > 0.99
    # An image called real is only ever compared with real ones.
    claimed = assign(state, rows, np.zeros_like(labels))
    assert np.all(np.asarray(state.clusters.label)[np.asarray(claimed)] == 0)


def test_real_distance_is_one_for_real_features_and_more_for_others():
    rows, labels, state, _ = settled()
    distance = np.asarray(jax.jit(outliers.real_distance)(state, rows))
    real = np.asarray(labels) == 0
    np.testing.assert_allclose(distance[real].mean(), 1.0, atol=0.1)
    assert distance[~real].min() > distance[real].max()


def test_outliers_of_a_shell_lie_beyond_the_99th_percentile_of_held_out_features():
    _, _, state, infos = settled()
    assert infos[-1].calibrated
    drawn = synthesizer().sample(jax.random.key(0), state, 200)
    apart = np.asarray(np.asarray(drawn.features) - np.asarray(state.source.mean)[drawn.slot], np.float64)
    white = np.linalg.solve(np.asarray(state.source.factor[0], np.float64), apart.T)
    squares = np.sum(white**2, axis=0)
    assert np.median(squares) > infos[-1].far
    # The shell's own bounds, which are quantiles of the same held-out distances.
    assert squares.min() >= 0.999 * float(state.source.shell[0])
    assert squares.max() <= 1.001 * float(state.source.shell[-1])
