"""Parameters and multiply-adds against publications, a count by hand, and XLA's own."""

import jax
import jax.numpy as jnp
import pytest

from metaforge.backbones import choice
from metaforge.backbones.efficientnet._models import assemble
from metaforge.backbones.efficientnet._plan import B0, LITE0, Stage
from metaforge.backbones.spec import BackboneSpec
from metaforge.compression import costs
from metaforge.compression.costs import block
from metaforge.errors import InputError

LITE = BackboneSpec(image_size=224, backbone="efficientnet_lite0", weights="imagenet", normalisation="frozen")


def test_published_numbers():
    # Tan and Le print .39 billion for B0 and 5.3 million parameters; TensorFlow's table 407 million for Lite0, 4.7
    # million parameters. Their networks have 1,000 classes.
    b0 = costs(BackboneSpec(image_size=224, backbone="efficientnet_b0", num_classes=1000))
    assert b0.parameters == 5_288_548
    assert b0.multiply_adds == pytest.approx(390e6, rel=0.02)
    # Our own spec draws no 1,000 classes from a file, and does not look at it here.
    lite0 = costs(LITE.unread().__class__(**{**vars(LITE), "num_classes": 1000}))
    assert lite0.parameters == pytest.approx(4.65e6, rel=0.01)
    assert lite0.multiply_adds == pytest.approx(407e6, rel=0.06)


def test_conv4_by_hand():
    found = costs(BackboneSpec(image_size=21, width=4))
    assert found.multiply_adds == 9 * (21 * 21 * 3 * 4 + 4 * 4 * (10 * 10 + 5 * 5 + 2 * 2)) + 4 * 2
    assert found.parameters == 9 * (3 * 4 + 3 * 4 * 4) + 4 * 2 * 4 + 4 * 2 + 2


def test_a_block_of_squeeze_and_excitation_by_hand():
    plan = B0._replace(stages=(Stage(1, 3, 1, 1, 4), Stage(1, 5, 2, 2, 6)), stem=8, top=8)
    # 4 channels become 8 at 7 x 7, are convolved to 4 x 4, gated by way of one number, and become 6.
    assert block(plan, 1, 7) == 49 * 4 * 8 + 16 * 8 * 25 + 8 * 1 + 1 * 8 + 16 * 8 * 6


def test_what_xla_counts_of_the_same_network():
    # XLA leaves out what a kernel reads beyond the image, and adds what is done to every number: a map is normalised,
    # bounded and added, some hundredths beside the products.
    model = assemble(LITE0, num_classes=2, normalisation="frozen", depthwise="lax")
    shapes = choice.shapes(LITE)
    lowered = jax.jit(model.apply).lower(shapes, jax.ShapeDtypeStruct((1, 224, 224, 3), jnp.float32))
    found = lowered.cost_analysis()
    assert found is not None
    assert costs(LITE).multiply_adds == pytest.approx(found["flops"] / 2, rel=0.1)


def test_narrower_blocks_cost_in_proportion():
    # Of the products of a block without squeeze all but none have its width as a factor.
    plan = LITE0._replace(hidden=tuple(width // 2 if number else width for number, width in enumerate(LITE0.widths)))
    for number in range(1, 16):
        assert 2 * block(plan, number, 28) == block(LITE0, number, 28)


def test_levels_stop_at_the_last_block():
    levels = costs(BackboneSpec(**{**vars(LITE), "levels": "0"}))
    assert levels.multiply_adds == 112 * 112 * (27 * 32 + 32 * (9 + 16)) + 2 * 32
    assert levels.parameters == 27 * 32 + 2 * 32 + (9 + 16) * 32 + 2 * (32 + 16) + 2 * 32 + 2


def test_clip_is_what_is_published_and_what_xla_counts():
    # timm's table of ViT-B/16 at 224 pixels: 17.58 billion, and 86.57 million parameters with 1,000 classes. CLIP's has
    # a normalisation before the blocks, and no bias of patches.
    spec = BackboneSpec(image_size=224, backbone="clip", normalisation="none", num_classes=1000)
    found = costs(spec)
    assert found.multiply_adds == pytest.approx(17.58e9, rel=0.001)
    assert found.parameters == pytest.approx(86.57e6, rel=0.001)
    shapes = choice.shapes(spec)
    lowered = jax.jit(choice.choose(spec).apply).lower(shapes, jax.ShapeDtypeStruct((1, 224, 224, 3), jnp.float32))
    assert found.multiply_adds == pytest.approx(lowered.cost_analysis()["flops"] / 2, rel=0.02)


def test_of_two_networks_both_are_counted():
    beside = {"clip_levels": "1", "variant": "small", "image_size": 40}
    lite = BackboneSpec(**{**vars(LITE), "levels": "0", "image_size": 40})
    # 25 patches of 8 pixels and 64 numbers, a class token, two blocks.
    clip = 25 * 3 * 64 * 64 + 2 * (26 * 12 * 64**2 + 2 * 26**2 * 64)
    more = costs(BackboneSpec(**{**vars(lite), **beside})).multiply_adds - costs(lite).multiply_adds
    assert more == clip + 2 * 3 * 64  # the head sees the class token, means and deviations too


def test_fused_depths_are_not_counted():
    with pytest.raises(InputError, match="fused"):
        costs(BackboneSpec(backbone="efficientnet_b0", fusion="3,8"))
