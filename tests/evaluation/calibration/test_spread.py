"""The interval of a probability: Venn-Abers by another program, and the next collection by a closed form."""

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from metaforge.errors import InputError
from metaforge.evaluation.calibration import Judge, Spread, fit_judge, fit_spread, venn_abers, verdicts


def test_venn_abers_is_two_isotonic_regressions():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 60)
    scores = np.round(rng.normal(labels, 1.0), 1)  # with ties
    weights = np.where(labels, 0.5 / labels.mean(), 0.5 / (1 - labels.mean()))
    at = np.array([-9.0, scores[3], 0.033, 1.25, 9.0])
    found = venn_abers(scores, labels, at)
    for label in (0, 1):
        for place, score in enumerate(at):
            model = IsotonicRegression(out_of_bounds="clip")
            model.fit(np.append(scores, score), np.append(labels, label), sample_weight=np.append(weights, 1.0))
            assert found[label][place] == pytest.approx(model.predict([score])[0], abs=1e-9)
    assert (found[0] <= found[1]).all()


def test_one_of_the_two_is_calibrated_on_exchangeable_scores():
    """Theorem 1: the mean of the probability of the true label is the share of fakes."""
    rng = np.random.default_rng(1)
    chosen = []
    for _ in range(400):
        labels = np.append(rng.permutation([0, 1] * 10), rng.integers(0, 2))
        scores = rng.normal(labels)
        low, high = venn_abers(scores[:-1], labels[:-1], scores[-1:])
        chosen.append(high[0] if labels[-1] else low[0])
    assert np.mean(chosen) == pytest.approx(0.5, abs=4 * np.std(chosen) / 20)


def rows(share, half):
    """As many reals as fakes; of the fakes this share has a score of .8, of the reals the rest, all others .2."""
    hit = round(share * half)
    scores = [0.8] * hit + [0.2] * (half - hit) + [0.2] * hit + [0.8] * (half - hit)
    return np.array(scores), np.repeat([1, 0], half)


def test_the_interval_is_that_of_the_next_collection():
    shares, half = (0.7, 0.8, 0.95), 40
    made = [rows(share, half) for share in shares]
    scores, labels = (np.concatenate(part) for part in zip(*made, strict=True))
    found = fit_spread(scores, labels, np.repeat(["x", "y", "z"], 2 * half), knots=6)
    assert (found.collections, found.level) == (3, 0.95)
    # One image more of each class among the `half` with the score: Laplace's rule.
    each = (np.array(shares) * half + 1) / (half + 2)
    reach = 4.302652729911275 * np.sqrt(4 / 3) * each.std(ddof=1)  # t of two degrees of freedom
    ((low, high),) = found([0.8])
    assert low == pytest.approx(each.mean() - reach, abs=6e-5)
    assert high == min(1.0, round(each.mean() + reach, 4))


def test_it_holds_the_probability_and_never_falls():
    rng = np.random.default_rng(2)
    labels, groups = rng.integers(0, 2, 300), rng.integers(0, 4, 300)
    found = fit_spread(rng.uniform(size=300), labels, groups)  # scores that say nothing
    places = np.linspace(0, 1, len(found.low))
    assert (np.array(found.low) <= places + 1e-9).all()
    assert (np.array(found.high) >= places - 1e-9).all()
    assert (np.diff(found.low) >= 0).all()
    assert (np.diff(found.high) >= 0).all()


def test_two_collections_say_nothing_of_a_third():
    scores, labels = rows(0.8, 10)
    assert fit_spread(scores, labels, np.arange(20) % 2) is None
    # One without a fake is none.
    groups = np.where(labels == 0, np.arange(20) % 3, np.arange(20) % 2)
    assert fit_spread(scores, labels, groups) is None


def test_a_judge_keeps_it_and_one_from_before_has_none():
    rng = np.random.default_rng(3)
    labels = np.tile([0, 1], 60)
    judge = fit_judge(rng.normal(labels, 0.7), labels, groups=np.arange(120) // 2 % 4)
    assert judge.spread is not None
    assert Judge.from_json(judge.as_json()) == judge
    (found,) = verdicts([0.4], None, judge)
    assert [found.band] == judge.spread([found.p_fake])
    assert found.band[0] <= found.p_fake <= found.band[1]
    older = judge.as_json()
    del older["spread"]
    (same,) = verdicts([0.4], None, Judge.from_json(older))
    assert same == found._replace(band=None)


@pytest.mark.parametrize("change", [
    {"low": [0.5, 0.4]}, {"low": [0.1]}, {"low": None}, {"high": [0.0, 2.0]}, {"low": [0.9, 0.95]}, {"level": "x"},
    {"more": 1},
])  # fmt: skip
def test_a_damaged_one_is_refused(change):
    good = Spread((0.0, 0.5), (0.5, 1.0), 0.95, 3)
    assert Spread.from_json(good.as_json()) == good
    with pytest.raises(InputError, match="calibration: "):
        Spread.from_json(good.as_json() | change)
