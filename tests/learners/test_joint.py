"""Learners that train on domains jointly run every domain on its own."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import metaforge as mf

OPTIONS = {"mldg": {}, "group_dro": {"domains": 2}, "ltw": {}, "coral": {}, "irm": {}, "erm": {}}


def centred(params, inputs, *, context=None):
    """A linear model normalised by the mean of the batch at hand."""
    embeddings = inputs - jnp.mean(inputs, axis=0, keepdims=True)
    return mf.Outputs(embeddings @ params["head"]["kernel"], embeddings)


@pytest.mark.parametrize("name", OPTIONS)
def test_a_domain_is_normalised_by_its_own_images(name):
    loss_fn = mf.objectives.loss_fn(centred, mf.objectives.cross_entropy())
    rules = {"inner_optimizer": optax.sgd(0.1), "outer_optimizer": optax.sgd(0.1)}
    learner = mf.LEARNERS[name].make(loss_fn, **rules, **OPTIONS[name])
    rng = np.random.default_rng(0)
    inputs, targets = rng.normal(size=(2, 6, 3)).astype(np.float32), rng.integers(0, 2, (2, 6))
    state = learner.init({"head": {"kernel": jnp.asarray(rng.normal(size=(3, 2)), jnp.float32)}})
    update, losses = jax.jit(learner.update), []
    for shift in (0.0, 4.0):
        moved = inputs + shift * np.arange(2, dtype=np.float32)[:, None, None]  # the second domain is another place
        batch = lambda part, moved=moved: mf.Batch(jnp.asarray(moved[:, part]), jnp.asarray(targets[:, part]))
        episodes = mf.Episode(batch(slice(2)), batch(slice(2, None)), jnp.arange(2))
        losses.append(update(state, episodes)[1].loss)
    assert np.isclose(*losses, rtol=1e-4) == (name != "erm")
