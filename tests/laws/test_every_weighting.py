"""What holds for every task weighting. A new one is a new row of `CASES`."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaforge.core import weighting

CASES = {
    "uniform": weighting.uniform(),
    "difficulty_aware": weighting.difficulty_aware(),
    "difficulty_aware, detached": weighting.difficulty_aware(detach=True),
    "difficulty_aware, normalised": weighting.difficulty_aware(normalize=True),
    "difficulty_aware, both": weighting.difficulty_aware(detach=True, normalize=True),
    "softmax": weighting.softmax(temperature=5.0),
    "focal": weighting.focal(power=2.0),
    "focal, plain": weighting.focal(normalize=False),
    "focal, through": weighting.focal(power=0.5, detach=False),
}
LOSSES = jnp.array([0.0, 1e-4, 0.3, 0.693, 2.4, 2.4, 100.0])


def test_every_weighting_has_a_row():
    members = inspect.getmembers(weighting, inspect.isfunction)
    public = {name for name, value in members if value.__module__ == weighting.__name__ and name[0] != "_"}
    assert public == {name.split(",")[0] for name in CASES}


def factors(weigh, losses):
    return jax.grad(lambda losses: jnp.sum(weigh(losses) * losses))(losses)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_weights_have_the_shape_and_dtype_of_the_losses(case, dtype):
    for count in (1, 7):
        weights = jax.eval_shape(CASES[case], jnp.zeros(count, dtype))
        assert (weights.shape, weights.dtype) == ((count,), dtype)


@pytest.mark.parametrize("case", CASES)
def test_weights_are_finite_positive_and_never_fall_with_the_loss(case):
    weights = jax.jit(CASES[case])(LOSSES)
    assert np.all(np.isfinite(weights))
    # Only what is solved to the last digit may count nothing.
    assert np.all(weights[1:] > 0)
    assert weights[0] >= 0
    assert np.all(np.diff(weights) >= 0)


@pytest.mark.parametrize("case", CASES)
def test_every_task_s_gradient_counts_finitely_and_never_backwards(case):
    counts = jax.jit(lambda losses: factors(CASES[case], losses))(LOSSES)
    assert np.all(np.isfinite(counts))
    assert np.all(counts[1:] > 0)
    assert counts[0] >= 0


@pytest.mark.parametrize("case", CASES)
def test_weights_follow_their_tasks_in_any_order(case):
    order = np.random.default_rng(0).permutation(LOSSES.size)
    np.testing.assert_allclose(CASES[case](LOSSES[order]), CASES[case](LOSSES)[order], rtol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_tasks_that_are_equally_hard_count_alike(case):
    weights = CASES[case](jnp.full(4, 0.7))
    np.testing.assert_allclose(weights, np.full(4, weights[0]), rtol=1e-5)


def test_weightings_by_name_are_those_of_the_table():
    for name, factory in weighting.WEIGHTINGS.items():
        assert np.all(np.isfinite(factory()(LOSSES))), name
