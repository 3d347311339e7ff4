"""Thresholds with a guarantee: on exchangeable scores the share beyond them is that of the Beta distribution."""

import math

import numpy as np
import pytest

from metaforge.errors import InputError
from metaforge.evaluation.calibration import Bands, fit_conformal
from metaforge.evaluation.calibration.conformal import rank


@pytest.mark.parametrize(("count", "share", "expected"), [
    (99, 0.01, 99), (98, 0.01, 99), (100, 0.05, 96), (19, 0.05, 19), (10, 0.5, 6), (32, 0.03, 33), (33, 0.03, 33),
])  # fmt: skip
def test_the_rank_is_that_of_the_definition(count, share, expected):
    """The least k with k / (n + 1) >= 1 - a, by whole numbers."""
    hundredths = round(100 * (1 - share))
    assert next(k for k in range(count + 2) if 100 * k >= hundredths * (count + 1)) == expected
    assert rank(count, share) == expected


def test_the_share_beyond_follows_the_beta_distribution():
    """Reals are uniform in [.5, 1] and fakes in [0, .5], so the true share beyond a threshold is known."""
    rng = np.random.default_rng(0)
    reals, fakes, fpr, fnr, trials = 39, 24, 0.1, 0.2, 1000
    labels = np.repeat([0, 1], [reals, fakes])
    beyond = []
    for _ in range(trials):
        scores = np.concatenate([rng.uniform(0.5, 1, reals), rng.uniform(0, 0.5, fakes)])
        bands = fit_conformal(scores, labels, name="here", fpr=fpr, fnr=fnr)
        beyond.append([2 * (1 - bands.fake_above), 2 * bands.real_below])
    for share, count, allowed in zip(np.transpose(beyond), (reals, fakes), (fpr, fnr), strict=True):
        a, b = count + 1 - math.ceil(round((count + 1) * (1 - allowed), 6)), math.ceil((count + 1) * (1 - allowed))
        assert a / (a + b) <= allowed  # the mean of the distribution is what is promised
        deviation = math.sqrt(a * b / (a + b + 1)) / (a + b)
        assert share.mean() == pytest.approx(a / (a + b), abs=4 * deviation / math.sqrt(trials))
        assert share.std() == pytest.approx(deviation, rel=0.1)
    # 5 % and 95 % of the fits have a share beyond "likely".
    low, high = bands.fitted_on["likely"]["fpr"]
    assert np.mean(np.array(beyond)[:, 0] < low) == pytest.approx(0.05, abs=0.03)
    assert np.mean(np.array(beyond)[:, 0] > high) == pytest.approx(0.05, abs=0.03)


def test_one_class_says_nothing_of_the_other():
    scores, labels = np.linspace(0.02, 0.98, 60), np.tile([0, 1], 30)
    one = fit_conformal(scores, labels, name="x", fpr=0.1, fnr=0.1)
    other = fit_conformal(np.where(labels, scores, scores**2), labels, name="x", fpr=0.1, fnr=0.1)
    assert one.real_below == other.real_below
    assert one.fake_above != other.fake_above


def test_too_few_images_call_nothing_so():
    scores, labels = np.append(np.linspace(0.6, 1, 32), np.linspace(0, 0.4, 33)), np.repeat([0, 1], [32, 33])
    bands = fit_conformal(scores, labels, name="x", fpr=0.03, fnr=0.03)
    assert bands.fake_above == 1.0
    assert bands.decide([1.0]) == ["cannot tell"]
    assert bands.fitted_on["likely"]["fpr"] == [0.0, 0.0]
    assert bands.real_below == scores[labels == 1].min()  # 33 are just enough
    # The same mirrored: too few fakes.
    mirrored = fit_conformal(1 - scores, 1 - labels, name="x", fpr=0.03, fnr=0.03)
    assert mirrored.real_below == 0.0
    assert mirrored.decide([0.0]) == ["cannot tell"]
    assert mirrored.fake_above == (1 - scores)[labels == 1].max()


def test_a_detector_that_is_better_than_asked_makes_fewer_mistakes():
    bands = fit_conformal([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1], name="x", fpr=0.5, fnr=0.5)
    assert (bands.real_below, bands.fake_above) == (0.5, 0.5)
    assert bands.fitted_on["found"] == {"fpr": 0.0, "fnr": 0.0}
    assert Bands.from_json(bands.as_json()) == bands


@pytest.mark.parametrize(("change", "said"), [
    ({"name": " "}, "no name"), ({"fpr": 0.0}, "fpr is 0"), ({"fnr": 1.0}, "fnr is 1"), ({"labels": [0, 0]}, "fake"),
    ({"probabilities": [0.1, 1.2]}, "fit_conformal"),
])  # fmt: skip
def test_what_cannot_work_is_refused_in_one_line(change, said):
    given = {"probabilities": [0.1, 0.9], "labels": [0, 1], "name": "x"} | change
    with pytest.raises(InputError) as caught:
        fit_conformal(given.pop("probabilities"), given.pop("labels"), **given)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
