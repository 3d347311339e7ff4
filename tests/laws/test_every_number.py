"""What one part of the package says, the others take: scores are in [0, 1], metrics in their range, in any mode."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaforge.evaluation import METRICS, bootstrap, fit_threshold, forgery_score, paired_p, video_scores
from metaforge.evaluation.episodes import Queries, episode_bootstrap
from metaforge.screening import score
from metaforge.types import Outputs

HIGHEST = {"nll": 36.1}  # of every other metric 1, and the lowest of all is 0

RNG = np.random.default_rng(0)
LOGITS = {
    # Certain detectors of three classes: sums of rounded probabilities leave [0, 1] in one row of ten.
    "certain": RNG.normal(size=(512, 3)) * 3 + [-20, 0, 0],
    "two classes": RNG.normal(size=(64, 2)) * 5,
    "many classes": RNG.normal(size=(64, 40)) * 2,
    "huge": RNG.choice([-1e30, 0.0, 1e30], size=(64, 3)),
    "tiny": RNG.choice([-1e-38, 0.0, 1e-38], size=(64, 3)),
    "equal": np.zeros((8, 3)),
    "a class that cannot be": np.concatenate([RNG.normal(size=(64, 2)), np.full((64, 1), -np.inf)], axis=1),
    "certain without rounding": np.array([[-np.inf, 0.0, 0.0], [0.0, -np.inf, -np.inf]] * 4),
}
MODES = {
    "float32": (jnp.float32, {}),
    "bfloat16": (jnp.bfloat16, {}),
    "x64": (jnp.float64, {"jax_enable_x64": True}),
    "debug_nans": (jnp.float32, {"jax_debug_nans": True}),
    "disable_jit": (jnp.float32, {"jax_disable_jit": True}),
}


@pytest.fixture
def mode(request):
    kind, options = MODES[request.param]
    before = {name: getattr(jax.config, name) for name in options}
    for name, value in options.items():
        jax.config.update(name, value)
    yield kind
    for name, value in before.items():
        jax.config.update(name, value)


def says(logits, images, context=None):
    """A backbone whose parameters are what it answers."""
    return Outputs(logits, logits)


def in_range(name, value):
    return bool(np.all((np.asarray(value) >= 0) & (np.asarray(value) <= HIGHEST.get(name, 1))))


@pytest.mark.parametrize("mode", MODES, indirect=True)
def test_every_score_is_a_probability_that_every_metric_takes(mode):
    # One program for all tables: rows of fewer classes are filled up with classes that cannot be.
    tables = [np.pad(rows, ((0, 0), (0, 40 - rows.shape[1])), constant_values=-np.inf) for rows in LOGITS.values()]
    logits = jnp.asarray(np.concatenate(tables), mode)
    scores = score(says, logits, np.zeros((len(logits), 1, 1, 3), np.uint8), context=None)
    assert scores.dtype == (np.float64 if mode == jnp.float64 else np.float32)
    labels = np.arange(len(scores)) % 2
    for some in (*np.split(scores, np.cumsum([len(table) for table in tables])[:-1]), scores):
        assert in_range("a score", some)
        for name, metric in METRICS.items():
            assert in_range(name, metric(labels[: len(some)], some)), name
    videos = video_scores(scores, labels, dataset="d", method=labels.astype(str), video=(labels // 3).astype(str))
    assert in_range("a video's", videos.scores)
    assert 0 <= fit_threshold(labels, scores) <= 1


def test_a_score_is_one_less_the_share_of_the_real_class_and_small_ones_keep_their_digits():
    odds = np.array([-85.0, -60.0, -30.0, -3.0, 0.0, 3.0, 30.0, 700.0])
    with np.errstate(over="ignore"):
        expected = 1 / (1 + 2 * np.exp(-odds))  # a real logit against one; half of that for each of two fakes
    logits = jnp.asarray(np.stack([np.zeros(8), odds - 2 * np.log(2), odds - 2 * np.log(2)], axis=1), jnp.float32)
    np.testing.assert_allclose(np.asarray(forgery_score(logits), np.float64), expected, rtol=1e-5)


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_stays_in_its_range_whatever_the_rows_weigh(name):
    rng = np.random.default_rng(0)
    for rows, scale in itertools.product((2, 7, 40), (1e-300, 1.0, 1e300)):
        labels = np.arange(rows) % 2
        weights = rng.uniform(0.01, 1, size=(12, rows)) * scale
        scores = np.stack([labels, 1 - labels, np.full(rows, 0.3), rng.uniform(size=rows), rng.integers(2, size=rows)])
        values = np.array([METRICS[name](labels, scores, weights=some) for some in weights])
        assert in_range(name, values), (rows, scale, values.max() - 1)


@pytest.mark.parametrize("name", METRICS)
def test_every_interval_of_a_perfect_detector_ends_at_the_best_value(name):
    labels, people = np.arange(14) % 2, np.arange(14) // 2
    scores = np.broadcast_to(labels.astype(float), (3, 7, 14))  # thirds and sevenths: their parts do not sum to one
    found = bootstrap(labels, scores, people, metric=name, resamples=60)
    assert all(in_range(name, end) for end in found)
    assert found.low <= found.value <= found.high
    assert paired_p(labels, scores, scores, people, metric=name, resamples=20) == 1


def test_a_threshold_lies_between_two_scores_however_large_or_small():
    for low, high in ((-1.7e308, -1.6e308), (1.6e308, 1.7e308), (0.0, 5e-324), (5e-324, 1e-323), (0.5, 1.0)):
        threshold = fit_threshold([0, 1], [low, high])
        assert low <= threshold < high


def test_an_episode_of_a_perfect_detector_is_perfect_on_every_resample():
    # Half of the resamples hold one of the two people alone, and no pair to rank.
    labels, people = np.array([[[0, 1]]]), np.array([[["ann", "bo"]]])
    found = episode_bootstrap({"swap": Queries(labels, people)}, {"swap": {"own": labels, "worst": -labels}})["swap"]
    assert found["own"].interval() == (1, 1, 1)
    assert found["worst"].interval() == (0, 0, 0)
    assert found["own"].minus(found["worst"]).p() < 0.01
