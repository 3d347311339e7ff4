"""Detectors of runs that train every parameter of a network which began with a file of weights."""

import jax
import numpy as np
import pytest

from metaforge.backbones import choice
from metaforge.screening import from_run, load_detector, save_detector, saved_detector
from metaforge.settings import change
from metaforge.training.config import Config


@pytest.mark.parametrize("normalisation", ["frozen", "support"])
def test_it_is_read_again_without_the_file(tmp_path, normalisation):
    config = change(Config(), {
        "model.backbone": "efficientnet_lite0", "model.weights": str(tmp_path / "not there"), "model.image_size": 32,
        "model.normalisation": normalisation, "learner.name": "erm",
    })  # fmt: skip
    params = jax.tree.map(lambda leaf: np.full(leaf.shape, 0.25, leaf.dtype), choice.params(config.network.unread()))
    rule = {"optimizer": "sgd", "rate": 0.1, "steps": 1}
    run = from_run.FinishedRun(config, params, rule, np.zeros((2, 32, 32, 3), np.uint8))
    save_detector(tmp_path / "detector", from_run.detector(run))
    detector = load_detector(tmp_path / "detector")
    jax.tree.map(np.testing.assert_array_equal, detector.params, params)
    # It can be adapted, and the adapted one be read again.
    again = saved_detector.load(tmp_path / "detector")
    assert again.weights == ""
    save_detector(tmp_path / "again", from_run.detector(again))
    jax.tree.map(np.testing.assert_array_equal, load_detector(tmp_path / "again").params, params)
