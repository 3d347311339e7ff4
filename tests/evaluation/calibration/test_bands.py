import json

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from metaforge.errors import InputError
from metaforge.evaluation.calibration import Bands, band_rates, fit_bands


def draw(seed, *, rows=80):
    rng = np.random.default_rng(seed)
    labels = (rng.uniform(size=rows) < 0.5).astype(int)
    labels[:2] = 0, 1
    scores = np.round(np.clip(rng.normal(0.4 + 0.2 * labels, 0.25), 0, 1), 2)
    return scores, labels, rng.choice(["a", "b", "c"], size=rows, p=[0.7, 0.2, 0.1])


def mean_share(beyond, of, groups):
    """The mean over groups of the share of their rows of a class that lie beyond, by counting."""
    return np.mean([beyond[of & (groups == name)].mean() for name in np.unique(groups[of])])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("fpr", "fnr"), [(0.05, 0.1), (0.0, 0.0), (0.3, 0.02), (1.0, 1.0)])
def test_they_are_the_most_decided_of_all_thresholds_that_keep_the_shares(seed, fpr, fnr):
    scores, labels, groups = draw(seed)
    real = labels == 0
    highs = [t for t in [0.5, *scores] if t >= 0.5 and mean_share(scores > t, real, groups) <= fpr + 1e-12]
    lows = [t for t in [0.5, *scores] if t <= 0.5 and mean_share(scores < t, ~real, groups) <= fnr + 1e-12]
    found = fit_bands(scores, labels, groups=groups, fpr=fpr, fnr=fnr)
    assert (found.real_below, found.fake_above) == (max(lows), min(highs))


def test_a_large_collection_does_not_outvote_a_small_one():
    # 1,000 reals of one collection at 0.1, 10 of another of which 1 is at 0.9: it is 1 in 1,010, but 1 in 20 by groups.
    scores = np.concatenate([np.full(1000, 0.1), np.full(9, 0.1), [0.9, 0.7]])
    labels, groups = np.array([0] * 1010 + [1]), np.array(["large"] * 1000 + ["small"] * 10 + ["fakes"])
    assert fit_bands(scores, labels, groups=groups, fpr=0.05).fake_above == 0.5
    assert fit_bands(scores, labels, groups=groups, fpr=0.049).fake_above == 0.9
    assert fit_bands(scores, labels, fpr=0.049).fake_above == 0.5


def test_the_mirrored_detector_has_mirrored_thresholds():
    scores, labels, groups = draw(7)
    one = fit_bands(scores, labels, groups=groups, fpr=0.05, fnr=0.2)
    other = fit_bands(1 - scores, 1 - labels, groups=groups, fpr=0.2, fnr=0.05)
    assert (other.real_below, other.fake_above) == pytest.approx((1 - one.fake_above, 1 - one.real_below))


def test_nothing_that_is_more_probably_real_is_called_fake():
    # Reals up to 0.2 and fakes from 0.8: 0.2 would do, and would call fake what is more probably real.
    found = fit_bands([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1])
    assert found.decide([0.49, 0.5, 0.51]) == ["real", "cannot tell", "fake"]


def test_it_says_what_it_was_fitted_on():
    scores = [0.1, 0.9, 0.2, 0.3, 0.6, 0.95, 0.05, 0.7]
    found = fit_bands(
        scores, [0, 0, 0, 0, 1, 1, 1, 0], groups=["a", "a", "b", "b", "a", "b", "b", "c"], fpr=0.2, fnr=0.3
    )
    # Of the groups' reals above 0.7: 1 of 2, 0 of 2, 0 of 1. Fakes below 0.5: 0 of 1, 1 of 2, and none in c.
    assert (found.real_below, found.fake_above) == (0.5, 0.7)
    assert found.fitted_on == {
        "allowed": {"fpr": 0.2, "fnr": 0.3},
        "found": {"fpr": pytest.approx(1 / 6), "fnr": 0.25},
        "groups": {
            "a": {"reals": 2, "fakes": 1, "fpr": 0.5, "fnr": 0.0},
            "b": {"reals": 2, "fakes": 2, "fpr": 0.0, "fnr": 0.5},
            "c": {"reals": 1, "fakes": 0, "fpr": 0.0, "fnr": None},
        },
    }
    assert Bands.from_json(json.loads(json.dumps(found.as_json()))) == found


def test_a_report_has_both_accuracies():
    scores, labels, _ = draw(9)
    bands = Bands(0.3, 0.65, {})
    found = band_rates(scores, labels, bands)
    assert found.accuracy_at_half == pytest.approx(accuracy_score(labels, scores > 0.5))
    assert found.accuracy_at_threshold == pytest.approx(accuracy_score(labels, scores > 0.65))
    real, fake = scores[labels == 0], scores[labels == 1]
    assert found[2:5] == pytest.approx(((real > 0.65).mean(), (fake < 0.3).mean(), (fake > 0.65).mean()))
    assert found.undecided == pytest.approx(((scores >= 0.3) & (scores <= 0.65)).mean())
    assert band_rates(real, np.zeros(len(real)), bands)[3:5] == (None, None)


def test_bad_input_is_one_line():
    good = {"real_below": 0.2, "fake_above": 0.8, "fitted_on": {}}
    for message, call in [
        ("fpr is 1.5", lambda: fit_bands([0.1, 0.9], [0, 1], fpr=1.5)),
        ("fnr is nan", lambda: fit_bands([0.1, 0.9], [0, 1], fnr=np.nan)),
        ("without fake rows", lambda: fit_bands([0.1, 0.9], [0, 0])),
        ("probabilities in", lambda: fit_bands([0.1, 1.9], [0, 1])),
        ("one detector", lambda: fit_bands([[0.1, 0.9]], [0, 1])),
        ("groups of", lambda: fit_bands([0.1, 0.9], [0, 1], groups=["a"])),
        ("two thresholds, which is", lambda: Bands.from_json([0.2, 0.8])),
        ("threshold for fake is '0.4'", lambda: Bands.from_json(good | {"fake_above": 0.4})),
        ("threshold for real is 'None'", lambda: Bands.from_json(good | {"real_below": None})),
        ("what they were fitted on", lambda: Bands.from_json(good | {"fitted_on": "faces"})),
    ]:
        with pytest.raises(InputError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)
