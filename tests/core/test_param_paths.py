"""Patterns choose parameters; optimizers and learners move these and nothing else."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import metaforge as mf
from metaforge.backbones import mlp
from metaforge.core import param_paths

PARAMS = {
    "vision": {"blocks": {"00": {"kernel": 1.0}, "01": {"kernel": 2.0}}, "class": 3.0},
    "adapters": {"00": {"kernel": 4.0, "bias": 5.0}},
    "head": [6.0, 7.0],
}


@pytest.mark.parametrize(
    ("pattern", "moving"),
    [
        ("adapters|head", {4.0, 5.0, 6.0, 7.0}),
        ("^vision/blocks/01", {2.0}),
        ("bias$", {5.0}),
        ("head/1", {7.0}),
        ("kernel", {1.0, 2.0, 4.0}),
        ("", {1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0}),
    ],
)
def test_a_pattern_is_searched_in_the_path(pattern, moving):
    mask = param_paths.trainable(PARAMS, pattern)
    chosen = jax.tree.map(lambda moves, leaf: leaf if moves else None, mask, PARAMS)
    assert set(jax.tree.leaves(chosen)) == moving
    parts = param_paths.partition(PARAMS, pattern)
    assert set(jax.tree.leaves(parts[0])) == moving
    assert set(jax.tree.leaves(parts[1])) == set(jax.tree.leaves(PARAMS)) - moving
    assert param_paths.merge(*parts) == PARAMS


def test_paths_of_tuples_and_named_tuples():
    assert param_paths.paths((mf.Outputs(1.0, 2.0),)) == (mf.Outputs("0/logits", "0/embeddings"),)  # type: ignore


def test_a_pattern_that_means_nothing_is_refused():
    with pytest.raises(ValueError, match="no parameter's path has 'adaptor'; paths begin with adapters, head, vision"):
        param_paths.trainable(PARAMS, "adaptor")
    with pytest.raises(ValueError, match=r"'\(' is no regular expression"):
        param_paths.trainable(PARAMS, "(")


def test_what_is_frozen_stays_bitwise_and_has_no_state_or_share_in_the_norm():
    params = {"vision": jnp.array([0.1, 1e30]), "head": jnp.array([3.0, 4.0])}
    optimizer = param_paths.moving_only(
        optax.chain(
            optax.clip_by_global_norm(1.0), optax.trace(0.9), optax.add_decayed_weights(0.1), optax.scale(-1.0)
        ),
        "head",
    )
    state = optimizer.init(params)
    assert sum(leaf.size for leaf in jax.tree.leaves(state)) == 2  # the momentum of the head
    updates, _ = optimizer.update({"vision": jnp.array([jnp.nan, 1e30]), "head": params["head"]}, state, params)
    moved = optax.apply_updates(params, updates)
    np.testing.assert_array_equal(moved["vision"], params["vision"])
    np.testing.assert_allclose(
        moved["head"], params["head"] - (params["head"] / 5 + 0.1 * params["head"]), rtol=1e-6, atol=1e-6
    )


def test_a_learner_moves_the_attached_part_alone():
    model = mlp(hidden=(4,), outputs=2)
    whole = model.init(jax.random.key(0), jnp.ones((1, 3)))
    moving, frozen = param_paths.partition(whole, "head")
    batch = mf.Batch(jnp.asarray(np.random.default_rng(0).normal(size=(2, 6, 3)), jnp.float32), jnp.ones((2, 6), int))
    episode = mf.Episode(batch, batch)

    def learner(frozen):
        loss_fn = mf.objectives.loss_fn(param_paths.attach(model.apply, frozen), mf.objectives.cross_entropy())
        return mf.fomaml(loss_fn, inner_optimizer=optax.sgd(0.5), outer_optimizer=optax.sgd(0.5))

    @jax.jit
    def update(state, frozen, episode):
        return learner(frozen).update(state, episode)

    state = learner(frozen).init(moving)
    moved, _ = update(state, frozen, episode)
    assert jax.tree.structure(moved.params) == jax.tree.structure(moving)
    assert len(jax.tree.leaves(moved.params)) == 2
    assert all(np.any(a != b) for a, b in zip(*map(jax.tree.leaves, (moved.params, moving)), strict=True))
    # One step by hand of the same loss, over the head alone.
    support = jax.tree.map(lambda rows: rows[0], batch)
    loss = lambda head: mf.objectives.cross_entropy()(model.apply(whole | {"head": head}, support.inputs), support)[0]
    by_hand = jax.tree.map(lambda leaf, grad: leaf - 0.5 * grad, whole["head"], jax.grad(loss)(whole["head"]))
    adapted, _ = mf.adapt(
        mf.objectives.loss_fn(param_paths.attach(model.apply, frozen), mf.objectives.cross_entropy()),
        moving,
        support,
        optimizer=optax.sgd(0.5),
        num_steps=1,
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), adapted["head"], by_hand)
