"""What holds for every outlier synthesizer. A new one is a new row of `CASES`."""

import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaforge import outliers

CLASSES, FEATURES, ROWS = 3, 6, 120

CASES = {
    "fakeradar, literal": outliers.fakeradar(CLASSES, mode="literal", slots=5, dynamic_updates=0),
    "fakeradar, safe": outliers.fakeradar(CLASSES, slots=5, components=4),
    "subcluster_outliers, between sides": outliers.subcluster_outliers(
        CLASSES, slots=5, components=4, covariance="tied", towards="others", dynamic_updates=0
    ),
    "subcluster_outliers, around fakes": outliers.subcluster_outliers(
        CLASSES, slots=5, covariance="shrunk", radius="tail", around="fake", dynamic_updates=0
    ),
    "neighbour_outliers": outliers.neighbour_outliers(CLASSES, neighbours=3, boundary=8, candidates=8),
}
AROUND = {"subcluster_outliers, around fakes": [1, 2]}


def test_every_synthesizer_has_a_row():
    members = inspect.getmembers(outliers, inspect.isfunction)
    public = {name for name, value in members if "OutlierSynthesizer" in str(value.__annotations__.get("return"))}
    assert public == {name.split(",")[0] for name in CASES}


@functools.cache
def compiled(name):
    made, traces = CASES[name], []

    def update(*arguments, where):
        traces.append("update")
        return made.update(*arguments, where=where)

    def sample(*arguments):
        traces.append("sample")
        return made.sample(*arguments)

    return made.init, jax.jit(update), jax.jit(sample, static_argnums=2), traces


def bank(seed=0, *, counts=(40, 40, 40)):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(CLASSES), counts)
    centers = 10.0 * np.eye(CLASSES, FEATURES) + 3.0
    rows = centers[labels] + rng.normal(size=(len(labels), FEATURES)) * np.linspace(0.5, 2.0, FEATURES)
    return jnp.asarray(rows, jnp.float32), jnp.asarray(labels, jnp.int32)


def updated(name, rows, labels, *, where=None, times=1):
    init, update, _, _ = compiled(name)
    state, info = init(FEATURES), None
    for index in range(times):
        everywhere = np.ones(len(labels), bool) if where is None else where
        state, info = update(jax.random.key(index), state, rows, labels, where=everywhere)
    return state, info


@pytest.fixture(params=CASES)
def name(request):
    return request.param


def shapes(tree):
    return jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), tree)


def test_before_the_first_update_there_are_no_outliers(name):
    init, _, sample, _ = compiled(name)
    drawn = sample(jax.random.key(0), init(FEATURES), 12)
    assert not np.any(drawn.where)
    assert np.isfinite(drawn.features).all()


def test_a_state_keeps_its_shape_and_nothing_compiles_again(name):
    init, _, sample, traces = compiled(name)
    state, _ = updated(name, *bank(), times=3)
    assert shapes(state) == shapes(init(FEATURES))
    sample(jax.random.key(0), state, 12)
    begun = len(traces)
    later, _ = updated(name, *bank(seed=1, counts=(10, 90, 20)), times=2)
    sample(jax.random.key(1), later, 12)
    assert len(traces) == begun


def test_outliers_are_spread_evenly_over_the_clusters(name):
    state, info = updated(name, *bank())
    drawn = compiled(name)[2](jax.random.key(0), state, 12)
    assert np.all(drawn.where)
    assert np.isfinite(drawn.features).all()
    around = AROUND.get(name, [0, 1, 2])
    labels = np.asarray(state.clusters.label)[np.asarray(drawn.slot)]
    assert info.per_class.tolist() == [1, 1, 1]
    assert [np.sum(labels == label) for label in around] == [12 // len(around)] * len(around)


def test_outliers_are_lonelier_than_the_features_they_surround(name):
    rows, labels = bank()
    state, _ = updated(name, rows, labels)
    drawn = [compiled(name)[2](jax.random.key(index), state, 12) for index in range(5)]
    features, slots = (np.concatenate([getattr(some, what) for some in drawn]) for what in ("features", "slot"))
    rows, labels, made = np.asarray(rows), np.asarray(labels), np.asarray(features)
    of_class = np.asarray(state.clusters.label)[slots]
    for label in AROUND.get(name, [0, 1, 2]):
        mine = rows[labels == label]
        reach = lambda points, nth, mine=mine: np.sort(np.linalg.norm(points[:, None] - mine[None], axis=-1), 1)[:, nth]
        # The first neighbour of an outlier; the second of a member, whose first is itself.
        assert np.median(reach(made[of_class == label], 0)) > np.median(reach(mine, 1))


def test_another_key_gives_other_outliers_and_the_same_key_the_same(name):
    state, _ = updated(name, *bank())
    sample = compiled(name)[2]
    first, again, other = (sample(jax.random.key(seed), state, 12).features for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)


def test_rows_that_do_not_exist_change_nothing(name):
    rows, labels = bank()
    where = np.arange(ROWS) % 5 > 0
    clean, _ = updated(name, rows, labels, where=where)
    fill = lambda padding: np.where(where[:, None], rows, np.float32(padding))
    for padding in (np.nan, 1e9):
        wild, _ = updated(name, fill(padding), np.where(where, labels, np.int32(1)), where=where)
        jax.tree.map(np.testing.assert_array_equal, wild, clean)
    # A feature that is not finite does not exist either.
    silent, _ = updated(name, fill(np.nan), labels)
    jax.tree.map(np.testing.assert_array_equal, silent, clean)


@pytest.mark.parametrize(
    "counts", [(116, 3, 1), (60, 60, 0), (0, 0, 0)], ids=["few points", "an empty class", "no points"]
)
def test_few_points_or_none_give_nothing_singular(name, counts):
    rows, labels = bank(counts=counts if sum(counts) else (40, 40, 40))
    where = None if sum(counts) else np.zeros(ROWS, bool)
    state, info = updated(name, rows, labels, where=where, times=2)
    drawn = compiled(name)[2](jax.random.key(0), state, 12)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((state, drawn)))
    assert np.all((np.asarray(info.per_class) > 0) == (np.asarray(counts) > 0))
    assert np.any(drawn.where) == (sum(counts) > 0)
    of_class = np.asarray(state.clusters.label)[np.asarray(drawn.slot)[np.asarray(drawn.where)]]
    assert all(counts[label] > 0 for label in of_class)


def test_equal_points_give_nothing_singular(name):
    rows, labels = bank()
    state, _ = updated(name, np.ones_like(rows), labels)
    drawn = compiled(name)[2](jax.random.key(0), state, 12)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((state, drawn)))


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_outliers_grow_with_the_features(name, scale):
    rows, labels = bank()
    draw = lambda rows: compiled(name)[2](jax.random.key(0), updated(name, rows, labels)[0], 12).features
    before = draw(rows)
    scaled = np.asarray(rows) * np.float32(scale)
    np.testing.assert_allclose(np.asarray(draw(scaled)) / scale, before, rtol=2e-3, atol=2e-3)


def test_outliers_are_constants_in_every_gradient(name):
    state, _ = updated(name, *bank())
    made = CASES[name]
    total = lambda centers: jnp.sum(made.sample(jax.random.key(0), state._replace(centers=centers), 4).features)
    gradient = jax.jit(jax.grad(lambda centers: total(centers)))(state.centers)
    np.testing.assert_array_equal(gradient, np.zeros_like(gradient))


def test_bad_options_are_refused():
    with pytest.raises(ValueError, match="`slots` must be at least one for each of 5 classes"):
        outliers.subcluster_outliers(5, slots=4)
    with pytest.raises(ValueError, match="unknown `covariance` 'diagonal'; known: full, shrunk, tied, calibrated"):
        # Past the tests' own type checks, as a user meets it.
        inspect.unwrap(outliers.subcluster_outliers)(2, covariance="diagonal")
    with pytest.raises(ValueError, match="unknown `mode` 'loud'; known: literal, safe"):
        inspect.unwrap(outliers.fakeradar)(2, mode="loud")
    with pytest.raises(ValueError, match="`quantiles` must be two numbers"):
        outliers.subcluster_outliers(2, quantiles=(0.9, 0.1))
    with pytest.raises(ValueError, match="must be above 0"):
        outliers.neighbour_outliers(2, keep=0)
