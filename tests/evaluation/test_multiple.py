import itertools

import numpy as np
import pytest
from scipy.stats import norm

from metaforge.errors import InputError
from metaforge.evaluation.multiple import Decision, bootstrap_p, holm


def named(values):
    return {f"target {i}": float(value) for i, value in enumerate(values)}


def step_down(p_values, level):
    """Holm's procedure as he tells it: reject the smallest while it is at most level / (hypotheses left)."""
    left, rejected = dict(p_values), set()
    while left:
        name = min(left, key=lambda name: left[name])
        if left[name] > level / len(left):
            break
        rejected.add(name)
        del left[name]
    return rejected


def test_the_example_of_the_textbooks():
    # Sorted: 0.005 x 4 = 0.02, 0.01 x 3 = 0.03, 0.03 x 2 = 0.06, 0.04 x 1 = 0.04 -> 0.06.
    found = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    assert list(found) == ["a", "b", "c", "d"]
    np.testing.assert_allclose([decision.adjusted for decision in found.values()], [0.03, 0.06, 0.06, 0.02])
    assert [decision.rejected for decision in found.values()] == [True, False, False, True]
    assert [decision.p for decision in found.values()] == [0.01, 0.04, 0.03, 0.005]


def test_one_hypothesis_is_left_as_it_is():
    assert holm({"a": 0.04}) == {"a": Decision(0.04, 0.04, True)}


def test_values_of_one_are_not_raised_above_it():
    assert [found.adjusted for found in holm(named([0.6, 1.0, 0.7])).values()] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("level", [0.01, 0.05, 0.2])
def test_what_is_rejected_is_what_the_step_down_procedure_rejects(level):
    rng = np.random.default_rng(0)
    for _ in range(200):
        p_values = named(rng.beta(0.4, 2.0, size=rng.integers(1, 9)))
        found = holm(p_values, level=level)
        assert {name for name in found if found[name].rejected} == step_down(p_values, level)


def test_the_adjusted_value_is_the_level_at_which_rejection_begins():
    p_values = named([0.012, 0.02, 0.021, 0.3])
    for name, found in holm(p_values).items():
        assert name in step_down(p_values, found.adjusted + 1e-9)
        assert name not in step_down(p_values, found.adjusted - 1e-9)


def test_adjusted_values_keep_the_order_and_lie_between_p_and_bonferroni():
    rng = np.random.default_rng(1)
    for _ in range(50):
        p = rng.uniform(size=6) ** 3
        adjusted = np.array([found.adjusted for found in holm(named(p)).values()])
        assert (np.diff(adjusted[np.argsort(p)]) >= 0).all()
        assert (p <= adjusted).all()
        assert (adjusted <= np.minimum(1, 6 * p) + 1e-15).all()


def test_the_order_of_names_does_not_matter():
    p_values = {"a": 0.02, "b": 0.02, "c": 0.001}
    for order in itertools.permutations(p_values):
        assert holm({name: p_values[name] for name in order}) == holm(p_values)


def test_the_chance_of_any_false_rejection_is_at_most_the_level():
    # Four hypotheses that hold beside two that do not: Holm may reject any of the four in at most 5 % of studies,
    # while p-values taken one by one do so in 1 - 0.95^4 = 18.5 %. Dependent p-values share a part of their statistic.
    rng, studies, level = np.random.default_rng(2), 4000, 0.05
    for shared in (0.0, 0.7):
        common = rng.normal(size=(studies, 1)) * np.sqrt(shared)
        p = 2 * norm.sf(np.abs(common + np.sqrt(1 - shared) * rng.normal(size=(studies, 4))))
        studied = [holm({**named(row), "there": 1e-6, "there too": 1e-6}) for row in p]
        wrong = [any(found[name].rejected for name in named(range(4))) for found in studied]
        noise = np.sqrt(level * (1 - level) / studies)
        assert np.mean(wrong) <= level + 3 * noise
        if not shared:
            # Once the two are rejected, the four are judged by the smallest: 1 - (1 - level / 4)^4.
            np.testing.assert_allclose(np.mean(wrong), 1 - (1 - level / 4) ** 4, atol=3 * noise)
            np.testing.assert_allclose(np.mean((p <= level).any(axis=1)), 1 - 0.95**4, atol=3 * 0.0065)


def test_the_p_value_by_hand():
    assert bootstrap_p([1.0, 2.0, 3.0, -1.0, 4.0]) == pytest.approx(2 / 5)
    assert bootstrap_p([1.0, 2.0, 3.0, -1.0, 4.0], 2.5) == pytest.approx(4 / 5)
    assert bootstrap_p(np.zeros(10)) == 1.0
    assert bootstrap_p(np.arange(1, 1000)) == pytest.approx(2 / 1000)
    assert bootstrap_p(-np.arange(1, 1000)) == pytest.approx(2 / 1000)


def test_the_p_value_turns_with_the_sign():
    replicates = np.random.default_rng(3).normal(0.5, 1.0, size=400)
    assert bootstrap_p(replicates) == bootstrap_p(-replicates)


def test_the_p_value_of_normal_replicates_is_that_of_the_z_test():
    replicates = norm.ppf((np.arange(10_000) + 0.5) / 10_000)
    for z in (0.0, 0.5, 1.0, 1.96, 3.0):
        assert bootstrap_p(replicates + z) == pytest.approx(2 * norm.sf(z), abs=2e-4)


def test_a_percentile_interval_of_level_one_minus_p_touches_the_value():
    replicates = np.random.default_rng(4).gamma(3.0, size=2000) - 0.7
    p = bootstrap_p(replicates)
    assert 0.01 < p < 0.2
    low, high = np.quantile(replicates, [p / 2, 1 - p / 2])
    assert min(abs(low), abs(high)) < 0.02


def test_p_values_of_nothing_are_no_smaller_than_they_say():
    # The estimate and its replicates are exchangeable around the truth, so "no replicate beyond it" has the chance
    # 2 / (resamples + 1), which is the smallest p.
    rng = np.random.default_rng(5)
    p = np.array([bootstrap_p(draw[1:], draw[0]) for draw in rng.normal(size=(20_000, 20))])
    assert p.min() == pytest.approx(2 / 20)
    np.testing.assert_allclose(np.mean(p <= p.min() + 1e-12), 2 / 20, atol=4 * np.sqrt(0.1 * 0.9 / 20_000))


def test_malformed_input_is_refused_in_one_line():
    cases = [
        ("0 p-values", lambda: holm({})),
        ("level 0", lambda: holm({"a": 0.1}, level=0.0)),
        ("'a' is nan", lambda: holm({"a": float("nan")})),
        ("'b' is 1.5", lambda: holm({"a": 0.1, "b": 1.5})),
        ("finite", lambda: bootstrap_p([])),
        ("finite", lambda: bootstrap_p([0.1, np.nan])),
        ("finite", lambda: bootstrap_p([[0.1], [0.2]])),
    ]
    for message, call in cases:
        with pytest.raises(InputError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)
