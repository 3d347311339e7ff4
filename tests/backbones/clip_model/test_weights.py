"""Files of weights: three namings and half precision, read and written back; and every way a file can be wrong."""

import inspect
import json
import pickle
import struct
import sys

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from metaforge import InputError
from metaforge.backbones.clip_model import TextConfig, VisionConfig, read_weights, write_weights
from tests.backbones.clip_model import restatement

SMALL = VisionConfig(image_size=8, patch_size=4, width=8, layers=2, heads=2, projection=6)
WORDS = TextConfig(vocabulary=20, context=7, width=8, layers=2, heads=2, projection=6)
BOTH = {"vision": SMALL, "text": WORDS}


@pytest.fixture(scope="module")
def tensors():
    return restatement.random_tensors(SMALL, text=WORDS)


@pytest.fixture
def save(tmp_path):
    def save(tensors, name="clip.safetensors"):
        save_file({key: np.asarray(tensor, order="C") for key, tensor in tensors.items()}, tmp_path / name)
        return tmp_path / name

    return save


def same(one, other):
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(np.asarray(a), np.asarray(b), strict=True), one, other)


def test_all_namings_are_the_same_weights(tensors, save):
    openai = read_weights(save(tensors), **BOTH)
    renamed = restatement.huggingface(tensors)
    same(read_weights(save(renamed), **BOTH), openai)
    for tower, config in BOTH.items():
        part = {name.removeprefix(f"{tower}_model."): one for name, one in renamed.items() if name.startswith(tower)}
        projection = {"vision": "visual_projection.weight", "text": "text_projection.weight"}[tower]
        bare = read_weights(save(part | {projection: renamed[projection]}), **{tower: config})
        same(bare[tower], openai[tower])


def test_a_matrix_and_a_row_are_where_they_belong(tensors, save):
    params = read_weights(save(tensors), **BOTH)
    block = params["vision"]["blocks"]["01"]["attention"]
    fused = tensors["visual.transformer.resblocks.1.attn.in_proj_weight"]
    np.testing.assert_array_equal(block["k"]["kernel"], fused[8:16].T)
    np.testing.assert_array_equal(params["text"]["tokens"], tensors["token_embedding.weight"])
    kernel = params["vision"]["patch"]["kernel"]
    assert kernel[1, 2, 0, 5] == tensors["visual.conv1.weight"][5, 0, 1, 2]
    assert params["logit_scale"] == 2.5


def test_one_tower_of_a_file_of_two(tensors, save):
    assert set(read_weights(save(tensors), vision=SMALL)) == {"vision"}
    assert set(read_weights(save(restatement.huggingface(tensors)), text=WORDS)) == {"text"}


def test_a_projection_that_is_not_asked_for_is_left_out(tensors, save):
    config = VisionConfig(image_size=8, patch_size=4, width=8, layers=2, heads=2, projection=None)
    assert "projection" not in read_weights(save(tensors), vision=config)["vision"]


def test_buffers_and_sizes_beside_the_weights_are_known(tensors, save):
    sizes = {"input_resolution": np.int64(8), "context_length": np.int64(7), "vocab_size": np.int64(20)}
    read_weights(save(tensors | {name: np.reshape(size, ()) for name, size in sizes.items()}), **BOTH)
    buffers = {f"{tower}_model.embeddings.position_ids": np.arange(5)[None] for tower in ("vision", "text")}
    read_weights(save(restatement.huggingface(tensors) | buffers), **BOTH)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float64])
def test_every_precision_becomes_float32(tensors, save, dtype):
    narrow = {name: tensor.astype(dtype) for name, tensor in tensors.items()}
    params = read_weights(save(narrow), **BOTH)
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}
    same(params, read_weights(save({name: tensor.astype(np.float32) for name, tensor in narrow.items()}), **BOTH))


@pytest.mark.parametrize("naming", ["openai", "huggingface"])
def test_written_weights_are_the_tensors_that_were_read(tensors, save, tmp_path, naming):
    params = read_weights(save(tensors), **BOTH)
    path = tmp_path / "written.safetensors"
    write_weights(path, params, naming=naming)
    expected = tensors if naming == "openai" else restatement.huggingface(tensors)
    same(load_file(path), expected)
    same(read_weights(path, **BOTH), params)
    assert [file.name for file in tmp_path.iterdir() if "part" in file.name] == []


def test_a_bare_tower_is_written_and_read(tensors, save, tmp_path):
    params = read_weights(save(tensors), text=WORDS)
    write_weights(tmp_path / "text.safetensors", params, naming="bare")
    assert "encoder.layers.1.mlp.fc1.weight" in load_file(tmp_path / "text.safetensors")
    same(read_weights(tmp_path / "text.safetensors", text=WORDS), params)


def test_what_has_no_place_in_a_file_is_not_written(tensors, save, tmp_path):
    params = read_weights(save(tensors), **BOTH)
    path = tmp_path / "written.safetensors"
    for given in ({"vision": params["vision"], "head": {}}, {}):
        with pytest.raises(ValueError, match="give `vision`, `text` and `logit_scale`, or some of these"):
            write_weights(path, given)
    with pytest.raises(ValueError, match="one tower alone for 'bare'"):
        write_weights(path, params, naming="bare")
    with pytest.raises(ValueError, match="unknown `naming` 'torch'; known: openai, huggingface, bare"):
        inspect.unwrap(write_weights)(path, params, naming="torch")  # type: ignore
    with pytest.raises(InputError, match=r"cannot write .*nowhere"):
        write_weights(tmp_path / "nowhere" / "a.safetensors", params)


KEY = "visual.transformer.resblocks.1.mlp.c_fc.weight"


def without(name):
    return lambda tensors: {key: tensor for key, tensor in tensors.items() if key != name}


def with_(name, tensor):
    return lambda tensors: tensors | {name: tensor}


WRONG = {
    "missing": (without(KEY), rf"lacks the tensor '{KEY}'; a vision tower of width 8 with 2 layers needs it"),
    "missing, several": (
        lambda tensors: {key: one for key, one in tensors.items() if not key.startswith("visual.ln")},
        "lacks the tensor 'visual.ln_post.bias' and 3 more",
    ),
    "missing, the table": (without("visual.positional_embedding"), "lacks the tensor 'visual.positional_embedding'"),
    "misshaped": (
        with_(KEY, np.zeros((32, 9), np.float32)),
        rf"'{KEY}' is F32 of shape \(32, 9\), and a vision tower of width 8 with 2 layers needs .* \(32, 8\)",
    ),
    "transposed": (with_("visual.proj", np.zeros((6, 8), np.float32)), r"'visual.proj' is F32 of shape \(6, 8\)"),
    "integers": (with_(KEY, np.zeros((32, 8), np.int32)), rf"'{KEY}' is I32 .* needs floating point"),
    "extra": (
        with_("visual.transformer.resblocks.2.ln_1.bias", np.zeros(8, np.float32)),
        r"holds the tensor 'visual.transformer.resblocks.2.ln_1.bias', which is not of .* Is it another variant\?",
    ),
    "strange": (with_("optimizer.step", np.zeros(1, np.float32)), "holds the tensor 'optimizer.step', which is not of"),
    "not finite": (
        with_(KEY, np.full((32, 8), np.nan, np.float32)),
        rf"the tensor '{KEY}' has numbers that are not finite",
    ),
    "scale": (with_("logit_scale", np.zeros(2, np.float32)), r"'logit_scale' has shape \(2,\); it is one number"),
    "another model": (
        lambda tensors: {"conv.weight": np.zeros(3, np.float32)},
        "no vision tower of CLIP; its first .*'conv",
    ),
    "empty": (lambda tensors: {}, "no vision tower of CLIP; its first tensor is None"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_is_one_line_that_names_the_tensor(tensors, save, case):
    change, message = WRONG[case]
    with pytest.raises(InputError, match=message) as error:
        read_weights(save(change(dict(tensors)), "wrong.safetensors"), **BOTH)
    assert "\n" not in str(error.value)
    assert "wrong.safetensors" in str(error.value)


def test_a_text_tower_is_no_vision_tower(tensors, save):
    words = {name: tensor for name, tensor in tensors.items() if not name.startswith("visual.")}
    with pytest.raises(InputError, match=r"holds no vision tower of CLIP; its first tensor is 'ln_final.bias'"):
        read_weights(save(words), vision=SMALL)


class Bomb:
    """Runs when it is unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("the file was unpickled",))


HEADER = json.dumps({"a": {"dtype": "F32", "shape": [2**60], "data_offsets": [0, 8]}}).encode()


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00" * 7, pickle.dumps(Bomb()), b"PK\x03\x04" * 20, struct.pack("<Q", len(HEADER)) + HEADER + b"\x00" * 8],
    ids=["empty", "short", "pickle", "zip", "a lie"],
)
def test_other_formats_are_refused_unread(tmp_path, content):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"is no whole safetensors file .*save the weights as safetensors") as error:
        read_weights(path, vision=SMALL)
    assert "\n" not in str(error.value)


def test_a_file_that_was_cut_off_is_refused(tensors, save):
    path = save(tensors)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(InputError, match="is no whole safetensors file"):
        read_weights(path, vision=SMALL)


def test_no_file_a_folder_and_no_tower(tmp_path):
    for path in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(InputError, match=r"there is no file .* Give the safetensors file of a CLIP"):
            read_weights(path, vision=SMALL)
    with pytest.raises(ValueError, match="no tower is asked for"):
        read_weights(tmp_path / "none.safetensors")


def test_without_safetensors_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(InputError, match=r"need safetensors. Install the extra `clip`"):
        read_weights(tmp_path / "clip.safetensors", vision=SMALL)
