"""Both towers against the restatement in NumPy; the released sizes against their published numbers of parameters."""

import dataclasses
import inspect
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from metaforge.backbones.clip_model import (
    TEXT,
    VISION,
    TextConfig,
    VisionConfig,
    read_weights,
    text_tower,
    vision_tower,
)
from metaforge.backbones.clip_model.config import _check
from metaforge.backbones.clip_model.transformer import attended
from tests.backbones.clip_model import restatement

SMALL = VisionConfig(image_size=8, patch_size=4, width=8, layers=2, heads=2, projection=6)
WORDS = TextConfig(vocabulary=20, context=7, width=8, layers=2, heads=2, projection=6)


@pytest.fixture(scope="module")
def tensors():
    return restatement.random_tensors(SMALL, text=WORDS)


@pytest.fixture(scope="module")
def params(tensors, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "clip.safetensors"
    save_file(tensors, path)
    return read_weights(path, vision=SMALL, text=WORDS)


def images(count=3, size=8, seed=0):
    return np.random.default_rng(seed).uniform(size=(count, size, size, 3)).astype(np.float32)


def close(actual, expected):
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_the_vision_tower_is_the_restatement(params, tensors):
    outputs = jax.jit(vision_tower(SMALL).apply)(params["vision"], images())
    close(outputs, restatement.vision(tensors, SMALL, images()))


@pytest.mark.parametrize("size", [4, 12])
def test_the_vision_tower_at_another_size_is_the_restatement(params, tensors, size):
    outputs = jax.jit(vision_tower(SMALL, image_size=size).apply)(params["vision"], images(size=size))
    close(outputs, restatement.vision(tensors, SMALL, images(size=size)))


def test_gelu_and_a_tower_without_projection_are_the_restatement(params, tensors):
    config = dataclasses.replace(SMALL, activation="gelu", projection=None)
    without = {name: part for name, part in params["vision"].items() if name != "projection"}
    outputs = jax.jit(vision_tower(config).apply)(without, images())
    assert outputs.embeddings is None
    close(outputs[1:], restatement.vision(tensors, config, images())[1:])


def test_pixels_are_standardised_as_asked(params, tensors):
    pixels = np.random.default_rng(1).integers(0, 256, (2, 8, 8, 3), np.uint8)
    outputs = jax.jit(vision_tower(SMALL, pixels="imagenet").apply)(params["vision"], pixels)
    expected = restatement.vision(
        tensors, SMALL, pixels / 255, mean=(0.485, 0.456, 0.406), deviation=(0.229, 0.224, 0.225)
    )
    close(outputs, expected)


def test_the_text_tower_is_the_restatement(params, tensors):
    ids = np.array([[18, 3, 5, 19, 0, 0, 0], [18, 7, 7, 2, 1, 4, 19], [18, 19, 19, 19, 19, 19, 19]])
    outputs = jax.jit(text_tower(WORDS).apply)(params["text"], ids)
    close(outputs, restatement.text(tensors, WORDS, ids))


def test_what_follows_the_end_of_a_text_changes_nothing(params):
    ids = jnp.array([[18, 3, 5, 19, 0, 0, 0], [18, 3, 5, 19, 6, 2, 11]])
    first, second = jax.jit(text_tower(WORDS).apply)(params["text"], ids).embeddings
    np.testing.assert_array_equal(first, second)


# Vision, text and the one number of logit_scale: what the released models have.
PUBLISHED = {
    "ViT-B/32": 151_277_313,
    "ViT-B/16": 149_620_737,
    "ViT-L/14": 427_616_513,
    "ViT-L/14@336px": 427_944_193,
}


@pytest.mark.parametrize("variant", PUBLISHED)
def test_the_released_sizes_have_the_published_number_of_parameters(variant):
    towers = vision_tower(VISION[variant]), text_tower(TEXT[variant])
    shapes = [jax.eval_shape(tower.init, jax.random.key(0)) for tower in towers]
    assert 1 + sum(leaf.size for leaf in jax.tree.leaves(shapes)) == PUBLISHED[variant]


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="`image_size` 9 is no multiple of `patch_size` 4"):
        VisionConfig(image_size=9, patch_size=4)
    with pytest.raises(ValueError, match="`width` 10 is no multiple of `heads` 4"):
        TextConfig(width=10, heads=4)
    with pytest.raises(ValueError, match="`layers` must be at least 1, got 0"):
        VisionConfig(layers=0)
    check = inspect.unwrap(_check)  # what runs where types are not checked
    with pytest.raises(ValueError, match="unknown `activation` 'relu'; known: quick_gelu, gelu"):
        check(SimpleNamespace(**vars(SMALL) | {"activation": "relu"}))
    with pytest.raises(ValueError, match="`projection` must be at least 1, or None, got 0"):
        TextConfig(projection=0)
    with pytest.raises(ValueError, match="`image_size` must be a multiple of the patch size, 4; got 10"):
        vision_tower(SMALL, image_size=10)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (np.zeros((2, 8), int), "length 7 at most, got int64 of shape"),
        (np.zeros((2, 7)), "must be integers .* got float32"),
        (np.zeros(7, int), "of shape"),
    ],
)
def test_texts_of_another_shape_are_refused(params, ids, message):
    with pytest.raises(ValueError, match=message.replace("int64", "int(32|64)")):
        text_tower(WORDS).apply(params["text"], ids)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
def test_attention_is_the_definition_and_so_is_its_gradient(kind, causal, x64):
    """Against a plain softmax in float64, also where scores are peaked and a gradient's two terms all but cancel."""
    rng = np.random.default_rng(0)
    query, key, value, weights = (rng.normal(size=(2, 3, 50, 8)) for _ in range(4))
    query, key = (jnp.asarray(3 * each, kind) for each in (query, key))
    value = jnp.asarray(value, kind)

    def plain(query, key, value):
        scores = jnp.einsum("nhtd,nhsd->nhts", query, key) / np.sqrt(8)
        scores = jnp.where(np.tri(50, dtype=bool)[None, None], scores, -1e30) if causal else scores
        return jnp.einsum("nhts,nhsd->nhtd", jax.nn.softmax(scores), value)

    def both(attention, *inputs):
        total = lambda *inputs: jnp.sum(attention(*inputs) * jnp.asarray(weights, inputs[0].dtype), dtype="float64")
        return [attention(*inputs), *jax.grad(total, argnums=(0, 1, 2))(*inputs)]

    found = both(lambda *inputs: attended(*inputs, causal=causal), query, key, value)
    expected = both(plain, *(jnp.asarray(each, "float64") for each in (query, key, value)))
    assert all(each.dtype == kind for each in found)
    close = {"float32": 1e-5, "bfloat16": 6e-3}[kind]
    for each, wanted in zip(found, expected, strict=True):
        off = np.linalg.norm(np.asarray(each, np.float64) - wanted) / np.linalg.norm(wanted)
        assert off < close
