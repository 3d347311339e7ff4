"""Fake and outlier together against real, as log-odds."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logit, softmax

from metaforge.evaluation import tri_log_odds

LOGITS = np.random.default_rng(0).normal(scale=3, size=(5, 4, 3))


def test_log_odds_are_the_logit_of_not_real():
    np.testing.assert_allclose(tri_log_odds(LOGITS), logit(1 - softmax(LOGITS, axis=-1)[..., 0]), rtol=1e-4, atol=1e-5)


def test_videos_are_the_mean_of_their_clips():
    expected = logit(1 - softmax(LOGITS, axis=-1)[..., 0]).mean(1)
    np.testing.assert_allclose(tri_log_odds(LOGITS, clips=True), expected, rtol=1e-4, atol=1e-5)


def test_scores_that_round_to_certainty_are_still_told_apart():
    logits = jnp.array([[0.0, 200.0, 0.0], [0.0, 300.0, 0.0], [0.0, -200.0, -500.0], [0.0, -300.0, -500.0]])
    np.testing.assert_allclose(tri_log_odds(logits), [200, 300, -200, -300])


def test_a_shift_of_all_logits_changes_nothing():
    np.testing.assert_allclose(tri_log_odds(LOGITS + 7), tri_log_odds(LOGITS), atol=1e-5)


def test_half_precision_is_summed_in_single():
    odds = tri_log_odds(jnp.asarray(LOGITS, jnp.bfloat16))
    assert odds.dtype == jnp.float32


@pytest.mark.parametrize(
    ("shape", "clips"), [((5, 2), False), ((5, 4), False), ((), False), ((3,), True), ((5, 4, 2), True)]
)
def test_logits_of_another_shape_are_refused(shape, clips):
    with pytest.raises(ValueError, match="`logits` must be of real, fake and outlier"):
        tri_log_odds(np.zeros(shape), clips=clips)
