import json

import numpy as np
import pytest
from scipy import stats
from threadpoolctl import threadpool_limits

from metaforge.errors import InputError
from metaforge.evaluation import (
    Interval,
    Target,
    _resampling,
    bootstrap,
    macro_bootstrap,
    metrics,
    paired_difference,
    paired_p,
)


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


def test_a_report_holds_an_interval_by_its_names_and_nothing_else_is_read_as_one():
    written = json.loads(json.dumps(Interval(0.789, 0.741, 0.832).as_json()))
    assert written == {"value": 0.789, "low": 0.741, "high": 0.832}
    assert Interval.from_json(written) == (0.789, 0.741, 0.832)
    for other in ([0.789, 0.741, 0.832], written | {"p": 0.1}, {"value": 0.789}, None):
        with pytest.raises(InputError, match=r"^report: .*stands for an interval"):
            Interval.from_json(other)


def test_the_fast_auc_equals_the_weighted_auc_of_every_resample():
    labels, scores, names = draw_study()
    members, index = np.unique(names, return_inverse=True)
    counts = _resampling.cluster_counts(np.random.default_rng(1), index, labels == 1, len(members), 50)
    fast = _resampling.resampled("auc", labels, scores, index, counts)
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


SPREAD = 2.0  # of the videos, where that of the frames of one video is 1


def draw_videos(rng, *, videos, frames=3, distances=(1.6, 0.8)):
    """Two detectors' scores of the same frames; both see something of what makes a video easy or hard."""
    labels, names = np.repeat(np.arange(videos) % 2, frames), np.repeat(np.arange(videos), frames)
    shared, *own = rng.normal(0, SPREAD / np.sqrt(2), size=(3, videos))
    scores = [
        d * labels + (shared + mine)[names] + rng.normal(size=labels.size)
        for d, mine in zip(distances, own, strict=True)
    ]
    # A fake is d + u + e and a real u' + e', of two videos: their difference is N(d, 2 (SPREAD^2 + 1)).
    truths = [stats.norm.cdf(d / np.sqrt(2 * (1 + SPREAD**2))) for d in distances]
    return labels, [score[None, None] for score in scores], names, truths


def coverage(studies, *, videos, by_rows=False, seed=0):
    """The shares of simulated studies whose 95 % intervals of an AUC, and of a difference of two, hold the truth."""
    rng, held = np.random.default_rng(seed), np.zeros((studies, 2))
    for study in range(studies):
        labels, (ours, theirs), names, (high, low) = draw_videos(rng, videos=videos)
        units = np.arange(labels.size) if by_rows else names
        how = {"resamples": 300, "seed": study, "resample_seeds": False}
        value = bootstrap(labels, ours, units, **how)
        difference = paired_difference(labels, ours, theirs, units, **how)
        held[study] = value.low <= high <= value.high, difference.low <= high - low <= difference.high
    return held.mean(axis=0)


@pytest.fixture
def thousands_of_calls():
    """Threads cost more than these small matrix products themselves."""
    with threadpool_limits(1):
        yield


@pytest.mark.usefixtures("thousands_of_calls")
def test_intervals_hold_the_truth_as_often_as_they_say_given_enough_videos():
    # 600 studies know a coverage of 0.95 to 0.009.
    enough = coverage(600, videos=80)
    assert (enough >= 0.93).all(), enough
    assert (enough <= 0.97).all(), enough
    # Ten videos, five of a class, say too little of how videos differ; what `bootstrap` tells of it.
    few = coverage(150, videos=10)
    assert (few < 0.93).all(), few
    # Frames resampled one by one are taken for three times the evidence that they are.
    naive = coverage(40, videos=80, by_rows=True)
    assert (naive < 0.88).all(), naive


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


@pytest.mark.parametrize("kind", [object, np.dtypes.StringDType(), "S"])
def test_clusters_are_text_of_any_kind(kind):
    labels, scores, names = draw_study()
    expected = bootstrap(labels, scores, names, metric=["auc", "brier"], resamples=30)
    assert bootstrap(labels, scores, names.astype(kind), metric=["auc", "brier"], resamples=30) == expected
    blank = names.astype(kind)
    blank[3] = b"" if kind == "S" else ""
    with pytest.raises(InputError, match="a row has no cluster"):
        bootstrap(labels, scores, blank)


def test_a_missing_value_is_no_cluster():
    labels, scores, names = draw_study()
    for nothing in (None, float("nan")):
        missing = names.astype(object)
        missing[3] = nothing
        with pytest.raises(InputError, match="a row has no cluster"):
            bootstrap(labels, scores, missing)


def test_the_p_value_of_no_difference_is_one_and_of_a_sure_one_the_smallest():
    labels, scores, names = draw_study()
    assert paired_p(labels, scores, scores.copy(), names, resamples=50) == 1.0
    assert paired_p(labels, labels + 0.0 * scores, 1.0 - scores, names, resamples=99) == pytest.approx(2 / 100)


@pytest.mark.parametrize("metric", ["auc", "brier"])
def test_the_p_value_is_below_a_level_where_the_interval_leaves_zero_out(metric):
    rng = np.random.default_rng(1)
    labels, scores, names = draw_study()
    sides = set()
    for size in (0.05, 0.2, 0.5):
        other = np.clip(scores + rng.normal(0, size, scores.shape), 0, 1)
        p = paired_p(labels, scores, other, names, metric=metric, resamples=150)
        for level in (0.5, 0.8, 0.95):
            low, high = paired_difference(labels, scores, other, names, metric=metric, resamples=150, level=level)[1:]
            if abs(p - (1 - level)) > 2 / 150:  # quantiles are interpolated between two resamples
                assert (p < 1 - level) == (low > 0 or high < 0)
                sides.add(low > 0 or high < 0)
    assert sides == {True, False}


def target_of(labels, scores, names, name, **more):
    return Target(labels, scores, np.char.add(f"{name}, ", names), **more)


def test_the_macro_average_is_the_mean_over_targets_however_large_they_are():
    small, large = draw_study(1, rows=60), draw_study(2, rows=600)
    targets = {name: target_of(*study, name) for name, study in (("small", small), ("large", large))}
    for metric in ("auc", "brier"):
        interval = macro_bootstrap(targets, metric=metric, resamples=50)
        values = [bootstrap(*study, metric=metric, resamples=1).value for study in (small, large)]
        assert interval.value == pytest.approx(np.mean(values), rel=1e-12)
        assert interval.low < interval.value < interval.high
        assert macro_bootstrap(dict(reversed(targets.items())), metric=metric, resamples=50) == interval


def test_the_macro_average_of_one_target_is_resampled_as_that_target():
    study = draw_study(4)
    one = macro_bootstrap({"one": target_of(*study, "one")}, resamples=10_000)
    alone = bootstrap(*study, resamples=10_000)
    assert one.value == alone.value
    np.testing.assert_allclose(one[1:], alone[1:], atol=0.05 * (alone.high - alone.low))


def test_targets_average_out_the_luck_of_clusters_and_not_that_of_seeds():
    # Clusters of different targets are independent: the width of a mean of four falls by half. The seeds are the same
    # models on all four, so where they are what differs, it does not fall.
    rng = np.random.default_rng(5)
    studies = [draw_binormal(rng) for _ in range(4)]
    targets = {
        f"{i}": target_of(labels, scores[None, None], names, i) for i, (labels, scores, names) in enumerate(studies)
    }
    each = [macro_bootstrap({name: target}, resamples=4000) for name, target in targets.items()]
    together = macro_bootstrap(targets, resamples=4000)
    expected = np.sqrt(np.sum([(one.high - one.low) ** 2 for one in each])) / 4
    np.testing.assert_allclose(together.high - together.low, expected, rtol=0.1)

    models = {
        name: target._replace(scores=np.stack([target.labels + 0.0, 1.0 - target.labels])[:, None])
        for name, target in targets.items()
    }
    # A perfect model and its reverse: a resample of two seeds averages 0, 1/2 or 1, on every target alike.
    assert macro_bootstrap(models, resamples=400) == (0.5, 0.0, 1.0)
    assert macro_bootstrap(models, resamples=400, resample_seeds=False) == (0.5, 0.5, 0.5)


def test_the_macro_average_of_differences_is_paired():
    studies = {"a": draw_study(1), "b": draw_study(2, seeds=3, draws=2)}
    same = {name: target_of(*study, name, baseline=study[1].copy()) for name, study in studies.items()}
    assert macro_bootstrap(same, resamples=30) == (0.0, 0.0, 0.0)
    worse = {name: target_of(*study, name, baseline=1 - study[1][:, :1]) for name, study in studies.items()}
    interval = macro_bootstrap(worse, resamples=30)
    values = [paired_difference(s[0], s[1], 1 - s[1][:, :1], s[2], resamples=1).value for s in studies.values()]
    assert interval.value == pytest.approx(np.mean(values), rel=1e-12)
    assert interval.low > 0


def test_targets_that_cannot_be_averaged_are_refused_in_one_line():
    labels, scores, names = draw_study()
    good = target_of(labels, scores, names, "a")
    cases = [
        ("no target", {}),
        ("some have none", {"a": good, "b": target_of(labels, scores, names, "b", baseline=scores)}),
        (r"\[2, 3\] seeds", {"a": good, "b": target_of(labels, scores[:2], names, "b")}),
        ("'a, person .*' is in the targets 'a' and 'b'", {"a": good, "b": good}),
        ("seeds, draws, rows", {"a": target_of(labels, scores[0, 0], names, "a")}),
        ("no cluster", {"a": Target(labels, scores, np.where(names == "person 1", "", names))}),
    ]
    for message, targets in cases:
        with pytest.raises(InputError, match=message) as caught:
            macro_bootstrap(targets)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="-1 resamples"):
        macro_bootstrap({"a": good}, resamples=-1)


@pytest.mark.parametrize("metric", ["accuracy", "nll", "brier", "eer", "ece", "ap", "auc", "tpr_at_fpr5"])
@pytest.mark.parametrize("at_once", [1, 10**7])
def test_metrics_of_resamples_are_those_of_rows_that_are_laid_out(metric, at_once, monkeypatch):
    from metaforge.evaluation import _resampling
    from metaforge.evaluation._resampling import cluster_counts, resampled
    from metaforge.evaluation.metrics import METRICS

    monkeypatch.setattr(_resampling, "_AT_ONCE", at_once)
    rng = np.random.default_rng(0)
    labels, index = rng.integers(0, 2, 50), rng.integers(0, 7, 50)
    scores = rng.uniform(size=(2, 3, 50)).round(1)  # ties too
    counts = cluster_counts(rng, index, labels == 1, 7, 20)
    found = resampled(metric, labels, scores, index, counts)
    for count, values in zip(counts, found, strict=True):
        rows = np.repeat(np.arange(50), count[index])
        np.testing.assert_allclose(values, METRICS[metric](labels[rows], scores[..., rows]), rtol=1e-12)


@pytest.mark.parametrize("levels", [1, 7, 10**6])
@pytest.mark.parametrize("knots", [2, 256])
@pytest.mark.parametrize("at_once", [1, 10**7])
def test_the_fast_eer_is_that_of_every_resample_to_the_last_bit(levels, knots, at_once, monkeypatch):
    from metaforge.evaluation import _crossings

    monkeypatch.setattr(_crossings, "_KNOTS", knots)
    monkeypatch.setattr(_resampling, "_AT_ONCE", at_once)
    rng = np.random.default_rng(levels)
    labels, index = rng.integers(0, 2, 400), rng.integers(0, 30, 400)
    scores = np.floor(rng.uniform(size=(2, 1, 400)) * levels) / levels
    scores[1] = labels if levels == 7 else scores[1]  # one that knows
    counts = _resampling.cluster_counts(rng, index, labels == 1, 30, 40)
    found = _resampling.resampled("eer", labels, scores, index, counts)
    slow = np.stack([metrics.equal_error_rate(labels, scores, weights=count[index]) for count in counts])
    np.testing.assert_array_equal(found, slow)


def test_the_fast_eer_lays_out_no_more_than_it_is_allowed():
    # All resamples of all rows together would be 4 GB.
    import tracemalloc

    rng = np.random.default_rng(0)
    labels, index = rng.integers(0, 2, 50_000), np.arange(50_000) % 100
    scores = rng.normal(labels, 1.0)[None, None]
    counts = _resampling.cluster_counts(rng, index, labels == 1, 100, 1000)
    tracemalloc.start()
    _resampling.resampled("eer", labels, scores, index, counts)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6
