"""Learning from captions: two small towers that train from scratch, alone and inside the loops of a meta-learner."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import metaforge as mf
from metaforge import objectives
from metaforge.backbones import two_towers
from metaforge.backbones.clip_model import (
    SMALL_TEXT,
    TextConfig,
    VisionConfig,
    WordTokenizer,
    read_weights,
    words_of,
    write_weights,
)
from metaforge.errors import InputError

COLOURS = {"red": (1.0, 0.1, 0.1), "green": (0.1, 0.9, 0.1), "blue": (0.1, 0.2, 1.0), "yellow": (0.9, 0.9, 0.1)}
SHAPES = {
    "square": lambda y, x: np.maximum(abs(y), abs(x)) < 4,
    "bar": lambda y, x: abs(y) < 1.5,
    "post": lambda y, x: abs(x) < 1.5,
    "cross": lambda y, x: (abs(x) < 1.5) | (abs(y) < 1.5),
}
CAPTIONS = [f"{colour} {shape}" for colour in COLOURS for shape in SHAPES]
VISION = VisionConfig(image_size=16, patch_size=4, width=32, layers=1, heads=2, projection=16)
TEXT = TextConfig(vocabulary=16, context=5, width=32, layers=1, heads=2, projection=16)


def drawing(caption, rng):
    """A shape in its colour on grey, a pixel to and fro, with noise."""
    colour, shape = caption.split()
    y, x = np.mgrid[-7.5:8.5, -7.5:8.5] + rng.integers(-1, 2, 2).reshape(2, 1, 1)
    image = np.where(SHAPES[shape](y, x)[:, :, None], np.array(COLOURS[colour]), 0.5)
    return np.clip(image + rng.normal(0, 0.03, image.shape), 0, 1).astype(np.float32)


def drawings(seed):
    """One of each caption; what is red or green counts as fake, for the branches that need a class."""
    rng = np.random.default_rng(seed)
    tokens = WordTokenizer(words_of(CAPTIONS))(CAPTIONS, context=TEXT.context)
    images = np.stack([drawing(caption, rng) for caption in CAPTIONS])
    targets = np.array([caption.startswith(("red", "green")) for caption in CAPTIONS], np.int32)
    return mf.Batch({"image": jnp.asarray(images), "tokens": jnp.asarray(tokens)}, jnp.asarray(targets))


def test_towers_that_start_from_nothing_learn_which_words_are_true_of_images_they_have_not_seen():
    model = two_towers(vision=VISION, text=TEXT, heads=2)
    # Without the way back through the third branch, whose compilation is most of the time; the next tests have it.
    loss_fn, optimizer = objectives.loss_fn(model, objectives.image_text(multimodal=0.0)), optax.adam(5e-3)

    @jax.jit
    def run(params, state, batch):
        (_, metrics), gradient = jax.value_and_grad(loss_fn, has_aux=True)(params, batch)
        updates, state = optimizer.update(gradient, state)
        return optax.apply_updates(params, updates), state, metrics

    params = jax.jit(model.init)(jax.random.key(0), None)
    state = jax.jit(optimizer.init)(params)
    alignment = lambda batch: float(run(params, state, batch)[2]["loss/alignment"])
    chance = np.log(len(CAPTIONS))
    assert alignment(drawings(99)) > 0.8 * chance
    for seed in range(90):
        params, state, _ = run(params, state, drawings(seed))
    # Half of log 16: to its own caption a drawing gives a quarter, where chance gives a sixteenth. The drawings are
    # new, so no memory of them helps; and with the words of another one the same towers are worse than chance.
    new = drawings(99)
    shifted = new._replace(
        inputs={**new.inputs, "tokens": jnp.asarray(np.roll(np.asarray(new.inputs["tokens"]), 1, axis=0))}
    )
    assert alignment(new) < chance / 2
    assert alignment(shifted) > chance
    assert run(params, state, new)[2]["accuracy"] == 1


TINY = {
    "vision": VisionConfig(image_size=8, patch_size=4, width=8, layers=1, heads=2, projection=6),
    "text": TextConfig(vocabulary=9, context=5, width=8, layers=1, heads=2, projection=6),
}
tiny = two_towers(**TINY, heads=2)
apply = jax.jit(tiny.apply)


@pytest.fixture(scope="module")
def params():
    return jax.jit(tiny.init)(jax.random.key(0), None)


def described(seed, *shape):
    """Images with captions of one to three words, and classes."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(2, 8, (*shape, 5))
    ends = rng.integers(1, 4, shape)[..., None]
    tokens = np.where(np.arange(5) < ends, tokens, np.where(np.arange(5) == ends, 8, 0))
    inputs = {
        "image": jnp.asarray(rng.uniform(size=(*shape, 8, 8, 3)), jnp.float32),
        "tokens": jnp.asarray(tokens, jnp.int32),
    }
    return mf.Batch(inputs, jnp.asarray(rng.integers(0, 2, shape), jnp.int32))


def test_at_test_the_image_is_enough_and_no_word_changes_what_is_said_of_it(params):
    inputs = described(0, 4).inputs
    told, alone = apply(params, inputs), apply(params, inputs["image"])
    assert alone.words is None
    np.testing.assert_allclose(told.logits, alone.logits, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(told.embeddings, alone.embeddings, rtol=1e-5, atol=1e-6)
    other = apply(params, {**inputs, "tokens": described(1, 4).inputs["tokens"]})
    np.testing.assert_array_equal(other.logits, told.logits)
    assert np.any(other.words.logits != told.words.logits)


def test_what_stands_behind_the_end_of_a_caption_changes_nothing(params):
    inputs = described(0, 4).inputs
    tokens = np.asarray(inputs["tokens"])
    behind = np.arange(5)[None, :] > np.argmax(tokens, axis=1)[:, None]
    assert behind.any(axis=1).all()
    noisy = {**inputs, "tokens": jnp.asarray(np.where(behind, np.int32(3), tokens))}
    jax.tree.map(np.testing.assert_array_equal, apply(params, noisy), apply(params, inputs))


def test_the_scale_of_cosines_is_held_to_a_hundred(params):
    at = lambda log: apply(params | {"logit_scale": jnp.asarray(log, jnp.float32)}, described(0, 4).inputs).words.scale
    np.testing.assert_allclose([at(2.0), at(9.0)], [np.exp(2.0), 100.0], rtol=1e-5)


def test_an_outer_step_of_daml_whose_inner_loop_alone_sees_captions_reaches_both_towers(params):
    """Captions of the support set alone: only through the inner step can the query's loss depend on the text tower."""
    loss_fn = objectives.loss_fn(tiny, objectives.image_text())
    learner = mf.daml(
        loss_fn, order="second", inner_optimizer=optax.sgd(0.05), outer_optimizer=optax.sgd(1.0), strategy="vmap"
    )
    support, query = described(0, 2, 4), described(1, 2, 4)
    query = query._replace(inputs={"image": query.inputs["image"]})

    def of_a_task(params, support, query):
        slope = jax.grad(lambda params: loss_fn(params, support)[0])(params)
        adapted = jax.tree.map(lambda value, step: value - 0.05 * step, params, slope)
        value, _ = loss_fn(adapted, query)
        return jax.nn.sigmoid(value) * value  # DAML's eq. 5

    outer = jax.jit(lambda params: jnp.sum(jax.vmap(of_a_task, (None, 0, 0))(params, support, query)))
    state, _ = jax.jit(learner.update)(learner.init(params), mf.Episode(support, query))
    gradient = jax.tree.map(lambda before, after: np.asarray(before) - np.asarray(after), params, state.params)
    for tower in ("vision", "text"):
        length = np.sqrt(sum(np.sum(leaf**2) for leaf in jax.tree.leaves(gradient[tower])))
        assert length > 1e-3, tower

        def at(step, tower=tower, length=length):
            """The outer loss after a step of that length along the tower's own gradient."""
            moved = jax.tree.map(lambda value, slope: value + step / length * slope, params[tower], gradient[tower])
            return float(outer({**params, tower: moved}))

        # There a loss rises by the gradient's length.
        np.testing.assert_allclose((at(1e-3) - at(-1e-3)) / 2e-3, length, rtol=1e-2, err_msg=tower)


def test_both_towers_and_the_scale_come_from_a_users_file(tmp_path):
    """Random weights in a file of CLIP's shape: no trained text tower is part of this package."""
    pytest.importorskip("safetensors")
    tower = {"vision": jax.jit(tiny.init)(jax.random.key(5), None)["vision"]}
    tower |= {"text": jax.jit(tiny.init)(jax.random.key(6), None)["text"], "logit_scale": jnp.asarray(2.5)}
    write_weights(tmp_path / "clip.safetensors", tower)
    found = two_towers(**TINY, heads=2, weights=tmp_path / "clip.safetensors").init(jax.random.key(0), None)
    kept = read_weights(tmp_path / "clip.safetensors", **TINY)
    jax.tree.map(np.testing.assert_array_equal, {name: found[name] for name in tower}, kept)
    np.testing.assert_array_equal(found["text"]["tokens"], tower["text"]["tokens"])
    other = dataclasses.replace(TINY["text"], width=12, heads=2)
    with pytest.raises(InputError, match="needs floating point of shape"):
        two_towers(vision=TINY["vision"], text=other, heads=2, weights=tmp_path / "clip.safetensors")


def test_towers_that_do_not_fit_each_other_are_refused():
    make = functools.partial(two_towers, vision=TINY["vision"])
    with pytest.raises(ValueError, match=r"need a `projection` of one size, .* got 6 and 32"):
        make(text=SMALL_TEXT)
    with pytest.raises(ValueError, match="`heads` must divide both widths, 8 and 8; got 3"):
        make(text=TINY["text"], heads=3)
    with pytest.raises(ValueError, match="`num_classes` must be at least 1"):
        make(text=TINY["text"], heads=2, num_classes=0)
