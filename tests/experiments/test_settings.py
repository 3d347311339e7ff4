"""A setting reaches every program that it is for: what is tuned, adapted, scored, saved and read again is one model."""

import dataclasses
import inspect
from typing import Any

import jax
import numpy as np
import pytest

from experiments.study import data as study_data
from experiments.study import rules as study_rules
from metaforge.backbones import choice
from metaforge.screening import detector, from_run, save_detector, saved_detector
from metaforge.training import backbone_choice, meta_test
from metaforge.training.config import Config

BASE = Config(learner="erm", image_size=16, width=4)
CLIP = dataclasses.replace(BASE, backbone="clip", variant="ViT-B/32", image_size=64, normalisation="none")

TOY = {
    "name": dataclasses.replace(BASE, backbone="efficientnet_lite0", image_size=32),
    "num_classes": dataclasses.replace(BASE, objective="fakeradar"),
    "image_size": CLIP,
    "normalisation": dataclasses.replace(BASE, normalisation="group"),
    "width": dataclasses.replace(BASE, width=3),
    "neck": dataclasses.replace(BASE, neck=3),
    "head": dataclasses.replace(BASE, head="quadratic"),
    "variant": CLIP,
    "precision": dataclasses.replace(BASE, precision="bfloat16"),
}
"""By what a backbone is made from: a run in which it is another than by default."""


def test_all_that_a_backbone_is_made_from_is_held_here():
    # Weights are in the parameters; however convolutions run, the numbers agree.
    assert {*inspect.signature(choice.choose).parameters} - {"weights", "convolution"} == {*TOY}


def of(config):
    return from_run.Trained(config, {}, {}, np.zeros((2, config.image_size, config.image_size, 3), np.uint8))


@pytest.mark.parametrize("name", TOY)
def test_what_is_tuned_adapted_and_screened_with_is_the_model_that_was_trained(name, monkeypatch):
    config = TOY[name]
    trained = backbone_choice.backbone(config).apply
    assert backbone_choice.backbone(meta_test.rule_key(config)).apply is trained
    # Settings that a backbone does not have, or does not ask for, change nothing.
    scored = []
    monkeypatch.setattr(detector, "score", lambda apply, *_, **__: scored.append(apply) or np.zeros(0))
    from_run.detector(of(config))(np.zeros(0))
    assert scored[0] is trained
    kept = ("normalisation", "precision", "neck", "head", "objective")
    kept += ("width",) if config.backbone == "conv4" else ("backbone", "variant", "image_size")
    key = study_rules.program_key(dataclasses.replace(config, keeps="features"), "all")
    assert all(getattr(key, field) == getattr(config, field) for field in kept)


def test_a_study_s_features_are_of_the_precision_that_was_asked_for(monkeypatch):
    monkeypatch.setattr(study_data, "_material", lambda config: config)
    for precision in ("float32", "bfloat16"):
        config = dataclasses.replace(CLIP, precision=precision, keeps="features", trains="head")
        material: Any = study_data.material(config)
        assert backbone_choice.shapes(material) == backbone_choice.shapes(config)


def test_how_convolutions_run_is_obeyed_when_adapting():
    assert meta_test.rule_key(dataclasses.replace(BASE, convolution="lax")).convolution == "lax"


def test_a_saved_detector_is_adapted_again_as_what_it_is(tmp_path):
    differs = {"width": 4, "normalisation": "group", "neck": 3, "head": "quadratic", "objective": "fakeradar",
               "precision": "bfloat16", "adapts": "^head/", "finetune_optimizer": "adam"}  # fmt: skip
    config = Config(learner="erm", image_size=16, **differs)
    rule = {"optimizer": "adam", "rate": 0.1, "steps": 2}
    params = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), backbone_choice.shapes(config))
    run = dataclasses.replace(of(config), params=params, rule=rule)
    save_detector(tmp_path / "saved", from_run.detector(run))
    again = saved_detector.load(tmp_path / "saved")
    assert {name: getattr(again.config, name) for name in differs} == differs
    assert backbone_choice.backbone(again.config).apply is backbone_choice.backbone(config).apply
