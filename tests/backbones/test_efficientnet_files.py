"""Weights of timm, torchvision and lukemelas: their names, their padding, and what a file of another kind is told."""

import dataclasses
import functools
import hashlib
import inspect
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaforge.backbones import choice, efficientnet_b0, levels
from metaforge.backbones._safetensors_file import read_safetensors_file
from metaforge.backbones.cut import cut
from metaforge.backbones.efficientnet import _pretrained
from metaforge.backbones.efficientnet._models import assemble, shapes_of
from metaforge.backbones.efficientnet._names import NAMINGS, all_names, foreign, naming_of, stored_shape
from metaforge.backbones.efficientnet._plan import B0, B4, PLANS, plan_of
from metaforge.backbones.spec import BackboneSpec
from metaforge.errors import InputError
from metaforge.screening import from_run, load_detector, save_detector
from metaforge.settings import change
from metaforge.training import meta_train, trainable
from metaforge.training.config import Config
from tests.backbones.test_efficientnet import TINY_B, TINY_LITE, file_of, pixels, restated

LUKEMELAS, TIMM, TORCHVISION = NAMINGS
TORCH = TINY_B._replace(padding="symmetric", epsilon=1e-5)

# What `state_dict()` of timm 1.0.31, torchvision 0.29.1 and efficientnet-pytorch 0.7.1 lists: some of each kind.
LISTED = {
    "timm, b0": (TIMM, B0, {
        "conv_stem.weight": (32, 3, 3, 3), "bn1.running_mean": (32,), "blocks.0.0.conv_dw.weight": (32, 1, 3, 3),
        "blocks.0.0.se.conv_reduce.weight": (8, 32, 1, 1), "blocks.0.0.se.conv_expand.bias": (32,),
        "blocks.0.0.conv_pw.weight": (16, 32, 1, 1), "blocks.0.0.bn2.running_var": (16,),
        "blocks.4.0.bn2.bias": (480,), "blocks.4.0.conv_dw.weight": (480, 1, 5, 5),
        "blocks.4.0.conv_pwl.weight": (112, 480, 1, 1), "blocks.4.0.bn3.weight": (112,),
        "blocks.4.1.conv_pw.weight": (672, 112, 1, 1), "conv_head.weight": (1280, 320, 1, 1), "bn2.bias": (1280,),
        "classifier.weight": (1000, 1280), "bn1.num_batches_tracked": (),
    }),
    "torchvision, b0": (TORCHVISION, B0, {
        "features.0.0.weight": (32, 3, 3, 3), "features.0.1.running_var": (32,),
        "features.1.0.block.0.0.weight": (32, 1, 3, 3), "features.1.0.block.1.fc1.weight": (8, 32, 1, 1),
        "features.1.0.block.1.fc2.bias": (32,), "features.1.0.block.2.0.weight": (16, 32, 1, 1),
        "features.1.0.block.2.1.bias": (16,), "features.5.0.block.0.1.running_var": (480,),
        "features.5.0.block.1.0.weight": (480, 1, 5, 5), "features.5.0.block.2.fc2.weight": (480, 20, 1, 1),
        "features.5.0.block.3.0.weight": (112, 480, 1, 1), "features.5.1.block.0.0.weight": (672, 112, 1, 1),
        "features.8.0.weight": (1280, 320, 1, 1), "features.8.1.weight": (1280,), "classifier.1.weight": (1000, 1280),
    }),
    "lukemelas, b0": (LUKEMELAS, B0, {
        "_conv_stem.weight": (32, 3, 3, 3), "_bn0.bias": (32,), "_blocks.0._depthwise_conv.weight": (32, 1, 3, 3),
        "_blocks.0._bn1.running_mean": (32,), "_blocks.8._se_reduce.weight": (20, 480, 1, 1),
        "_blocks.9._expand_conv.weight": (672, 112, 1, 1), "_blocks.9._se_expand.bias": (672,),
        "_conv_head.weight": (1280, 320, 1, 1), "_bn1.running_var": (1280,), "_fc.bias": (1000,),
    }),
    "timm, b4": (TIMM, B4, {
        "conv_stem.weight": (48, 3, 3, 3), "blocks.0.1.conv_dw.weight": (24, 1, 3, 3),
        "blocks.6.1.conv_pw.weight": (2688, 448, 1, 1), "conv_head.weight": (1792, 448, 1, 1),
    }),
    "torchvision, b4": (TORCHVISION, B4, {
        "features.1.1.block.2.0.weight": (24, 24, 1, 1), "features.6.7.block.1.0.weight": (1632, 1, 5, 5),
        "features.7.1.block.2.fc1.weight": (112, 2688, 1, 1), "features.8.0.weight": (1792, 448, 1, 1),
    }),
    "lukemelas, b4": (LUKEMELAS, B4, {
        "_blocks.1._depthwise_conv.weight": (24, 1, 3, 3), "_blocks.31._project_conv.weight": (448, 2688, 1, 1),
    }),
}  # fmt: skip
# How many entries `state_dict()` has, whichever library's.
ENTRIES = {"efficientnet_b0": 360, "efficientnet_b4": 706}


@functools.cache
def our_shapes(plan):
    """Every one of our parameters with its path and shape."""
    leaves = jax.tree_util.tree_leaves_with_path(shapes_of(plan, 1000, "frozen", 0, "linear"))
    return {tuple(key.key for key in path): leaf.shape for path, leaf in leaves}


@pytest.mark.parametrize("case", LISTED)
def test_names_and_shapes_are_those_that_the_libraries_list(case):
    naming, plan, listed = LISTED[case]
    found = {}
    for path, shape in our_shapes(plan).items():
        name, axes = foreign(naming, plan, *path)
        assert name not in found
        found[name] = stored_shape(shape, axes)
    counters = {name.replace("running_var", "num_batches_tracked"): () for name in found if "running_var" in name}
    found |= counters
    assert {name: found.get(name) for name in listed} == listed
    assert set(found) == all_names(naming, plan)
    assert len(found) == ENTRIES[plan.name]
    assert naming_of(listed if len(listed) > 5 else found) is naming


def test_b4_has_the_published_size_and_b0_scaled():
    # Tan and Le, section 3.3 and table 2: depth 1.8 and width 1.4; 19 million parameters.
    assert sum(int(np.prod(shape)) for path, shape in our_shapes(B4).items() if path[-1] not in ("mean", "variance")) \
        == 19_341_616  # fmt: skip
    for stage, small in zip(B4.stages, B0.stages, strict=True):
        assert stage.repeats == np.ceil(1.8 * small.repeats)
        assert (abs(stage.features - 1.4 * small.features) <= 4, stage.features % 8) == (True, 0)
        assert stage[1:4] == small[1:4]


# By hand, for a network of one block without expansion and a stage of two with it.
RENAMED = {
    "timm": {
        "_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier",
        "_blocks.0._depthwise_conv": "blocks.0.0.conv_dw", "_blocks.0._bn1": "blocks.0.0.bn1",
        "_blocks.0._se_reduce": "blocks.0.0.se.conv_reduce", "_blocks.0._se_expand": "blocks.0.0.se.conv_expand",
        "_blocks.0._project_conv": "blocks.0.0.conv_pw", "_blocks.0._bn2": "blocks.0.0.bn2",
    } | {f"_blocks.{n}.{theirs}": f"blocks.1.{n - 1}.{name}" for n in (1, 2) for theirs, name in {
        "_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2",
        "_se_reduce": "se.conv_reduce", "_se_expand": "se.conv_expand", "_project_conv": "conv_pwl", "_bn2": "bn3",
    }.items()},
    "torchvision": {
        "_conv_stem": "features.0.0", "_bn0": "features.0.1", "_conv_head": "features.3.0", "_bn1": "features.3.1",
        "_fc": "classifier.1",
        "_blocks.0._depthwise_conv": "features.1.0.block.0.0", "_blocks.0._bn1": "features.1.0.block.0.1",
        "_blocks.0._se_reduce": "features.1.0.block.1.fc1", "_blocks.0._se_expand": "features.1.0.block.1.fc2",
        "_blocks.0._project_conv": "features.1.0.block.2.0", "_blocks.0._bn2": "features.1.0.block.2.1",
    } | {f"_blocks.{n}.{theirs}": f"features.2.{n - 1}.block.{name}" for n in (1, 2) for theirs, name in {
        "_expand_conv": "0.0", "_bn0": "0.1", "_depthwise_conv": "1.0", "_bn1": "1.1",
        "_se_reduce": "2.fc1", "_se_expand": "2.fc2", "_project_conv": "3.0", "_bn2": "3.1",
    }.items()},
}  # fmt: skip


def renamed(naming, weights):
    """A file of lukemelas' names under another library's."""
    if naming is LUKEMELAS:
        return dict(weights)
    parts = (name.rpartition(".") for name in weights)
    names = [f"{RENAMED[naming.name][layer]}.{part}" for layer, _, part in parts]
    return dict(zip(names, weights.values(), strict=True))


def written(path, naming, weights=None, **changed):
    """A safetensors file of the tiny network."""
    from safetensors.numpy import save_file

    tensors = {**renamed(naming, weights or file_of(TINY_B, 1000)), **changed}
    save_file({name: tensor for name, tensor in tensors.items() if tensor is not None}, path)
    _pretrained.load_weights.cache_clear()
    return str(path)


@pytest.fixture
def tiny(monkeypatch):
    """B0 is a network of three blocks."""
    monkeypatch.setitem(PLANS, "efficientnet_b0", TINY_B._replace(name="efficientnet_b0"))


@pytest.mark.parametrize("form", ["shifts", "lax"])
def test_a_network_of_pytorch_s_padding_equals_its_restatement(form, tmp_path, x64):
    # At even sizes, where the paddings differ: 36, 18 and 9 by 44, 22 and 11.
    weights, images = file_of(TORCH, 1000), np.random.default_rng(1).integers(0, 256, (2, 36, 44, 3), np.uint8)
    model = assemble(TORCH, num_classes=1000, pretrained=written(tmp_path / "a.safetensors", TIMM, weights),
                     head_init="pretrained", depthwise=form)  # fmt: skip
    params = jax.tree.map(lambda leaf: leaf.astype(np.float64), model.init(jax.random.key(0), images))
    logits, embeddings = restated(TORCH, weights, pixels(TORCH, images))
    found = jax.jit(model.apply)(params, images / np.float64(255))
    np.testing.assert_allclose(found.logits, logits, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(found.embeddings, embeddings, rtol=1e-10, atol=1e-10)
    assert np.abs(restated(TINY_B, weights, pixels(TORCH, images))[0] - logits).max() > 1e-2


def test_a_file_s_names_do_not_change_its_numbers_and_say_how_it_pads(tiny, tmp_path):
    params = {}
    for naming, convention in ((LUKEMELAS, "tensorflow"), (TIMM, "torch"), (TORCHVISION, "torch")):
        spec = BackboneSpec(backbone="efficientnet_b0", normalisation="frozen", image_size=34,
                            weights=written(tmp_path / f"{naming.name}.safetensors", naming))  # fmt: skip
        assert choice.settled(spec).convention == convention
        assert choice.plan(spec).padding == {"tensorflow": "same", "torch": "symmetric"}[convention]
        apply = choice.choose(dataclasses.replace(spec, convention=convention)).apply
        assert choice.choose(spec).apply is apply
        assert choice.choose(choice.settled(spec).unread()).apply is apply
        params[naming.name] = choice.params(spec)
    for each in params.values():
        jax.tree.map(np.testing.assert_array_equal, each["block2"], params["timm"]["block2"])
    kernel = file_of(TINY_B, 1000)["_blocks.2._project_conv.weight"]
    np.testing.assert_array_equal(params["torchvision"]["block2"]["project"]["kernel"], kernel[:, :, 0, 0].T)
    # One library has one set of names for two kinds of network: which it is can be said.
    both = dataclasses.replace(spec, weights=str(tmp_path / "timm.safetensors"), convention="tensorflow")
    assert choice.plan(both).padding == "same"
    jax.tree.map(np.testing.assert_array_equal, choice.params(both)["block2"], params["timm"]["block2"])


def test_levels_and_cuts_are_of_the_file_s_network(tiny, tmp_path):
    file = written(tmp_path / "a.safetensors", TORCHVISION)
    spec = BackboneSpec(backbone="efficientnet_b0", normalisation="frozen", image_size=34, weights=file, levels="0,2")
    choice.check(spec)
    made = choice.levels_of(spec)
    assert made.size == 2 * (4 + 6)
    assert made.apply is levels.of_plan(choice.plan(spec), (0, 2), False).apply
    assert made.apply is levels.b0(blocks=(0, 2), pretrained=file).apply
    assert made.apply is not levels.b0(blocks=(0, 2)).apply
    assert trunk(spec, "head") is made.apply
    params = choice.params(spec)
    assert set(params) == {"stem", "stem_norm", "block0", "block1", "block2", "standardise", "head"}
    plain = dataclasses.replace(spec, levels="")
    assert trunk(plain, "head") is trunk(dataclasses.replace(plain, weights="", convention="torch"), "head")
    assert trunk(plain, "head") is not trunk(dataclasses.replace(plain, weights=""), "head")


def trunk(spec, *moves):
    found = cut(spec, moves)
    assert found is not None
    return found.trunk


def test_half_precision_becomes_single(tmp_path):
    import ml_dtypes

    weights = {name: array.astype(ml_dtypes.bfloat16) for name, array in file_of(TINY_B, 2).items()}
    params = assemble(TORCH, pretrained=written(tmp_path / "a.safetensors", TIMM, weights)).init(
        jax.random.key(0), jnp.zeros((1, 32, 32, 3))
    )
    assert params["stem"]["kernel"].dtype == np.float32
    np.testing.assert_array_equal(
        params["stem"]["kernel"], weights["_conv_stem.weight"].astype(np.float32).transpose(2, 3, 1, 0)
    )


REFUSED = {
    "missing": (TIMM, {"blocks.1.0.conv_dw.weight": None, "bn2.bias": None},
                r"lacks 'blocks\.1\.0\.conv_dw\.weight' and 1 more\. Give the whole state_dict of efficientnet_b0"),
    "superfluous": (TORCHVISION, {"features.9.0.weight": np.zeros(2, np.float32)},
                    r"has 'features\.9\.0\.weight', which efficientnet_b0 does not"),
    "another shape": (LUKEMELAS, {"_blocks.1._expand_conv.weight": np.zeros((8, 5, 1, 1), np.float32)},
                      r"shape \(8, 5, 1, 1\) and type float32, and efficientnet_b0 needs .* of shape \(8, 4, 1, 1\)"),
    "integers": (TIMM, {"bn1.weight": np.zeros(4, np.int8)}, r"'bn1\.weight' of .* type int8"),
    "not finite": (TIMM, {"bn1.running_var": np.array([1, 1, np.nan, 1], np.float32)},
                   r"'bn1\.running_var' of .* numbers that are not finite"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_is_amiss_is_told_in_one_line(case, tiny, tmp_path):
    naming, changed, line = REFUSED[case]
    model = efficientnet_b0(pretrained=written(tmp_path / "a.safetensors", naming, **changed), normalisation="frozen")
    with pytest.raises(InputError, match=f"^weights: .*{line}") as caught:
        model.init(jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
    assert "\n" not in str(caught.value)


def test_a_convention_that_the_names_deny_is_told(tiny, tmp_path):
    wrong: Any
    for naming, wrong in ((TORCHVISION, "tensorflow"), (LUKEMELAS, "torch")):
        model = efficientnet_b0(pretrained=written(tmp_path / f"{naming.name}.safetensors", naming), convention=wrong)
        with pytest.raises(InputError, match=rf"has the names of {naming.name}, whose networks pad as (?!{wrong})"):
            model.init(jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
    with pytest.raises(ValueError, match="unknown `convention` 'keras'; known: auto, torch, tensorflow"):
        inspect.unwrap(efficientnet_b0)(convention="keras")


def test_a_lite_takes_no_other_library_s_names(tmp_path):
    # timm's `efficientnet_lite0` pads as PyTorch does and has ImageNet's colours, which no name says.
    file = written(tmp_path / "a.safetensors", TIMM, file_of(TINY_LITE, 2))
    with pytest.raises(InputError, match=r"names of timm; efficientnet_lite0 takes those of lukemelas alone"):
        assemble(TINY_LITE, pretrained=file).init(jax.random.key(0), jnp.zeros((1, 32, 32, 3)))


def test_what_is_no_file_of_weights_is_told_before_anything_else(tmp_path):
    with pytest.raises(InputError, match=r"no file 'none\.safetensors'"):
        efficientnet_b0(pretrained="none.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(b"\x10" + bytes(30))
    with pytest.raises(InputError, match=r"^weights: '.*cut\.safetensors' is damaged or no safetensors file"):
        efficientnet_b0(pretrained=tmp_path / "cut.safetensors")
    from safetensors.numpy import save_file

    save_file({"conv1.weight": np.zeros((2, 3, 3, 3), np.float32)}, tmp_path / "resnet.safetensors")
    with pytest.raises(InputError, match=r"names of no library that is known \('conv1\.weight' comes first\)"):
        efficientnet_b0(pretrained=tmp_path / "resnet.safetensors")


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"backbone": "efficientnet_b0", "weights": "imagenet"}, "weights=imagenet: no package has those"),
        ({"backbone": "efficientnet_b4", "normalisation": "frozen"}, "random weights bring no statistics"),
        ({"backbone": "efficientnet_b4", "weights": "a.pth", "normalisation": "group"}, "not trained with groups"),
        ({"backbone": "efficientnet_b4", "levels": "32", "weights": "a.pth", "normalisation": "frozen"},
         "levels=32: efficientnet_b4 has the blocks 0 to 31"),
        ({"backbone": "efficientnet_lite0", "convention": "torch"}, "efficientnet_lite0 has one alone"),
        ({"backbone": "efficientnet_b0", "convention": "keras"}, "convention=keras: known: auto, torch, tensorflow"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_one_line(settings, line):
    with pytest.raises(InputError, match=line):
        choice.check(BackboneSpec(**{"image_size": 64} | settings))


def test_a_run_knows_its_network_without_the_file(tiny, tmp_path, monkeypatch):
    file = written(tmp_path / "a.safetensors", TIMM)
    config = change(Config(), {"model.backbone": "efficientnet_b0", "model.weights": file, "learner.name": "erm"})

    def stop(directory, said, **_):
        raise InterruptedError(said["model"]["convention"])

    monkeypatch.setattr(meta_train, "refuse_another", stop)
    with pytest.raises(InterruptedError, match="torch"):
        meta_train.run(config, tmp_path / "run")


def test_a_detector_is_saved_without_the_file_s_parameters_and_read_again(tiny, tmp_path):
    file = written(tmp_path / "a.safetensors", TORCHVISION)
    config = change(Config(), {
        "model.backbone": "efficientnet_b0", "model.weights": file, "model.image_size": 34, "learner.name": "erm",
        "model.normalisation": "frozen", "learner.trainable": "^head/",
    })  # fmt: skip
    config = dataclasses.replace(config, model=choice.settled(config.model))
    images = np.random.default_rng(0).integers(0, 256, (3, 34, 34, 3), np.uint8)
    whole = choice.choose(config.network).init(jax.random.key(0), images)
    params, frozen = trainable.part(config, whole)
    sha = hashlib.sha256((tmp_path / "a.safetensors").read_bytes()).hexdigest()
    rule = {"optimizer": "sgd", "rate": 0.1, "steps": 1}
    detector = from_run.detector(from_run.FinishedRun(config, params, rule, images, frozen, sha))
    save_detector(tmp_path / "saved", detector)
    kept = read_safetensors_file(tmp_path / "saved" / "detector.safetensors")
    assert set(kept) == {"params/head/kernel", "params/head/bias", "context"}
    (tmp_path / "a.safetensors").rename(tmp_path / "moved.safetensors")
    with pytest.raises(InputError, match="needs them; say where with --weights"):
        load_detector(tmp_path / "saved")
    again = load_detector(tmp_path / "saved", weights=str(tmp_path / "moved.safetensors"))
    jax.tree.map(np.testing.assert_array_equal, again.params, whole)
    assert choice.choose(again.spec).apply is choice.choose(config.network).apply


def test_plans_by_name():
    assert plan_of("efficientnet_b0") == B0
    assert plan_of("efficientnet_b4", "torch") == B4._replace(padding="symmetric", epsilon=1e-5)


@pytest.mark.parametrize("levels_of_it", ["", "1,3"])
def test_features_of_one_file_are_kept_apart_by_convention(levels_of_it):
    # Whoever tried the wrong one of two keeps the first's features, of the same weights.
    spec = BackboneSpec(backbone="efficientnet_b0", normalisation="frozen", levels=levels_of_it)
    names = [cut(dataclasses.replace(spec, convention=each), {"head"}) for each in ("torch", "tensorflow", "auto")]
    torch, tensorflow, auto = (each.name for each in names if each)
    assert torch != tensorflow == auto
