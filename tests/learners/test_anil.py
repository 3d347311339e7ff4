"""ANIL against the loop that runs the whole network at every step, and partial adaptation against a hand loop."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import metaforge as mf

model = mf.backbones.mlp(hidden=(4,), outputs=2)
objective = mf.objectives.cross_entropy()
loss_fn = mf.objectives.loss_fn(model, objective)
OPTIONS = {"inner_optimizer": optax.sgd(0.3), "outer_optimizer": optax.sgd(1.0), "inner_steps": 2}


@pytest.fixture(scope="module")
def start():
    return jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, 3)))


def episodes():
    rng = np.random.default_rng(3)
    batch = lambda n: mf.Batch(rng.normal(size=(2, n, 3)).astype(np.float32), rng.integers(0, 2, (2, n)))
    return mf.Episode(batch(4), batch(6))


def by_hand(params, episode, *, pattern, first):
    """Two steps on the parameters whose top-level name is `pattern`, written out."""
    adapted = params
    for _ in range(2):
        grads = jax.grad(lambda p: loss_fn(p, episode.support)[0])(adapted)
        grads = jax.lax.stop_gradient(grads) if first else grads
        step = lambda p, g: p - 0.3 * g
        adapted = adapted | {pattern: jax.tree.map(step, adapted[pattern], grads[pattern])}
    return loss_fn(adapted, episode.query)[0]


@pytest.mark.parametrize("order", ["first", "second"])
@pytest.mark.parametrize("name", ["anil", "maml"])
def test_partial_adaptation_follows_the_gradient_of_a_hand_loop(name, order, start):
    pattern = "head" if name == "anil" else "Dense_0"
    options = {} if name == "anil" else {"adaptable": "^Dense_0/"}
    learner = mf.LEARNERS[name].make(loss_fn, order=order, **options, **OPTIONS)

    @jax.jit
    def both(state, episodes):
        each = jax.vmap(lambda params, task: by_hand(params, task, pattern=pattern, first=order == "first"), (None, 0))
        hand = jax.value_and_grad(lambda params: jnp.sum(each(params, episodes)))
        return learner.update(state, episodes), hand(state.params)

    (state, info), (loss, grads) = both(learner.init(start), episodes())
    np.testing.assert_allclose(info.loss, loss, rtol=1e-5)
    expected = jax.tree.map(lambda p, g: np.asarray(p) - g, start, grads)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), state.params, expected)


def test_features_are_computed_once_for_each_side_of_a_task_however_many_steps(start):
    calls = []

    def counted(params, inputs, *, context=None):
        calls.append(inputs.shape)
        return model.apply(params, inputs, context=context)

    loss_fn = mf.objectives.loss_fn(model._replace(apply=counted), objective)
    learner = mf.anil(loss_fn, **(OPTIONS | {"inner_steps": 5}), order="first")
    jax.eval_shape(learner.update, learner.init(start), episodes())
    assert calls == [(4, 3), (6, 3)]


def test_a_loss_function_without_a_head_is_refused():
    with pytest.raises(ValueError, match=r"anil works on a model's head, and this loss function has no head"):
        mf.anil(mf.objectives.loss_fn(model.apply, objective), **OPTIONS)


def test_a_pattern_that_no_path_has_is_refused(start):
    learner = mf.maml(loss_fn, adaptable="^neck/", **OPTIONS)
    with pytest.raises(ValueError, match="no parameter's path has '\\^neck/'"):
        learner.adapt(start, jax.tree.map(lambda leaf: leaf[0], episodes().support))
