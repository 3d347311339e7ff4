"""The image-text loss against plain loops and CLIP's published lines in double precision, and at its edges."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax

from metaforge import losses

ATOL = 1e-5
"""A loss near 0 is a difference of numbers of the scale's size, which float32 has to 1e-6."""

CAPTIONS = np.array([4, 0, 4, 9, 4])
image_text_contrastive = jax.jit(losses.image_text_contrastive)


def pairs(seed=0, count=5):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, 3)).astype(np.float32), rng.normal(size=(count, 3)).astype(np.float32)


def unit(rows):
    rows = np.asarray(rows, np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def slow(images, texts, captions, scale):
    images, texts = unit(images), unit(texts)
    log_sum = lambda scores: np.log(np.sum(np.exp(scores)))
    values = []
    for i in range(len(images)):
        rivals = [j for j in range(len(images)) if j == i or captions[j] != captions[i]]
        finds_text = log_sum([scale * images[i] @ texts[j] for j in rivals])
        finds_image = log_sum([scale * images[j] @ texts[i] for j in rivals])
        values.append((finds_text + finds_image) / 2 - scale * images[i] @ texts[i])
    return np.array(values)


def transformers_clip_loss(images, texts, scale):
    """`clip_loss` of Hugging Face's transformers, line by line: cross-entropies of both ways against the diagonal."""
    logits_per_text = unit(texts) @ unit(images).T * scale
    contrastive = lambda logits: -np.mean(np.diagonal(log_softmax(logits, axis=1)))
    return (contrastive(logits_per_text) + contrastive(logits_per_text.T)) / 2


@pytest.mark.parametrize("scale", [1.0, 1 / 0.07, 100.0])
@pytest.mark.parametrize("captions", [np.arange(5), CAPTIONS], ids=["all differ", "some repeat"])
def test_it_is_the_formula(scale, captions):
    images, texts = pairs()
    values = image_text_contrastive(images, texts, jnp.asarray(captions), scale=scale)
    # At the scale of 100 one unit in the last place of a similarity is 1e-5 already.
    np.testing.assert_allclose(values, slow(images, texts, captions, scale), rtol=1e-5, atol=max(ATOL, 4e-7 * scale))


@pytest.mark.parametrize("scale", [1.0, 1 / 0.07, 100.0])
def test_without_captions_its_mean_is_the_loss_of_clip(scale):
    images, texts = pairs(seed=1, count=7)
    values = image_text_contrastive(images, texts, scale=scale)
    np.testing.assert_allclose(np.mean(values), transformers_clip_loss(images, texts, scale), rtol=1e-5, atol=ATOL)


def test_images_and_texts_are_alike_to_it():
    images, texts = pairs()
    run = lambda *both: image_text_contrastive(*both, jnp.asarray(CAPTIONS), scale=10.0)
    np.testing.assert_allclose(run(texts, images), run(images, texts), rtol=1e-5, atol=ATOL)


def test_lengths_do_not_count_and_nor_does_what_captions_are_called():
    images, texts = pairs()
    expected = image_text_contrastive(images, texts, jnp.asarray(CAPTIONS), scale=10.0)
    renamed = jnp.asarray(np.array([-1, 2, -1, 5, -1]))
    longer = image_text_contrastive(images * np.float32(9), texts * np.float32(0.2), renamed, scale=10.0)
    np.testing.assert_allclose(longer, expected, rtol=1e-5, atol=ATOL)


def test_what_tells_nothing_apart_costs_the_logarithm_of_the_choices():
    # All alike: 5 choices without captions; with them, three of a caption choose among themselves and two others.
    same = np.ones((5, 3), np.float32)
    choose = lambda captions: image_text_contrastive(same, same, jnp.asarray(captions), scale=10.0)
    np.testing.assert_allclose(choose(np.arange(5)), np.full(5, np.log(5)), rtol=1e-6)
    np.testing.assert_allclose(choose(CAPTIONS), np.log([3, 5, 3, 5, 3]), rtol=1e-6)


def test_images_that_share_a_caption_can_all_be_right_and_do_not_push_each_other():
    # Three on one axis with one text, and one elsewhere: nothing is left to learn but exp(-scale).
    images, captions = np.eye(2, dtype=np.float32)[[0, 0, 0, 1]], jnp.asarray(np.array([1, 1, 1, 2]))
    values = image_text_contrastive(images, images, captions, scale=20.0)
    np.testing.assert_allclose(values, np.zeros(4), atol=1e-6)
    # As if they all differed, the same three would each pay log 3, and be pushed from their own words.
    apart = image_text_contrastive(images, images, jnp.arange(4), scale=20.0)
    np.testing.assert_allclose(apart, [np.log(3)] * 3 + [0], atol=1e-6)


def test_the_scale_is_data_and_has_a_gradient():
    images, texts = pairs()
    total = jax.jit(jax.value_and_grad(lambda scale: image_text_contrastive(images, texts, scale=scale).sum()))
    at = lambda scale: slow(images, texts, np.arange(5), scale).sum()
    value, slope = total(jnp.asarray(5.0))
    np.testing.assert_allclose(value, at(5.0), rtol=1e-5)
    np.testing.assert_allclose(slope, (at(5.0 + 1e-5) - at(5.0 - 1e-5)) / 2e-5, rtol=1e-5)


def test_scales_are_above_zero():
    with pytest.raises(ValueError, match=r"`scale` must be above 0, got 0\.0"):
        losses.image_text_contrastive(*map(jnp.asarray, pairs()), scale=0.0)
