"""Targets of real images alone: what is measured, what is decided, and what the report does not claim."""

import csv
import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from metaforge.cli import predict
from metaforge.data.domains import TestSplit
from metaforge.data.records import Records
from metaforge.evaluation.calibration import Bands
from metaforge.evaluation.interval import Interval
from metaforge.screening import from_run, load_detector, reals_alone, target_images
from metaforge.training import meta_test
from tests.screening.conftest import call
from tests.screening.test_refused import refused


@pytest.fixture(scope="module")
def reals(tmp_path_factory):
    """Twenty real images of a new camera, in real/, and no fake/."""
    folder, rng = tmp_path_factory.mktemp("camera"), np.random.default_rng(7)
    (folder / "real").mkdir()
    for number in range(20):
        # As smooth as photographs are; noise would be unlike all of the source.
        coarse = Image.fromarray(rng.integers(0, 256, (3, 3, 3)).astype(np.uint8))
        coarse.resize((16, 16)).save(folder / "real" / f"{number}.png")
    return folder


def test_the_report_is_of_real_images_as_predict_judges_them(run, reals, tmp_path, capsys):
    assert call(run / "detector", reals, tmp_path / "out", "--force") == 0
    printed = capsys.readouterr().out
    assert "Nothing was measured about fakes: the target has none." in printed
    assert "ERM" not in printed
    assert "AUC" not in printed
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert (tmp_path / "out" / "report.md").read_text() in printed
    assert report["images"]["fake"] == 0
    assert "3 real images, 2 draws; 10 test images, set aside from 20 real; 95 % intervals over" in printed
    assert set(report["table"]) == {"detector, not adapted", "detector, adapted"}
    # What predict says of the same images.
    images, labels, groups, *_ = target_images.read_target(str(reals), size=16, classes=("real",))
    _, test = target_images.set_aside(labels, groups, shots=3, share=0.5, seed=0)
    (tmp_path / "test").mkdir()
    for row in test:
        Image.fromarray(images[row]).save(tmp_path / "test" / f"{row}.png")
    assert predict.main(["predict", f"--model={run / 'detector'}", f"--images={tmp_path / 'test'}", "--crops"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    share = lambda told: np.mean([told(row) for row in rows])
    found = report["table"]["detector, not adapted"]
    assert found["called_fake_at_threshold"]["value"] == share(lambda row: row["decision"] == "fake")
    assert found["cannot_tell"]["value"] == share(lambda row: row["decision"] == "cannot tell")
    assert found["unlike_the_source"]["value"] == share(lambda row: row["reason"].startswith("unlike")
                                                        and row["p_fake"] == "0.500000")  # fmt: skip
    assert report["decision"]["unlike_the_source"]["value"] == 0
    assert found["called_fake_at_half"]["value"] == share(lambda row: float(row["p_fake"]) > 0.5)
    assert 0 < found["cannot_tell"]["value"] < 1
    for row in report["table"].values():
        for interval in row.values():
            assert Interval.from_json(interval).low <= interval["value"] <= interval["high"]


def test_of_the_saved_detector_the_measured_scores_are_those_of_its_first_draw(run, reals):
    trained = from_run.load_run(run / "run")
    images, labels, groups, *_ = target_images.read_target(str(reals), size=16, classes=("real",))
    pool, test = target_images.set_aside(labels, groups, shots=3, share=0.5, seed=0)
    judged = TestSplit(Records.from_columns(image=images[test], label=labels[test]))
    found = reals_alone.measured(trained, images[pool], labels[pool], judged, shots=3, draws=2, seed=0)
    rows = pool[meta_test.support_rows(labels[pool], shots=3, seed=0, draw=0)]
    assert len(rows) == 3
    adapted = from_run.detector(trained, support=images[rows], labels=labels[rows])
    logits, distances = adapted.examine(images[test])
    _, told, _ = adapted.judge.weigh(logits, distances)
    np.testing.assert_allclose(found["adapted"][0, 0], 1 / (1 + np.exp(-told)), atol=1e-5)
    assert found["not adapted"].shape == (1, 1, len(test))


def test_it_pays_where_fewer_are_called_fake_beyond_doubt_and_not_by_luck():
    groups, bands = np.arange(40), Bands(0.2, 0.8, {})
    before = np.where(np.arange(40) < 20, 0.9, 0.6)[None, None]
    found = reals_alone.decide(np.full((1, 3, 40), 0.6), before, groups, bands=bands)
    assert found["called_fake_at_threshold"]["value"] == -0.5
    assert found["called_fake_at_half"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert found["cannot_tell"]["value"] == 0.5
    assert (found["pays"], found["saved"]) == (True, "adapted")
    # One image of forty fewer is luck.
    once = before.copy()
    once[0, 0, 0] = 0.6
    assert not reals_alone.decide(once, before, groups, bands=bands)["pays"]
    # At 0.5 more are called fake, above the threshold fewer.
    worse = reals_alone.decide(np.full((1, 1, 40), 0.6), np.where(before > 0.8, 0.9, 0.3), groups, bands=bands)
    assert worse["worse"] == ["called_fake_at_half"]
    assert worse["saved"] == "as it was"
    assert "and above 0.50 by +50.0%" in reals_alone.said(worse)
    forced = reals_alone.decide(before, before, groups, bands=None, force=True)
    assert (forced["pays"], forced["saved"], forced["threshold"]) == (False, "adapted", 0.5)
    assert "saved adapted all the same (--force)" in reals_alone.said(forced)


def test_a_share_is_resampled_by_groups():
    # Two groups, one all fake and one all real: the share is 0, a half or one.
    scores = np.repeat([0.9, 0.1], 10)[None, None]
    found = reals_alone.shares(scores, np.repeat(["a", "b"], 10), None)
    assert found == {"called_fake_at_half": {"value": 0.5, "low": 0.0, "high": 1.0}}


def test_what_does_not_pay_is_saved_as_it_was(run, reals, tmp_path, monkeypatch):
    monkeypatch.setattr(reals_alone, "measured", lambda *_, **__: dict.fromkeys(
        (from_run.UNADAPTED, from_run.ADAPTED), np.full((1, 1, 10), 0.9)))  # fmt: skip
    assert call(run / "detector", reals, tmp_path / "out") == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["decision"]["saved"] == "as it was"
    assert load_detector(tmp_path / "out").about.get("adaptation") == "none"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--rule=whitened",), "has no subfolder 'fake', and the rule 'whitened' needs fakes"),
        (("--baseline={run}",), "--baseline: "),
        (("--shots=19",), "20 real images in 20 groups are too few for 19 shots and a test set"),
        (("--unlabelled={reals}/real",), "is judged on"),
    ],
)
def test_what_cannot_be_done_without_fakes_is_said(run, reals, tmp_path, capsys, flags, said):
    flags = [flag.format(run=run / "run", reals=reals) for flag in flags]
    refused(capsys, tmp_path / "out", said, run / "detector", reals, *flags)


def test_fakes_alone_are_refused(run, target, tmp_path, capsys):
    shutil.copytree(target / "fake", tmp_path / "t" / "fake")
    refused(capsys, tmp_path / "out", "has no subfolder 'real'", run / "detector", tmp_path / "t")
