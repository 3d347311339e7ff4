"""Rules that ask for the loss: Polyak's step in closed form, a line search against optax's own loop."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import metaforge as mf
from metaforge import adaptation
from metaforge.core.averaging import average_of, averaged


def quadratic(params, batch):
    """Half the squared distance to the input: its gradient is the difference, its least value 0."""
    return 0.5 * jnp.mean((params - batch.inputs) ** 2), {}


def at(value):
    return mf.Batch(inputs=jnp.array([value]), targets=jnp.array([0]))


def adapted(x, **options):
    return mf.adapt(quadratic, x, at(0.0), optimizer=optax.polyak_sgd(), **options)[0]


@pytest.mark.parametrize("steps", [1, 3])
def test_polyak_s_step_halves_the_way_to_the_least_of_a_quadratic(steps, x64):
    x = jnp.array(4.0)
    np.testing.assert_allclose(adapted(x, num_steps=steps), 4.0 / 2**steps)
    # The exact derivative is that of halving; under first order the step is a constant, its length too.
    for order, slope in (("second", 0.5**steps), ("mixed", 0.5**steps), ("first", 1.0)):
        found = jax.grad(lambda x, order=order: adapted(x, num_steps=steps, order=order))(x)
        np.testing.assert_allclose(found, slope)


def episodes(*inputs):
    """Tasks of one example each, the same in support and query."""
    batch = mf.Batch(jnp.array(inputs)[:, None], jnp.zeros((len(inputs), 1), int))
    return mf.Episode(batch, batch)


def banana(params, batch):
    """Rosenbrock's function, whose least value 0 is at ones."""
    x, y = params["x"], params["y"]
    return (1 - x) ** 2 + batch.inputs[0] * (y - x**2) ** 2, {}


def test_a_line_search_is_optax_s_own(x64):
    rule, start, batch = optax.lbfgs(), {"x": jnp.array(-1.0), "y": jnp.array(1.5)}, at(20.0)
    loss_of = lambda params: banana(params, batch)[0]

    @jax.jit
    def by_hand(params):
        state = rule.init(params)
        for _ in range(4):
            value, grads = jax.value_and_grad(loss_of)(params)
            updates, state = rule.update(grads, state, params, value=value, grad=grads, value_fn=loss_of)
            params = optax.apply_updates(params, updates)
        return params

    run = jax.jit(lambda params, batch: mf.adapt(banana, params, batch, optimizer=rule, num_steps=4))
    found, info = run(start, batch)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9), found, by_hand(start))
    assert np.all(np.diff(info.losses) < 0)


@pytest.mark.parametrize("order", ["first", "second", "mixed"])
def test_what_a_line_search_finds_is_a_constant_and_no_exact_derivative(order, x64):
    def value(x):
        # The support set depends on x too, as features do.
        return mf.adapt(quadratic, x, at(3.0 * x), optimizer=optax.lbfgs(), order=order, num_steps=2)[0]

    # Of a parabola, the second step knows the curvature.
    np.testing.assert_allclose(value(jnp.array(1.0)), 3.0)
    if order == "first":
        assert jax.grad(value)(jnp.array(1.0)) == 1.0
        return
    with pytest.raises(ValueError, match="cannot be differentiated exactly: take order='first'"):
        jax.grad(value)(jnp.array(1.0))


def test_the_last_steps_alone_are_exact(x64):
    found = jax.grad(lambda x: adapted(x, num_steps=3, order="second", grad_steps=2))(jnp.array(4.0))
    np.testing.assert_allclose(found, 0.25)


def test_reptile_walks_half_the_way(x64):
    sgd = optax.sgd(1.0)
    learner = mf.reptile(quadratic, inner_optimizer=optax.polyak_sgd(), outer_optimizer=sgd, inner_steps=1)
    images = jnp.array([[6.0], [2.0]])
    state, _ = learner.update(
        learner.init(jnp.array(0.0)), mf.Episode(mf.Batch(images, images), mf.Batch(images, images))
    )
    np.testing.assert_allclose(state.params, 2.0)  # the mean of 3 and 1


def test_the_outer_optimizer_is_told_the_loss_through_an_average_too():
    learner = mf.erm(quadratic, inner_optimizer=optax.sgd(0.1), outer_optimizer=averaged(optax.polyak_sgd(), 0.5))
    images = jnp.zeros((1, 1))
    state, _ = learner.update(
        learner.init(jnp.array(4.0)), mf.Episode(mf.Batch(images, images), mf.Batch(images, images))
    )
    np.testing.assert_allclose([state.params, average_of(state.opt_state)], [2.0, 2.2], rtol=1e-6)
    searching = mf.erm(quadratic, inner_optimizer=optax.sgd(0.1), outer_optimizer=optax.lbfgs())
    with pytest.raises(ValueError, match="an outer optimizer cannot search along a line"):
        searching.update(searching.init(jnp.array(4.0)), episodes(0.0))


@pytest.mark.parametrize("rule", [optax.polyak_sgd(max_learning_rate=0.5), optax.lbfgs()], ids=["polyak", "lbfgs"])
def test_fine_tuning_takes_the_steps_of_adapt(rule):
    model, objective = mf.backbones.mlp(hidden=(3,), outputs=2), mf.objectives.cross_entropy()
    params = jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, 3)))
    rng = np.random.default_rng(0)
    support = mf.Batch(jnp.asarray(rng.normal(size=(4, 3)), jnp.float32), jnp.array([0, 1, 0, 1]))
    tuned = adaptation.fine_tune(model, objective, optimizer=rule, steps=(2,))

    @jax.jit
    def both(params, support):
        adapted, _ = mf.adapt(mf.objectives.loss_fn(model, objective), params, support, optimizer=rule, num_steps=2)
        return tuned.apply(params, support, support.inputs)[0], model.apply(adapted, support.inputs).logits

    np.testing.assert_allclose(*both(params, support), rtol=1e-4, atol=1e-5)
