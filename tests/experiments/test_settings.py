"""A setting reaches every program that it is for: what is tuned, adapted, scored, saved and read again is one model."""

import dataclasses
from typing import Any

import jax
import numpy as np
import pytest

from experiments.study import data as study_data
from experiments.study import rules as study_rules
from metaforge.backbones import choice
from metaforge.backbones.clip_model.config import VISION
from metaforge.backbones.spec import VARIANTS, BackboneSpec
from metaforge.core import weighting
from metaforge.learners.spec import WEIGHTINGS
from metaforge.screening import detector, from_run, save_detector, saved_detector
from metaforge.settings import change, fields_of
from metaforge.training import meta_test
from metaforge.training.config import Config

BASE = change(Config(), {"learner.name": "erm", "model.image_size": 16, "model.width": 4})
CLIP = change(
    BASE, {"model.backbone": "clip", "model.variant": "ViT-B/32", "model.image_size": 64, "model.normalisation": "none"}
)
LEVELS = change(BASE, {"model.backbone": "efficientnet_lite0", "model.image_size": 32, "model.levels": "0"})
FUSED = change(BASE, {"model.backbone": "efficientnet_lite0", "model.image_size": 32, "model.fusion": "0,2"})

TOY = {
    "backbone": change(BASE, {"model.backbone": "efficientnet_lite0", "model.image_size": 32}),
    "convention": change(
        BASE, {"model.backbone": "efficientnet_b0", "model.image_size": 32, "model.convention": "torch"}
    ),
    "num_classes": change(BASE, {"objective.name": "fakeradar"}),
    "image_size": CLIP,
    "normalisation": change(BASE, {"model.normalisation": "group"}),
    "width": change(BASE, {"model.width": 3}),
    "neck": change(BASE, {"model.neck": 3}),
    "head": change(BASE, {"model.head": "quadratic"}),
    "variant": CLIP,
    "precision": change(BASE, {"model.precision": "bfloat16"}),
    "levels": LEVELS,
    "hidden": change(
        BASE,
        {
            "model.backbone": "efficientnet_lite0",
            "model.image_size": 32,
            "model.hidden": ",".join(["32", *["8"] * 15]),
        },
    ),
    "fusion": FUSED,
    "fusion_width": change(FUSED, {"model.fusion_width": 5}),
    "clip_levels": change(LEVELS, {"model.clip_levels": "0", "model.variant": "ViT-B/32"}),
}
"""By what a backbone is made from: a run in which it is another than by default."""


def test_all_that_a_backbone_is_made_from_is_held_here():
    # Weights are in the parameters; however convolutions run, the numbers agree; what drops out or reads is a matter of
    # training.
    others = {"weights", "clip_weights", "convolution", "dropout", "text"}
    assert {field.name for field in dataclasses.fields(BackboneSpec)} - others == {*TOY}


def test_names_that_flags_offer_are_those_of_the_tables():
    # They stand apart from the tables so that --help need not import what computes.
    assert tuple(weighting.WEIGHTINGS) == WEIGHTINGS
    assert tuple(VISION) == VARIANTS


def of(config):
    return from_run.FinishedRun(
        config, {}, {}, np.zeros((2, config.model.image_size, config.model.image_size, 3), np.uint8)
    )


@pytest.mark.parametrize("name", TOY)
def test_what_is_tuned_adapted_and_screened_with_is_the_model_that_was_trained(name, monkeypatch):
    config = TOY[name]
    trained = choice.choose(config.network).apply
    assert choice.choose(meta_test.rule_key(config).network).apply is trained
    # Settings that a backbone does not have, or does not ask for, change nothing.
    scored = []
    monkeypatch.setattr(detector, "score", lambda apply, *_, **__: scored.append(apply) or np.zeros(0))
    from_run.detector(of(config))(np.zeros(0))
    assert scored[0] is trained
    key = study_rules.program_key(change(config, {"run.feature_cache": "features"}), "all")
    assert key.network == config.network


def test_a_study_s_features_are_of_the_precision_that_was_asked_for(monkeypatch):
    monkeypatch.setattr(study_data, "_load", lambda config: config)
    for precision in ("float32", "bfloat16"):
        config = change(
            CLIP, {"model.precision": precision, "run.feature_cache": "features", "learner.trainable": "head"}
        )
        material: Any = study_data.load(config)
        assert choice.shapes(material.network) == choice.shapes(config.network)


def test_how_convolutions_run_is_obeyed_when_adapting():
    assert meta_test.rule_key(change(BASE, {"model.convolution": "lax"})).model.convolution == "lax"


def test_a_saved_detector_is_adapted_again_as_what_it_is(tmp_path):
    differs = {
        "model.width": 4, "model.normalisation": "group", "model.neck": 3, "model.head": "quadratic",
        "objective.name": "fakeradar", "model.precision": "bfloat16", "learner.adaptable": "^head/",
        "adapt.optimizer": "adam",
    }  # fmt: skip
    config = change(Config(), {"learner.name": "erm", "model.image_size": 16, **differs})
    rule = {"optimizer": "adam", "rate": 0.1, "steps": 2}
    params = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), choice.shapes(config.network))
    run = dataclasses.replace(of(config), params=params, rule=rule)
    save_detector(tmp_path / "saved", from_run.detector(run))
    again = saved_detector.load(tmp_path / "saved")
    said = {name: value for name, _, value in fields_of(again.config)}
    assert {name: said[name] for name in differs} == differs
    assert choice.choose(again.config.network).apply is choice.choose(config.network).apply
