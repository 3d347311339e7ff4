"""The study of small detectors: who is left out, and its numbers by another way."""

import numpy as np
import pytest

from experiments.strangers.made_small import measuring, running
from experiments.strangers.made_small.config import FIRST, Config, Options
from experiments.strangers.made_small.folding import fold_of
from experiments.strangers.made_small.material import Images
from experiments.strangers.made_small.table import markdown
from metaforge.errors import InputError
from metaforge.evaluation.ranking import auc
from metaforge.settings import change

TINY = change(Config(), {"study.resamples": 20})


def toy(people=4):
    """Images of three collections, each person forged by four methods; features that a fake moves along one axis."""
    rows = [
        (collection, f"{collection}{person}", kind, label, pair)
        for pair, (collection, person, kind) in enumerate(
            (c, p, k) for c in "abc" for p in range(people) for k in ("swap", "smooth", "warp", "colour")
        )
        for label in (0, 1)
    ]
    collection, person, kind, label, pair = (np.array(column) for column in zip(*rows, strict=True))
    features = np.random.default_rng(0).normal(size=(len(rows), 3)) + 3.0 * label[:, None] * np.eye(3)[0]
    return Images(np.zeros((len(rows), 1)), label, kind, collection, person, pair), features.astype(np.float32)


@pytest.mark.parametrize("half", [0, 1])
def test_a_fold_knows_neither_collection_nor_methods(half):
    images, features = toy()
    fold = fold_of(images, features, "b", half)
    assert {*images.collection[fold.source]} == {"a", "c"}
    assert {*images.collection[fold.judged]} == {"b"}
    known, asked = {*images.kind[fold.source]}, {*images.kind[fold.judged]}
    assert not known & asked
    assert ({*FIRST} & {*images.kind}) == (asked if half == 0 else known)
    # What is judged has no part in the fit, whatever it is.
    other = features.copy()
    other[fold.judged] += 100.0
    np.testing.assert_array_equal(fold_of(images, other, "b", half).head.weights, fold.head.weights)
    assert auc(images.label[fold.judged], fold.said[fold.judged]) > 0.9


def test_means_over_folds_and_seeds_by_hand():
    rng = np.random.default_rng(0)
    label, person = np.tile([0, 1], 6), np.repeat(np.arange(6), 2).astype(str)
    folds = {
        (name, 0): {
            "label": label,
            "person": person,
            "systems": {"detector": rng.normal(size=(1, 12)), "Conv4, distilled": rng.normal(size=(2, 12))},
        }
        for name in "ab"
    }
    found = measuring.rows(TINY, folds)
    each = [[auc(label, one) for one in fold["systems"]["Conv4, distilled"]] for fold in folds.values()]
    assert found["Conv4, distilled"]["auc"]["value"] == pytest.approx(np.mean(each))
    assert found["Conv4, distilled"]["auc_of_seeds"] == pytest.approx(np.mean(each, axis=0))
    right = [np.mean((fold["systems"]["detector"] > 0) == (label > 0)) for fold in folds.values()]
    assert found["detector"]["accuracy"]["value"] == pytest.approx(np.mean(right))
    (gain,) = measuring.differences(TINY, folds)
    assert gain["auc"]["value"] == pytest.approx(
        found["Conv4, distilled"]["auc"]["value"] - found["detector"]["auc"]["value"]
    )


def test_features_of_clip_find_their_images_in_another_order(tmp_path):
    images, _ = toy()
    order = np.random.default_rng(1).permutation(len(images.label))
    # A person has one image of each method and label, so that these name it.
    named = np.arange(len(order), dtype=np.float32)
    np.savez(
        tmp_path / "features-0.npz", features=np.repeat(named[order, None], 800, axis=1),
        label=images.label[order], kind=images.kind[order], collection=images.collection[order],
        person=images.person[order],
    )  # fmt: skip
    found = running._clip(tmp_path, images, 1)
    assert found.shape == (len(order), 768)
    np.testing.assert_array_equal(found[:, 0], named)
    other = images._replace(person=images.person[::-1])
    with pytest.raises(InputError, match="other faces"):
        running._clip(tmp_path, other, 1)


def test_the_table_names_every_system_and_network():
    one = {"value": 0.5, "low": 0.4, "high": 0.6}
    cost = {"size": 84, "mb": 1.0, "parameters": 10**6, "multiply_adds": 10**7, "peak_memory_mb": 100.0}
    cost |= {f"ms_at_{n}": 1.0 for n in (1, 16)} | {f"times_as_fast_at_{n}": one for n in (1, 16)}
    text = markdown({
        "command": "c", "provenance": {"commit": "x", "date": "d"},
        "folds": [{"collection": "a", "half": 0, "images": 3}],
        "rows": {"detector": {"accuracy": one, "auc": one, "folds": {"a:0": one}, "auc_of_seeds": [0.5]}},
        "differences": [{"system": "B0, distilled", "against": "detector", "folds": 1, "auc": one, "accuracy": one}],
        "costs": {"Conv4": cost},
    })  # fmt: skip
    for said in ("| detector |", "| B0, distilled | detector | 1 |", "| Conv4 | 84 |", "0.500 [0.400, 0.600]"):
        assert said in text


@pytest.mark.parametrize("folds", ["a", "a:2", "a:x"])
def test_folds_that_cannot_be_are_refused(folds):
    with pytest.raises(InputError, match="--folds"):
        change(Config(), {"folds": folds}).places()


def test_memory_is_that_of_the_scoring_alone(tmp_path):
    from onnx import TensorProto, helper

    x = helper.make_tensor_value_info("images", TensorProto.UINT8, [None, 16, 16, 3])
    y = helper.make_tensor_value_info("same", TensorProto.UINT8, [None, 16, 16, 3])
    graph = helper.make_graph([helper.make_node("Identity", ["images"], ["same"])], "g", [x], [y])
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    (tmp_path / "same.onnx").write_bytes(model.SerializeToString())
    # A process that takes 400 MB starts it.
    held = np.ones(50_000_000)
    assert 10 < measuring._memory(tmp_path / "same.onnx", 16) < 300
    assert held.nbytes == 4e8


@pytest.mark.parametrize("shares", ["", "half", "0.25,1", "-0.5"])
def test_shares_that_are_none_are_said_before_the_work(tmp_path, shares):
    with pytest.raises(InputError, match="--shares"):
        running.run(Options(str(tmp_path / "run")), change(Config(), {"shares": shares}), quiet=True)
    assert not (tmp_path / "run").exists()
