"""Any backbone beside a text tower: the image's side stays its own, and without captions nothing is missed."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import metaforge as mf
from metaforge import objectives
from metaforge.backbones import choice, conv4, reading, without_words
from metaforge.backbones._reading import map_tokens
from metaforge.backbones.clip_model import TextConfig
from metaforge.backbones.spec import BackboneSpec
from metaforge.errors import InputError

TEXT = TextConfig(vocabulary=9, context=5, width=8, layers=1, heads=2, projection=6)
image = conv4(width=4)
model = reading(image, looks=map_tokens(image.apply, 4), text=TEXT, heads=2)
init, apply, image_apply = jax.jit(model.init), jax.jit(model.apply), jax.jit(image.apply)


def batch(seed, count=6, *leading):
    rng = np.random.default_rng(seed)
    tokens = rng.integers(2, 8, (*leading, count, 5))
    ends = rng.integers(1, 4, (*leading, count))[..., None]
    tokens = np.where(np.arange(5) < ends, tokens, np.where(np.arange(5) == ends, 8, 0))
    images = rng.uniform(size=(*leading, count, 32, 32, 3))
    inputs = {"image": jnp.asarray(images, jnp.float32), "tokens": jnp.asarray(tokens, jnp.int32)}
    return mf.Batch(inputs, jnp.asarray(np.resize([0, 1], (*leading, count)), jnp.int32))


@pytest.fixture(scope="module")
def params():
    return init(jax.random.key(0), batch(0).inputs["image"])


def test_the_image_s_side_begins_as_it_would_alone_and_says_what_it_would_alone(params):
    alone = jax.jit(image.init)(jax.random.key(0), batch(0).inputs["image"])
    jax.tree.map(np.testing.assert_array_equal, without_words(params), alone)
    inputs = batch(1).inputs
    told, untold = apply(params, inputs), apply(without_words(params), inputs["image"])
    expected = image_apply(alone, inputs["image"])
    np.testing.assert_array_equal(untold.logits, expected.logits)
    np.testing.assert_allclose(told.logits, expected.logits, rtol=1e-5, atol=1e-6)
    assert untold.words is None
    other = apply(params, {**inputs, "tokens": batch(2).inputs["tokens"]})
    np.testing.assert_array_equal(other.logits, told.logits)
    assert np.any(other.words.logits != told.words.logits)


def test_words_look_at_places_of_the_image_in_any_order(params):
    """Attention has no order among what it looks at."""
    moved = reading(image, looks=lambda *args, **more: _turned(*args, **more), text=TEXT, heads=2)
    inputs = batch(1).inputs
    here, there = apply(params, inputs), jax.jit(moved.apply)(params, inputs)
    np.testing.assert_allclose(here.words.logits, there.words.logits, rtol=1e-4, atol=1e-5)
    outputs, parts = jax.jit(map_tokens(image.apply, 4))(without_words(params), inputs["image"])
    assert parts.shape == (6, 4, 4)
    np.testing.assert_array_equal(parts.reshape(6, 16), outputs.embeddings)


def _turned(params, images, *, context=None, key=None):
    outputs, parts = map_tokens(image.apply, 4)(params, images, context=context)
    return outputs, parts[:, ::-1]


def test_branches_of_weight_zero_train_the_image_to_the_same_bits(params):
    optimizer = optax.adam(1e-2)

    def trained(model, objective, params, tokens):
        loss_fn = objectives.loss_fn(model, objective)

        @jax.jit
        def step(params, state, batch):
            updates, state = optimizer.update(jax.grad(loss_fn, has_aux=True)(params, batch)[0], state)
            return optax.apply_updates(params, updates), state

        state = optimizer.init(params)
        for seed in range(3):
            given = batch(seed)
            given = given if tokens else given._replace(inputs=given.inputs["image"])
            params, state = step(params, state, given)
        return without_words(params)

    alone = trained(image, objectives.cross_entropy(), without_words(params), False)
    off = trained(model, objectives.image_text(alignment=0.0, multimodal=0.0), params, True)
    jax.tree.map(np.testing.assert_array_equal, off, alone)


def test_a_meta_learner_whose_captions_are_rows_of_zeros_learns_as_one_without_captions(params):
    loss_fn = objectives.loss_fn(model, objectives.image_text())
    learner = mf.daml(
        loss_fn, inner_optimizer=optax.sgd(0.1), outer_optimizer=optax.sgd(0.1), order="first", strategy="vmap"
    )
    support, query = batch(0, 4, 2), batch(1, 4, 2)
    without = lambda batch: batch._replace(inputs={"image": batch.inputs["image"]})
    nothing = {**support.inputs, "tokens": jnp.zeros_like(support.inputs["tokens"])}
    update = jax.jit(learner.update)
    states = [
        update(learner.init(params), mf.Episode(given, without(query)))[0].params
        for given in (without(support), support._replace(inputs=nothing), support)
    ]
    first, same, other = ([np.asarray(leaf) for leaf in jax.tree.leaves(state)] for state in states)
    for one, another in zip(first, same, strict=True):
        assert np.abs(one - another).max() < 1e-6
    assert max(np.abs(one - another).max() for one, another in zip(first, other, strict=True)) > 1e-5


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"image_size": 48, "width": 4}, (9, 4)),
        ({"image_size": 32, "width": 4, "neck": 3}, (1, 3)),
        ({"backbone": "efficientnet_lite0", "normalisation": "group"}, (1, 1280)),
        ({"backbone": "clip", "variant": "small", "normalisation": "none", "image_size": 16}, (5, 64)),
    ],
    ids=lambda given: "-".join(map(str, given.values())) if isinstance(given, dict) else "",
)
def test_every_backbone_may_read_and_has_the_tokens_that_it_has(changes, parts):
    spec = BackboneSpec(**changes, text="small")
    choice.check(spec)
    shapes = choice.shapes(spec)
    assert {*without_words(shapes)} == {*choice.shapes(spec.alone())}
    assert shapes["words"]["parts"]["kernel"].shape == (parts[1], 64)
    made, side = choice.choose(spec), spec.image_size
    inputs = {"image": jnp.zeros((2, side, side, 3)), "tokens": jnp.ones((2, 4), int)}
    outputs = jax.eval_shape(made.apply, shapes, inputs)
    assert outputs.words.images.shape == outputs.words.texts.shape == (2, 32)
    assert choice.choose(spec).apply is made.apply
    looks = choice.looks_of(spec, choice.choose(spec.alone()))
    if looks is not None:
        assert jax.eval_shape(looks, shapes, inputs["image"])[1].shape == (2, *parts)
    else:
        assert parts[0] == 1


def test_what_cannot_read_is_refused():
    levels = BackboneSpec(backbone="efficientnet_lite0", normalisation="frozen", weights="imagenet", levels="2,4")
    with pytest.raises(InputError, match=r"^text=small: levels stay as they are"):
        choice.check(dataclasses.replace(levels, text="small"))
    with pytest.raises(ValueError, match="needs a `projection`"):
        reading(image, text=dataclasses.replace(TEXT, projection=None))
    with pytest.raises(ValueError, match="`heads` must divide the text's width, 8; got 3"):
        reading(image, text=TEXT, heads=3)
