"""Heads in closed form against NumPy's, their outer gradient against differences, and what could break a formula."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

import metaforge as mf

model = mf.backbones.mlp(hidden=(4,), outputs=3)
objective = mf.objectives.cross_entropy()
apply = jax.jit(model.apply)
NAMES = ("protonet", "ridge", "r2d2")


def problem(kind=np.float32):
    rng = np.random.default_rng(0)
    params = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 5)))
    params = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape), kind), params)
    labels = lambda n: np.tile(np.arange(n) % 3, (2, 1)).astype(np.int32)
    batch = lambda n: mf.Batch(jnp.asarray(rng.normal(size=(2, n, 5)), kind), jnp.asarray(labels(n)))
    return params, mf.Episode(batch(4), batch(6))


def one(episodes, task=0):
    return jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)[task]), episodes)


def build(name, **options):
    return mf.LEARNERS[name].make(mf.objectives.loss_fn(model, objective), outer_optimizer=optax.sgd(1.0), **options)


@pytest.mark.parametrize("examples", [4, 6])  # fewer than features and a column of ones, and more
def test_ridge_solves_the_normal_equations(examples, x64):
    params, episodes = problem(np.float64)
    batch = one(episodes.query)
    support = mf.Batch(batch.inputs[:examples], batch.targets[:examples])
    embeddings = np.asarray(apply(params, support.inputs).embeddings)
    x = np.concatenate([embeddings, np.ones((examples, 1))], axis=1)
    y = np.eye(3)[np.asarray(support.targets)]
    expected = 2.0 * np.linalg.solve(x.T @ x + 0.7 * np.eye(5), x.T @ y)
    adapted, info = jax.jit(build("ridge", l2=0.7, scale=2.0).adapt)(params, support)
    np.testing.assert_allclose(adapted["head"]["kernel"], expected[:-1], rtol=1e-9)
    np.testing.assert_allclose(adapted["head"]["bias"], expected[-1], rtol=1e-9)
    np.testing.assert_array_equal(adapted["Dense_0"]["kernel"], params["Dense_0"]["kernel"])
    assert info.losses.shape == (0,)


def test_prototypes_score_by_squared_distances(x64):
    params, episodes = problem(np.float64)
    support, query, _ = one(episodes)
    see = lambda batch: np.asarray(apply(params, batch.inputs).embeddings)
    centres = np.stack([see(support)[np.asarray(support.targets) == k].mean(axis=0) for k in range(3)])
    scores = -np.sum((see(query)[:, None] - centres) ** 2, axis=2) / 5.0
    adapted, _ = jax.jit(build("protonet", temperature=5.0).adapt)(params, support)
    logits = np.asarray(apply(adapted, query.inputs).logits)
    logits, scores = (rows - rows.max(axis=1, keepdims=True) for rows in (logits, scores))
    np.testing.assert_allclose(logits, scores, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["protonet", "r2d2"])
def test_the_outer_gradient_agrees_with_central_differences_of_the_outer_loss(name, x64):
    params, episodes = problem(np.float64)
    learner = build(name)
    start = learner.init(params)
    flat, unravel = ravel_pytree(start.params)
    step = 1e-5

    @jax.jit
    def run(flat):
        update = lambda flat: learner.update(start._replace(params=unravel(flat)), episodes)
        loss = jax.vmap(lambda shift: update(flat + shift)[1].loss)
        shifts = step * jnp.eye(flat.size)
        return flat - ravel_pytree(update(flat)[0].params)[0], (loss(shifts) - loss(-shifts)) / (2 * step)

    gradient, expected = run(flat)
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-7 * np.abs(expected).max())
    still = jax.tree.leaves(learner.model(unravel(gradient))["head"])
    assert all(np.all(leaf == 0) for leaf in still)
    assert np.sum(np.asarray(gradient) == 0) == sum(leaf.size for leaf in still)


def test_r2d2_begins_as_ridge_and_its_model_moves_as_ridge_s(x64):
    params, episodes = problem(np.float64)
    options = {"l2": 0.3, "scale": 2.5}
    (state, info), (fixed, fixed_info) = (
        jax.jit(learner.update)(learner.init(params), episodes)
        for learner in (build("r2d2", **options), build("ridge", **options))
    )
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9)
    jax.tree.map(close, state.params.params, fixed.params)
    close(info.query_losses, fixed_info.query_losses)
    moved = state.params
    assert moved.log_l2 != np.log(0.3)
    assert moved.scale != 2.5
    assert np.all(np.asarray(moved.offset) != 0)


@pytest.mark.parametrize("name", ["protonet", "r2d2"])
def test_a_class_without_examples_and_equal_examples_break_nothing(name):
    params, episodes = problem()
    # Four times one image, of class 1; ridge with next to no penalty besides.
    support = episodes.support._replace(
        inputs=np.repeat(np.asarray(episodes.support.inputs)[:, :1], 4, axis=1), targets=np.ones((2, 4), np.int32)
    )
    episodes = episodes._replace(support=support)
    learner = build(name, **({} if name == "protonet" else {"l2": 1e-30}))
    state, info = jax.jit(learner.update)(learner.init(params), episodes)
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves((state, info)))
    adapted, _ = jax.jit(learner.adapt)(learner.init(params).params, one(support))
    logits = np.asarray(apply(adapted, np.asarray(episodes.query.inputs)[0]).logits)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_array_equal(probabilities, np.tile([0.0, 1.0, 0.0], (6, 1)))


@pytest.mark.parametrize("name", NAMES)
def test_other_heads_are_refused_in_one_line(name):
    other = mf.backbones.mlp(hidden=(4,), outputs=3, head="quadratic")
    learner = mf.LEARNERS[name].make(mf.objectives.loss_fn(other, objective), outer_optimizer=optax.sgd(1.0))
    params = {"Dense_0": {}, "head": {"Dense_0": {"kernel": jnp.zeros((8, 3)), "bias": jnp.zeros(3)}}}
    with pytest.raises(ValueError, match="the head must be linear to be written, and has Dense_0: head='linear'"):
        learner.adapt(learner.init(params).params, one(problem()[1].support))
    with pytest.raises(ValueError, match="no head"):
        mf.LEARNERS[name].make(mf.objectives.loss_fn(model.apply, objective), outer_optimizer=optax.sgd(1.0))


def test_a_penalty_that_has_no_logarithm_is_refused():
    with pytest.raises(ValueError, match="`l2` must be above 0, since its logarithm is learned, got 0"):
        inspect.unwrap(mf.r2d2)(mf.objectives.loss_fn(model, objective), outer_optimizer=optax.sgd(1.0), l2=0)


@pytest.mark.parametrize("name", ["anil", "protonet", "ridge"])
def test_conv4_learns_under_each_with_the_support_set_s_statistics(name):
    conv = mf.backbones.conv4(width=4, convolution="lax")
    options = {"inner_optimizer": optax.sgd(0.1)} if name == "anil" else {}
    learner = mf.LEARNERS[name].make(mf.objectives.loss_fn(conv, objective), outer_optimizer=optax.sgd(0.01), **options)
    rng = np.random.default_rng(0)
    batch = mf.Batch(jnp.asarray(rng.uniform(size=(2, 4, 16, 16, 3)), jnp.float32), jnp.array([[0, 1, 0, 1]] * 2))
    shapes = jax.eval_shape(conv.init, jax.random.key(0), batch.inputs[0])
    params = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape) * 0.3, leaf.dtype), shapes)
    start = learner.init(params)
    state, info = jax.jit(learner.update)(start, mf.Episode(batch, batch))
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves((state, info)))
    before, after = (learner.model(state.params)["Conv_0"]["kernel"] for state in (start, state))
    assert np.all(before != after)
