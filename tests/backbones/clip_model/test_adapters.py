"""Adapters begin as nothing, then move; what they compute, by hand; which of their parameters are where."""

import inspect
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import metaforge as mf
from metaforge.backbones import clip
from metaforge.backbones.clip_model import LoRA, STAdapter, VisionConfig, merged_lora
from metaforge.backbones.clip_model.adapters import st_adapter
from metaforge.core import param_paths

SMALL = VisionConfig(image_size=8, patch_size=4, width=8, layers=2, heads=2)


def clips(count=4, frames=3, seed=0):
    return jnp.asarray(np.random.default_rng(seed).uniform(size=(count, frames, 8, 8, 3)), jnp.float32)


def randomised(params, part, seed=0):
    """The parameters with random numbers in a part of them."""
    rng = np.random.default_rng(seed)
    drawn = jax.tree.map(lambda leaf: leaf + jnp.asarray(0.3 * rng.normal(size=leaf.shape), leaf.dtype), params[part])
    return params | {part: drawn}


ADDITIONS = {
    "24x": {"adapter": STAdapter(width=4)},
    "24x, relu": {"adapter": STAdapter(width=4, act="relu")},
    "12x, lora": {
        "adapter": STAdapter(width=4, places="12x"),
        "lora": LoRA(rank=2, targets=("q", "k", "v", "out")),
    },
}


def leaves(*trees):
    """Path by path, the leaves of trees alike."""
    return zip(jax.tree.leaves(param_paths.paths(trees[0])), *map(jax.tree.leaves, trees), strict=True)


@pytest.fixture(scope="module")
def plain():
    return jax.jit(clip(variant=SMALL).apply)


@pytest.mark.parametrize("name", ADDITIONS)
def test_additions_begin_as_nothing_then_move_and_the_rest_stays_bitwise(name, plain):
    model = clip(variant=SMALL, **ADDITIONS[name])
    params = jax.jit(model.init)(jax.random.key(0), clips())
    optimizer = param_paths.moving_only(optax.sgd(0.5), "adapters|lora|head")
    loss_fn = mf.objectives.loss_fn(model.apply, mf.objectives.cross_entropy())
    batch = mf.Batch(clips(), jnp.array([0, 1, 2, 1]))

    @jax.jit
    def step(params, state):
        (loss, _), grads = jax.value_and_grad(loss_fn, has_aux=True)(params, batch)
        updates, state = optimizer.update(grads, state, params)
        return optax.apply_updates(params, updates), state, grads, loss

    moved, state, first, loss = step(params, optimizer.init(params))
    bare = plain({part: params[part] for part in ("vision", "head")}, clips())
    np.testing.assert_allclose(loss, mf.objectives.cross_entropy()(bare, batch)[0], rtol=1e-5)

    twice, _, second, _ = step(moved, state)
    added = {path for path, *_ in leaves(params) if path.startswith(("adapters", "lora"))}
    # Nothing looks at the patch tokens behind the last MLP.
    idle = {path for path in added if path.startswith("adapters/01/mlp")}
    alive = [{path for path, gradient in leaves(grads) if np.any(gradient != 0)} for grads in (first, second)]
    assert {path for path in added if path.endswith(FIRST[name])} - idle <= alive[0]
    assert added - idle <= alive[1]
    assert not idle & alive[1]
    for path, before, after, end in leaves(params, moved, twice):
        frozen = path.startswith("vision") or path in idle
        assert np.array_equal(before, end) == frozen, path
        assert np.array_equal(before, after) or not frozen, path


# What has a gradient at the very first step: what is 0 then, for what stands before it waits for that.
FIRST = {
    "24x": ("conv/kernel", "conv/bias", "up/bias"),
    "24x, relu": ("up/kernel", "up/bias"),
    "12x, lora": ("conv/kernel", "conv/bias", "up/bias", "/b"),
}


def test_a_relu_behind_a_convolution_of_zeros_would_be_dead():
    # Why `act="relu"` has an initialisation of its own: with the other one only a bias moves.
    model = clip(variant=SMALL, adapter=STAdapter(width=4, act="none", places="12x"))
    params = model.init(jax.random.key(0), clips())
    dead = clip(variant=SMALL, adapter=STAdapter(width=4, act="relu", places="12x"))
    grads = jax.jit(jax.grad(lambda params: jnp.sum(dead.apply(params, clips()).logits[:, 0])))(params)
    moving = {path for path, gradient in leaves(grads) if path.startswith("adapters") and np.any(gradient != 0)}
    assert moving == {"adapters/00/mlp/up/bias"}


def test_an_adapter_by_hand():
    """One clip of three frames, one patch, widths 1: x_t + up phi(k_0 h_{t-1} + k_1 h_t + k_2 h_{t+1} + c) + b."""
    params = {
        "down": {"kernel": jnp.array([[2.0]]), "bias": jnp.array([1.0])},
        "conv": {"kernel": jnp.array([[1.0], [10.0], [100.0]]), "bias": jnp.array([-300.0])},
        "up": {"kernel": jnp.array([[0.5]]), "bias": jnp.array([4.0])},
    }
    tokens = jnp.array([[[9.0], [0.0]], [[9.0], [1.0]], [[9.0], [2.0]]])  # h = 1, 3, 5
    none = st_adapter(params, tokens, frames=3, act="none")
    np.testing.assert_allclose(none[:, 0, 0], [9, 9, 9])  # the class token passes through
    np.testing.assert_allclose(none[:, 1, 0], [0 + 5 + 4, 1 + 115.5 + 4, 2 - 123.5 + 4])
    relu = st_adapter(params, tokens, frames=3, act="relu")
    np.testing.assert_allclose(relu[:, 1, 0], [9, 120.5, 6])
    # Frame by frame there are zeros on both sides: k_1 alone.
    np.testing.assert_allclose(st_adapter(params, tokens, frames=1, act="none")[:, 1, 0], [-141, -130, -119])


@pytest.mark.parametrize(("places", "millions"), [("24x", 14_220_288), ("12x", 7_110_144)])
def test_adapters_have_the_published_number_of_parameters(places, millions):
    # 24 times 592,512: 768 * 384 + 384, 3 * 384 + 384, 384 * 768 + 768.
    model = clip(adapter=STAdapter(places=places))
    shapes = jax.eval_shape(model.init, jax.random.key(0), jax.ShapeDtypeStruct((1, 224, 224, 3), jnp.uint8))
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes["adapters"])) == millions


def test_merged_low_rank_updates_give_the_same_outputs():
    lora = LoRA(rank=2, alpha=3.0, targets=("q", "k", "v", "out"))
    model = clip(variant=SMALL, lora=lora)
    params = randomised(jax.jit(model.init)(jax.random.key(0), clips()), "lora")
    before = jax.tree.map(np.array, params)
    expected = jax.jit(model.apply)(params, clips())
    merged = merged_lora(params, lora)
    jax.tree.map(np.testing.assert_array_equal, params, before)
    outputs = jax.jit(clip(variant=SMALL).apply)(merged, clips())
    np.testing.assert_allclose(outputs.logits, expected.logits, rtol=1e-4, atol=1e-5)
    first = jax.jit(clip(variant=SMALL).apply)({part: params[part] for part in ("vision", "head")}, clips())
    assert np.abs(first.logits - expected.logits).max() > 1e-2


def test_merging_what_has_no_low_rank_updates_is_refused():
    with pytest.raises(ValueError, match="these parameters have no 'lora', only head, vision"):
        merged_lora({"vision": {}, "head": {}}, LoRA())


def test_choices_that_make_no_sense_are_refused():
    check = inspect.unwrap(STAdapter.__post_init__)  # what runs where types are not checked
    with pytest.raises(ValueError, match="unknown `places` '6x'; known: 24x, 12x"):
        check(SimpleNamespace(places="6x"))
    with pytest.raises(ValueError, match="unknown `act` 'gelu'; known: none, relu"):
        check(SimpleNamespace(places="24x", act="gelu"))
    with pytest.raises(ValueError, match="`frames` odd, got 384 and 2"):
        STAdapter(frames=2)
    with pytest.raises(ValueError, match=r"`targets` must be some of q, k, v, out, got \('o',\)"):
        LoRA(targets=("o",))
    with pytest.raises(ValueError, match="`rank` must be at least 1, got 0"):
        LoRA(rank=0)
