"""Intervals of episodes: against scikit-learn's weighted AUC, on closed forms, and against a simulation's truth."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from metaforge.errors import InputError
from metaforge.evaluation import episodes as ep


def made(seed=0, *, seeds=2, episodes=6, queries=8, people=5):
    rng = np.random.default_rng(seed)
    labels = rng.permuted(np.broadcast_to(np.arange(queries) % 2, (seeds, episodes, queries)), axis=-1)
    who = rng.integers(people, size=labels.shape).astype(str)
    return labels, who, np.round(rng.normal(labels, 1.5), 1)


def test_an_episode_s_auc_is_scikit_learn_s_ties_and_all():
    labels, _, scores = made()
    expected = [[roc_auc_score(y, s) for y, s in zip(*row, strict=True)] for row in zip(labels, scores, strict=True)]
    np.testing.assert_allclose(ep.episode_auc(labels, scores), expected)


def test_a_resample_counts_each_person_as_often_as_it_drew_them():
    # One seed and one episode leave only the people to be drawn; the same generator says how often.
    labels, who, scores = made(seeds=1, episodes=1, queries=12)
    found = ep.episode_bootstrap({"d": ep.Queries(labels, who)}, {"d": {"a": scores}}, resamples=40, seed=3)["d"]["a"]
    names = sorted(set(who.ravel().tolist()))
    counts = np.random.default_rng(3).multinomial(len(names), np.full(len(names), 1 / len(names)), size=40)
    checked = 0
    for count, value in zip(counts, found.each, strict=True):
        weights = np.array([count[names.index(name)] for name in who[0, 0]], float)
        if all(weights[labels[0, 0] == kind].sum() for kind in (0, 1)):
            expected = roc_auc_score(labels[0, 0], scores[0, 0], sample_weight=weights)
            np.testing.assert_allclose(value, expected, rtol=1e-5)
            checked += 1
    assert checked > 30


def test_differences_of_a_method_from_itself_are_nothing_and_domains_average():
    labels, who, scores = made()
    two = {"x": ep.Queries(labels, who), "y": ep.Queries(labels, who)}
    found = ep.episode_bootstrap(two, {name: {"a": scores, "b": scores} for name in two}, resamples=50)
    difference = found["x"]["a"].minus(found["x"]["b"])
    assert difference.interval() == (0, 0, 0)
    assert difference.p() == 1
    mean = ep.mean_of([found["x"]["a"], found["y"]["a"]])
    np.testing.assert_allclose(mean.value, ep.episode_auc(labels, scores).mean(), rtol=1e-6)
    np.testing.assert_allclose(mean.each, (found["x"]["a"].each + found["y"]["a"].each) / 2)


def test_more_episodes_of_the_same_people_do_not_make_people_certain():
    # A person's fakes are either always or never told from others' reals, so with endless episodes the people's share
    # of the variance remains.
    rng = np.random.default_rng(1)
    people, widths = 20, []
    skill = rng.integers(0, 2, people) * 2.0 - 1
    for episodes in (50, 800):
        labels = np.tile([0, 1], (1, episodes, 1))
        who = np.argsort(rng.random((1, episodes, people)), axis=-1)[..., :2]
        scores = labels * skill[who]
        queries = ep.Queries(labels, who.astype(str))
        interval = ep.episode_bootstrap({"d": queries}, {"d": {"a": scores}}, resamples=400)["d"]["a"].interval()
        widths.append(interval.high - interval.low)
    expected = 2 * 1.96 * np.sqrt(np.mean(skill > 0) * np.mean(skill < 0) / people)
    assert widths[1] > 0.8 * expected
    naive = 2 * 1.96 * 0.5 / np.sqrt(800)
    assert widths[1] > 3 * naive


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    # Scores are label * (1 + skill of the person) + noise; the truth is that of endless people and episodes.
    rng, held, studies, people = np.random.default_rng(7), 0, 150, 60

    def study(rng, people, episodes):
        labels = np.tile(np.arange(10) % 2, (1, episodes, 1))
        who = rng.integers(people, size=labels.shape)
        gain = 1 + rng.normal(size=people)
        return labels, who.astype(str), labels * gain[who] + rng.normal(size=labels.shape)

    labels, _, scores = study(rng, 100_000, 20_000)
    truth = ep.episode_auc(labels, scores).mean()
    for _ in range(studies):
        labels, who, scores = study(rng, people, 60)
        found = ep.episode_bootstrap({"d": ep.Queries(labels, who)}, {"d": {"a": scores}}, resamples=200)["d"]["a"]
        low, high = found.interval()[1:]
        held += low <= truth <= high
    assert 0.90 <= held / studies <= 1.0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda q, s: (q, {"other": s["d"]}), "same domains"),
        (lambda q, s: ({"d": q["d"]._replace(people=q["d"].people[:1])}, s), "seeds, episodes, queries"),
        (lambda q, s: ({"d": q["d"]._replace(labels=np.ones_like(q["d"].labels))}, s), "numbers of fakes"),
        (lambda q, s: (q, {"d": {"a": s["d"]["a"][..., :2]}}), "scores of a on 'd'"),
        (lambda q, s: (q, {"d": {"a": s["d"]["a"] * np.nan}}), "not finite"),
    ],
)
def test_what_does_not_fit_is_named(change, said):
    labels, who, scores = made()
    with pytest.raises(InputError, match=said):
        ep.episode_bootstrap(*change({"d": ep.Queries(labels, who)}, {"d": {"a": scores}}))
