"""Detectors whose head is a discriminant: trained without a step, adapted in closed form, kept with their prior."""

import json

import numpy as np
import pytest
from PIL import Image

from metaforge.adaptation.gaussian import head_of
from metaforge.cli import predict
from metaforge.data.domains import TestSplit
from metaforge.data.records import Records
from metaforge.errors import InputError
from metaforge.evaluation.calibration import Judge
from metaforge.screening import closed_form, deciding, from_run, load_detector
from metaforge.settings import change
from metaforge.training import build, source_prior
from metaforge.training.config import Config
from tests.screening.conftest import call


def test_without_a_step_the_detector_is_the_priors_head_on_the_networks_embeddings(run):
    trained = from_run.load_run(run / "run")
    detector = load_detector(run / "detector")
    images = build.records(trained.config, split="validation").image[:6]
    head, seen = head_of(trained.prior), closed_form.embedder(trained)(images)
    logits, distances = detector.examine(images)
    expected = seen @ np.asarray(head.weights) + np.asarray(head.bias)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(detector(images), 1 / (1 + np.exp(-expected)), atol=1e-5)
    white = np.linalg.solve(np.float64(trained.prior.factor), (seen - np.asarray(trained.prior.middle)).T)
    np.testing.assert_allclose(distances, np.mean(np.square(white), axis=0), rtol=1e-3)
    for ours, theirs in zip(detector.prior, trained.prior, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert isinstance(detector.judge, Judge)


def test_a_detector_and_its_run_are_adapted_alike(run, target, tmp_path):
    for name, model in (("a", run / "run"), ("b", run / "detector")):
        assert call(model, target, tmp_path / name, "--force", f"--unlabelled={target / 'more'}") == 0
    ours, theirs = (load_detector(tmp_path / name) for name in ("a", "b"))
    images = np.random.default_rng(1).integers(0, 256, (4, 16, 16, 3)).astype(np.uint8)
    np.testing.assert_allclose(ours(images), theirs(images), atol=1e-6)
    report = json.loads((tmp_path / "a" / "report.json").read_text())
    assert report["pairs"] >= 3
    assert report["unlabelled"] == 6
    assert report["decision"]["saved"] == "adapted"
    assert ours.about["adaptation"] == "discriminant of 6 images and 6 without labels"


def test_the_scores_over_draws_are_those_of_the_detector_adapted_on_each(run):
    trained = from_run.load_run(run / "run")
    records = build.records(trained.config, split="validation")
    images, labels = np.asarray(records.image), np.asarray(records.label)
    pairs = np.unique(np.array(records.pair.tolist()), return_inverse=True)[1]
    test = TestSplit(Records.from_columns(image=images[:8], label=labels[:8]))
    draws = [np.arange(10, 18), np.arange(20, 28)]
    found = closed_form.scores_of(trained, "discriminant", images, labels, draws, test, pairs=pairs)
    for scores, rows in zip(found, draws, strict=True):
        alone = from_run.detector(trained, support=images[rows], labels=labels[rows], pairs=pairs[rows])
        np.testing.assert_allclose(scores, alone(images[:8]), atol=1e-5)


def test_a_detector_that_is_not_shown_to_gain_is_saved_as_it_was(run, tmp_path, capsys):
    # Fakes that are other noise: nothing can be gained.
    rng = np.random.default_rng(5)
    for name in ("real", "fake"):
        (tmp_path / "noise" / name).mkdir(parents=True)
        for number in range(14):
            Image.fromarray(rng.integers(0, 256, (16, 16, 3)).astype(np.uint8)).save(
                tmp_path / "noise" / name / f"{name}{number}.png"
            )
    assert call(run / "detector", tmp_path / "noise", tmp_path / "kept") == 0
    assert "saved as it was; --force saves it adapted" in capsys.readouterr().out
    images = rng.integers(0, 256, (3, 16, 16, 3)).astype(np.uint8)
    np.testing.assert_array_equal(load_detector(tmp_path / "kept")(images), load_detector(run / "detector")(images))


def test_predict_prints_verdicts_of_an_exported_detector(run, target, capsys):
    assert predict.main(["predict", f"--model={run / 'detector'}", f"--images={target / 'more'}", "--crops"]) == 0
    lines = capsys.readouterr().out.strip().splitlines()
    assert {"familiarity", "decision", "reason"} <= set(lines[0].split(","))
    assert len(lines) == 7


def test_a_collection_that_is_not_in_a_files_name_is_said():
    with pytest.raises(InputError, match=r"faces\.collection"):
        source_prior._collection("^([a-z]+)/", "1.png")
    assert source_prior._collection("^([a-z]+)/", "pif/1.png") == "pif"


def test_at_a_loss_of_accuracy_nothing_is_kept():
    labels, groups = np.tile([0, 1], 30), np.arange(60) // 2
    rng = np.random.default_rng(0)
    before = (0.5 + 0.2 * (labels - 0.5) + 0.3 * (rng.random(60) - 0.5))[None, None]
    # Ranked perfectly, and all of it on one side of 0.5.
    after = (0.9 + 0.05 * labels)[None, None]
    found = deciding.decide(labels, after, before, groups)
    assert found["auc"]["low"] > 0
    assert "accuracy" in found["worse"]
    assert found["saved"] == "as it was"
    assert "the accuracy changes by" in deciding.said(found)


def test_a_step_is_needed_where_nothing_is_in_closed_form():
    with pytest.raises(InputError, match=r"run\.iterations=0"):
        change(Config(), {"run.iterations": 0}).check()
    with pytest.raises(InputError, match="protonet adapts as it has learned"):
        change(Config(), {"adapt.rule": "discriminant", "learner.name": "protonet"}).check()
