"""The backbone: what images, clips and videos are to it, what the feature is, and in which precision."""

import dataclasses
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from metaforge import InputError
from metaforge.backbones import clip
from metaforge.backbones.clip_model import VISION, LoRA, STAdapter, VisionConfig
from tests.backbones.clip_model import restatement
from tests.backbones.clip_model.test_adapters import randomised

SMALL = VisionConfig(image_size=8, patch_size=4, width=8, layers=2, heads=2, projection=6)
RNG = np.random.default_rng(0)
VIDEOS = jnp.asarray(RNG.uniform(size=(2, 3, 4, 8, 8, 3)), jnp.float32)


@pytest.fixture(scope="module")
def model():
    return clip(variant=SMALL, adapter=STAdapter(width=4))


@pytest.fixture(scope="module")
def params(model):
    return randomised(jax.jit(model.init)(jax.random.key(0), VIDEOS), "adapters")


@pytest.fixture(scope="module")
def tensors():
    return restatement.random_tensors(SMALL)


@pytest.fixture(scope="module")
def file(tensors, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "clip.safetensors"
    save_file(tensors, path)
    return path


def close(one, other, tolerance=1e-5):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance), one, other)


def test_videos_clips_and_images_are_the_same_thing(model, params):
    apply = jax.jit(model.apply)
    videos = apply(params, VIDEOS)
    assert videos.logits.shape == (2, 3, 3)
    assert videos.embeddings.shape == (2, 3, 8)
    clips = apply(params, VIDEOS.reshape(6, 4, 8, 8, 3))
    close(jax.tree.map(lambda rows: rows.reshape(6, -1), videos), clips)
    images = VIDEOS[:, 0, 0]
    close(apply(params, images), apply(params, images[:, None]))


def test_adapters_look_along_time_within_a_clip_and_nothing_else_does(model, params):
    turned = VIDEOS[..., ::-1, :, :, :]  # the frames of every clip backwards
    apply = jax.jit(model.apply)
    assert np.abs(apply(params, VIDEOS).logits - apply(params, turned).logits).max() > 1e-3
    plain = clip(variant=SMALL)
    bare = {part: params[part] for part in ("vision", "head")}
    close(jax.jit(plain.apply)(bare, VIDEOS), jax.jit(plain.apply)(bare, turned))
    changed = VIDEOS.at[0, 1].set(0.0)  # another clip of the same video
    np.testing.assert_array_equal(apply(params, VIDEOS).logits[0, 0], apply(params, changed).logits[0, 0])


def test_the_feature_is_the_normalised_mean_of_class_tokens(file, tensors):
    model = clip(variant=SMALL, weights=file, num_classes=2)
    params = model.init(jax.random.key(0), VIDEOS)
    _, _, tokens = restatement.vision(tensors, SMALL, VIDEOS.reshape(24, 8, 8, 3))
    mean = tokens[:, 0].reshape(2, 3, 4, 8).mean(2)
    feature = restatement.layer_norm(tensors, "visual.ln_post", mean)
    outputs = jax.jit(model.apply)(params, VIDEOS)
    close(outputs.embeddings, feature, 1e-4)
    close(outputs.logits, feature @ np.asarray(params["head"]["kernel"]), 1e-4)  # its bias begins as 0


def test_the_projected_feature_is_that_of_images_and_texts(file, tensors):
    model = clip(variant=SMALL, weights=file, projection=True)
    params = model.init(jax.random.key(0), VIDEOS)
    images = VIDEOS[:, 0, 0]
    close(jax.jit(model.apply)(params, images).embeddings, restatement.vision(tensors, SMALL, images)[0], 1e-4)


def test_a_neck_and_another_head_come_after_the_feature(file):
    model = clip(variant=SMALL, weights=file, neck=5, head="quadratic")
    params = model.init(jax.random.key(0), VIDEOS)
    plain = clip(variant=SMALL, weights=file)
    features = jax.jit(plain.apply)(plain.init(jax.random.key(1), VIDEOS), VIDEOS).embeddings
    outputs = jax.jit(model.apply)(params, VIDEOS)
    seen = features @ params["neck"]["kernel"]  # its bias begins as 0
    close(outputs.embeddings, seen)
    kernel = params["head"]["Dense_0"]["kernel"]
    close(outputs.logits, seen @ kernel[:5] + seen**2 @ kernel[5:])
    close(model.head(params, outputs.embeddings), outputs.logits)


def test_uint8_is_the_same_as_floating_point(model, params):
    pixels = RNG.integers(0, 256, (2, 8, 8, 3), np.uint8)
    apply = jax.jit(model.apply)
    close(apply(params, pixels), apply(params, jnp.asarray(pixels / 255, jnp.float32)))


def test_dropout_takes_a_share_of_the_feature_where_there_is_a_key(model, params):
    dropping = clip(variant=SMALL, adapter=STAdapter(width=4), dropout=0.75)
    whole = jax.jit(model.apply)(params, VIDEOS)
    jax.tree.map(np.testing.assert_array_equal, jax.jit(dropping.apply)(params, VIDEOS), whole)
    found = jax.jit(dropping.apply)(params, VIDEOS, key=jax.random.key(0))
    kept = np.asarray(found.embeddings) != 0
    assert 0.05 < kept.mean() < 0.5  # 48 numbers, a quarter of which stay
    np.testing.assert_allclose(found.embeddings, np.where(kept, 4 * np.asarray(whole.embeddings), 0), rtol=1e-5)
    close(found.logits, model.head(params, found.embeddings))
    with pytest.raises(ValueError, match="`dropout` must be at least 0 and below 1, got 1"):
        inspect.unwrap(clip)(variant=SMALL, dropout=1.0)


def test_another_image_size_resizes_the_positions(file, tensors):
    model = clip(variant=SMALL, weights=file, image_size=12, projection=True)
    images = RNG.uniform(size=(2, 12, 12, 3)).astype(np.float32)
    params = model.init(jax.random.key(0), images)
    assert params["vision"]["positions"].shape == (5, 8)  # as in the file
    close(jax.jit(model.apply)(params, images).embeddings, restatement.vision(tensors, SMALL, images)[0], 1e-4)


def test_half_precision_is_for_the_tower_alone(file):
    options = {"variant": SMALL, "weights": file, "adapter": STAdapter(width=4), "lora": LoRA(rank=2)}
    narrow, full = clip(**options, precision="bfloat16"), clip(**options)
    params = narrow.init(jax.random.key(0), VIDEOS)
    for part in params:
        expected = jnp.bfloat16 if part == "vision" else jnp.float32
        assert {leaf.dtype for leaf in jax.tree.leaves(params[part])} == {jnp.dtype(expected)}
    reference = full.init(jax.random.key(0), VIDEOS)
    for part in ("adapters", "lora"):
        params, reference = randomised(params, part), randomised(reference, part)

    def value(params, model):
        outputs = model.apply(params, VIDEOS)
        return jnp.sum(outputs.logits[..., 0]), outputs

    run = jax.jit(jax.value_and_grad(value, has_aux=True), static_argnums=1)
    ((_, outputs), grads), ((_, exact), exact_grads) = run(params, narrow), run(reference, full)
    assert {outputs.logits.dtype, outputs.embeddings.dtype} == {jnp.dtype(jnp.float32)}
    close(outputs.logits, exact.logits, 0.05)
    for part in ("adapters", "lora", "head"):
        flat = [np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(g[part])]) for g in (grads, exact_grads)]
        assert {leaf.dtype for leaf in jax.tree.leaves(grads[part])} == {jnp.dtype(jnp.float32)}
        assert np.corrcoef(*flat)[0, 1] > 0.99


def test_computing_blocks_twice_changes_nothing(model, params):
    again = clip(variant=SMALL, adapter=STAdapter(width=4), remat=True)
    loss = lambda params, model: jnp.sum(model.apply(params, VIDEOS).logits ** 2)
    grad = jax.jit(jax.grad(loss), static_argnums=1)
    close(grad(params, model), grad(params, again))


def test_equal_settings_share_their_compiled_programs(model):
    again = clip(variant=SMALL, adapter=STAdapter(width=4), precision="bfloat16")
    assert again.apply is model.apply
    assert again.head is model.head
    assert clip(variant=SMALL, adapter=STAdapter(width=5)).apply is not model.apply


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variant": "ViT-B/8"}, "unknown `variant` 'ViT-B/8'; known: ViT-B/32, ViT-B/16, ViT-L/14, ViT-L/14@336px"),
        ({"image_size": 200}, "`image_size` must be a multiple of the patch size, 16; got 200"),
        ({"pixels": "zero"}, "unknown `pixels` 'zero'; known: clip, imagenet"),
        ({"precision": "float16"}, "unknown `precision` 'float16'; known: float32, bfloat16"),
        ({"head": "cosine"}, "unknown `head` 'cosine'; known: linear, quadratic, mlp"),
        ({"neck": -1}, "`neck` must be at least 0, got -1"),
        ({"num_classes": 0}, "`num_classes` must be at least 1, got 0"),
        ({"variant": VisionConfig(projection=None), "projection": True}, "this `VisionConfig` has none"),
    ],
)
def test_unknown_choices_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        inspect.unwrap(clip)(**options)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (np.zeros((2, 8, 8, 1), np.float32), r"must be \(..., 8, 8, 3\) with 4 or 5 or 6 axes, got \(2, 8, 8, 1\)"),
        (np.zeros((2, 12, 12, 3), np.float32), "`image_size` asks for another size"),
        (np.zeros((8, 8, 3), np.float32), r"got \(8, 8, 3\)"),
        (np.zeros((2, 8, 8, 3), np.int32), "must be uint8 or floating point in .0, 1., got int32"),
    ],
)
def test_inputs_of_another_kind_are_refused(model, params, inputs, message):
    for call in (lambda: model.apply(params, inputs), lambda: model.init(jax.random.key(0), inputs)):
        with pytest.raises(ValueError, match=message):
            call()


def test_a_file_of_another_tower_is_refused_before_anything_runs(file):
    with pytest.raises(
        InputError, match=r"tensor 'visual\..*' is F32 of shape .*, and a vision tower of width 768 with 2 layers"
    ):
        clip(variant=dataclasses.replace(VISION["ViT-B/16"], layers=2), weights=file)
