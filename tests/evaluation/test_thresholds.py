import numpy as np
import pytest
from sklearn import metrics as reference

from metaforge.errors import InputError
from metaforge.evaluation.thresholds import RULES, accuracy, eer_knot, fit_threshold, tpr_at_fpr


def draw_rows(seed, *, rows=50, levels=21, fakes=0.5):
    rng = np.random.default_rng(seed)
    labels = (rng.uniform(size=rows) < fakes).astype(int)
    labels[:2] = 0, 1
    scores = np.round(np.clip(rng.normal(0.4 + 0.2 * labels, 0.2), 0, 1) * (levels - 1)) / (levels - 1)
    weights = rng.uniform(size=rows) * (rng.uniform(size=rows) > 0.2)
    weights[:2] = 1.0
    return labels, scores, weights


def rates(labels, scores, weights, threshold):
    """The shares of fakes missed and of reals accused, by counting."""
    called, fake = scores > threshold, labels == 1
    missed = weights[fake & ~called].sum() / weights[fake].sum()
    return missed, weights[~fake & called].sum() / weights[~fake].sum()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("fpr", [0.0, 0.01, 0.05, 0.3, 1.0])
def test_tpr_at_fpr_is_the_best_of_all_thresholds(seed, fpr):
    labels, scores, weights = draw_rows(seed)
    for weight in (np.ones(len(labels)), weights):
        pairs = [rates(labels, scores, weight, threshold) for threshold in [-1.0, *scores]]
        expected = max([1 - missed for missed, accused in pairs if accused <= fpr + 1e-12], default=0.0)
        np.testing.assert_allclose(tpr_at_fpr(labels, scores, weights=weight, fpr=fpr), expected, rtol=1e-12)


def test_a_rate_of_exactly_the_bound_is_allowed_whatever_the_weights():
    # One of 20 reals lies above all fakes but one, and another above nothing: 1 / 20 is 5 %.
    labels = np.array([0] * 20 + [1] * 4)
    scores = np.concatenate([np.linspace(0.0, 0.5, 19), [0.8], [0.9, 0.7, 0.6, 0.1]])
    for weight in (1.0, 0.1, 7.3):
        weights = np.full(24, weight)
        np.testing.assert_allclose(tpr_at_fpr(labels, scores, weights=weights, fpr=0.05), 0.75)
        np.testing.assert_allclose(tpr_at_fpr(labels, scores, weights=weights, fpr=0.0499), 0.25)


def test_tpr_at_fpr_of_chance_is_the_bound():
    rng = np.random.default_rng(0)
    labels, scores = np.repeat([0, 1], 20_000), rng.uniform(size=40_000)
    for fpr in (0.01, 0.05):
        np.testing.assert_allclose(tpr_at_fpr(labels, scores, fpr=fpr), fpr, atol=4 * np.sqrt(2 * fpr / 20_000))


@pytest.mark.parametrize("seed", range(20))
def test_the_corner_rule_is_that_of_the_incumbent_to_the_last_bit(seed):
    labels, scores, _ = draw_rows(seed, rows=20 + 7 * seed, levels=10 ** (1 + seed % 4))
    accused, caught, _ = reference.roc_curve(labels, scores, pos_label=1)
    assert eer_knot(labels, scores) == accused[np.nanargmin(np.absolute((1 - caught) - accused))]


def test_the_corner_rule_passes_over_the_middle_of_straight_runs():
    # From the top: 2 fakes, 4 reals, 2 fakes. The curve is level at caught = 1/2 from accused 0 to 1, and crosses
    # "missed = accused" at 1/2; the corners are the point after the first fake, which is always kept, and the ends
    # of the run, accused 0 and accused 1, both 1/2 away from the crossing: the first one counts.
    labels, scores = [1, 1, 0, 0, 0, 0, 1, 1], [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2]
    assert eer_knot(labels, scores) == 0.0
    assert eer_knot(labels, scores, weights=[0.1] * 8) == 0.0


def test_the_corner_rule_calls_a_constant_score_perfect():
    assert eer_knot([0, 1, 1], [0.3, 0.3, 0.3]) == 0.0


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("rule", RULES)
def test_the_fitted_threshold_is_the_best_midpoint(rule, seed):
    labels, scores, weights = draw_rows(seed, fakes=0.3 + 0.5 * (seed % 2))
    for weight in (np.ones(len(labels)), weights):
        levels = np.unique(scores[weight > 0])
        midpoints = (levels[1:] + levels[:-1]) / 2
        pairs = [rates(labels, scores, weight, midpoint) for midpoint in midpoints]
        costs = [abs(missed - accused) if rule == "eer" else missed + accused for missed, accused in pairs]
        best = [midpoint for midpoint, cost in zip(midpoints, costs, strict=True) if cost <= min(costs) + 1e-9]
        found = fit_threshold(labels, scores, weights=weight, rule=rule)
        assert isinstance(found, float)
        assert found == best[-1]


@pytest.mark.parametrize("seed", range(5))
def test_youden_and_balanced_are_one_rule(seed):
    labels, scores, weights = draw_rows(seed)
    both = [fit_threshold(labels, scores, weights=weights, rule=rule) for rule in ("youden", "balanced")]
    assert both[0] == both[1]


@pytest.mark.parametrize("rule", RULES)
def test_whole_weights_fit_as_repeated_rows(rule):
    labels, scores, _ = draw_rows(5)
    counts = np.random.default_rng(6).integers(4, size=len(labels))
    repeated = fit_threshold(np.repeat(labels, counts), np.repeat(scores, counts), rule=rule)
    assert fit_threshold(labels, scores, weights=counts, rule=rule) == repeated
    assert fit_threshold(labels, scores, weights=0.1 * counts, rule=rule) == repeated


@pytest.mark.parametrize("rule", RULES)
def test_the_threshold_of_separable_scores_lies_in_the_middle_of_the_gap(rule):
    labels, scores = [0, 0, 1, 1, 1], [0.1, 0.2, 0.8, 0.9, 0.95]
    threshold = fit_threshold(labels, scores, rule=rule)
    assert threshold == 0.5
    assert accuracy(labels, scores, threshold=threshold) == 1.0


def test_the_balanced_threshold_does_not_move_with_the_numbers_of_fakes():
    labels, scores, _ = draw_rows(2, rows=400)
    fourfold = np.where(labels == 1, 4, 1)
    balanced = fit_threshold(labels, scores)
    assert fit_threshold(np.repeat(labels, fourfold), np.repeat(scores, fourfold)) == balanced


def test_the_equal_error_threshold_misses_as_many_as_it_accuses():
    rng = np.random.default_rng(4)
    labels = np.repeat([0, 1], [3000, 1000])
    scores = rng.normal(labels, 1.0)
    missed, accused = rates(labels, scores, np.ones(4000), fit_threshold(labels, scores, rule="eer"))
    assert abs(missed - accused) <= 1 / 1000


def test_of_equally_good_thresholds_the_highest_is_taken():
    # Real, fake, real, fake from below: 0.2 and 0.6 both make one mistake of their class.
    for rule in ("balanced", "youden"):
        assert fit_threshold([0, 1, 0, 1], [0.1, 0.3, 0.5, 0.7], rule=rule) == 0.6


def test_scores_that_are_all_equal_call_every_row_real():
    threshold = fit_threshold([0, 1, 1], [0.4, 0.4, 0.4])
    assert threshold == 0.4
    assert accuracy([0, 1, 1], [0.4, 0.4, 0.4], threshold=threshold) == pytest.approx(1 / 3)


def test_a_threshold_between_neighbouring_floats_still_separates_them():
    for low in (0.5, np.nextafter(0.5, 1)):
        scores = [low, np.nextafter(low, 1)]
        assert accuracy([0, 1], scores, threshold=fit_threshold([0, 1], scores)) == 1.0


def test_malformed_input_is_refused_in_one_line():
    labels, scores = [0, 1], [0.2, 0.7]
    cases = [
        ("fpr is 1.5", lambda: tpr_at_fpr(labels, scores, fpr=1.5)),
        ("fpr is nan", lambda: tpr_at_fpr(labels, scores, fpr=float("nan"))),
        ("tpr_at_fpr5: not defined without fake", lambda: tpr_at_fpr([0, 0], scores)),
        ("unknown rule 'best'", lambda: fit_threshold(labels, scores, rule="best")),
        ("fit_threshold: not defined without real", lambda: fit_threshold([1, 1], scores)),
        ("one detector", lambda: fit_threshold(labels, [scores])),
        ("NaN", lambda: fit_threshold(labels, [0.1, np.nan])),
    ]
    for message, call in cases:
        with pytest.raises(InputError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)
