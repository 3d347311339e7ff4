"""Drift is told where there is some, not where there is none, and never of a few verdicts."""

import numpy as np
import pytest
from scipy import stats

from metaforge.serving.drift import BINS, FEWEST, WINDOW, Drift, from_uniform, stability, wilson


def record(familiarity=0.5, p_fake=0.5, *, decision="real", kind="image", faces=1):
    face = {"familiarity": familiarity, "p_fake": p_fake}
    strange = {"familiarity": 0.0, "p_fake": 1.0}
    return {"decision": decision, "kind": kind, "faces": [face, *[strange] * (faces - 1)][:faces]}


def seen(familiarities, scores=None):
    drift = Drift()
    for place, each in enumerate(familiarities):
        drift.saw(record(each, 0.5 if scores is None else scores[place]))
    return drift


def even(count):
    return ((np.arange(count) + 0.5) / count).tolist()


def test_the_source_itself_has_not_moved():
    drift = seen(even(WINDOW))
    assert drift.unfamiliar().value == 0.1
    assert drift.unfamiliar().low < 0.1 < drift.unfamiliar().high
    value, low = drift.distance()
    assert value == pytest.approx(0.5 / WINDOW)
    assert low == 0


def test_a_strange_source_is_told():
    drift = seen(each / 4 for each in even(WINDOW))  # x / 4: below 0.1 are 0.4, and the distance is 1 - 1/4
    assert drift.unfamiliar().value == 0.4
    assert drift.unfamiliar().low > 0.3
    value, low = drift.distance()
    assert value == pytest.approx(0.75, abs=1e-3)
    assert 0.65 < low < value


def test_a_few_verdicts_claim_nothing():
    drift = seen([0.0] * (FEWEST - 1))
    assert (drift.unfamiliar(), drift.distance(), drift.shift(), drift.decisions()) == (None,) * 4
    assert drift.verdicts == FEWEST - 1
    drift.saw(record(0.0))
    assert drift.unfamiliar().low > 0.5
    assert drift.distance()[1] > 0.5
    assert drift.shift() is None  # there are no later scores than the first


def test_memory_is_bounded_and_the_past_forgotten():
    drift = seen([0.0] * WINDOW)
    for each in even(WINDOW):
        drift.saw(record(each))
    assert drift.verdicts == WINDOW
    assert drift.distance()[1] == 0
    assert len(drift._bins) + len(drift._first) <= 2 * WINDOW


def test_scores_are_compared_with_the_first():
    first = even(WINDOW)
    drift = seen([0.5] * WINDOW, first)
    assert drift.shift() is None
    for score in first:
        drift.saw(record(p_fake=score))
    assert drift.shift()[0] == pytest.approx(0)
    for score in first:
        drift.saw(record(p_fake=score**3))
    value, chance = drift.shift()
    assert value > 0.25 > chance


def test_a_detector_without_familiarity_says_nothing_of_it():
    drift = seen([None] * WINDOW)
    assert (drift.unfamiliar(), drift.distance()) == (None, None)
    assert drift.decisions() == {"real": 1, "cannot tell": 0, "fake": 0}


def test_only_the_first_face_of_pictures_counts():
    drift = Drift()
    for each in even(WINDOW):
        drift.saw(record(each, faces=3))
        drift.saw(record(0.0, kind="video"))
        drift.saw(record(faces=0, decision="cannot tell"))
    assert drift.distance()[0] == pytest.approx(0.5 / WINDOW)


def test_wilson_is_scipys():
    for hits, count in ((0, 100), (3, 120), (60, 150), (200, 200)):
        expected = stats.binomtest(hits, count).proportion_ci(0.999, method="wilson")
        assert wilson(hits, count)[1:] == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_the_distance_is_scipys_and_its_bound_holds():
    draws = np.random.default_rng(0).uniform(size=(300, 200))
    found = [from_uniform(list(draw)) for draw in draws]
    expected = [stats.kstest(draw, "uniform").statistic for draw in draws]
    assert [value for value, _ in found] == pytest.approx(expected)
    assert sum(low > 0 for _, low in found) <= 3  # at a level of one in a thousand: 4 in 300 are less than 1 in 1000
    squared = [from_uniform(list(draw**2)) for draw in draws]  # F(x) = sqrt(x), whose distance is 1/4
    assert all(low <= 0.25 for _, low in squared)
    assert all(value > 0.1 for value, _ in squared)


def test_the_index_is_the_sum_of_both_divergences_and_chance_rarely_exceeds_its_bound():
    rng, even_odds = np.random.default_rng(0), np.full(BINS, 1 / BINS)
    p, q = rng.multinomial(1000, even_odds), rng.multinomial(500, np.arange(1, 11) / 55)
    one, other = p + 0.5, q + 0.5
    expected = stats.entropy(one, other) + stats.entropy(other, one)  # scipy divides by the sums
    value, chance = stability(p.tolist(), q.tolist())
    assert value == pytest.approx(expected)
    assert chance == pytest.approx((1 / 1000 + 1 / 500) * stats.chi2.isf(0.001, BINS - 1))
    pairs = [stability(*(rng.multinomial(count, even_odds).tolist() for count in (1000, 500))) for _ in range(400)]
    assert sum(value > chance for value, chance in pairs) <= 4
    assert np.mean([value for value, _ in pairs]) == pytest.approx((1 / 1000 + 1 / 500) * (BINS - 1), rel=0.1)
