"""What pruning may not change, and what is left of a network after it."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaforge.backbones import choice
from metaforge.backbones.efficientnet._plan import B0, LITE0, PLANS, Stage
from metaforge.backbones.spec import BackboneSpec
from metaforge.compression import costs, prune
from metaforge.compression.pruning import channels
from metaforge.errors import InputError
from metaforge.screening import Detector, load_detector, save_detector
from metaforge.screening.portable import onnx_of, read_onnx
from metaforge.training.checks import check_settings
from metaforge.training.config import Config

STAGES = (Stage(1, 3, 1, 1, 4), Stage(2, 5, 2, 4, 8))
SIZE = 32


@pytest.fixture(autouse=True)
def small(monkeypatch):
    for name, plan in (("efficientnet_lite0", LITE0), ("efficientnet_b0", B0)):
        monkeypatch.setitem(PLANS, name, plan._replace(stages=STAGES, stem=4, top=8))
    choice._shapes.cache_clear()
    yield
    choice._shapes.cache_clear()


def spec_of(backbone="efficientnet_lite0", **changes):
    usual: dict[str, Any] = {
        "normalisation": "frozen",
        "weights": "imagenet" if backbone == "efficientnet_lite0" else "own.pth",
    }
    usual |= {"convention": "torch"} if backbone == "efficientnet_b0" else {}
    return BackboneSpec(image_size=SIZE, backbone=backbone, **(usual | changes))


def random_params(spec, seed=0):
    rng = np.random.default_rng(seed)
    above_zero = lambda path: path[-1].key in ("variance", "scale")
    draw = lambda path, leaf: np.asarray(
        rng.uniform(0.5, 1.5, leaf.shape) if above_zero(path) else 0.3 * rng.normal(size=leaf.shape), np.float32
    )
    return jax.tree_util.tree_map_with_path(draw, choice.shapes(spec))


def said(spec, params, seed=1):
    images = np.random.default_rng(seed).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)
    params = jax.tree.map(jnp.asarray, params)
    return np.asarray(choice.choose(spec.unread()).apply(params, images).embeddings)


def with_dead(params, number, rows, *, bias):
    """Channels whose scale is 0."""
    norm = params[f"block{number}"]["depthwise_norm"]
    kill = lambda leaf, value: np.where(np.isin(np.arange(len(leaf)), rows), np.float32(value), leaf)
    norm = {**norm, "scale": kill(norm["scale"], 0), "bias": kill(norm["bias"], bias)}
    return {**params, f"block{number}": {**params[f"block{number}"], "depthwise_norm": norm}}


@pytest.mark.parametrize("backbone", ["efficientnet_lite0", "efficientnet_b0"])
def test_a_share_of_nothing_changes_no_number(backbone):
    spec = spec_of(backbone)
    params = random_params(spec)
    same, found = prune(spec, params, 0.0)
    assert (same.hidden, same.weights) == ("4,16,32", "")
    jax.tree.map(np.testing.assert_array_equal, found, params)


@pytest.mark.parametrize("backbone", ["efficientnet_lite0", "efficientnet_b0"])
@pytest.mark.parametrize("within", ["block", "network"])
def test_channels_that_say_nothing_can_go(backbone, within):
    spec = spec_of(backbone)
    params = random_params(spec)
    for number, width in ((1, 16), (2, 32)):
        params = with_dead(params, number, np.arange(0, width, 2), bias=0.0)
    smaller, fewer = prune(spec, params, 0.5, within=within)
    assert smaller.hidden == "4,8,16"
    np.testing.assert_allclose(said(smaller, fewer), said(spec, params), rtol=1e-5, atol=1e-6)


def test_what_a_constant_channel_said_is_kept():
    # With a bias of .7 it says .7 everywhere: that goes into the statistics of the normalisation behind it.
    spec = spec_of(levels="0,2")
    params = with_dead(random_params(spec), 2, np.arange(16), bias=0.7)
    params = with_dead(params, 1, np.arange(8), bias=-0.2)
    smaller, fewer = prune(spec, params, 0.5)
    np.testing.assert_allclose(said(smaller, fewer), said(spec, params), rtol=1e-4, atol=1e-5)
    changed, _ = prune(spec, params, 0.9)
    assert changed.hidden == "4,8,8"  # never below the multiple


def test_the_weakest_go_and_the_order_stays():
    plan = LITE0._replace(stages=STAGES, stem=4)
    norm = lambda values: {"depthwise_norm": {"scale": np.asarray(values, np.float32)}}
    params = {"block1": norm([-9, 1, 2, -3] * 4), "block2": norm(np.linspace(10, 20, 32))}
    kept = channels(plan, params, 0.5, within="block", multiple=1)
    assert kept[1].tolist() == [0, 3, 4, 7, 8, 11, 12, 15]
    assert kept[2].tolist() == [*range(16, 32)]
    # Of all 48 together the 24 weakest are the 16 of the first block, of which one must stay, and 8 of the second.
    kept = channels(plan, params, 0.5, within="network", multiple=1)
    assert (kept[1].tolist(), kept[2].tolist()) == ([0], [*range(8, 32)])


@pytest.mark.parametrize("backbone", ["efficientnet_lite0", "efficientnet_b0"])
def test_parameters_follow_from_the_widths(backbone):
    spec = spec_of(backbone)
    smaller, fewer = prune(spec, random_params(spec), 0.5)
    assert smaller.hidden == "4,8,16"
    # A channel inside has a column of the expansion, two normalisations of 2 numbers, a kernel, and a row behind; with
    # squeeze to n numbers 2 n + 1 more. Block 1 has 4 channels before it and 8 behind, block 2 8 and 8.
    more = (2 * 1 + 1, 2 * 2 + 1) if backbone == "efficientnet_b0" else (0, 0)
    gone = 8 * (4 + 4 + 25 + 8 + more[0]) + 16 * (8 + 4 + 25 + 8 + more[1])
    assert costs(spec).parameters - costs(smaller).parameters == gone
    assert jax.tree.map(np.shape, fewer) == jax.tree.map(np.shape, choice.shapes(smaller))


def test_statistics_of_images_swallow_the_constant():
    # Under "support" nothing is to be kept: the images' own statistics take a constant away again.
    spec = spec_of(weights="", normalisation="support")
    params = with_dead(random_params(spec), 2, np.arange(16), bias=0.7)
    params = with_dead(params, 1, np.arange(8), bias=0.1)
    smaller, fewer = prune(spec, params, 0.5)
    np.testing.assert_allclose(said(smaller, fewer), said(spec, params), rtol=1e-3, atol=1e-4)


def test_it_is_saved_loaded_and_written_as_onnx(tmp_path):
    spec = spec_of(levels="1,2")
    smaller, fewer = prune(spec, random_params(spec), 0.5)
    images = np.random.default_rng(0).integers(0, 256, (2, SIZE, SIZE, 3), np.uint8)
    detector = Detector(jax.tree.map(jnp.asarray, fewer), images, smaller, {"learner": "erm"})
    save_detector(tmp_path / "small", detector)
    found = load_detector(tmp_path / "small")
    assert found.spec == smaller
    np.testing.assert_array_equal(found.examine(images)[0], detector.examine(images)[0])
    portable = read_onnx(onnx_of(found), "small")
    np.testing.assert_allclose(portable.examine(images)[0], found.examine(images)[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "share", "why"),
    [
        ({"backbone": "conv4", "weights": "", "normalisation": "support", "convention": "auto"}, 0.5, "conv4"),
        ({"weights": "", "normalisation": "group"}, 0.5, "groups"),
        ({}, 1.0, "share"),
        ({}, -0.1, "share"),
    ],
)
def test_what_cannot_be_pruned_is_said(changes, share, why):
    with pytest.raises(InputError, match=why):
        prune(spec_of(**changes), {}, share)


@pytest.mark.parametrize(
    ("hidden", "why"),
    [("4,16", "3 blocks"), ("4,16,x", "3 blocks"), ("4,0,8", "3 blocks"), ("3,16,32", "block 0"), ("4,17,32", "fewer")],
)
def test_widths_that_cannot_be_are_refused(hidden, why):
    choice.check(dataclasses.replace(spec_of(weights=""), hidden="4,16,32"))
    with pytest.raises(InputError, match=why):
        choice.check(dataclasses.replace(spec_of(weights=""), hidden=hidden))
    with pytest.raises(InputError, match="no file"):
        choice.check(dataclasses.replace(spec_of(), hidden="4,16,32"))


def test_nothing_is_trained_on_statistics_that_nobody_brought():
    with pytest.raises(InputError, match="hidden"):
        check_settings(Config(model=dataclasses.replace(spec_of(weights=""), hidden="4,16,32")))
