"""The columns familiarity, decision and reason of predict, with a calibrated detector and without."""

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image

from metaforge.cli import predict
from metaforge.data import folders
from metaforge.evaluation.calibration import Bands, Calibration, Familiarity, Judge
from metaforge.screening import Detector, from_run, load_detector, save_detector
from metaforge.training.config import Config
from tests.data.clips import face_clip
from tests.screening.test_raw_pictures import detector

NEAR = Familiarity((0.0, 10.0))


def judge_around(logits, familiarity=None):
    """One whose thresholds part the logits in three: it stretches them by 5, and their middle one has 0."""
    low, middle, high = np.sort(logits)
    shown = 1 / (1 + np.exp(-5 * (np.array([low + middle, middle + high]) / 2 - middle)))
    bands = Bands(float(shown[0]), float(shown[1]), {"found": {"fpr": 0.05, "fnr": 0.1}})
    return Judge(Calibration(5.0, float(-5 * middle)), bands, familiarity)


@pytest.fixture(scope="module")
def plain():
    return detector()


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    """Three images, and a file that is none."""
    folder = tmp_path_factory.mktemp("crops")
    rng = np.random.default_rng(0)
    for number in range(3):
        Image.fromarray(rng.integers(0, 20 + 100 * number, (16, 16, 3), np.uint8)).save(folder / f"{number}.png")
    (folder / "3.png").write_bytes(b"no image")
    return folder


def pixels(folder):
    return np.stack([np.asarray(Image.open(folder / f"{number}.png")) for number in range(3)])


def call(made, images, tmp_path, capsys):
    save_detector(tmp_path / "detector", made)
    assert predict.main(["predict", f"--model={tmp_path / 'detector'}", f"--images={images}", "--crops"]) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[0].endswith(",note,frames,familiarity,decision,reason")
    return list(csv.DictReader(io.StringIO(printed)))


def test_a_detector_that_is_not_calibrated_says_so_and_its_scores_are_as_ever(plain, crops, tmp_path, capsys):
    *rows, unread = call(plain, crops, tmp_path, capsys)
    scores = plain(pixels(crops), batch=plain.batch)
    for row, score in zip(rows, scores.tolist(), strict=True):
        assert row["p_fake"] == f"{score:.6f}"
        above = score > 0.5
        assert (row["familiarity"], row["decision"]) == ("", "fake" if above else "real")
        assert row["reason"] == f"{'above' if above else 'not above'} 0.5; this detector is not calibrated"
    assert [unread[name] for name in ("p_fake", "familiarity", "decision", "reason")] == [""] * 4
    assert unread["note"]


def test_a_calibrated_detector_has_three_decisions(plain, crops, tmp_path, capsys):
    scores = plain(pixels(crops), batch=plain.batch).astype(float)
    logits = np.log(scores / (1 - scores))
    judge = judge_around(logits)
    *rows, unread = call(plain._replace(about=plain.about | {"calibration": judge.as_json()}), crops, tmp_path, capsys)
    assert load_detector(tmp_path / "detector").judge == judge
    expected = 1 / (1 + np.exp(-(judge.calibration.scale * logits + judge.calibration.offset)))
    np.testing.assert_allclose([float(row["p_fake"]) for row in rows], expected, atol=2e-5)
    by_score = [rows[number] for number in np.argsort(logits)]
    assert [row["decision"] for row in by_score] == ["real", "cannot tell", "fake"]
    assert [row["reason"].split(",")[0].split(" 0.")[0] for row in by_score] == [
        "below the threshold", "between the thresholds", "above the threshold"
    ]  # fmt: skip
    assert "as 5 % of the real source photographs are" in by_score[2]["reason"]
    assert {row["familiarity"] for row in rows} == {""}
    assert unread["decision"] == ""


def test_a_detector_with_distances_doubts_what_is_far(plain, crops, tmp_path, capsys, monkeypatch):
    judge = judge_around([-1.0, 0.0, 1.0], NEAR)
    given = np.array([1.0, -1.0, 1.0]), np.array([4.0, 9.0, 50.0])
    monkeypatch.setattr(Detector, "examine", lambda self, images, *, batch=0: given)
    *rows, _ = call(plain._replace(about=plain.about | {"calibration": judge.as_json()}), crops, tmp_path, capsys)
    assert [(row["familiarity"], row["decision"]) for row in rows] == [
        ("0.6000", "fake"), ("0.1000", "real"), ("0.0000", "cannot tell")
    ]  # fmt: skip
    assert rows[2]["p_fake"] == "0.500000"
    assert rows[2]["reason"] == "unlike more than 99.9 % of the source photographs"


def test_a_video_is_judged_by_its_mean_logit_and_median_distance(plain, tmp_path, capsys, monkeypatch):
    judge = Judge(Calibration(), Bands(0.4, 0.6, {}), NEAR)
    face_clip(tmp_path / "films" / "a.mp4", frames=3, size=64)
    given = np.array([5.0, -1.0, -1.0]), np.array([2.0, 1.0, 90.0])
    monkeypatch.setattr(Detector, "examine", lambda self, images, *, batch=0: given)
    made = plain._replace(about=plain.about | {"calibration": judge.as_json()})
    (row,) = call(made, tmp_path / "films", tmp_path, capsys)
    assert row["frames"] == "0 1 2"
    assert float(row["p_fake"]) == pytest.approx(1 / (1 + np.exp(-1.0)), abs=1e-6)
    assert (row["familiarity"], row["decision"]) == ("0.8000", "fake")


def test_logits_are_those_of_the_probabilities_and_never_infinite(plain, monkeypatch):
    scores = np.array([0.0, 0.25, 0.5, 1.0], np.float32)
    monkeypatch.setattr(Detector, "__call__", lambda self, images, *, batch=0: scores)
    logits, distances = plain.examine(np.zeros((4, 16, 16, 3), np.uint8))
    assert distances is None
    assert logits.dtype == np.float64
    np.testing.assert_allclose(logits[1:3], [-np.log(3), 0], atol=1e-7)
    assert np.isfinite(logits).all()
    assert logits[3] > np.log(2.0**24)


def test_what_is_adapted_again_does_not_keep_a_calibration_of_other_parameters(plain):
    before = plain.about | {"calibration": judge_around([-1.0, 0.0, 1.0]).as_json()}
    run = from_run.FinishedRun(Config(), plain.params, {}, plain.context, called="detector", before=before)
    assert from_run.detector(run).judge is None


@pytest.mark.parametrize("damage", [None, {}, {"calibration": {"scale": -1.0, "offset": 0.0}}])
def test_a_damaged_calibration_is_one_line_before_any_image_is_read(plain, tmp_path, capsys, damage):
    whole = judge_around([-1.0, 0.0, 1.0]).as_json()
    broken = whole | damage if damage else damage
    save_detector(
        tmp_path / "detector", plain._replace(about=plain.about | {"calibration": json.loads(json.dumps(broken))})
    )
    assert predict.main(["predict", f"--model={tmp_path / 'detector'}", f"--images={tmp_path}", "--crops"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "config.json" in error
    assert "calibration: " in error


def test_a_folder_is_walked_once_and_what_is_left_out_is_told(plain, crops, tmp_path, capsys, monkeypatch):
    (crops / "notes.txt").write_text("none")
    walked, walk = [], folders._files
    monkeypatch.setattr(folders, "_files", lambda root, what: walked.append(root) or walk(root, what))
    save_detector(tmp_path / "detector", plain)
    assert predict.main(["predict", f"--model={tmp_path / 'detector'}", f"--images={crops}", "--crops"]) == 0
    assert "skipped notes.txt: '.txt' is not the ending of an image" in capsys.readouterr().err
    assert walked == [crops]
