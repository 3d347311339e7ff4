"""What holds for every objective. A new one is a new row of `CASES`."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import metaforge as mf
from metaforge import objectives

# The objective, and whether its targets are labels or numbers of the outputs' shape.
CASES = {
    "cross_entropy": (objectives.cross_entropy(), "labels"),
    "cross_entropy, summed": (objectives.cross_entropy(reduction="sum"), "labels"),
    "squared_error": (objectives.squared_error(), "numbers"),
}
NOT_OBJECTIVES = {"loss_fn"}


def test_every_objective_has_a_row():
    members = inspect.getmembers(objectives, inspect.isfunction)
    public = {name for name, value in members if value.__module__ == objectives.__name__ and name[0] != "_"}
    assert public - NOT_OBJECTIVES == {name.split(",")[0] for name in CASES}


def problem(kind, dtype=jnp.float32):
    rng = np.random.default_rng(0)
    outputs = mf.Outputs(jnp.asarray(rng.normal(size=(6, 2)), dtype), jnp.asarray(rng.normal(size=(6, 4)), dtype))
    targets = rng.integers(0, 2, size=6) if kind == "labels" else rng.normal(size=(6, 2))
    return outputs, mf.Batch(jnp.zeros((6, 1)), jnp.asarray(targets, jnp.int32 if kind == "labels" else dtype))


@pytest.mark.parametrize("case", CASES)
def test_the_value_is_a_finite_scalar_and_the_metrics_are_named_scalars(case):
    objective, kind = CASES[case]
    value, metrics = jax.jit(objective)(*problem(kind))
    assert (value.shape, value.dtype) == ((), jnp.float32)
    assert np.isfinite(value)
    assert all(np.shape(metric) == () and np.isfinite(metric) for metric in metrics.values())


@pytest.mark.parametrize("case", CASES)
def test_the_order_of_examples_does_not_matter(case):
    objective, kind = CASES[case]
    run = jax.jit(lambda outputs, batch: objective(outputs, batch)[0])
    outputs, batch = problem(kind)
    order = np.random.default_rng(1).permutation(6)
    shuffled = jax.tree.map(lambda leaf: leaf[order], (outputs, batch))
    np.testing.assert_allclose(run(*shuffled), run(outputs, batch), rtol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_the_gradient_agrees_with_central_differences(case, x64):
    objective, kind = CASES[case]
    outputs, batch = problem(kind, jnp.float64)
    value = lambda logits: objective(outputs._replace(logits=logits), batch)[0]
    shifts = 1e-6 * jnp.eye(12).reshape(12, 6, 2)
    differences = jax.vmap(lambda shift: (value(outputs.logits + shift) - value(outputs.logits - shift)) / 2e-6)

    @jax.jit
    def run():
        return jax.grad(value)(outputs.logits), differences(shifts)

    gradient, expected = run()
    np.testing.assert_allclose(gradient.ravel(), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("case", CASES)
def test_it_batches_over_tasks(case):
    objective, kind = CASES[case]
    outputs, batch = problem(kind)
    pair = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), (outputs, batch))
    values, _ = jax.jit(jax.vmap(objective))(*pair)
    np.testing.assert_allclose(values, np.full(2, objective(outputs, batch)[0]), rtol=1e-6)
