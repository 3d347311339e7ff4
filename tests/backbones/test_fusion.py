"""Fusion of depths: its equations restated in NumPy, what it is before training, where gradients go, how it is cut."""

import functools
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaforge.backbones import choice, efficientnet_lite0
from metaforge.backbones.cut import cut
from metaforge.backbones.depths import depth_weights
from metaforge.backbones.efficientnet._fusion import Fused, Fusion
from metaforge.backbones.efficientnet._models import assemble, tail, trunk
from metaforge.backbones.efficientnet._plan import PLANS, fused
from metaforge.backbones.spec import EFFICIENTNETS, BackboneSpec
from metaforge.errors import InputError
from tests.backbones.test_cut import drawn, scored
from tests.backbones.test_efficientnet import TINY_B, TINY_LITE

WIDTH = 6
BLOCKS = {name: (3, 8, len(PLANS[name].blocks) - 1) for name in EFFICIENTNETS}
SIDES = (4, 3, 2)
LITE0 = functools.partial(BackboneSpec, backbone="efficientnet_lite0", normalisation="frozen", fusion="3,8,14")


def some_maps(plan, dtype=np.float64):
    rng = np.random.default_rng(0)
    return [rng.normal(size=(5, side, side, plan.blocks[block][0].features)).astype(dtype)
            for side, block in zip(SIDES, plan.fused, strict=True)]  # fmt: skip


def begun(name, dtype: Any = np.float64):
    """A member's fusion, some maps, and parameters as they begin, and others of which none is 0."""
    plan = fused(PLANS[name], BLOCKS[name], WIDTH)
    network, maps = Fusion(plan), some_maps(plan, dtype)
    params = network.init(jax.random.key(0), maps, 1)["params"]
    params = jax.tree.map(lambda leaf: np.asarray(leaf, dtype), params)
    rng = np.random.default_rng(1)
    moved = jax.tree.map(lambda leaf: leaf + rng.normal(size=leaf.shape, scale=0.5).astype(dtype), params)
    apply = lambda params, maps: cast(Fused, network.apply({"params": params}, maps, len(maps[0])))
    return plan, maps, params, moved, apply


def softmax(scores, axis):
    odds = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return odds / odds.sum(axis=axis, keepdims=True)


def projections(plan, params, maps):
    """The projected maps, normalised in 6 groups of one channel each."""
    squash = {"relu6": lambda x: np.clip(x, 0, 6), "swish": lambda x: x / (1 + np.exp(-x))}[plan.activation]
    for block, given in zip(plan.fused, maps, strict=True):
        hidden, norm = given @ params[f"project{block}"]["kernel"], params[f"project{block}_norm"]
        middle = hidden.mean(axis=(1, 2), keepdims=True)
        hidden = (hidden - middle) / np.sqrt(hidden.var(axis=(1, 2), keepdims=True) + plan.epsilon)
        yield squash(hidden * norm["scale"] + norm["bias"])


@pytest.mark.parametrize("name", EFFICIENTNETS)
def test_before_training_it_is_the_mean_of_average_pooled_projections(name, x64):
    plan, maps, params, _, apply = begun(name)
    found = apply(params, maps)
    pooled = [one.mean(axis=(1, 2)) for one in projections(plan, params, maps)]
    np.testing.assert_allclose(found.embedding, np.mean(pooled, axis=0), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found.weights, 1 / 3, rtol=1e-12)
    for one, side in zip(found.attention, SIDES, strict=True):
        np.testing.assert_allclose(one, 1 / side**2, rtol=1e-12)
    # By hand: a projection, its scale and shift and the attention of each depth; then the gate.
    channels = sum(plan.blocks[block][0].features for block in plan.fused)
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == (channels + 3 * 3) * WIDTH + 9 * WIDTH + 3


@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_b4"])
def test_it_equals_the_restatement(name, x64):
    plan, maps, _, params, apply = begun(name)
    seen = []
    for block, one in zip(plan.fused, projections(plan, params, maps), strict=True):
        rows = one.reshape(5, -1, WIDTH)
        attention = softmax(rows @ params[f"attend{block}"]["kernel"] / np.sqrt(WIDTH), 1)
        seen.append((attention * rows).sum(axis=1))
    every = np.concatenate(seen, axis=1) / np.sqrt(3 * WIDTH)
    weights = softmax(every @ params["gate"]["kernel"] + params["gate"]["bias"], 1)
    found = apply(params, maps)
    np.testing.assert_allclose(found.weights, weights, rtol=1e-9)
    np.testing.assert_allclose(found.embedding, np.einsum("nd,dnc->nc", weights, np.stack(seen)), rtol=1e-9, atol=1e-12)
    assert np.ptp(weights, axis=0).min() > 1e-3  # they depend on the image


def test_neither_the_order_of_positions_nor_that_of_depths_matters(x64):
    plan, maps, _, params, apply = begun("efficientnet_lite0")
    first, rng = apply(params, maps), np.random.default_rng(3)
    moved = [rng.permutation(one.reshape(5, -1, one.shape[-1]), axis=1).reshape(one.shape) for one in maps]
    np.testing.assert_allclose(apply(params, moved).embedding, first.embedding, rtol=1e-9, atol=1e-12)
    # The same depths under each other's numbers.
    order, plain = [2, 0, 1], plan.fused
    renamed = {f"{part}{new}{end}": params[f"{part}{plain[old]}{end}"]
               for new, old in zip(plain, order, strict=True)
               for part, end in (("project", ""), ("project", "_norm"), ("attend", ""))}  # fmt: skip
    kernel = params["gate"]["kernel"].reshape(3, WIDTH, 3)[order][:, :, order].reshape(3 * WIDTH, 3)
    renamed["gate"] = {"kernel": kernel, "bias": params["gate"]["bias"][order]}
    again = apply(renamed, [maps[place] for place in order])
    np.testing.assert_allclose(again.embedding, first.embedding, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(again.weights, first.weights[:, np.array(order)], rtol=1e-9)


def test_gradients_are_finite_differences_and_reach_every_depth(x64):
    _, maps, begins, params, apply = begun("efficientnet_b0")
    loss = jax.jit(lambda params, maps: jnp.sum(jnp.sin(apply(params, maps).embedding)))
    slopes = jax.jit(jax.grad(loss, (0, 1)))
    of_params, of_maps = slopes(params, maps)
    for path, leaf in jax.tree_util.tree_leaves_with_path(of_params):
        assert np.any(leaf), path
    rng = np.random.default_rng(4)
    way = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape), (params, maps))
    ahead, behind = (jax.tree.map(lambda a, b, s=s: a + s * 1e-5 * b, (params, maps), way) for s in (1, -1))
    along = sum(jax.tree.leaves(jax.tree.map(lambda a, b: np.sum(a * b), (of_params, of_maps), way)))
    np.testing.assert_allclose((loss(*ahead) - loss(*behind)) / 2e-5, along, rtol=1e-6)
    # As it begins, all that is not 0 by its place before something that is.
    of_params, of_maps = slopes(begins, maps)
    assert all(np.any(part) for part in of_maps)
    assert all(np.any(of_params[name]["kernel"]) for name in of_params if "kernel" in of_params[name])


def test_half_precision_stays_half_and_near():
    _, maps, _, params, apply = begun("efficientnet_lite0", np.float32)
    half = apply(*jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.bfloat16), (params, maps)))
    full = apply(params, maps)
    assert half.embedding.dtype == half.weights.dtype == jnp.bfloat16
    np.testing.assert_allclose(half.weights.astype(np.float32), full.weights, atol=0.03)
    np.testing.assert_allclose(half.embedding.astype(np.float32), full.embedding, atol=0.05)


@pytest.mark.parametrize("parts", range(1, 5))
def test_the_tail_of_the_trunk_is_the_whole_and_so_is_its_gradient(parts):
    plan, images, params, outputs, gradient = of_whole()
    rest = tail(plan, parts, num_classes=2, neck=3, head="linear", side=37)
    rows = jax.jit(trunk(plan, parts))(params, images)
    assert rows.ndim == 2
    found, slope = scored(rest.apply)(params, rows)
    for ours, wanted in zip(found[:2], outputs[:2], strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=1e-4, atol=1e-5)
    done = {name for part in plan.parts[:parts] for name in (part, f"{part}_norm")}
    assert not any(np.any(leaf) for name in done & set(params) for leaf in jax.tree.leaves(slope[name]))
    for name in set(params) - done:
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-3, atol=1e-4), slope[name], gradient[name])


@functools.cache
def of_whole():
    plan = fused(TINY_LITE, (0, 2), 4)
    whole = assemble(plan, neck=3)
    images = np.random.default_rng(2).integers(0, 256, (3, 37, 37, 3), np.uint8)
    params = drawn(whole, images)
    assert {*params} == {"stem", "stem_norm", "block0", "block1", "block2", "fusion", "neck", "head"}
    return plan, images, params, *scored(whole.apply)(params, images)


@pytest.mark.parametrize(
    ("moves", "name"),
    [
        ({"head"}, "maps-fused3-8-14"),
        ({"fusion", "head"}, "maps-fused3-8-14"),
        ({"block14", "fusion", "head"}, "block14-fused3-8-14"),
        ({"stem"}, None),
    ],
)
def test_it_is_cut_before_what_moves_and_no_later_than_the_fusion(moves, name):
    found = cut(LITE0(image_size=33), moves)
    assert (found and found.name) == name
    if found:
        params = choice.shapes(LITE0(image_size=33))
        rows = jax.eval_shape(found.trunk, {key: params[key] for key in found.keys}, jnp.zeros((2, 33, 33, 3)))
        # Of 33 pixels the stem makes 17; blocks 3, 8 and 14 have 5, 3 and 2 a side.
        kept = 5 * 5 * 40 + 3 * 3 * 112 + (2 * 2 * 192)
        assert rows.shape == (2, kept)
        rest = {key: part for key, part in params.items() if key not in found.keys}
        assert jax.eval_shape(found.tail.apply, rest, rows).embeddings.shape == (2, 64)


def test_a_score_with_fusion_depends_on_no_other_query_image():
    model = assemble(fused(TINY_B, (0, 1), 4), normalisation="support")
    images, support = np.random.default_rng(0).uniform(size=(2, 3, 32, 32, 3)).astype(np.float32)
    params = drawn(model, images)
    apply = jax.jit(lambda images, support: model.apply(params, images, context=support).logits)
    first = apply(images, support)
    np.testing.assert_array_equal(apply(np.stack([images[0], support[1], support[2]]), support)[0], first[0])
    assert np.any(apply(images, support[::-1] / 2)[0] != first[0])


def test_the_weights_of_depths_are_those_that_the_embedding_was_made_with(monkeypatch):
    monkeypatch.setitem(PLANS, "efficientnet_lite0", TINY_LITE)
    spec = BackboneSpec(backbone="efficientnet_lite0", fusion="0,2", fusion_width=4, image_size=37, num_classes=3)
    model, images = choice.choose(spec), np.random.default_rng(2).integers(0, 256, (40, 37, 37, 3), np.uint8)
    params = drawn(model, images[:2])
    found = depth_weights(spec, params, images[:35], context=images[35:])
    assert found.shape == (35, 2)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    # A gate that is a bias alone, and sure of one depth.
    for depth in (0, 1):
        bias = np.float32(np.where(np.arange(2) == depth, 50, -50))
        gate = {"kernel": np.zeros_like(params["fusion"]["gate"]["kernel"]), "bias": bias}
        sure = {**params, "fusion": {**params["fusion"], "gate": gate}}
        np.testing.assert_allclose(depth_weights(spec, sure, images[:2])[:, depth], 1)
    for other in (BackboneSpec(), BackboneSpec(backbone="efficientnet_lite0")):
        with pytest.raises(InputError, match=r"^fusion: this network has none"):
            depth_weights(other, {}, images)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"fusion": "3,16"}, "fusion=3,16: efficientnet_lite0 has the blocks 0 to 15. Name two or more"),
        ({"fusion": "8,3"}, "fusion=8,3: efficientnet_lite0 has the blocks 0 to 15"),
        ({"fusion": "3"}, "fusion=3: efficientnet_lite0 has the blocks 0 to 15. Name two or more"),
        ({"fusion": "3,3"}, "fusion=3,3: "),
        ({"fusion": "3,eight"}, "fusion=3,eight: "),
        ({"fusion": "none"}, "fusion=none: "),
        ({"levels": "2,4"}, "fusion=3,8,14: with levels=2,4 the head sees these alone"),
        ({"backbone": "conv4", "normalisation": "support", "weights": ""}, "fusion=3,8,14: conv4 has none"),
        ({"backbone": "clip", "normalisation": "none", "image_size": 224}, "fusion=3,8,14: clip has none"),
    ],
)
def test_what_cannot_be_fused_is_one_line(settings, line):
    with pytest.raises(InputError) as caught:
        choice.check(LITE0(**{"image_size": 32, "weights": "some.pth"} | settings))
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def test_what_cannot_be_fused_is_refused_by_the_functions_too():
    for blocks, width, said in (((3,), 64, "`fusion`"), ((3, 99), 64, "0 to 15"), ((3, 8), 0, "`fusion_width`=0")):
        with pytest.raises(ValueError, match=said):
            efficientnet_lite0(pretrained=False, fusion=blocks, fusion_width=width)
    with pytest.raises(ValueError, match="no neck or fusion"):
        efficientnet_lite0(num_classes=1000, head_init="pretrained", fusion=(3, 8))
