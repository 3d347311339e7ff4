"""Whether adapting pays: that gains are found where they are, and seldom where they are not."""

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image
from scipy import stats
from sklearn.metrics import roc_auc_score

from metaforge.cli import predict
from metaforge.data.domains import TestSplit
from metaforge.data.records import Records
from metaforge.screening import deciding, from_run, load_detector, target_images, telling
from metaforge.screening.telling import Told
from tests.screening.conftest import call

GROUPS, LABELS = np.repeat(np.arange(60), 2), np.tile([0, 1], 60)


def told(logits, threshold=None):
    return Told(logits, 1 / (1 + np.exp(-logits)), threshold)


def test_with_one_draw_the_table_is_of_what_predict_prints_with_the_saved_detector(run, target, tmp_path, capsys):
    assert call(run / "detector", target, tmp_path / "out", "--force", "--draws=1") == 0
    printed = capsys.readouterr().out
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert (tmp_path / "out" / "report.md").read_text() in printed
    images, labels, groups, *_ = target_images.read_target(str(target), size=16)
    _, test = target_images.set_aside(labels, groups, shots=3, share=0.5, seed=0)
    (tmp_path / "test").mkdir()
    for row in test:
        Image.fromarray(images[row]).save(tmp_path / "test" / f"{row:03}.png")
    for state, model in (("adapted", tmp_path / "out"), ("not adapted", run / "detector")):
        assert predict.main(["predict", f"--model={model}", f"--images={tmp_path / 'test'}", "--crops"]) == 0
        rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
        p_fake = np.array([float(row["p_fake"]) for row in rows])
        called = np.array([row["decision"] == "fake" for row in rows])
        fake = labels[test] == 1
        found = report["table"][f"detector, {state}"]
        assert found["brier"]["value"] == pytest.approx(np.mean(np.square(p_fake - fake)), abs=1e-5)
        assert found["accuracy"]["value"] == pytest.approx(np.mean((p_fake > 0.5) == fake))
        assert found["accuracy_at_threshold"]["value"] == pytest.approx(np.mean(called == fake))
        logits, _ = load_detector(model).examine(images[test])
        assert found["auc"]["value"] == pytest.approx(roc_auc_score(fake, logits))
    decision = report["decision"]
    assert decision["brier"]["value"] == pytest.approx(
        report["table"]["detector, adapted"]["brier"]["value"]
        - report["table"]["detector, not adapted"]["brier"]["value"]
    )
    assert decision["threshold"] == load_detector(run / "detector").judge.bands.fake_above


def test_a_whitened_head_is_told_as_it_is_and_the_detector_before_with_its_judge(run, target):
    trained = from_run.load_run(run / "run")
    images, labels, groups, *_ = target_images.read_target(str(target), size=16)
    pool, test = target_images.set_aside(labels, groups, shots=3, share=0.5, seed=0)
    judged = TestSplit(Records.from_columns(image=images[test], label=labels[test]))
    found = telling.over_draws(trained, (images[pool], labels[pool]), judged, rule="whitened", shots=3, draws=2, seed=0)
    before, after = found["not adapted"], found["adapted"]
    assert after.threshold is None
    np.testing.assert_allclose(after.said, 1 / (1 + np.exp(-after.ranked)))
    assert before.threshold is not None
    assert np.abs(before.said - 1 / (1 + np.exp(-before.ranked))).max() > 0.01


def test_the_accuracy_at_a_threshold_is_that_of_what_is_called_fake():
    before, after = np.where(LABELS == 1, 1.0, -1.0), np.where(LABELS == 1, 3.0, -1.0)
    threshold = 1 / (1 + np.exp(-2.0))
    found = deciding.decide(LABELS, told(after[None, None], threshold), told(before[None, None], threshold), GROUPS)
    assert found["accuracy_at_threshold"]["value"] == 0.5
    assert found["accuracy"]["value"] == 0
    assert found["gained"] == ["accuracy_at_threshold", "brier"]
    assert found["saved"] == "adapted"
    assert deciding.said(found).startswith("**Adapting gains an accuracy of 0.500 [0.500, 0.500] at the threshold of "
                                           "0.88 and lowers the Brier score by")  # fmt: skip


def test_at_a_loss_of_accuracy_nothing_is_kept():
    rng = np.random.default_rng(0)
    before = (0.5 + 0.2 * (LABELS - 0.5) + 0.3 * (rng.random(120) - 0.5))[None, None]
    # Ranked perfectly, and all of it on one side of 0.5.
    after = (0.9 + 0.05 * LABELS)[None, None]
    found = deciding.decide(LABELS, Told(after, after), Told(before, before), GROUPS)
    assert found["gained"] == ["auc"]
    assert "accuracy" in found["worse"]
    assert found["saved"] == "as it was"
    assert "the accuracy gets worse, by -" in deciding.said(found)
    assert deciding.decide(LABELS, Told(after, after), Told(before, before), GROUPS, force=True)["saved"] == "adapted"


def studies(number, change, *, threshold=0.5):
    """Decisions on drawn scores: `change(rng, logits)` gives those before and after, of calibrated ones."""
    for seed in range(number):
        rng = np.random.default_rng(seed)
        person = rng.normal(size=60)[GROUPS]
        # Reals at -1 and fakes at 1 with variance 2: the logit of a score is the score.
        logits = 2 * (LABELS - 0.5) + person + rng.normal(size=(1, 2, 120))
        before, after = change(rng, logits)
        yield deciding.decide(LABELS, told(after, threshold), told(before, threshold), GROUPS, resamples=300)


def test_where_nothing_is_gained_no_more_is_saved_than_the_level_allows():
    number = 80

    def change(rng, logits):
        # Both are the same person's, each with noise of its own.
        noise = lambda like: 0.7 * rng.normal(size=like.shape)
        first = logits[:, :1]
        return first + noise(first), first + noise(logits)

    saved = sum(one["pays"] for one in studies(number, change, threshold=0.7))
    assert saved <= stats.binom.ppf(0.999, number, deciding.LEVEL)


def test_a_detector_that_calls_too_much_fake_is_saved_calibrated_and_not_at_a_loss_of_auc():
    shifted = list(studies(8, lambda rng, x: (x + 2.5, x)))
    assert all(one["pays"] and "brier" in one["gained"] and "auc" not in one["gained"] for one in shifted)
    assert all(one["auc"]["value"] == 0 for one in shifted)
    assert "and lowers the Brier score by" in deciding.said(shifted[0])
    noisy = list(studies(8, lambda rng, x: (x + 2.5, x + rng.normal(size=x.shape))))
    assert all("brier" in one["gained"] and not one["pays"] for one in noisy)
    assert "the AUC may lose more than 0.01" in deciding.said(noisy[0])
