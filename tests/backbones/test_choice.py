"""Backbones by name: the named one, what it does not have, and which file stands behind it."""

import functools
import hashlib
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaforge.backbones import choice, clip, conv4, efficientnet_lite0, weight_files
from metaforge.backbones.spec import BackboneSpec
from metaforge.errors import InputError

lite0 = functools.partial(BackboneSpec, backbone="efficientnet_lite0")


def shapes(backbone, size):
    params = jax.eval_shape(backbone.init, jax.random.key(0), jnp.zeros((1, size, size, 3)))
    return jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), params)


@pytest.mark.parametrize(
    ("name", "settings", "same"),
    [
        ("conv4", {"width": 4, "normalisation": "group"}, lambda: conv4(width=4, normalisation="group")),
        ("conv4", {"num_classes": 3, "neck": 5}, lambda: conv4(width=32, num_classes=3, neck=5)),
        ("efficientnet_lite0", {}, lambda: efficientnet_lite0(pretrained=False, normalisation="support")),
        (
            "clip",
            {"variant": "ViT-B/32", "image_size": 64},
            lambda: clip(variant="ViT-B/32", image_size=64, num_classes=2),
        ),
    ],
)
def test_a_name_stands_for_its_factory(name, settings, same):
    size = settings.get("image_size", 32)
    assert shapes(choice.choose(BackboneSpec(**{"image_size": size, "backbone": name} | settings)), size) == shapes(
        same(), size
    )


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match=r"unknown backbone 'resnet'; known: conv4, efficientnet_lite0, .*, clip"):
        choice.choose(BackboneSpec(backbone="resnet"))


@pytest.mark.parametrize(
    ("name", "settings", "line"),
    [
        ("resnet", {}, "backbone=resnet: known: conv4"),
        ("conv4", {"image_size": 15}, "image_size=15: conv4 needs 16"),
        ("conv4", {"normalisation": "frozen"}, "normalisation=frozen: conv4 has only "),
        ("conv4", {"weights": "a.pth"}, "conv4 has none"),
        ("efficientnet_lite0", {"fusion_width": 32}, "fusion_width=32: for fusion"),
        ("efficientnet_lite0", {"image_size": 31}, "needs 32 pixels"),
        ("efficientnet_lite0", {"normalisation": "frozen"}, "random weights bring no statistics"),
        ("efficientnet_lite0", {"normalisation": "group", "weights": "imagenet"}, "not trained with groups"),
        ("clip", {"image_size": 60, "normalisation": "none"}, "another multiple of its patch of 16"),
        ("clip", {"variant": "ViT-H/1", "normalisation": "none"}, "variant=ViT-H/1: known: ViT"),
        ("clip", {"weights": "imagenet", "normalisation": "none"}, "give the safetensors file"),
    ],
)
def test_what_a_backbone_does_not_have_is_one_line(name, settings, line):
    with pytest.raises(InputError, match=line):
        choice.check(BackboneSpec(**{"backbone": name, "image_size": 64} | settings))


def test_a_fingerprint_is_the_sha_of_the_file(tmp_path):
    (tmp_path / "mine.pth").write_bytes(b"weights")
    assert weight_files.fingerprint(lite0(weights=str(tmp_path / "mine.pth"))) == hashlib.sha256(b"weights").hexdigest()
    assert weight_files.fingerprint(BackboneSpec()) == ""
    with pytest.raises(InputError, match=r"cannot read '.*none\.pth' \(No such file"):
        weight_files.fingerprint(lite0(weights=str(tmp_path / "none.pth")))


def test_what_comes_from_a_file_is_all_but_head_and_neck():
    backbone = choice.choose(lite0(neck=4))
    params = jax.eval_shape(backbone.init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
    from metaforge.core.param_paths import partition

    named, own = partition(params, weight_files.from_file(lite0(weights="imagenet")))
    assert {name for name in named if jax.tree.leaves(named[name])} == set(params) - {"head", "neck"}
    assert np.all([not jax.tree.leaves(own[name]) for name in set(params) - {"head", "neck"}])
    # What reads captions is drawn, and no file of images' weights has it.
    assert not re.search(weight_files.from_file(lite0(weights="imagenet", text="small")), "words/text/positions")


@pytest.mark.parametrize(
    ("name", "settings"),
    [("conv4", {"width": 4, "neck": 3}), ("efficientnet_lite0", {"normalisation": "frozen", "neck": 3, "head": "mlp"})],
)
def test_parameters_are_described_as_init_makes_them(name, settings):
    spec = BackboneSpec(backbone=name, image_size=32, **settings)
    described = choice.params(spec)
    described = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), described)
    assert described == shapes(choice.choose(spec), 32)
