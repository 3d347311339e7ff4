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
    return params, jax.tree.map(jnp.asarray, mf.Episode(batch(4), batch(6)))


def some_rates(params, per):
    """Rates that all differ, and not all positive."""
    rng = np.random.default_rng(1)
    return {
        name: jnp.asarray(rng.uniform(-0.2, 0.6, size=leaf.shape if per == "parameter" else (STEPS,)))
        for name, leaf in params.items()
    }


def moved(learner, meta_params, episodes):
    """By how much an outer step of rate 1 moves the meta-parameters: the outer gradient."""
    state = learner.init(meta_params[0])._replace(params=meta_params)
    after, _ = jax.jit(learner.update)(state, episodes)
    return jax.tree.map(jnp.subtract, meta_params, after.params)


@pytest.mark.parametrize(
    ("per", "order"), [("parameter", "first"), ("parameter", "second"), ("array", "first"), ("array", "mixed")]
)
def test_model_and_rates_follow_the_gradient_of_a_loop_by_hand(per, order, x64):
    params, episodes = problem()
    rates = some_rates(params, per)
    learner = mf.meta_sgd(
        loss_fn, inner_lr=0.1, outer_optimizer=optax.sgd(1.0), inner_steps=STEPS, order=order, per=per
    )
    start = type(learner.init(params).params)(params, rates)

    def by_hand(params, rates):
        total = 0.0
        for i in range(2):
            task, adapted = jax.tree.map(lambda leaf, i=i: leaf[i], episodes), params
            for t in range(STEPS):
                grads = jax.grad(lambda params, task=task: loss_fn(params, task.support)[0])(adapted)
                grads = jax.lax.stop_gradient(grads) if order == "first" else grads
                at = {name: rate if per == "parameter" else rate[t] for name, rate in rates.items()}
                adapted = {name: adapted[name] - at[name] * grads[name] for name in adapted}
            total += loss_fn(adapted, task.query)[0]
        return total

    expected = jax.jit(jax.grad(by_hand, argnums=(0, 1)))(params, rates)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12),
        tuple(moved(learner, start, episodes)), expected,
    )  # fmt: skip
    assert all(np.all(leaf != 0) for leaf in jax.tree.leaves(expected[1]))


@pytest.mark.parametrize("per", ["parameter", "array"])
def test_with_equal_rates_the_model_moves_as_maml_s(per, x64):
    params, episodes = problem()
    options = {"outer_optimizer": optax.sgd(1.0), "inner_steps": STEPS}
    learner = mf.meta_sgd(loss_fn, inner_lr=0.3, per=per, **options)
    maml = mf.maml(loss_fn, inner_optimizer=optax.sgd(0.3), **options)
    state, info = jax.jit(learner.update)(learner.init(params), episodes)
    expected, expected_info = jax.jit(maml.update)(maml.init(params), episodes)
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10)
    jax.tree.map(close, learner.model(state.params), expected.params)
    close(info.query_losses, expected_info.query_losses)
    close(info.support_losses, expected_info.support_losses)


def test_an_unknown_sort_of_rates_is_refused():
    with pytest.raises(ValueError, match="unknown `per` 'layer'; known: parameter, array"):
        inspect.unwrap(mf.meta_sgd)(loss_fn, inner_lr=0.1, outer_optimizer=optax.sgd(1.0), per="layer")
