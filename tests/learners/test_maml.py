"""MAML, FOMAML and DAML: closed forms on a quadratic, central differences through a whole outer step, invariances."""

import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

import metaforge as mf
from metaforge.learners import _assembly

ALPHA = 0.1
SUPPORT, QUERY = np.array([1.0, -2.0, 4.0]), np.array([2.0, 0.5, -1.0])  # one number a task
START = 3.0


def quadratic(params, batch):
    return 0.5 * jnp.mean((params - batch.inputs) ** 2), {"distance": jnp.mean(params - batch.inputs)}


def quadratic_episodes():
    batch = lambda values: mf.Batch(values[:, None], np.zeros((3, 1), np.int32))
    return mf.Episode(batch(SUPPORT), batch(QUERY))


def closed_form(steps):
    """Adapted parameters, query losses and support losses of every task."""
    left = (1 - ALPHA) ** np.arange(steps + 1)[:, None] * (START - SUPPORT)
    adapted = SUPPORT + left[-1]
    return adapted, 0.5 * (adapted - QUERY) ** 2, 0.5 * left[:-1].T ** 2


@functools.cache
def one_step(factory, **options):
    """One outer step of plain gradient descent with step 1, so that the parameters move by the outer gradient."""
    learner = factory(quadratic, inner_optimizer=optax.sgd(ALPHA), outer_optimizer=optax.sgd(1.0), **options)
    state, info = jax.jit(learner.update)(learner.init(jnp.asarray(START)), quadratic_episodes())
    return START - state.params, state, info


def sigma(losses):
    return 1 / (1 + np.exp(-losses))


@pytest.mark.parametrize("steps", [1, 3])
def test_maml_s_outer_gradient_has_the_curvature_factor_and_fomaml_s_has_not(steps, x64):
    adapted, query_losses, support_losses = closed_form(steps)
    gradient, state, info = one_step(mf.maml, inner_steps=steps)
    np.testing.assert_allclose(gradient, np.sum((1 - ALPHA) ** steps * (adapted - QUERY)), rtol=1e-12)
    np.testing.assert_allclose(info.query_losses, query_losses, rtol=1e-12)
    np.testing.assert_allclose(info.support_losses, support_losses, rtol=1e-12)
    np.testing.assert_allclose(info.loss, query_losses.sum(), rtol=1e-12)
    np.testing.assert_allclose(info.metrics["distance"], adapted - QUERY, rtol=1e-12)
    np.testing.assert_allclose(info.grad_norm, abs(gradient), rtol=1e-12)
    np.testing.assert_array_equal(info.weights, np.ones(3))
    np.testing.assert_array_equal(info.gradient_factors, np.ones(3))
    assert state.step == 1

    gradient, _, info = one_step(mf.fomaml, inner_steps=steps)
    np.testing.assert_allclose(gradient, np.sum(adapted - QUERY), rtol=1e-12)
    np.testing.assert_allclose(info.query_losses, query_losses, rtol=1e-12)


@pytest.mark.parametrize("detach", [False, True])
@pytest.mark.parametrize(("order", "curvature"), [("first", 1.0), ("second", 1 - ALPHA)])
def test_daml_counts_every_task_by_the_derivative_of_equation_5(detach, order, curvature, x64):
    adapted, losses, _ = closed_form(1)
    s = sigma(losses)
    factors = s if detach else s + losses * s * (1 - s)
    gradient, _, info = one_step(mf.daml, detach=detach, order=order)
    np.testing.assert_allclose(gradient, np.sum(factors * curvature * (adapted - QUERY)), rtol=1e-12)
    np.testing.assert_allclose(info.gradient_factors, factors, rtol=1e-12)
    np.testing.assert_allclose(info.weights, s, rtol=1e-12)
    np.testing.assert_allclose(info.loss, np.sum(losses / (1 + np.exp(-losses))), rtol=1e-12)
    np.testing.assert_allclose(info.query_losses, losses, rtol=1e-12)


def test_daml_is_first_order_unless_told_otherwise(x64):
    assert one_step(mf.daml)[0] == one_step(mf.daml, order="first")[0] != one_step(mf.daml, order="second")[0]


def test_daml_normalised_and_detached_weighs_by_shares_of_the_mean(x64):
    adapted, losses, _ = closed_form(1)
    weights = sigma(losses) / sigma(losses).mean()
    gradient, _, info = one_step(mf.daml, detach=True, normalize=True)
    np.testing.assert_allclose(gradient, np.sum(weights * (adapted - QUERY)), rtol=1e-12)
    np.testing.assert_allclose(info.weights.mean(), 1, rtol=1e-12)


@pytest.mark.parametrize("factory", [mf.maml, mf.daml])
def test_the_mean_over_tasks_is_the_sum_divided_by_their_number(factory, x64):
    gradient, _, info = one_step(factory)
    mean_gradient, _, mean_info = one_step(factory, reduction="mean")
    np.testing.assert_allclose(mean_gradient, gradient / 3, rtol=1e-12)
    np.testing.assert_allclose(mean_info.loss, info.loss / 3, rtol=1e-12)
    np.testing.assert_allclose(mean_info.gradient_factors, info.gradient_factors / 3, rtol=1e-12)
    np.testing.assert_array_equal(mean_info.weights, info.weights)


def test_the_outer_optimizer_takes_the_step(x64):
    # Adam's first step has the learning rate's length, whatever the gradient's.
    learner = mf.maml(quadratic, inner_optimizer=optax.sgd(ALPHA), outer_optimizer=optax.adam(1e-3, eps=0))
    state, _ = jax.jit(learner.update)(learner.init(jnp.asarray(START)), quadratic_episodes())
    assert abs(START - state.params) == pytest.approx(1e-3, rel=1e-9)


def test_an_outer_loss_of_ones_own_may_weigh_by_any_function_of_the_losses(x64):
    # Softmax weights held constant: the gradient of a smooth maximum over tasks.
    weighting = lambda losses: jax.lax.stop_gradient(jax.nn.softmax(losses))
    adapted, losses, _ = closed_form(1)
    weights = np.exp(losses) / np.exp(losses).sum()
    gradient, _, _ = one_step(mf.fomaml, task_weighting=weighting)
    np.testing.assert_allclose(gradient, np.sum(weights * (adapted - QUERY)), rtol=1e-10)


def tanh_net(params, batch):
    hidden = jnp.tanh(batch.inputs @ params["w1"] + params["b1"][None])
    logits = hidden @ params["w2"]
    return optax.losses.softmax_cross_entropy_with_integer_labels(logits, batch.targets).mean(), {}


def net_and_episodes(tasks=3):
    rng = np.random.default_rng(0)
    shapes = {"w1": (3, 3), "b1": (3,), "w2": (3, 2)}
    params = {name: jnp.asarray(rng.normal(size=shape)) for name, shape in shapes.items()}
    batch = lambda n: mf.Batch(rng.normal(size=(tasks, n, 3)) * 2, rng.integers(0, 2, size=(tasks, n)))
    return params, mf.Episode(batch(4), batch(6))


@pytest.mark.parametrize("factory", [mf.maml, mf.daml])
def test_the_exact_outer_gradient_agrees_with_central_differences_of_the_outer_loss(factory, x64):
    params, episodes = net_and_episodes()
    learner = factory(
        tanh_net, inner_optimizer=optax.sgd(0.5), outer_optimizer=optax.sgd(1.0), inner_steps=2, order="second"
    )
    flat, unravel = ravel_pytree(params)
    step = 1e-5
    outer_loss = jax.vmap(lambda shift: learner.update(learner.init(unravel(flat + shift)), episodes)[1].loss)

    @jax.jit
    def run(flat):
        shifts = step * jnp.eye(flat.size)
        state, info = learner.update(learner.init(unravel(flat)), episodes)
        return flat - ravel_pytree(state.params)[0], info, (outer_loss(shifts) - outer_loss(-shifts)) / (2 * step)

    gradient, info, expected = run(flat)
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max())
    np.testing.assert_allclose(info.grad_norm, np.linalg.norm(gradient), rtol=1e-12)


def test_the_first_order_outer_gradient_is_the_query_gradient_at_the_adapted_parameters(x64):
    params, episodes = net_and_episodes()
    learner = mf.fomaml(tanh_net, inner_optimizer=optax.sgd(0.5), outer_optimizer=optax.sgd(1.0), inner_steps=2)

    @jax.jit
    def run(params):
        state, _ = learner.update(learner.init(params), episodes)
        moved = jax.tree.map(jnp.subtract, params, state.params)
        gradient = lambda params, batch: jax.grad(lambda params: tanh_net(params, batch)[0])(params)
        total = jax.tree.map(jnp.zeros_like, params)
        for i in range(3):
            support, query, _ = jax.tree.map(lambda leaf, i=i: leaf[i], episodes)
            adapted = params
            for _ in range(2):
                adapted = jax.tree.map(lambda p, g: p - 0.5 * g, adapted, gradient(adapted, support))
            total = jax.tree.map(jnp.add, total, gradient(adapted, query))
        return moved, total

    moved, expected = run(params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10), moved, expected)


def conv_problem():
    model = mf.backbones.conv4(width=4)
    rng = np.random.default_rng(0)
    batch = lambda: mf.Batch(rng.uniform(size=(1, 4, 16, 16, 3)), np.array([[0, 1, 0, 1]]))
    episodes = mf.Episode(batch(), batch())
    shapes = jax.eval_shape(model.init, jax.random.key(0), episodes.support.inputs[0])
    params = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape) * 0.3), shapes)
    return mf.objectives.loss_fn(model.apply, mf.objectives.cross_entropy()), params, episodes


def test_the_exact_outer_gradient_of_conv4_agrees_with_a_difference_along_a_direction(x64):
    # ReLU and max-pooling have kinks; a small step in double precision stays on one side of them.
    loss_fn, params, episodes = conv_problem()
    learner = mf.maml(loss_fn, inner_optimizer=optax.sgd(0.1), outer_optimizer=optax.sgd(1.0))
    flat, unravel = ravel_pytree(params)
    direction, step = np.random.default_rng(1).normal(size=flat.size), 1e-7

    @jax.jit
    def run(flat):
        state, info = learner.update(learner.init(unravel(flat)), episodes)
        return flat - ravel_pytree(state.params)[0], info.loss

    flat = np.asarray(flat)
    gradient, _ = run(flat)
    slope = (run(flat + step * direction)[1] - run(flat - step * direction)[1]) / (2 * step)
    np.testing.assert_allclose(np.asarray(gradient) @ direction, slope, rtol=1e-5)


def test_a_query_batch_is_scored_with_its_own_task_s_support_inputs_as_context():
    def loss_fn(params, batch):
        seen = jnp.array(-1.0) if batch.context is None else jnp.mean(batch.context)
        return params**2, {"context": seen}

    learner = mf.maml(loss_fn, inner_optimizer=optax.sgd(0.1), outer_optimizer=optax.sgd(0.1))
    _, info = jax.jit(learner.update)(learner.init(jnp.asarray(1.0)), quadratic_episodes())
    np.testing.assert_array_equal(info.metrics["context"], SUPPORT)


def test_with_step_weights_every_step_s_query_loss_counts(x64):
    weights = np.array([0.2, 0.0, 0.7])
    after = SUPPORT + (1 - ALPHA) ** np.arange(1, 4)[:, None] * (START - SUPPORT)
    gradient, _, info = one_step(mf.maml, inner_steps=3, step_weights=tuple(weights.tolist()))
    np.testing.assert_allclose(info.query_losses, weights @ (0.5 * (after - QUERY) ** 2), rtol=1e-12)
    factors = weights * (1 - ALPHA) ** np.arange(1, 4)
    np.testing.assert_allclose(gradient, np.sum(factors @ (after - QUERY)), rtol=1e-12)
    np.testing.assert_allclose(info.metrics["distance"], (after - QUERY)[-1], rtol=1e-12)


@pytest.mark.parametrize("options", [{"remat": "steps"}, {"remat": "sqrt"}, {"grad_steps": 2}])
def test_mixed_mode_moves_the_parameters_as_second_order_does(options, x64):
    second, mixed = (one_step(mf.daml, inner_steps=4, order=order, **options)[0] for order in ("second", "mixed"))
    np.testing.assert_allclose(mixed, second, rtol=1e-12)


@pytest.mark.parametrize("strategy", ["vmap", "scan", "unroll"])
def test_the_strategy_never_changes_the_update(strategy, x64):
    np.testing.assert_allclose(one_step(mf.daml, strategy=strategy)[0], one_step(mf.daml)[0], rtol=1e-12)


def test_wrong_settings_are_named_in_one_line():
    with pytest.raises(ValueError, match="unknown `reduction` 'max'; known: sum, mean"):
        inspect.unwrap(_assembly.outer_update)(quadratic, optax.sgd(0.1), reduction="max")


@pytest.mark.parametrize(("factory", "name"), [(mf.daml, "task_weighting"), (mf.fomaml, "order")])
def test_what_a_learner_settles_itself_is_no_argument_of_it(factory, name):
    with pytest.raises(TypeError, match=f"unexpected keyword argument '{name}'"):
        one_step(factory, **{name: None})
