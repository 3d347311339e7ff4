import json

import numpy as np
import pytest
from scipy.stats import kstest

from metaforge.errors import InputError
from metaforge.evaluation.calibration import Familiarity, fit_familiarity, tempered


@pytest.mark.parametrize("rows", [1, 2, 57, 1001])
def test_the_knots_are_the_quantiles_of_numpy(rows):
    distances = np.random.default_rng(rows).exponential(size=rows)
    np.testing.assert_allclose(fit_familiarity(distances).knots, np.quantile(distances, np.linspace(0, 1, 101)))
    repeated = fit_familiarity(distances, weights=np.full(rows, 0.3))
    np.testing.assert_allclose(repeated.knots, fit_familiarity(distances).knots)


@pytest.mark.parametrize("distances", [
    np.random.default_rng(0).lognormal(size=400), np.random.default_rng(1).integers(4, size=400).astype(float),
])  # fmt: skip
def test_familiarity_is_the_share_that_lies_at_least_as_far(distances):
    familiarity = fit_familiarity(distances)
    expected = (distances >= distances[:, None]).mean(1)
    np.testing.assert_allclose(familiarity(distances), expected, atol=0.011)
    np.testing.assert_array_equal(familiarity([-1.0, distances.min(), np.inf, np.nan]), [1, 1, 0, 0])
    rising = familiarity(np.sort(np.concatenate([distances, distances + 0.1])))
    assert (np.diff(rising) <= 0).all()


def test_images_like_those_of_the_source_have_every_familiarity_as_often():
    rng = np.random.default_rng(2)
    familiarity = fit_familiarity(rng.gamma(3.0, size=20_000))
    assert kstest(familiarity(rng.gamma(3.0, size=500)), "uniform").pvalue > 0.05
    assert familiarity(rng.gamma(3.0, size=500) + 20).max() == 0


def test_with_weights_a_large_collection_does_not_outvote_a_small_one():
    rng = np.random.default_rng(3)
    large, small = rng.uniform(0, 1, 5000), rng.uniform(1, 2, 50)
    weights = np.concatenate([np.full(5000, 1 / 5000), np.full(50, 1 / 50)])
    familiarity = fit_familiarity(np.concatenate([large, small]), weights=weights)
    # Half of the weight lies below 1, and half of the rest below 1.5.
    np.testing.assert_allclose(familiarity([0.5, 1.0, 1.5]), [0.75, 0.5, 0.25], atol=0.05)


def test_one_distance_divides_what_is_farther_from_what_is_not():
    np.testing.assert_array_equal(fit_familiarity([2.0])([1.9, 2.0, 2.1]), [1, 1, 0])


def test_it_is_json():
    familiarity = fit_familiarity(np.random.default_rng(4).uniform(size=30))
    assert Familiarity.from_json(json.loads(json.dumps(familiarity.as_json()))) == familiarity


def test_what_is_familiar_is_believed_and_what_is_not_says_nothing():
    logits = np.linspace(-8, 8, 41)
    known = np.linspace(0, 1, 201)
    table = np.array([tempered(logits, np.full(41, each)) for each in known])
    np.testing.assert_array_equal(table[known >= 0.1], np.tile(logits, ((known >= 0.1).sum(), 1)))
    np.testing.assert_array_equal(table[known <= 0.02], 0)
    assert (np.diff(table, axis=1) >= 0).all()
    assert (np.diff(np.abs(table), axis=0) >= 0).all()
    assert (table * logits >= 0).all()
    # Continuous: a step of 0.005 in familiarity is a sixteenth of the way, and no more.
    assert np.abs(np.diff(table, axis=0)).max() <= 8 / 16 + 1e-9
    np.testing.assert_allclose(tempered(logits, np.full(41, 0.04)), 0.25 * logits)
    np.testing.assert_array_equal(tempered([np.inf, -np.inf], [0.0, 0.5]), [0, -np.inf])
    assert tempered(4.0, 0.0) == 0


def test_the_source_images_lose_six_percent_of_their_evidence():
    # Familiarities of the source are uniform: 2 % lose all, and 8 % a half on average.
    known = (np.arange(10_000) + 0.5) / 10_000
    assert 1 - tempered(np.ones(10_000), known).mean() == pytest.approx(0.06, abs=1e-4)


def test_bad_input_is_one_line():
    for message, call in [
        ("finite ones", lambda: fit_familiarity([])),
        ("finite ones", lambda: fit_familiarity([1.0, np.nan])),
        ("above 0", lambda: fit_familiarity([1.0, 2.0], weights=[1.0, 0.0])),
        ("above 0", lambda: fit_familiarity([1.0, 2.0], weights=[1.0])),
        ("two or more", lambda: fit_familiarity([1.0], knots=1)),
        ("no list of two", lambda: Familiarity.from_json({"knots": [1.0]})),
        ("a quantile of the distances is 'x'", lambda: Familiarity.from_json({"knots": [1.0, "x"]})),
        ("do not rise", lambda: Familiarity.from_json({"knots": [1.0, 0.5]})),
        ("which is an object of knots", lambda: Familiarity.from_json([1.0, 2.0])),
    ]:
        with pytest.raises(InputError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)
