import numpy as np
import pytest
from sklearn import metrics as reference

from metaforge.errors import InputError
from metaforge.evaluation import metrics
from metaforge.evaluation._rows import accumulated, checked


def reference_tpr(bound):
    def largest(labels, scores, sample_weight):
        accused, caught, _ = reference.roc_curve(labels, scores, sample_weight=sample_weight, drop_intermediate=False)
        return caught[accused <= bound + 1e-12].max()

    return largest


def reference_knot(labels, scores, sample_weight):
    accused, caught, _ = reference.roc_curve(labels, scores, sample_weight=sample_weight)
    return accused[np.nanargmin(np.absolute((1 - caught) - accused))]


PEERS = {
    "auc": reference.roc_auc_score,
    "ap": reference.average_precision_score,
    "accuracy": lambda labels, scores, sample_weight: reference.accuracy_score(
        labels, scores > 0.5, sample_weight=sample_weight
    ),
    "nll": reference.log_loss,
    "brier": reference.brier_score_loss,
    "tpr_at_fpr1": reference_tpr(0.01),
    "tpr_at_fpr5": reference_tpr(0.05),
    "eer_knot": reference_knot,
}
RANKING = ("auc", "eer", "ap", "tpr_at_fpr1", "tpr_at_fpr5", "eer_knot")


def draw_rows(seed, *, rows=60, levels=11):
    """Labels, scores with many ties (exact 0 and 1 among them), and weights with zeros among them."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(2, size=rows)
    labels[:2] = 0, 1
    scores = np.round(rng.uniform(size=rows) * (levels - 1)) / (levels - 1)
    weights = rng.uniform(size=rows) * (rng.uniform(size=rows) > 0.2)
    weights[:2] = 1.0
    return labels, scores, weights


@pytest.mark.parametrize(("rows", "levels"), [(60, 11), (301, 21), (301, 10**9)])
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", PEERS)
def test_metrics_agree_with_scikit_learn_on_ties_and_weights(name, seed, rows, levels):
    labels, scores, weights = draw_rows(seed, rows=rows, levels=levels)
    for sample_weight in (None, weights):
        expected = PEERS[name](labels, scores, sample_weight=sample_weight)
        np.testing.assert_allclose(metrics.METRICS[name](labels, scores, weights=sample_weight), expected, rtol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_the_curve_passes_through_the_points_of_scikit_learn(seed):
    labels, scores, weights = draw_rows(seed)
    accused, caught, _ = reference.roc_curve(labels, scores, sample_weight=weights, drop_intermediate=False)
    hits, alarms, _ = accumulated(checked(labels, scores, weights))
    ours = np.unique(np.stack([alarms / alarms[-1], hits / hits[-1]]).round(12), axis=1)
    np.testing.assert_allclose(ours, np.unique(np.stack([accused, caught]).round(12), axis=1), atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", metrics.METRICS)
def test_whole_weights_equal_repeated_rows(name, seed):
    labels, scores, _ = draw_rows(seed)
    counts = np.random.default_rng(seed + 100).integers(4, size=len(labels))
    metric = metrics.METRICS[name]
    repeated = metric(np.repeat(labels, counts), np.repeat(scores, counts))
    np.testing.assert_allclose(metric(labels, scores, weights=counts), repeated, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", metrics.METRICS)
def test_neither_the_order_of_rows_nor_the_scale_of_weights_matters(name):
    labels, scores, weights = draw_rows(7)
    metric, order = metrics.METRICS[name], np.random.default_rng(0).permutation(len(labels))
    expected = metric(labels, scores, weights=weights)
    np.testing.assert_allclose(metric(labels[order], scores[order], weights=weights[order]), expected, atol=1e-13)
    np.testing.assert_allclose(metric(labels, scores, weights=7.3 * weights), expected, atol=1e-13)


@pytest.mark.parametrize("name", metrics.METRICS)
def test_a_stack_of_scores_equals_one_call_each(name):
    labels, _, weights = draw_rows(3)
    scores = np.random.default_rng(5).integers(9, size=(3, 4, len(labels))) / 8
    stacked = metrics.METRICS[name](labels, scores.astype(np.float32), weights=weights)
    assert stacked.shape == (3, 4)
    assert stacked.dtype == np.float64
    for seed, draw in np.ndindex(3, 4):
        one = metrics.METRICS[name](labels, scores[seed, draw], weights=weights)
        assert isinstance(one, float)
        np.testing.assert_allclose(np.asarray(stacked)[seed, draw], one, rtol=1e-13)


def test_scores_that_are_all_equal_are_chance():
    labels, scores = np.array([0, 1, 1, 0, 1]), np.full(5, 0.3)
    values = metrics.summary(labels, scores)
    assert values["auc"] == 0.5
    assert values["eer"] == 0.5
    np.testing.assert_allclose([values["ap"], values["ece"]], [3 / 5, 3 / 5 - 0.3])


def test_perfect_and_reversed_rankings_are_the_ends_of_the_scale():
    labels, scores = np.array([0, 0, 1, 1, 1]), np.array([0.0, 0.1, 0.6, 0.9, 1.0])
    good, bad = metrics.summary(labels, scores), metrics.summary(1 - labels, scores)
    assert (good["auc"], good["ap"], good["accuracy"], good["eer"]) == (1, 1, 1, 0)
    assert (bad["auc"], bad["accuracy"], bad["eer"]) == (0, 0, 1)


def test_equal_error_rate_on_an_edge_of_the_curve():
    # From the top: fake, real, fake, real. After two rows one half is missed and one half accused.
    assert metrics.equal_error_rate([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1]) == 0.5


def test_equal_error_rate_is_interpolated_between_points():
    # From the top: fake, then a tie of 1 fake and 3 reals, then 1 real. The curve goes from (0, 1/2) straight to
    # (3/4, 1): accused a = 3t/4 meets missed 1/2 - t/2 at t = 2/5, so a = 3/10.
    labels, scores = [1, 1, 0, 0, 0, 0], [0.9, 0.5, 0.5, 0.5, 0.5, 0.2]
    np.testing.assert_allclose(metrics.equal_error_rate(labels, scores), 0.3, rtol=1e-14)


@pytest.mark.parametrize("seed", range(5))
def test_equal_error_rate_solves_for_the_crossing_of_the_roc_curve(seed):
    labels, scores, weights = draw_rows(seed)
    accused, caught, _ = reference.roc_curve(labels, scores, sample_weight=weights, drop_intermediate=False)
    value = metrics.equal_error_rate(labels, scores, weights=weights)
    gap = np.interp(np.linspace(0, len(accused) - 1, 200_001), np.arange(len(accused)), accused - (1 - caught))
    nearest = np.abs(gap).argmin() / 200_000 * (len(accused) - 1)
    np.testing.assert_allclose(value, np.interp(nearest, np.arange(len(accused)), accused), atol=1e-3)


def test_calibration_error_by_hand():
    # Two bins of two: |1/2 - 0.2| and |1 - 0.8|, each with half of the mass.
    np.testing.assert_allclose(
        metrics.expected_calibration_error([0, 1, 1, 1], [0.1, 0.3, 0.8, 0.8], bins=2), (0.3 + 0.2) / 2
    )
    # Mass 6, bins of 3: the first row fills the first bin, the other three the second.
    np.testing.assert_allclose(
        metrics.expected_calibration_error([0, 1, 1, 0], [0.1, 0.3, 0.8, 0.8], weights=[3, 1, 1, 1], bins=2),
        (0.3 + abs(0.7 + 0.2 - 0.8)) / 6,
    )


def test_calibration_error_shares_a_row_between_bins():
    # Three rows in two bins of mass 3/2: the middle row gives half to each.
    # Surplus y - s: -0.2, +0.5, +0.1. Lower bin |-0.2 + 0.25|, upper bin |0.25 + 0.1|, over a mass of 3.
    value = metrics.expected_calibration_error([0, 1, 1], [0.2, 0.5, 0.9], bins=2)
    np.testing.assert_allclose(value, (0.05 + 0.35) / 3)


def test_calibration_error_equals_the_usual_bins_when_they_divide_the_rows():
    rng = np.random.default_rng(2)
    scores = rng.uniform(size=300)
    labels = (rng.uniform(size=300) < scores**2).astype(int)
    groups = np.split(np.argsort(scores), 15)
    expected = sum(abs(labels[g].mean() - scores[g].mean()) * len(g) / 300 for g in groups)
    np.testing.assert_allclose(metrics.expected_calibration_error(labels, scores), expected)


def test_calibration_error_of_one_bin_is_the_bias():
    labels, scores, weights = draw_rows(1)
    expected = abs(np.average(labels - scores, weights=weights))
    np.testing.assert_allclose(metrics.expected_calibration_error(labels, scores, weights=weights, bins=1), expected)


def test_accuracy_calls_a_score_on_the_threshold_real():
    assert metrics.accuracy([0, 1], [0.5, 0.5]) == 0.5
    assert metrics.accuracy([0, 0], [0.5, 0.5]) == 1.0
    assert metrics.accuracy([0, 1, 1], [0.2, 0.3, 0.9], threshold=0.25) == 1.0


def test_rank_metrics_take_logits():
    labels, scores, _ = draw_rows(4)
    for name in RANKING:
        metric = metrics.METRICS[name]
        np.testing.assert_allclose(metric(labels, 20 * scores - 10), metric(labels, scores), rtol=1e-13)


def test_summary_names_every_metric():
    values = metrics.summary([0, 1, 1], np.full((2, 3, 3), 0.5), weights=[1, 2, 3])
    names = ["auc", "accuracy", "eer", "ece", "nll", "brier", "ap", "tpr_at_fpr1", "tpr_at_fpr5", "eer_knot"]
    assert list(values) == names
    assert {value.shape for value in values.values()} == {(2, 3)}


@pytest.mark.parametrize("name", RANKING)
def test_one_class_is_refused_where_the_metric_does_not_exist(name):
    metric = metrics.METRICS[name]
    with pytest.raises(InputError, match=rf"^{name}: not defined without real rows\."):
        metric([1, 1], [0.2, 0.3])
    with pytest.raises(InputError, match="without fake rows"):
        metric([0, 1], [0.2, 0.3], weights=[1, 0])


@pytest.mark.parametrize("name", ["accuracy", "nll", "brier", "ece"])
def test_one_class_is_fine_elsewhere_but_logits_are_not(name):
    assert np.isfinite(metrics.METRICS[name]([1, 1], [0.2, 0.3]))
    for scores in ([-0.1, 0.3], [0.2, 1.1]):
        with pytest.raises(InputError, match=rf"^{name}: .*sigmoid"):
            metrics.METRICS[name]([1, 1], scores)


@pytest.mark.parametrize("name", metrics.METRICS)
@pytest.mark.parametrize(
    ("labels", "scores", "weights", "message"),
    [
        ([0, 2], [0.1, 0.2], None, "label 2 is neither"),
        ([0, 1], [0.1, np.nan], None, "NaN"),
        ([0, 1], [0.1, np.inf], None, "infinite"),
        ([0, 1], [0.1, 0.2, 0.3], None, "do not match"),
        ([0, 1], np.array(0.5), None, "do not match"),
        ([], [], None, "at least one row"),
        ([[0, 1]], [[0.1, 0.2]], None, "do not match"),
        ([0, 1], [0.1, 0.2], [1, -1], "weights must be"),
        ([0, 1], [0.1, 0.2], [0, 0], "weights must be"),
        ([0, 1], [0.1, 0.2], [1, np.nan], "weights must be"),
        ([0, 1], [0.1, 0.2], [1, 1, 1], "weights must be"),
    ],
)
def test_malformed_input_is_refused_in_one_line(name, labels, scores, weights, message):
    with pytest.raises(InputError, match=message) as caught:
        metrics.METRICS[name](labels, scores, weights=weights)
    assert "\n" not in str(caught.value)


def test_no_bins_are_refused():
    with pytest.raises(InputError, match="bins must be at least 1"):
        metrics.expected_calibration_error([0, 1], [0.1, 0.2], bins=0)


def test_each_method_is_judged_against_all_reals():
    labels, scores, weights = draw_rows(3)
    methods = np.random.default_rng(1).choice(["swap", "reenact", "gan"], len(labels))
    for metric in ("auc", "accuracy", "tpr_at_fpr5"):
        found = metrics.per_method(labels, scores, methods, metric, weights=weights)
        assert list(found) == ["gan", "reenact", "swap"]
        for method, value in found.items():
            rows = [i for i in range(len(labels)) if labels[i] == 0 or methods[i] == method]
            assert value == metrics.METRICS[metric](labels[rows], scores[rows], weights=weights[rows])


def test_the_overall_auc_is_the_mean_over_methods_weighted_by_their_fakes():
    # Every pair of a fake and a real belongs to one method, so the sum over pairs splits by method.
    labels, scores, _ = draw_rows(8, rows=200)
    methods = np.random.default_rng(2).choice(["a", "b", "c"], 200, p=[0.6, 0.3, 0.1])
    found = metrics.per_method(labels, scores, methods, "auc")
    shares = [np.mean(methods[labels == 1] == method) for method in found]
    np.testing.assert_allclose(np.dot(shares, list(found.values())), metrics.auc(labels, scores), rtol=1e-12)


@pytest.mark.parametrize("kind", [str, object, np.dtypes.StringDType()])
def test_methods_are_text_of_any_kind_and_that_of_reals_is_not_looked_at(kind):
    methods = np.array(["", "odd", "swap", "gan"], dtype=kind)
    scores = np.array([[0.1, 0.4, 0.3, 0.8], [0.0, 0.0, 1.0, 0.0]])
    found = metrics.per_method([0, 0, 1, 1], scores, methods, "auc")
    assert list(found) == ["gan", "swap"]
    np.testing.assert_array_equal(found["gan"], [1.0, 0.5])
    np.testing.assert_array_equal(found["swap"], [0.5, 1.0])


def test_methods_that_are_missing_are_refused_in_one_line():
    labels, scores, methods = [0, 1, 1], [0.1, 0.2, 0.3], ["", "swap", "gan"]
    cases = [
        ("unknown metric 'f1'", lambda: metrics.per_method(labels, scores, methods, "f1")),
        ("one for every row", lambda: metrics.per_method(labels, scores, methods[1:], "auc")),
        ("has no method", lambda: metrics.per_method(labels, scores, ["", "swap", ""], "auc")),
        ("has no method", lambda: metrics.per_method(labels, scores, np.array(["", "a", None]), "auc")),
        ("there is no fake", lambda: metrics.per_method([0, 0, 0], scores, methods, "accuracy")),
        ("auc: not defined without real", lambda: metrics.per_method([1, 1, 1], scores, ["a"] * 3, "auc")),
    ]
    for message, call in cases:
        with pytest.raises(InputError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)
