"""MAML++ against loops by hand: what counts at which outer step, in which order, and what has a copy for each step."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import metaforge as mf
from metaforge.learners import _maml_plus_plus

ALPHA, STEPS = 0.3, 3
SUPPORT, QUERY, START = np.array([1.0, -2.0]), np.array([2.0, 0.5]), 3.0


def released_weights(epoch, steps, epochs):
    """The weights as the released code has them, line by line; alone in the end, as its training loop has it."""
    if epoch >= epochs:
        return np.eye(steps)[-1]
    weights = np.ones(steps) / steps
    decay, least = 1 / steps / epochs, 0.03 / steps
    for i in range(steps - 1):
        weights[i] = max(weights[i] - epoch * decay, least)
    weights[-1] = min(weights[-1] + epoch * (steps - 1) * decay, 1 - (steps - 1) * least)
    return weights


def test_the_weights_are_those_of_the_released_code_down_to_the_least(x64):
    for step in (0, 30, 96, 98, 99, 100, 1000):
        weights = _maml_plus_plus.multi_step_weights(step, STEPS, 100)
        np.testing.assert_allclose(weights, released_weights(step, STEPS, 100), rtol=1e-12)


@pytest.mark.parametrize(("multi", "second"), [(0, 0), (3, 6), (6, 3), (4, 4)])
def test_weights_and_order_are_those_of_the_outer_step(multi, second, x64):
    # On a quadratic: the steps go to the support example by a factor, and second order knows it.
    quadratic = lambda params, batch: (0.5 * jnp.mean((params - batch.inputs) ** 2), {})
    batch = lambda values: mf.Batch(jnp.asarray(values)[:, None], jnp.zeros((2, 1), jnp.int32))
    learner = mf.maml_plus_plus(
        quadratic, inner_lr=ALPHA, inner_steps=STEPS, outer_optimizer=optax.sgd(1.0),
        multi_step_iterations=multi, second_order_from=second,
    )  # fmt: skip
    start, update = learner.init(jnp.asarray(START)), jax.jit(learner.update)
    left = (1 - ALPHA) ** np.arange(1, STEPS + 1)[:, None]
    after = SUPPORT + left * (START - SUPPORT)
    for step in range(8):
        state, info = update(start._replace(step=jnp.int32(step)), mf.Episode(batch(SUPPORT), batch(QUERY)))
        weights = released_weights(step, STEPS, multi)
        np.testing.assert_allclose(info.query_losses, weights @ (0.5 * (after - QUERY) ** 2), rtol=1e-6, atol=1e-6)
        curvature = left if step >= second else 1.0
        expected = np.sum(weights[:, None] * curvature * (after - QUERY))
        np.testing.assert_allclose(START - state.params.params, expected, rtol=1e-6, atol=1e-6)
        assert state.step == step + 1


def normalised_net(params, batch):
    hidden = jnp.tanh(batch.inputs @ params["w1"]) * params["scale"][None] + params["bias"][None]
    losses = optax.losses.softmax_cross_entropy_with_integer_labels(hidden @ params["w2"], batch.targets)
    return losses.mean(), {"loss": losses.mean()}


SHAPES = {"w1": (3, 3), "scale": (3,), "bias": (3,), "w2": (3, 2)}


@pytest.mark.parametrize("exact", [False, True])
def test_copies_and_rates_of_each_step_follow_the_gradient_of_a_loop_by_hand(exact, x64):
    rng = np.random.default_rng(0)
    batch = lambda n: mf.Batch(rng.normal(size=(2, n, 3)) * 2, rng.integers(0, 2, size=(2, n)))
    episodes = mf.Episode(batch(4), batch(6))
    learner = mf.maml_plus_plus(
        normalised_net, inner_lr=0.1, inner_steps=2, outer_optimizer=optax.sgd(1.0), per_step="^(scale|bias)$",
        multi_step_iterations=4, second_order_from=0 if exact else 100,
    )  # fmt: skip
    start = learner.init({name: jnp.asarray(np.zeros(shape)) for name, shape in SHAPES.items()})
    # All copies and rates differ, as after some outer steps.
    start = start._replace(params=jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape)), start.params))
    params, rates = start.params
    assert params["scale"].shape == (3, 3)
    assert rates["w1"].shape == (2,)
    assert rates["scale"] is None

    def adapted(params, rates, support):
        """The parameters after 0, 1, ... steps."""
        found = [{name: leaf[0] if name in ("scale", "bias") else leaf for name, leaf in params.items()}]
        for t in range(2):
            grads = jax.grad(lambda params: normalised_net(params, support)[0])(found[-1])
            grads = grads if exact else jax.lax.stop_gradient(grads)
            found.append({name: found[-1][name] - rates[name][t] * grads[name] for name in ("w1", "w2")})
            found[-1] |= {name: params[name][t + 1] for name in ("scale", "bias")}
        return found

    def by_hand(params, rates, weights):
        def of_task(task):
            after = adapted(params, rates, task.support)[1:]
            return sum(
                weight * normalised_net(found, task.query)[0] for weight, found in zip(weights, after, strict=True)
            )

        return jnp.sum(jax.vmap(of_task)(episodes))

    @jax.jit
    def both(state, weights):
        return learner.update(state, episodes)[0].params, jax.grad(by_hand, argnums=(0, 1))(*state.params, weights)

    for step in (1, 4):
        after, expected = both(start._replace(step=jnp.int32(step)), list(released_weights(step, 2, 4)))
        moved = jax.tree.map(lambda a, b: np.asarray(a) - b, start.params, after)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9), tuple(moved), expected)

    support = jax.tree.map(lambda leaf: leaf[0], episodes.support)
    found, expected = jax.jit(lambda meta: (learner.adapt(meta, support)[0], adapted(*meta, support)[-1]))(start.params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9), found, expected)
    np.testing.assert_array_equal(learner.model(start.params)["scale"], params["scale"][0])


def test_with_one_copy_equal_rates_and_the_last_loss_alone_the_model_moves_as_maml_s(x64):
    rng = np.random.default_rng(0)
    batch = lambda n: mf.Batch(rng.normal(size=(2, n, 3)), rng.integers(0, 2, size=(2, n)))
    episodes = mf.Episode(batch(4), batch(6))
    params = {name: jnp.asarray(rng.normal(size=shape)) for name, shape in SHAPES.items()}
    options = {"outer_optimizer": optax.sgd(1.0), "inner_steps": STEPS}
    learner = mf.maml_plus_plus(normalised_net, inner_lr=0.3, multi_step_iterations=0, **options)
    maml = mf.maml(normalised_net, inner_optimizer=optax.sgd(0.3), **options)
    state, info = jax.jit(learner.update)(learner.init(params), episodes)
    expected, expected_info = jax.jit(maml.update)(maml.init(params), episodes)
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10)
    jax.tree.map(close, learner.model(state.params), expected.params)
    jax.tree.map(close, (info.support_losses, info.metrics), (expected_info.support_losses, expected_info.metrics))


def test_a_pattern_that_no_path_has_is_refused():
    learner = mf.maml_plus_plus(normalised_net, inner_lr=0.1, outer_optimizer=optax.sgd(1.0), per_step="Normalise")
    with pytest.raises(ValueError, match="no parameter's path has 'Normalise'"):
        learner.init({name: jnp.zeros(shape) for name, shape in SHAPES.items()})


def test_conv4_s_scales_and_shifts_have_their_copies():
    conv = mf.backbones.conv4(width=4, convolution="lax")
    learner = mf.maml_plus_plus(
        mf.objectives.loss_fn(conv.apply, mf.objectives.cross_entropy()), inner_lr=0.1, inner_steps=2,
        outer_optimizer=optax.adam(1e-3), per_step="Normalise_.*(scale|bias)",
    )  # fmt: skip
    images = jnp.zeros((2, 16, 16, 3))
    start = jax.eval_shape(lambda: learner.init(conv.init(jax.random.key(0), images)))
    shapes = jax.tree.map(jnp.shape, start.params.params)
    assert shapes["Normalise_3"] == {"EpisodicBatchNorm_0": {"scale": (3, 4), "bias": (3, 4)}}
    assert shapes["head"]["bias"] == (2,)
    adapted, _ = jax.eval_shape(learner.adapt, start.params, mf.Batch(images, jnp.zeros(2, jnp.int32)))
    plain = jax.eval_shape(conv.init, jax.random.key(0), images)
    assert jax.tree.map(jnp.shape, adapted) == jax.tree.map(jnp.shape, plain)
