"""CORAL and IRM: their penalties against NumPy and finite differences, their steps against objectives written out."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import metaforge as mf
from metaforge.learners._coral import misalignment
from metaforge.learners._irm import scale_gradient

model = mf.backbones.mlp(hidden=(4,), outputs=2)
objective = mf.objectives.cross_entropy()
RULES = {"inner_optimizer": optax.sgd(0.3), "outer_optimizer": optax.sgd(1.0)}


def fresh():
    """Parameters in double precision, where it is switched on."""
    shapes, rng = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 3))), np.random.default_rng(0)
    return jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape)), shapes)


def episodes(tasks=3):
    rng = np.random.default_rng(3)
    batch = lambda n: mf.Batch(rng.normal(size=(tasks, n, 3)), rng.integers(0, 2, (tasks, n)))
    return mf.Episode(batch(4), batch(6))


def images_of(data, task):
    return mf.Batch(*(np.concatenate([getattr(side, name)[task] for side in (data.support, data.query)])
                      for name in ("inputs", "targets")))  # fmt: skip


def pairwise(embeddings, xp=np):
    """The penalty as it is defined: over pairs, with a library's covariance."""
    apart, count = 0.0, 0
    for i in range(len(embeddings)):
        for j in range(i):
            a, b = embeddings[i], embeddings[j]
            apart += xp.mean((a.mean(axis=0) - b.mean(axis=0)) ** 2)
            apart += xp.mean((xp.cov(a, rowvar=False) - xp.cov(b, rowvar=False)) ** 2)
            count += 1
    return apart / count


@pytest.mark.parametrize("tasks", [2, 3, 5])
def test_misalignment_is_the_mean_over_pairs_of_means_and_covariances(tasks, x64):
    embeddings = np.random.default_rng(tasks).normal(size=(tasks, 7, 4)) * np.arange(1, tasks + 1)[:, None, None]
    np.testing.assert_allclose(jax.jit(misalignment)(jnp.asarray(embeddings)), pairwise(embeddings), rtol=1e-12)


def test_a_single_domain_is_aligned_and_a_single_image_has_no_covariance():
    assert jax.jit(misalignment)(jnp.ones((1, 3, 2))) == 0
    assert jax.jit(misalignment)(jnp.array([[[1.0]], [[3.0]]])) == 4


def test_the_scale_gradient_is_the_slope_of_the_loss_in_a_factor_on_the_logits(x64):
    rng = np.random.default_rng(0)
    outputs = mf.Outputs(jnp.asarray(3 * rng.normal(size=(6, 3))), jnp.zeros((6, 1)))
    batch = mf.Batch(None, jnp.asarray(rng.integers(0, 3, 6)))
    at = jax.jit(lambda scale: objective(outputs._replace(logits=scale * outputs.logits), batch)[0])
    slope = (at(1 + 1e-5) - at(1 - 1e-5)) / 2e-5
    found = jax.jit(lambda: scale_gradient(objective, outputs, batch))()
    np.testing.assert_allclose(found, slope, rtol=1e-8)


def coral_by_hand(params, batches):
    outputs = [model.apply(params, batch.inputs) for batch in batches]
    losses = [objective(out, batch)[0] for out, batch in zip(outputs, batches, strict=True)]
    return sum(losses) / 3 + 5.0 * pairwise([out.embeddings for out in outputs], jnp)


def irm_by_hand(params, batches):
    total = 0.0
    for batch in batches:
        logits = model.apply(params, batch.inputs).logits
        # The derivative of -log p(y) of s times the logits: their mean under p less that of the label.
        slope = jnp.mean(
            jnp.sum(jax.nn.softmax(logits) * logits, axis=1) - logits[np.arange(len(logits)), batch.targets]
        )
        log_p = jax.nn.log_softmax(logits)[np.arange(len(logits)), batch.targets]
        total += (jnp.mean(-log_p) + 5.0 * slope**2) / 3
    return total


@pytest.mark.parametrize(("name", "by_hand"), [("coral", coral_by_hand), ("irm", irm_by_hand)])
def test_a_step_follows_the_gradient_of_the_objective_written_out(name, by_hand, x64):
    data = episodes()
    learner = mf.LEARNERS[name].make(mf.objectives.loss_fn(model, objective), weight=5.0, **RULES)
    start = learner.init(fresh())
    batches = [images_of(data, task) for task in range(3)]
    hand = jax.value_and_grad(lambda params: by_hand(params, batches))
    (loss, grads), (state, info) = jax.jit(lambda state: (hand(state.params), learner.update(state, data)))(start)
    np.testing.assert_allclose(info.loss, loss, rtol=1e-9)
    np.testing.assert_allclose(
        info.loss, np.mean(info.query_losses) + 5.0 * np.mean(info.metrics[f"loss/{name}"]), rtol=1e-9
    )
    expected = jax.tree.map(lambda p, g: np.asarray(p) - g, start.params, grads)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9), state.params, expected)


def test_the_penalty_counts_once_until_the_warm_up_is_over():
    learner = mf.irm(mf.objectives.loss_fn(model, objective), weight=7.0, warm_up=2, **RULES)
    state, update = learner.init(fresh()), jax.jit(learner.update)
    found = []
    for _ in range(3):
        state, info = update(state, episodes())
        penalty = np.mean(info.metrics["loss/irm"])
        found.append((np.asarray(info.loss) - np.mean(info.query_losses)) / penalty)
        np.testing.assert_allclose(info.metrics["weight/irm"], found[-1], rtol=1e-3)
    np.testing.assert_allclose(found, [1, 1, 7], rtol=1e-3)
