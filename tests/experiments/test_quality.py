"""Flags on faces treated by known amounts: the treatments do what they say, and what is counted is what was raised."""

import io
import json

import numpy as np
import pytest
from PIL import Image
from skimage import data

from experiments.quality import __main__ as command
from experiments.quality import measuring, treatments
from metaforge.data.detection import find_face
from metaforge.evaluation.calibration import Bands, Calibration, Judge
from metaforge.screening import save_detector
from metaforge.screening.verdicts.jpeg import jpeg_quality
from metaforge.screening.verdicts.quality import FLAGS, pose_of
from tests.screening.test_raw_pictures import detector


@pytest.fixture(scope="module")
def portrait():
    picture = data.astronaut()[:300, 80:380]
    return Image.fromarray(picture), find_face(picture)


def opened(content):
    return Image.open(io.BytesIO(content))


def test_treatments_do_what_they_say(portrait):
    image, face = portrait
    made = {(each.flag, each.name): each for each in treatments.treatments()}
    assert {flag for flag, _ in made} - {"", "covered"} <= {*FLAGS}
    assert len(made) == len(list(treatments.treatments()))
    side = (face.box[2:] - face.box[:2]).max()
    small = opened(made["small", "face of 56 pixels"].make(image, face))
    assert small.width == pytest.approx(56 / side * image.width, abs=1)
    cut = opened(made["cut off", "20 % of the face beyond the border"].make(image, face))
    lost = image.width - cut.width - face.box[0]
    assert lost == pytest.approx(0.2 * (face.box[2] - face.box[0]), abs=1)
    twice = made["re-compressed", "JPEG of quality 50, then 90"].make(image, face)
    assert jpeg_quality(twice) == pytest.approx(90, abs=0.5)


def test_a_head_that_is_not_turned_stays_and_one_that_is_looks_aside(portrait):
    image, face = portrait
    same = np.asarray(treatments.turned(image, face, 0.0), int)
    assert np.abs(same - np.asarray(image, int)).max() <= 1
    nose = lambda degrees: find_face(np.asarray(treatments.turned(image, face, degrees)))
    assert abs(pose_of(nose(40.0).points).yaw - pose_of(face.points).yaw) > 0.15


def test_what_is_counted_is_what_was_raised(portrait, tmp_path, monkeypatch, capsys):
    few = [each for each in treatments.treatments() if each.name in ("as it is", "face of 40 pixels", "eyes covered",
                                                                     "JPEG of quality 20")]  # fmt: skip
    monkeypatch.setattr(measuring, "treatments", lambda: iter(few))
    for place in ("seen/a_1", "seen/a_2", "new/b_1", "new/c_1"):
        file = tmp_path / "faces" / f"{place}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        portrait[0].save(file)
    made, judge = detector(), Judge(Calibration(), Bands(0.4, 0.6, {}), None)
    save_detector(tmp_path / "model", made._replace(about=made.about | {"calibration": judge.as_json()}))
    flags = [f"--model={tmp_path / 'model'}", f"--faces={tmp_path / 'faces'}", f"--out={tmp_path / 'a.json'}"]
    assert command.main(["quality", *flags, "--left_out=nobody"]) == 2
    assert "new, seen" in capsys.readouterr().err
    assert command.main(["quality", *flags, "--left_out=new"]) == 0
    report = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert report["faces"] == {"new": 2, "seen": 1}  # a person once
    rows = {row["name"]: row for row in report["rows"]}
    assert rows["as it is"]["flags"] == {}
    # 3 of 3, by Wilson: 3 / (3 + 1.96 ** 2).
    raised = rows["JPEG of quality 20"]["flags"]["over-compressed"]
    assert (raised["value"], raised["low"]) == (1.0, pytest.approx(3 / (3 + 1.959964**2), abs=1e-4))
    assert sum(each["value"] for each in rows["as it is"]["decisions"].values()) == pytest.approx(1)
    assert 0 <= rows["eyes covered"]["auc_of_the_finder"] <= 1
    assert "| over-compressed | JPEG of quality 20 | yes | 1.00" in capsys.readouterr().out
