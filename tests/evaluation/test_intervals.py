import numpy as np
import pytest
from scipy import stats

from metaforge.errors import InputError
from metaforge.evaluation import intervals, metrics
from metaforge.evaluation.intervals import Interval, bootstrap, paired_difference


def draw_study(seed=0, *, seeds=3, draws=4, clusters=12, rows=96, levels=41):
    """Labels, tied scores of every model and draw, and clusters that hold both classes, of unequal sizes."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(2, size=rows)
    labels[:2] = 0, 1
    names = np.array([f"person {i}" for i in rng.integers(clusters, size=rows)])
    logits = rng.normal(1.2 * labels - 0.6, 1.0, size=(seeds, draws, rows))
    logits += rng.normal(0, 0.4, size=(seeds, 1, 1)) * labels
    return labels, np.round(stats.norm.cdf(logits) * (levels - 1)) / (levels - 1), names


def draw_binormal(rng, *, clusters=40, rows_each=8, distance=1.5):
    """Each cluster is of one class and has its own offset, of half of the variance."""
    labels = np.repeat(np.arange(clusters) % 2, rows_each)
    offsets = np.repeat(rng.normal(0, np.sqrt(0.5), clusters), rows_each)
    scores = distance * labels + offsets + rng.normal(0, np.sqrt(0.5), labels.size)
    return labels, scores, np.repeat(np.arange(clusters), rows_each).astype(str)


def test_an_interval_prints_itself():
    interval = Interval(0.789, 0.741, 0.832)
    assert str(interval) == f"{interval}" == "0.79 [0.74, 0.83]"
    assert f"{interval:.1%}" == "78.9% [74.1%, 83.2%]"


def test_the_fast_auc_equals_the_weighted_auc_of_every_resample():
    labels, scores, names = draw_study()
    members, index = np.unique(names, return_inverse=True)
    counts = intervals._cluster_counts(np.random.default_rng(1), index, labels == 1, len(members), 50)
    fast = intervals._resampled("auc", labels, scores, index, counts)
    slow = np.stack([metrics.auc(labels, scores, weights=count[index]) for count in counts])
    assert fast.shape == (50, 3, 4)
    np.testing.assert_allclose(fast, slow, rtol=1e-12)


@pytest.mark.parametrize("metric", metrics.METRICS)
def test_the_value_is_the_mean_over_seeds_and_draws(metric):
    labels, scores, names = draw_study()
    interval = bootstrap(labels, scores, names, metric=metric, resamples=20)
    each = [metrics.METRICS[metric](labels, scores[i, j]) for i, j in np.ndindex(3, 4)]
    np.testing.assert_allclose(interval.value, np.mean(each), rtol=1e-12)
    assert interval.low < interval.high


def test_resampling_follows_a_plain_loop_in_distribution():
    labels, scores, names = draw_study(seeds=2, draws=3)
    rng, members = np.random.default_rng(11), np.unique(names)
    rows_of = {name: np.flatnonzero(names == name) for name in members}
    loop = []
    for _ in range(2000):
        rows = np.concatenate([rows_of[name] for name in rng.choice(members, len(members))])
        models = [scores[i, j][rows] for i in rng.integers(2, size=2) for j in rng.integers(3, size=3)]
        loop.append(np.mean(metrics.auc(labels[rows], np.stack(models))))
    interval = bootstrap(labels, scores, names, resamples=10_000)
    # The quantiles of 2000 draws are known to about 0.05 of their standard deviation.
    np.testing.assert_allclose(interval[1:], np.quantile(loop, [0.025, 0.975]), atol=0.2 * float(np.std(loop)))


def test_intervals_cover_the_truth_with_clusters_and_miss_it_with_rows():
    # Two clusters are independent and every pair of a fake and a real is of two clusters, so the expected AUC is
    # the binormal one: P(N(1.5, 1) > N(0, 1)).
    truth, replications = stats.norm.cdf(1.5 / np.sqrt(2)), 300
    covered = {"clusters": 0, "rows": 0}
    rng = np.random.default_rng(0)
    for replication in range(replications):
        labels, scores, names = draw_binormal(rng)
        units = {"clusters": names, "rows": np.arange(labels.size).astype(str)}
        for unit, by in units.items():
            interval = bootstrap(labels, scores[None, None], by, resamples=400, seed=replication)
            covered[unit] += interval.low <= truth <= interval.high
    assert 0.90 <= covered["clusters"] / replications <= 0.99
    assert covered["rows"] / replications < 0.80


def test_seeds_widen_the_interval_unless_they_are_held():
    labels, scores, names = draw_study(seeds=1, draws=1, rows=400)
    scores = np.concatenate([scores, 1 - scores, np.full_like(scores, 0.5)])
    free = bootstrap(labels, scores, names)
    held = bootstrap(labels, scores, names, resample_seeds=False)
    assert free.value == held.value
    assert free.high - free.low > 5 * (held.high - held.low)
    # A good model, its reverse and chance: on the same clusters their mean is 1/2 whatever the clusters are.
    np.testing.assert_allclose(held, 0.5, atol=1e-12)


def test_draws_widen_the_interval():
    labels, scores, names = draw_study(seeds=1, draws=1, rows=400)
    good, bad = scores, 1 - scores
    one, two = (bootstrap(labels, np.concatenate(stack, axis=1), names) for stack in ([good, good], [good, bad]))
    assert two.high - two.low > 3 * (one.high - one.low)


@pytest.mark.parametrize("metric", metrics.METRICS)
def test_identical_methods_differ_by_exactly_nothing(metric):
    labels, scores, names = draw_study()
    assert paired_difference(labels, scores, scores.copy(), names, metric=metric, resamples=30) == (0.0, 0.0, 0.0)


def test_pairing_takes_out_what_moves_both():
    rng = np.random.default_rng(3)
    labels, scores, names = draw_binormal(rng)
    better = np.stack([scores + 0.05 * labels])[None]
    difference = paired_difference(labels, better, scores[None, None], names)
    apart = bootstrap(labels, {"better": better, "base": scores[None, None]}, names)
    assert difference.low > 0
    assert difference.value == apart["better"].value - apart["base"].value
    assert apart["better"].low < apart["base"].high


def test_swapping_the_methods_turns_the_difference_round():
    labels, scores, names = draw_study()
    forth = paired_difference(labels, scores, scores**2, names, metric="brier", resamples=100)
    back = paired_difference(labels, scores**2, scores, names, metric="brier", resamples=100)
    np.testing.assert_allclose([forth.value, forth.low, forth.high], [-back.value, -back.high, -back.low], atol=1e-15)


def test_a_method_without_draws_is_paired_with_every_draw():
    labels, scores, names = draw_study()
    short, long = scores[:, :1], np.repeat(scores[:, :1], 4, axis=1)
    assert paired_difference(labels, scores, short, names) == paired_difference(labels, scores, long, names)


def test_several_methods_and_metrics_see_the_same_resamples_as_one():
    labels, scores, names = draw_study()
    table = bootstrap(labels, {"a": scores, "b": 1 - scores}, names, metric=["auc", "brier"], resamples=50)
    assert list(table) == ["a", "b"]
    assert list(table["a"]) == ["auc", "brier"]
    for metric in ("auc", "brier"):
        assert table["a"][metric] == bootstrap(labels, scores, names, metric=metric, resamples=50)
        assert table["a"][metric] == bootstrap(labels, scores, names, metric=[metric], resamples=50)[metric]


@pytest.mark.parametrize("metric", ["auc", "ece"])
def test_the_seed_decides_and_the_order_of_rows_does_not(metric):
    labels, scores, names = draw_study()
    first = bootstrap(labels, scores, names, metric=metric, resamples=50)
    assert first == bootstrap(labels, scores, names, metric=metric, resamples=50)
    assert first != bootstrap(labels, scores, names, metric=metric, resamples=50, seed=1)
    order = np.random.default_rng(0).permutation(labels.size)
    shuffled = bootstrap(labels[order], scores[..., order], names[order], metric=metric, resamples=50)
    np.testing.assert_allclose(shuffled, first, rtol=1e-12)


def test_inputs_are_not_changed():
    labels, scores, names = draw_study()
    copies = labels.copy(), scores.copy(), names.copy()
    bootstrap(labels, scores, names, metric=["auc", "ap"], resamples=5)
    for before, after in zip(copies, (labels, scores, names), strict=True):
        np.testing.assert_array_equal(before, after)


def test_resamples_without_both_classes_are_drawn_again():
    # One cluster of three holds all reals: a third of plain resamples would lack it or hold nothing else.
    labels, names = np.array([0, 0, 1, 1, 1, 1]), np.array(["a", "a", "b", "b", "c", "c"])
    scores = np.array([0.1, 0.6, 0.5, 0.9, 0.3, 0.7])[None, None]
    for metric in metrics.METRICS:
        assert np.isfinite(bootstrap(labels, scores, names, metric=metric, resamples=100)).all()


def test_rows_of_one_class_have_intervals_where_the_metric_exists():
    _, scores, names = draw_study()
    labels = np.ones(scores.shape[-1], int)
    interval = bootstrap(labels, scores, names, metric="accuracy", resamples=50)
    assert interval.low < interval.value < interval.high
    with pytest.raises(InputError, match="auc: not defined without real rows"):
        bootstrap(labels, scores, names)


def test_malformed_input_is_refused_in_one_line():
    labels, scores, names = draw_study()
    blank = np.where(names == "person 1", "", names)
    cases = [
        ("unknown metric", lambda: bootstrap(labels, scores, names, metric="f1")),
        ("unknown metric", lambda: bootstrap(labels, scores, names, metric=[])),
        ("at least one", lambda: bootstrap(labels, {}, names)),
        ("seeds, draws, rows", lambda: bootstrap(labels, scores[0], names)),
        ("seeds, draws, rows", lambda: bootstrap(labels, {"maml": scores[..., 1:]}, names)),
        ("differ", lambda: bootstrap(labels, {"a": scores, "b": scores[:2]}, names)),
        ("no cluster", lambda: bootstrap(labels, scores, blank)),
        ("no cluster", lambda: bootstrap(labels, scores, names[1:])),
        ("one cluster", lambda: bootstrap(labels, scores, np.full(labels.size, "ann"))),
        ("resamples", lambda: bootstrap(labels, scores, names, resamples=0)),
        ("level", lambda: bootstrap(labels, scores, names, level=1.5)),
        ("NaN", lambda: bootstrap(labels, np.full_like(scores, np.nan), names)),
    ]
    for message, call in cases:
        with pytest.raises(InputError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)
