"""MLDG against its objective written out, exactly and to first order."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import metaforge as mf
from metaforge.errors import InputError

model = mf.backbones.mlp(hidden=(4,), outputs=2)
loss_fn = mf.objectives.loss_fn(model.apply, mf.objectives.cross_entropy())
RULES = {"inner_optimizer": optax.sgd(0.3), "outer_optimizer": optax.sgd(1.0)}


def fresh():
    """Parameters in double precision, where it is switched on."""
    shapes, rng = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 3))), np.random.default_rng(0)
    return jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape)), shapes)


def episodes(tasks):
    rng = np.random.default_rng(3)
    batch = lambda n: mf.Batch(rng.normal(size=(tasks, n, 3)), rng.integers(0, 2, (tasks, n)))
    return mf.Episode(batch(4), batch(6))


def images_of(data, task):
    return mf.Batch(*(np.concatenate([getattr(side, name)[task] for side in (data.support, data.query)])
                      for name in ("inputs", "targets")))  # fmt: skip


@pytest.mark.parametrize(
    ("order", "held_out", "steps", "strategy"), [("second", 2, 1, "vmap"), ("first", None, 2, "scan")]
)
def test_a_step_follows_the_gradient_of_the_objective_written_out(order, held_out, steps, strategy, x64):
    data, held = episodes(3), held_out or 1
    batches = [images_of(data, task) for task in range(3)]
    seen, unseen = batches[: 3 - held], batches[3 - held :]

    def mean_loss(params, batches):
        return sum(loss_fn(params, batch)[0] for batch in batches) / len(batches)

    def by_hand(params):
        after = params
        for _ in range(steps):
            grads = jax.grad(mean_loss)(after, seen)
            grads = jax.lax.stop_gradient(grads) if order == "first" else grads
            after = jax.tree.map(lambda p, g: p - 0.3 * g, after, grads)
        each = [loss_fn(params, batch)[0] for batch in seen] + [loss_fn(after, batch)[0] for batch in unseen]
        return mean_loss(params, seen) + 0.7 * mean_loss(after, unseen), jnp.stack(each)

    learner = mf.mldg(
        loss_fn, order=order, held_out=held_out, inner_steps=steps, weight=0.7, strategy=strategy, **RULES
    )
    start = learner.init(fresh())
    hand = jax.value_and_grad(by_hand, has_aux=True)
    ((loss, each), grads), (state, info) = jax.jit(lambda state: (hand(state.params), learner.update(state, data)))(
        start
    )
    np.testing.assert_allclose(info.loss, loss, rtol=1e-9)
    np.testing.assert_allclose(info.query_losses, each, rtol=1e-9)
    np.testing.assert_allclose(info.weights, [1 / (3 - held)] * (3 - held) + [0.7 / held] * held, rtol=1e-9)
    expected = jax.tree.map(lambda p, g: np.asarray(p) - g, start.params, grads)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9), state.params, expected)


@pytest.mark.parametrize(("tasks", "held_out"), [(1, None), (3, 3), (3, 0)])
def test_a_meta_batch_without_two_parts_is_refused(tasks, held_out):
    learner = mf.mldg(loss_fn, held_out=held_out, **RULES)
    state = learner.init(fresh())
    with pytest.raises(InputError, match=f"of {tasks} tasks: give larger meta-batches"):
        learner.update(state, episodes(tasks))
