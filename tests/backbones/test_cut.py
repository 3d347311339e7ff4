"""A backbone in two: wherever it is cut, the two parts make the whole, and the cut is as late as it can be."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaforge.backbones import clip, efficientnet_lite0
from metaforge.backbones.clip_model import VISION
from metaforge.backbones.cut import cut
from metaforge.backbones.efficientnet._models import assemble, tail, trunk
from metaforge.backbones.spec import BackboneSpec
from tests.backbones.test_efficientnet import TINY_LITE

IMAGE = jnp.zeros((1, 32, 32, 3))
CLIP = functools.partial(BackboneSpec, backbone="clip", normalisation="none", image_size=8)
LITE0 = functools.partial(BackboneSpec, backbone="efficientnet_lite0", normalisation="frozen")


def drawn(backbone, images, seed=0):
    """Parameters none of which is 0 or 1, variances above 0: by numpy, since to compile a drawing costs a second."""
    shapes, rng = jax.eval_shape(backbone.init, jax.random.key(0), images), np.random.default_rng(seed)

    def one(path, leaf):
        near = 1.0 if path[-1].key in ("scale", "variance") else 0.0
        spread = rng.normal(size=leaf.shape) / np.sqrt(max(1, np.prod(leaf.shape[:-1]))) if leaf.ndim > 1 else 0.0
        return jnp.asarray(near + spread + rng.uniform(0, 0.3, leaf.shape), leaf.dtype)

    return jax.tree_util.tree_map_with_path(one, shapes)


@pytest.mark.parametrize("parts", range(1, len(TINY_LITE.parts) + 1))
def test_the_tail_of_the_trunk_is_the_whole_and_so_is_its_gradient(parts):
    plan = TINY_LITE
    images, params, outputs, gradient = of_whole()
    rest = tail(plan, parts, num_classes=2, neck=3, head="linear")
    maps = jax.jit(trunk(plan, parts))(params, images)
    found, slope = scored(rest.apply)(params, maps)
    for ours, wanted in zip(found[:2], outputs[:2], strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=1e-4, atol=1e-5)
    done = {name for part in plan.parts[:parts] for name in (part, f"{part}_norm")}
    assert not any(np.any(leaf) for name in done & set(params) for leaf in jax.tree.leaves(slope[name]))
    for name in set(params) - done:
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-3, atol=1e-4 * max(1.0, float(np.abs(b).max()))),
            slope[name], gradient[name],
        )  # fmt: skip


def scored(apply):
    """Outputs, and the gradient of something of the logits."""
    loss = lambda params, inputs: jnp.sum(jnp.sin(apply(params, inputs).logits))
    return jax.jit(lambda params, inputs: (apply(params, inputs), jax.grad(loss)(params, inputs)))


@functools.cache
def of_whole():
    whole = assemble(TINY_LITE, neck=3)
    images = np.random.default_rng(2).integers(0, 256, (3, 40, 32, 3), np.uint8)
    params = drawn(whole, images)
    return images, params, *scored(whole.apply)(params, images)


@pytest.mark.parametrize("neck", [0, 3])
def test_clip_is_cut_before_neck_and_head(neck, monkeypatch):
    small = dataclasses.replace(VISION["ViT-B/16"], image_size=8, patch_size=4, width=8, layers=1, heads=2)
    monkeypatch.setitem(VISION, "ViT-B/16", small)
    images = np.random.default_rng(2).uniform(size=(3, 8, 8, 3)).astype(np.float32)
    whole = clip(variant=small, num_classes=2, neck=neck, image_size=8, dropout=0.5)
    params = drawn(whole, images)
    found = cut(CLIP(neck=neck, dropout=0.5), {"head", "neck"})
    assert found
    assert found.name == "features"

    @jax.jit
    def both(params, key):
        seen = found.trunk(params, images)
        drawn = found.tail.apply(params, seen, key=key), whole.apply(params, images, key=key)  # type: ignore[call-arg]
        return (found.tail.apply(params, seen), whole.apply(params, images)), drawn

    plain, drawn_from = both(params, jax.random.key(0))
    for outputs, wanted in (plain, drawn_from):
        for a, b in zip(outputs[:2], wanted[:2], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    assert not np.allclose(plain[0].embeddings, drawn_from[0].embeddings)
    assert cut(CLIP(), {"vision", "head"}) is None


@pytest.mark.parametrize(
    ("moves", "name"),
    [
        ({"head"}, "features"),
        ({"neck", "head"}, "features"),
        ({"top_norm", "head"}, "top"),
        ({"block15", "top", "head"}, "block15"),
        ({"block9", "block3"}, "block3"),
        ({"stem_norm", "head"}, None),
        ({"stem"}, None),
    ],
)
def test_it_is_cut_as_late_as_what_moves_allows(moves, name):
    found = cut(LITE0(), moves)
    assert (found and found.name) == name
    if found:
        params = jax.eval_shape(efficientnet_lite0(pretrained=False, neck=2).init, jax.random.key(0), IMAGE)
        own = {name: params[name] for name in found.keys}
        maps = jax.eval_shape(found.trunk, own, IMAGE)
        rest = {name: part for name, part in params.items() if name not in own}
        assert {"neck", "head"} <= set(rest) <= set(params)
        with_neck = cut(LITE0(neck=2), moves)
        assert with_neck
        assert jax.eval_shape(with_neck.tail.apply, rest, maps).logits.shape == (1, 2)


def test_what_sees_a_batch_is_not_cut():
    assert cut(LITE0(normalisation="support"), {"head"}) is None
    assert cut(BackboneSpec(normalisation="none"), {"head"}) is None


def test_what_is_computed_in_bfloat16_is_cut_too_and_kept_by_another_name():
    for settings, moves in (({}, {"block15", "head"}), ({"levels": "2,4"}, {"head"})):
        single, half = (cut(LITE0(precision=precision, **settings), moves) for precision in ("float32", "bfloat16"))
        assert single
        assert half
        assert half.name == f"{single.name}-bfloat16"
    plan = TINY_LITE._replace(precision="bfloat16")
    images, params, *_ = of_whole()
    whole, rest = assemble(plan, neck=3), tail(plan, 2, num_classes=2, neck=3, head="linear")
    run = jax.jit(
        lambda params: (rest.apply(params, trunk(plan, 2)(params, images)).logits, whole.apply(params, images).logits)
    )
    found, expected = run(params)
    scale = np.max(np.abs(expected))
    # In other programs other roundings fall together.
    np.testing.assert_allclose(found, expected, atol=0.03 * scale)
    assert not np.allclose(expected, jax.jit(assemble(TINY_LITE, neck=3).apply)(params, images).logits, rtol=1e-5)
