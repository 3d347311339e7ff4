"""Levels against means and deviations of maps that other code shows, and the laws of statistics and of a cut."""

import dataclasses
import functools
import hashlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaforge.backbones import choice, levels, weight_files
from metaforge.backbones.clip_model import VisionConfig, read_weights, vision_tower, write_weights
from metaforge.backbones.clip_model.config import VISION
from metaforge.backbones.cut import cut
from metaforge.backbones.efficientnet._models import assemble
from metaforge.backbones.efficientnet._network import Block, EfficientNet
from metaforge.backbones.efficientnet._plan import PLANS
from metaforge.backbones.features import embed
from metaforge.backbones.spec import BackboneSpec
from metaforge.errors import InputError
from tests.backbones.clip_model import restatement
from tests.backbones.test_cut import drawn
from tests.backbones.test_efficientnet import TINY_LITE

IMAGES = np.random.default_rng(2).integers(0, 256, (3, 40, 32, 3), np.uint8)
SMALL = VisionConfig(image_size=8, patch_size=4, width=8, layers=2, heads=2, projection=6)
LITE = functools.partial(BackboneSpec, backbone="efficientnet_lite0", normalisation="frozen", weights="imagenet")


@pytest.fixture
def tiny(monkeypatch):
    """Lite0 is a network of three blocks."""
    monkeypatch.setattr("metaforge.backbones.levels._efficientnet.LITE0", TINY_LITE)
    monkeypatch.setitem(PLANS, "efficientnet_lite0", TINY_LITE)


@pytest.fixture
def model(tiny):
    """Levels of the first and the last of its blocks, with parameters none of which is 0 or 1."""
    made = levels.levels(levels.lite0(blocks=(0, 2), pretrained=False))
    return made, drawn(made, IMAGES)


def by_hand(maps, axes):
    """What levels are of maps, one after the other."""
    maps = [np.asarray(part, np.float64) for part in maps]
    each = [np.concatenate([part.mean(axes), np.sqrt(part.var(axes) + 1e-6)], axis=1) for part in maps]
    return np.concatenate(each, axis=1)


def test_there_are_as_many_numbers_as_channels_twice():
    # Tan and Le, table 1: channels of blocks 2, 4, ..., 14.
    assert 2 * (24 + 40 + 80 + 112 + 112 + 192 + 192) == levels.lite0().size == 1504
    assert levels.clip().size == 3 * 768
    assert levels.lite1().size == 2 * (16 + 24 + 2 * 40 + 2 * 80 + 2 * 112 + 2 * 192 + 320)
    assert levels.lite2().size == 2640
    assert levels.clip(blocks=(5, 8, 11)).size == 768 + 3 * 2 * 768
    for made, size in ((levels.lite0(pretrained=False), 32), (levels.clip(image_size=32), 32)):
        images = jnp.zeros((2, size, size, 3))
        params = jax.eval_shape(made.init, jax.random.key(0), images)
        assert set(params) == {*made.keys}
        assert jax.eval_shape(made.apply, params, images).shape == (2, made.size)
    assert "block14" in levels.lite0().keys
    assert not {"block15", "top"} & {*levels.lite0().keys}


def test_blocks_of_the_network_are_those_that_flax_shows(tiny):
    whole = assemble(TINY_LITE)
    params = drawn(whole, IMAGES)
    network = EfficientNet(TINY_LITE, form="lax")
    found: Any = jax.jit(
        lambda params: network.apply(
            {"params": params}, IMAGES, capture_intermediates=lambda part, _: isinstance(part, Block)
        )
    )(params)
    maps = [found[1]["intermediates"][f"block{number}"]["__call__"][0] for number in range(3)]
    assert len({part.shape for part in maps}) == 2
    for blocks in ((0,), (1, 2), (0, 1, 2)):
        found = jax.jit(levels.lite0(blocks=blocks, pretrained=False).apply)(params, IMAGES)
        assert found.dtype == jnp.float32
        np.testing.assert_allclose(found, by_hand([maps[b] for b in blocks], (1, 2)), rtol=1e-4, atol=1e-5)


def test_clip_s_are_the_class_token_and_the_patch_tokens_of_another_implementation(tmp_path):
    tensors = restatement.random_tensors(SMALL)
    images = np.random.default_rng(3).uniform(size=(3, 8, 8, 3))
    from safetensors.numpy import save_file

    save_file(tensors, tmp_path / "small.safetensors")
    params = read_weights(tmp_path / "small.safetensors", vision=SMALL)
    _, feature, last = restatement.vision(tensors, SMALL, images)
    first = restatement.vision({**tensors}, VisionConfig(**{**vars(SMALL), "layers": 1}), images)[2]
    found = jax.jit(levels.clip(variant=SMALL).apply)(params, images.astype(np.float32))
    np.testing.assert_allclose(found[:, :8], feature, rtol=2e-4, atol=2e-5)
    np.testing.assert_allclose(found[:, 8:], by_hand([last[:, 1:]], 1), rtol=2e-4, atol=2e-5)
    for blocks, tokens in (((0,), [first]), ((0, 1), [first, last])):
        found = jax.jit(levels.clip(variant=SMALL, blocks=blocks).apply)(params, images.astype(np.float32))
        wanted = np.concatenate([feature, by_hand([part[:, 1:] for part in tokens], 1)], axis=1)
        np.testing.assert_allclose(found, wanted, rtol=2e-4, atol=2e-5)


def test_where_in_a_map_something_is_does_not_matter():
    maps = jnp.asarray(np.random.default_rng(0).normal(size=(2, 4, 5, 3)), jnp.float32)
    wanted = levels.mean_and_deviation(maps, (1, 2))
    for flipped in (maps[:, ::-1], maps[:, :, ::-1], maps.swapaxes(1, 2)):
        np.testing.assert_allclose(levels.mean_and_deviation(flipped, (1, 2)), wanted, rtol=1e-5, atol=1e-6)
    # A shift moves means alone, a factor both; far from 0 too, where a mean of squares would lose the deviation.
    shifted = levels.mean_and_deviation(maps + 1000.0, (1, 2))
    np.testing.assert_allclose(shifted[:, :3], wanted[:, :3] + 1000, rtol=1e-5)
    np.testing.assert_allclose(shifted[:, 3:], wanted[:, 3:], rtol=1e-3)
    half = levels.mean_and_deviation(maps.astype(jnp.bfloat16), (1, 2))
    assert half.dtype == jnp.float32
    np.testing.assert_allclose(half, wanted, rtol=2e-2, atol=2e-2)


def test_a_map_that_is_the_same_everywhere_has_a_gradient():
    slope = jax.grad(lambda maps: levels.mean_and_deviation(maps, (1, 2)).sum())(jnp.full((1, 2, 5, 1), 3.0))
    np.testing.assert_allclose(slope, 1 / 10, rtol=1e-6)
    assert float(levels.mean_and_deviation(jnp.full((1, 2, 5, 1), 3.0), (1, 2))[0, 1]) == pytest.approx(1e-3)


def test_an_image_s_levels_are_its_own_compiled_or_not(model):
    made, params = model
    raw = levels.without_statistics(params)
    matrix = embed(made, raw, IMAGES, batch=2)
    assert (matrix.dtype, matrix.shape) == (np.float32, (3, 2 * (4 + 6)))
    plain = np.asarray(made.apply(raw, IMAGES).embeddings)
    np.testing.assert_allclose(matrix, plain, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(embed(made, raw, IMAGES[::-1])[::-1], plain, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(embed(made, raw, IMAGES[1:2]), plain[1:2], rtol=1e-5, atol=1e-6)
    # Pixels in [0, 1] are the same images, and other sizes are images too.
    np.testing.assert_allclose(embed(made, raw, (IMAGES / 255).astype(np.float32)), plain, rtol=1e-4, atol=1e-5)
    assert embed(made, raw, IMAGES[:, :33]).shape == matrix.shape


def test_statistics_standardise_and_do_not_move(model):
    made, params = model
    matrix = embed(made, levels.without_statistics(params), IMAGES)
    fitted = levels.with_statistics(params, matrix)
    seen = made.apply(fitted, IMAGES)
    wanted = (matrix - matrix.mean(0)) / matrix.std(0)
    np.testing.assert_allclose(seen.embeddings, wanted, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(levels.standardised(fitted, matrix), seen.embeddings, rtol=1e-3, atol=1e-3)
    # The head sees them so, and no gradient reaches what standardises.
    head = fitted["head"]
    logits = np.asarray(seen.embeddings) @ np.asarray(head["kernel"]) + np.asarray(head["bias"])
    np.testing.assert_allclose(seen.logits, logits, rtol=1e-4, atol=1e-4)
    assert made.head is not None
    np.testing.assert_allclose(made.head(fitted, seen.embeddings), seen.logits, rtol=1e-5, atol=1e-5)
    slope = jax.jit(jax.grad(lambda params: made.apply(params, IMAGES).logits.sum()))(fitted)
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(slope["standardise"]))
    assert np.all(np.isfinite(slope["block0"]["project"]["kernel"]))
    np.testing.assert_allclose(slope["head"]["bias"], 3.0, rtol=1e-6)
    # Parameters that came in are as they were.
    assert np.any(np.asarray(params["standardise"]["mean"]) != fitted["standardise"]["mean"])


def test_statistics_are_of_images_that_can_have_some():
    params = {"standardise": {"mean": np.zeros(2, np.float32), "scale": np.ones(2, np.float32)}}
    rows = np.array([[1e4 + 1e-3, 2.0], [1e4, 6.0]])
    found = levels.with_statistics(params, rows)["standardise"]
    np.testing.assert_array_equal(found["scale"], [1.0, 2.0])  # the first differs by less than float32 can say
    assert {leaf.dtype for leaf in found.values()} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(levels.with_statistics(params, rows[:1])["standardise"]["scale"], [1, 1])
    for bad in (rows[:0], rows[:, :1], rows * np.nan):
        with pytest.raises(ValueError, match=r"must be \(images, 2\), finite"):
            levels.with_statistics(params, bad)


def test_two_networks_side_by_side(tiny):
    images = IMAGES[:, :32]
    first = levels.lite0(blocks=(0,), pretrained=False)
    second = levels.clip(variant=VisionConfig(**{**vars(SMALL), "image_size": 32}))
    both = levels.levels(levels.beside(first, second))
    params = jax.jit(both.init)(jax.random.key(0), images)
    assert set(params) == {"first", "second", "standardise", "head"}
    seen = np.asarray(jax.jit(both.apply)(params, images).embeddings)
    alone = jax.jit(lambda params: [part.apply(params[name], images) for name, part in
                                    (("first", first), ("second", second))])(params)  # fmt: skip
    np.testing.assert_allclose(seen[:, :8], alone[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(seen[:, 8:], alone[1], rtol=1e-5, atol=1e-6)
    again = levels.beside(first, second)
    assert levels.levels(again).apply is both.apply  # and so are compiled programs


def test_a_clip_beside_by_settings(tmp_path, monkeypatch, tiny):
    """The spec of the two is the two: its numbers, its parameters and its files."""
    small = VisionConfig(**{**vars(SMALL), "image_size": 32})
    monkeypatch.setitem(VISION, "ViT-B/16", small)
    files = [tmp_path / "one.safetensors", tmp_path / "other.safetensors"]
    for number, path in enumerate(files):
        write_weights(path, {"vision": vision_tower(small).init(jax.random.key(number))})
    spec = LITE(levels="0", weights="", image_size=32, clip_levels="1", clip_weights=str(files[0]))
    model, images = choice.choose(spec), IMAGES[:, :32]
    params = model.init(jax.random.key(0), images)
    seen = model.apply(params, images).embeddings
    first = levels.lite0(blocks=(0,), pretrained=False)
    second = levels.clip(variant=small, blocks=(1,), weights=files[0])
    np.testing.assert_allclose(seen[:, : first.size], first.apply(params["first"], images), rtol=1e-5, atol=1e-6)
    theirs = second.apply(second.init(jax.random.key(5), images), images)
    np.testing.assert_allclose(seen[:, first.size :], theirs, rtol=1e-5, atol=1e-6)
    assert jax.tree.map(jnp.shape, params) == jax.tree.map(jnp.shape, choice.shapes(spec))
    found = cut(spec, {"head"})
    assert found
    assert (found.name, found.keys) == ("levels0+clip1", ("first", "second"))
    # Either file has its part in the fingerprint, and the other one is told apart.
    beside = dataclasses.replace(spec, weights=str(files[0]))
    wanted = weight_files.fingerprint(beside)
    assert wanted == "+".join([hashlib.sha256(files[0].read_bytes()).hexdigest()] * 2)
    assert weight_files.other_file(beside, wanted) is None
    moved = weight_files.other_file(beside.moved(str(files[1])), wanted)
    assert moved
    assert moved[0] == str(files[1])


@pytest.mark.parametrize("blocks", [(), (0, 0), (2, 1), (-1, 2), (3, 16)])
def test_blocks_that_there_are_not_are_refused(blocks):
    with pytest.raises(ValueError, match="numbered 0 to 15"):
        levels.lite0(blocks=blocks)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"levels": "2,16"}, "levels=2,16: efficientnet_lite0 has the blocks 0 to 15"),
        ({"levels": "21", "backbone": "efficientnet_lite2"}, "efficientnet_lite2 has the blocks 0 to 20"),
        ({"levels": "4,2"}, "levels=4,2: efficientnet_lite0 has the blocks 0 to 15"),
        ({"levels": "2,,4"}, "Name some of them"),
        ({"levels": "all"}, "Name some of them"),
        ({"levels": "2", "normalisation": "support"}, "levels=2: .* Give normalisation=frozen"),
        ({"levels": "2", "neck": 3}, "Leave out neck"),
        ({"levels": "2", "backbone": "conv4", "normalisation": "none", "weights": ""}, "levels=2: conv4 has none"),
        (
            {"levels": "12", "backbone": "clip", "normalisation": "none", "weights": "a.safetensors"},
            "levels=12: clip has the blocks 0 to 11",
        ),
        ({"levels": "2", "clip_levels": "12", "clip_weights": "a"}, "clip_levels=12: clip ViT-B/16 has the blocks 0"),
        ({"levels": "2", "clip_levels": "11"}, "clip_levels=11: name CLIP's safetensors file with clip_weights"),
        ({"levels": "2", "clip_levels": "11", "clip_weights": "a", "image_size": 65}, "image_size=65: clip ViT-B/16"),
        ({"clip_levels": "11", "clip_weights": "a"}, "Give levels, such as 2,4,6"),
        ({"levels": "2", "clip_weights": "a"}, "clip_weights=a: say with clip_levels"),
    ],
)
def test_a_setting_that_names_no_levels_is_one_line(settings, line):
    with pytest.raises(InputError, match=line):
        choice.check(LITE(**{"image_size": 64} | settings))


def test_a_spec_stands_for_its_levels_and_is_cut_before_its_head(tiny):
    spec = LITE(levels="0,2", weights="", image_size=32)
    model = choice.choose(spec)
    assert model.apply is levels.levels(levels.lite0(blocks=(0, 2), pretrained=False)).apply
    params = drawn(model, IMAGES)
    assert jax.tree.map(jnp.shape, params) == jax.tree.map(jnp.shape, choice.params(spec))
    found = cut(spec, {"head"})
    assert found
    assert found.between
    assert {*params} == {*found.keys, "standardise", "head"}
    kept = found.trunk({name: params[name] for name in found.keys}, IMAGES)
    seen = found.between({"standardise": params["standardise"]}, kept)
    for ours, wanted in zip(found.tail.apply({"head": params["head"]}, seen)[:2], model.apply(params, IMAGES)[:2],
                            strict=True):  # fmt: skip
        np.testing.assert_allclose(ours, wanted, rtol=1e-5, atol=1e-5)
    assert found.name == "levels0-2" != cut(LITE(levels="0"), {"head"}).name  # type: ignore[union-attr]
    assert cut(spec, {"head", "block2"}) is None
    assert cut(spec, {"head", "standardise"}) is None


def test_a_tower_keeps_the_numbers_of_its_last_block():
    tower = vision_tower(SMALL)
    params = jax.jit(tower.init)(jax.random.key(1))
    images = np.random.default_rng(3).uniform(size=(2, 8, 8, 3)).astype(np.float32)
    outputs = jax.jit(tower.apply)(params, images)
    found = jax.jit(levels.clip(variant=SMALL).apply)({"vision": params}, images)
    np.testing.assert_allclose(found[:, :8], outputs.features, rtol=1e-6)
    np.testing.assert_allclose(found[:, 8:16], outputs.tokens[:, 1:].mean(axis=1), rtol=1e-5, atol=1e-6)
