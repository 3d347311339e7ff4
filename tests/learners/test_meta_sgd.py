"""Meta-SGD against a loop by hand, in its model, its rates and both orders; and against MAML where rates are equal."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import metaforge as mf

STEPS = 2


def loss_fn(params, batch):
    logits = jnp.tanh(batch.inputs @ params["w1"]) @ params["w2"]
    return optax.losses.softmax_cross_entropy_with_integer_labels(logits, batch.targets).mean(), {}


def problem():
    rng = np.random.default_rng(0)
    params = {"w1": jnp.asarray(rng.normal(size=(3, 3))), "w2": jnp.asarray(rng.normal(size=(3, 2)))}
    batch = lambda n: mf.Batch(rng.normal(size=(2, n, 3)) * 2, rng.integers(0, 2, size=(2, n)))
    return params, mf.Episode(batch(4), batch(6))


def some_rates(params, per):
    """Rates that all differ, and not all positive."""
    rng = np.random.default_rng(1)
    return {
        name: jnp.asarray(rng.uniform(-0.2, 0.6, size=leaf.shape if per == "parameter" else (STEPS,)))
        for name, leaf in params.items()
    }


@pytest.mark.parametrize(
    ("per", "order"), [("parameter", "first"), ("parameter", "second"), ("array", "first"), ("array", "mixed")]
)
def test_model_and_rates_follow_the_gradient_of_a_loop_by_hand(per, order, x64):
    params, episodes = problem()
    rates = some_rates(params, per)
    learner = mf.meta_sgd(
        loss_fn, inner_lr=0.1, outer_optimizer=optax.sgd(1.0), inner_steps=STEPS, order=order, rates=per
    )
    start = learner.init(params)
    start = start._replace(params=type(start.params)(params, rates))

    def by_hand(params, rates, task):
        adapted = params
        for t in range(STEPS):
            grads = jax.grad(lambda params: loss_fn(params, task.support)[0])(adapted)
            grads = jax.lax.stop_gradient(grads) if order == "first" else grads
            at = {name: rate if per == "parameter" else rate[t] for name, rate in rates.items()}
            adapted = {name: adapted[name] - at[name] * grads[name] for name in adapted}
        return loss_fn(adapted, task.query)[0]

    @jax.jit
    def both(state, episodes):
        """By how much an outer step of rate 1 moves the meta-parameters, and the sum of the tasks' gradients."""
        after, _ = learner.update(state, episodes)
        each = jax.vmap(jax.grad(by_hand, argnums=(0, 1)), in_axes=(None, None, 0))(*state.params, episodes)
        moved = jax.tree.map(jnp.subtract, state.params, after.params)
        return tuple(moved), jax.tree.map(lambda leaf: leaf.sum(axis=0), each)

    moved, expected = both(start, episodes)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12), moved, expected)
    assert all(np.all(leaf != 0) for leaf in jax.tree.leaves(expected[1]))


@pytest.mark.parametrize("per", ["parameter", "array"])
def test_with_equal_rates_the_model_moves_as_maml_s(per, x64):
    params, episodes = problem()
    options = {"outer_optimizer": optax.sgd(1.0), "inner_steps": STEPS}
    learner = mf.meta_sgd(loss_fn, inner_lr=0.3, rates=per, **options)
    maml = mf.maml(loss_fn, inner_optimizer=optax.sgd(0.3), **options)
    state, info = jax.jit(learner.update)(learner.init(params), episodes)
    expected, expected_info = jax.jit(maml.update)(maml.init(params), episodes)
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10)
    jax.tree.map(close, learner.model(state.params), expected.params)
    close(info.query_losses, expected_info.query_losses)
    close(info.support_losses, expected_info.support_losses)


def test_an_unknown_sort_of_rates_is_refused():
    with pytest.raises(ValueError, match="unknown `rates` 'layer'; known: parameter, array"):
        inspect.unwrap(mf.meta_sgd)(loss_fn, inner_lr=0.1, outer_optimizer=optax.sgd(1.0), rates="layer")
