"""Intervals of shares and AUCs with few mistakes, by closed forms and by simulated studies."""

import numpy as np
import pytest
from scipy.stats import binomtest

from metaforge.errors import InputError
from metaforge.evaluation import shares
from metaforge.evaluation.intervals import bootstrap
from metaforge.evaluation.shares import auc_interval, rows_without_a_mistake, share_interval


@pytest.mark.parametrize(("hits", "count"), [(0, 10), (10, 10), (3, 50), (49, 50), (1, 1)])
def test_without_clusters_it_is_the_interval_of_clopper_and_pearson(hits, count):
    found = share_interval(np.arange(count) < hits, np.arange(count))
    exact = binomtest(hits, count).proportion_ci(0.95, method="exact")
    assert found == pytest.approx((hits / count, exact.low, exact.high), abs=1e-12)


def test_without_a_mistake_the_upper_end_is_the_root_that_the_rule_of_three_rounds():
    for bound in (0.02, 0.03, 0.05):
        least = rows_without_a_mistake(bound)
        highs = [share_interval(np.zeros(count), np.arange(count)).high for count in (least - 1, least)]
        assert highs == pytest.approx([1 - 0.025 ** (1 / (least - 1)), 1 - 0.025 ** (1 / least)])
        assert highs[1] < bound <= highs[0]


def test_copies_of_a_persons_rows_say_nothing_new():
    hits = np.arange(40) % 5 == 0
    once = share_interval(hits, np.arange(40))
    nine = share_interval(np.repeat(hits, 9), np.repeat(np.arange(40), 9))
    # (n - 1) / n apart, of 40 and of 360 rows.
    assert nine == pytest.approx(once, abs=0.003)
    assert share_interval(np.zeros(360), np.repeat(np.arange(40), 9)) == share_interval(np.zeros(40), np.arange(40))


def test_it_holds_the_share_as_often_as_it_says_where_rows_of_a_person_are_alike():
    rng, inside = np.random.default_rng(0), []
    people = np.repeat(np.arange(40), 5)
    for _ in range(400):
        hits = rng.uniform(size=200) < np.repeat(rng.beta(0.3, 2.7, size=40), 5)  # a mean of 0.1
        _, low, high = share_interval(hits, people)
        inside.append(low <= 0.1 <= high)
    assert np.mean(inside) > 0.93


def test_no_rows_have_no_share():
    with pytest.raises(InputError, match="at least 1"):
        share_interval([], [])


def test_a_perfect_ranking_of_few_is_not_certain():
    for count in (5, 50):
        labels = np.tile([0, 1], count)
        found = auc_interval(labels, labels.astype(float), np.arange(2 * count))
        assert (found.value, found.high) == (1, 1)
        # The end solves (1 - t)^2 = z^2 V(t), put down anew here.
        t, beside = found.low, count - 1
        spread = t * (1 - t) * (1 + beside * (1 - t) / (2 - t) + beside * t / (1 + t)) / count**2
        assert (1 - t) ** 2 == pytest.approx(1.959964**2 * spread, rel=1e-5)
    upside_down = auc_interval(labels, 1.0 - labels, np.arange(2 * count))
    assert upside_down.high == pytest.approx(1 - found.low)


def test_the_auc_of_many_people_has_the_width_that_theory_gives():
    rng = np.random.default_rng(0)
    labels = np.tile([0, 1], 300)
    found = auc_interval(labels, rng.normal(labels), np.arange(600))
    # Hanley and McNeil at 0.76 with 300 each: a standard error of 0.0196.
    assert found.high - found.low == pytest.approx(2 * 1.96 * 0.0196, rel=0.15)


def test_more_images_of_a_person_tell_more_only_where_they_are_not_alike():
    rng = np.random.default_rng(0)
    labels, people = np.tile(np.repeat([0, 1], 4), 50), np.repeat(np.arange(50), 8)
    seen = rng.normal(np.tile([0, 1], 50))
    once, copies, apart = (
        found.high - found.low
        for found in (
            auc_interval(labels[::4], seen, people[::4]),
            auc_interval(labels, np.repeat(seen, 4), people),
            auc_interval(labels, rng.normal(labels), people),
        )
    )
    # With one image Newcombe's variance is the least, and with four the bootstrap's counts alone.
    assert copies == pytest.approx(once, rel=0.15)
    assert apart < 0.75 * once


def test_it_holds_the_auc_as_often_as_it_says_with_few_people_and_much_to_tell(monkeypatch):
    monkeypatch.setattr(shares, "RESAMPLES", 200)
    rng, inside = np.random.default_rng(0), []
    labels, people = np.tile([0, 0, 1, 1], 20), np.repeat(np.arange(20), 4)
    for seed in range(60):
        # The person moves all alike, with half of the variance: AUC = Phi(3 / sqrt(2)) = 0.983.
        scores = 3 * labels + np.sqrt(0.5) * (rng.normal(size=20)[people] + rng.normal(size=80))
        found = auc_interval(labels, scores, people, seed=seed)
        inside.append(found.low <= 0.98305 <= found.high)
    assert np.mean(inside) > 0.88  # 0.95 but for what 60 studies may show


def test_resamples_have_the_interval_that_the_other_bootstrap_has():
    rng, people = np.random.default_rng(1), np.repeat(np.arange(60), 4)
    labels = np.tile([0, 1], 120)
    scores = np.round(labels + rng.normal(size=60)[people] + rng.normal(size=240), 1)  # with ties
    ours = np.quantile(shares._resampled(labels > 0, scores, people, 0), [0.025, 0.975])
    other = bootstrap(labels, scores[None, None], people, resamples=4000, resample_seeds=False)
    assert ours == pytest.approx([other.low, other.high], abs=0.01)


def test_rows_of_one_person_have_no_interval():
    with pytest.raises(InputError, match="two people"):
        auc_interval([0, 1], [0.1, 0.9], ["ann", "ann"])
