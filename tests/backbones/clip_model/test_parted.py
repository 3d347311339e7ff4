"""CLIP in two: the parts make what the whole makes, and nothing below the cut is on the way back."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaforge.backbones import clip
from metaforge.backbones.clip_model import STAdapter, VisionConfig, parted_clip

SMALL = VisionConfig(image_size=8, patch_size=4, width=8, layers=3, heads=2, projection=None)
ADAPTER = STAdapter(width=4, blocks=2, act="relu")


@pytest.fixture(scope="module")
def params():
    init = clip(variant=SMALL, adapter=ADAPTER, neck=5, head="mlp").init
    made, rng = jax.jit(init)(jax.random.key(0), jnp.zeros((1, 8, 8, 3))), np.random.default_rng(1)
    # Away from the start, where adapters do nothing.
    return jax.tree.map(lambda leaf: np.asarray(leaf) + 0.1 * rng.normal(size=leaf.shape).astype(np.float32), made)


def test_the_parts_make_what_the_whole_makes(params):
    whole = clip(variant=SMALL, adapter=ADAPTER, neck=5, head="mlp")
    parts = parted_clip(variant=SMALL, num_classes=3, adapter=ADAPTER, head="mlp")
    videos = np.random.default_rng(2).uniform(size=(2, 4, 3, 8, 8, 3)).astype(np.float32)
    tokens = jax.jit(parts.lower)(params, videos.reshape(-1, 8, 8, 3))
    assert tokens.shape == (24, SMALL.tokens, SMALL.width)
    upper = jax.jit(parts.upper)
    expected, found = jax.jit(whole.apply)(params, videos), upper(params, tokens.reshape(2, 4, 3, *tokens.shape[1:]))
    assert found.logits.shape == (2, 4, 3)
    jax.tree.map(lambda one, other: np.testing.assert_allclose(one, other, atol=1e-6), expected, found)
    clips = upper(params, tokens.reshape(8, 3, *tokens.shape[1:]))
    np.testing.assert_allclose(clips.logits, expected.logits.reshape(8, 3), atol=1e-6)


def test_only_the_last_blocks_have_adapters_and_the_first_no_part_in_the_upper_one(params):
    assert sorted(params["adapters"]) == ["01", "02"]
    parts = parted_clip(variant=SMALL, num_classes=3, adapter=ADAPTER, head="mlp")
    tokens = np.random.default_rng(3).normal(size=(2, 3, SMALL.tokens, SMALL.width)).astype(np.float32)
    grads = jax.jit(jax.grad(lambda params: jnp.sum(parts.upper(params, tokens).logits ** 2)))(params)
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(grads["vision"]["blocks"]["00"]))
    assert all(np.any(leaf) for leaf in jax.tree.leaves(grads["adapters"]["01"]))


def test_a_cut_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="`blocks` of the adapters is 0: give 1 to 3"):
        parted_clip(variant=SMALL, num_classes=3, adapter=STAdapter(width=4))
    with pytest.raises(ValueError, match="`blocks` of the adapters is 4, and the tower has 3"):
        clip(variant=SMALL, adapter=STAdapter(width=4, blocks=4)).init(jax.random.key(0), jnp.zeros((1, 8, 8, 3)))
    with pytest.raises(ValueError, match="`blocks` must be at least 0, got -1"):
        STAdapter(blocks=-1)
