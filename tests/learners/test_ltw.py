"""Learning to Weight: the objective written out, and a weight network that learns, against finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import metaforge as mf
from metaforge.learners._ltw import compactness

model = mf.backbones.mlp(hidden=(4,), outputs=2)
RULES = {"inner_optimizer": optax.sgd(0.3), "outer_optimizer": optax.sgd(1.0)}


def fresh():
    """Parameters in double precision, where it is switched on."""
    shapes, rng = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 3))), np.random.default_rng(0)
    return jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape)), shapes)


def episodes(tasks=3):
    rng = np.random.default_rng(3)
    batch = lambda n: mf.Batch(rng.normal(size=(tasks, n, 3)), rng.integers(0, 2, (tasks, n)))
    return mf.Episode(batch(4), batch(6))


def images(data, tasks):
    both = lambda a, b: np.concatenate([np.concatenate([a[task], b[task]]) for task in tasks])
    return both(data.support.inputs, data.query.inputs), both(data.support.targets, data.query.targets)


def dense(layer, x):
    return x @ layer["kernel"] + layer["bias"][None]


def embed(params, x):
    return jax.nn.relu(dense(params["Dense_0"], x))


def weights_of(weigher, embeddings):
    hidden = jax.nn.relu(dense(weigher["hidden"], embeddings))
    return 1 / (1 + jnp.exp(-dense(weigher["weight"], hidden)[:, 0]))


def losses_of(params, x, y):
    logits = dense(params["head"], embed(params, x))
    return -jax.nn.log_softmax(logits)[np.arange(len(y)), y], jax.nn.softmax(logits)[:, 1]


def training(params, x, y, w):
    losses, scores = losses_of(params, x, y)
    centre = jax.lax.stop_gradient(jnp.mean(scores[y == 0]))
    gathered = jnp.sum((scores[y == 0] - centre) ** 2) - jnp.sum((scores[y == 1] - centre) ** 2)
    return jnp.mean((1 + w) * losses) + 0.05 * gathered


def held_out_loss(params, weigher, seen, unseen):
    """The held-out loss after a weighted step, as a function of the weight network among others."""
    w = weights_of(weigher, jax.lax.stop_gradient(embed(params, seen[0])))
    step = jax.grad(training)(params, *seen, w)
    return jnp.mean(losses_of(jax.tree.map(lambda p, g: p - 0.3 * g, params, step), *unseen)[0])


@pytest.fixture(scope="module")
def stepped():
    """An outer step in double precision, with its gradient: the outer rule is descent at a rate of 1."""
    with jax.enable_x64(True):
        loss_fn = mf.objectives.loss_fn(model, mf.objectives.cross_entropy())
        learner = mf.ltw(loss_fn, compact=0.05, weight=0.7, hidden=3, held_out=1, seed=1, **RULES)
        start = learner.init(fresh())
        # Off the biases of 0, where ReLU units may be at their kinks.
        start = start._replace(params=jax.tree.map(lambda leaf: leaf + 0.05, start.params))
        state, info = jax.jit(learner.update)(start, episodes())
        return start.params, jax.tree.map(jnp.subtract, start.params, state.params), info


def test_the_model_follows_the_objective_written_out_with_weights_as_constants(stepped, x64):
    meta, gradient, info = stepped
    seen, unseen = images(episodes(), (0, 1)), images(episodes(), (2,))

    def by_hand(params):
        w = jax.lax.stop_gradient(weights_of(meta.weigher, embed(params, seen[0])))
        return training(params, *seen, w) + 0.7 * held_out_loss(params, meta.weigher, seen, unseen)

    loss, expected = jax.jit(jax.value_and_grad(by_hand))(meta.params)
    np.testing.assert_allclose(info.loss, loss, rtol=1e-9)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9), gradient.params, expected)


def test_the_weight_network_learns_from_the_held_out_loss_alone(stepped, x64):
    meta, gradient, _ = stepped
    seen, unseen = images(episodes(), (0, 1)), images(episodes(), (2,))
    flat, unravel = jax.flatten_util.ravel_pytree(meta.weigher)
    after = jax.jit(lambda flat: 0.7 * held_out_loss(meta.params, unravel(flat), seen, unseen))
    slopes = np.array([(after(flat + step) - after(flat - step)) / 2e-5 for step in 1e-5 * np.eye(len(flat))])
    assert np.linalg.norm(slopes) > 1e-5
    np.testing.assert_allclose(jax.flatten_util.ravel_pytree(gradient.weigher)[0], slopes, rtol=1e-4, atol=1e-9)


def test_what_is_reported_is_unweighted_and_held_out_tasks_come_last(stepped, x64):
    meta, _, info = stepped
    seen, unseen = images(episodes(), (0, 1)), images(episodes(), (2,))

    def by_hand(meta):
        before = losses_of(meta.params, *seen)[0].reshape(2, 10).mean(axis=1)
        w = weights_of(meta.weigher, embed(meta.params, seen[0]))
        return before, held_out_loss(meta.params, meta.weigher, seen, unseen), jnp.mean(w)

    before, after, mean_weight = jax.jit(by_hand)(meta)
    np.testing.assert_allclose(info.query_losses, [*before, after], rtol=1e-9)
    np.testing.assert_allclose(info.weights, [0.5, 0.5, 0.7], rtol=1e-9)
    np.testing.assert_allclose(info.metrics["ltw/weight"], mean_weight, rtol=1e-9)


def test_a_batch_without_real_images_is_spread_from_nowhere():
    assert compactness(jnp.zeros((2, 2)), jnp.array([mf.FAKE, mf.OUTLIER])) == -0.25


def test_a_head_that_is_not_linear_is_refused():
    other = mf.backbones.mlp(hidden=(4,), outputs=2, head="mlp")
    learner = mf.ltw(mf.objectives.loss_fn(other, mf.objectives.cross_entropy()), **RULES)
    with pytest.raises(ValueError, match="a linear head"):
        learner.init(other.init(jax.random.key(0), jnp.zeros((1, 3))))
