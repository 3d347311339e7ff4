"""Keys that travel with batches: another in every inner step, task and side; none where none is given."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import metaforge as mf
from metaforge.core.keys import split_keys


def drawing(params, batch):
    """A loss whose gradient is a random number."""
    return params * jax.random.uniform(batch.key), {}


@pytest.mark.parametrize("order", ["first", "second", "mixed"])
def test_every_inner_step_draws_anew(order):
    support = mf.Batch(jnp.zeros((1, 1)), jnp.zeros(1, int), key=jax.random.key(0))
    run = lambda x: mf.adapt(drawing, x, support, optimizer=optax.sgd(1.0), num_steps=3, order=order)
    adapted, info = run(jnp.array(10.0))
    # Each loss is where it was taken times what was drawn, and each step goes as far as was drawn.
    places, drawn = [10.0], []
    for loss in np.asarray(info.losses):
        drawn.append(loss / places[-1])
        places.append(places[-1] - drawn[-1])
    np.testing.assert_allclose(adapted, places[-1], rtol=1e-6)
    assert len(set(np.round(drawn, 4))) == 3
    assert jax.grad(lambda x: run(x)[0])(jnp.array(10.0)) == 1.0


def test_every_task_and_side_has_a_key_of_its_own():
    batch = mf.Batch(jnp.zeros((3, 2, 1)), jnp.zeros((3, 2), int))
    keyed = mf.with_keys(mf.Episode(batch, batch, jnp.arange(3)), jax.random.key(5))
    keys = jax.random.key_data(jnp.concatenate([keyed.support.key, keyed.query.key]))
    assert len({tuple(key) for key in np.asarray(keys)}) == 6
    np.testing.assert_array_equal(keyed.domain, [0, 1, 2])


def test_split_keys_go_their_own_ways():
    assert split_keys(None) is None
    found = split_keys(jax.random.split(jax.random.key(1), (2, 3)), 4)
    assert found.shape == (4, 2, 3)
    assert len(np.unique(np.asarray(jax.random.key_data(found)).reshape(24, -1), axis=0)) == 24


class Dropping(nn.Module):
    """Half of the inputs, twice as large, where there is a key."""

    @nn.compact
    def __call__(self, inputs, context):
        """Outputs of inputs."""
        seen = nn.Dropout(0.5, deterministic=not self.has_rng("dropout"))(inputs)
        return mf.Outputs(nn.Dense(2, name="head")(seen), seen)


def test_a_flax_module_draws_from_the_key_and_not_without():
    model = mf.backbones.from_flax(Dropping())
    inputs = jnp.ones((4, 64))
    params = model.init(jax.random.key(0), inputs)
    loss_fn = mf.objectives.loss_fn(model, mf.objectives.cross_entropy())
    batch = mf.Batch(inputs, jnp.array([0, 1, 0, 1]))
    np.testing.assert_array_equal(loss_fn.seen(params, batch).embeddings, inputs)
    seen = np.asarray(loss_fn.seen(params, batch._replace(key=jax.random.key(3))).embeddings)
    assert set(np.unique(seen)) == {0.0, 2.0}
    assert abs(seen.mean() - 1.0) < 0.25  # four standard errors of 256 draws
    assert loss_fn(params, batch._replace(key=jax.random.key(3)))[0] != loss_fn(params, batch)[0]
