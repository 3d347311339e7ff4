"""Thresholds for a domain of one's own: the command, what verdicts then say, and what is refused."""

import csv
import io
import re

import numpy as np
import pytest
from PIL import Image

from metaforge.cli import predict, thresholds
from metaforge.evaluation.calibration import Bands, Calibration, Judge
from metaforge.screening import load_detector, save_detector
from metaforge.screening.verdicts import screener
from tests.screening.test_raw_pictures import detector


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A calibrated detector, and 40 crops of each class, the fakes brighter."""
    where, rng, made = tmp_path_factory.mktemp("domain"), np.random.default_rng(0), detector()
    save_detector(where / "plain", made)
    judge = Judge(Calibration(), Bands(0.4, 0.6, {"groups": {"one": {}, "two": {}}}), None)
    save_detector(where / "model", made._replace(about=made.about | {"calibration": judge.as_json()}))
    for name, least in (("real", 0), ("fake", 80)):
        (where / "target" / name).mkdir(parents=True)
        for number in range(40):
            image = rng.integers(least, 176 + least, (16, 16, 3), np.uint8)
            Image.fromarray(image).save(where / "target" / name / f"{name}{number:02}.png")
    return where


def call(folder, *flags, model="model", out="out", target="target"):
    given = [f"--model={folder / model}", f"--target={folder / target}", f"--out={folder / out}", "--crops"]
    return thresholds.main(["thresholds", *given, *flags])


def test_verdicts_name_the_domain_and_what_is_promised(folder, capsys):
    assert call(folder, "--name=our studio", "--fpr=.1", "--fnr=.2") == 0
    printed = capsys.readouterr().out
    before, after = load_detector(folder / "model"), load_detector(folder / "out")
    images = {
        name: np.stack([np.asarray(Image.open(file)) for file in sorted((folder / "target" / name).iterdir())])
        for name in ("real", "fake")
    }
    shown = {name: 1 / (1 + np.exp(-before.examine(each)[0])) for name, each in images.items()}
    high, low = np.sort(shown["real"])[37 - 1], np.sort(shown["fake"])[-33]  # ceil(41 * .9), ceil(41 * .8)
    assert after.judge.bands.fake_above == pytest.approx(max(high, 0.5), abs=2e-5)
    assert after.judge.bands.real_below == pytest.approx(min(low, 0.5), abs=2e-5)
    said = [float(share) for share in re.findall(r"cannot tell: (\d+) %", printed)]
    for name, share in zip(("real", "fake"), said, strict=True):
        undecided = after.judge.bands.decide(shown[name]).count("cannot tell")
        # A threshold is an image's score, and on which side of it that image lies is rounding.
        assert share == pytest.approx(100 * undecided / 40, abs=2 * 100 / 40 + 0.5)
    np.testing.assert_array_equal(after.examine(images["real"])[0], before.examine(images["real"])[0])
    said = screener(str(folder / "out"), crops=True).verdict(b"no image")
    assert said.thresholds[2:] == (0.1, 0.2, "our studio")
    assert said.model.fitted_on == "one, two"  # on which its probabilities go on standing
    assert "fitted on one, two, the thresholds on our studio, and" in said.limits
    flags = ["predict", f"--model={folder / 'out'}", f"--images={folder / 'target'}", "--crops"]
    assert predict.main(flags) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    reasons = {row["reason"].split(", ")[1] for row in rows if row["decision"] != "cannot tell"}
    assert reasons <= {f"as at most {most} % of the {kind} images of our studio are"
                       for most, kind in ((10, "real"), (20, "fake"))}  # fmt: skip
    assert reasons


def test_too_few_images_are_told(folder, capsys):
    assert call(folder, "--name=x", "--fpr=.02", "--fnr=.1", out="few") == 0
    assert "no image is called fake: 40 real images are too few for 2 %, which takes 49" in capsys.readouterr().out
    assert load_detector(folder / "few").judge.bands.fake_above == 1.0


@pytest.mark.parametrize(("how", "said"), [
    ({"model": "plain"}, "is not calibrated"),
    ({"model": "nowhere"}, "nowhere"),
    ({"target": "target/real"}, "has no folder 'real'"),
    ({"out": "model"}, "model"),
    ({"name": "  "}, "--name"),
    ({"name": "x" * 101}, "101 letters"),
])  # fmt: skip
def test_what_cannot_work_is_said_in_one_line(folder, capsys, how, said):
    name = how.get("name", "x")
    assert call(folder, f"--name={name}", **{"out": "no"} | {k: v for k, v in how.items() if k != "name"}) == 2
    error = capsys.readouterr().err.strip()
    assert said in error
    assert "\n" not in error
    assert not (folder / "no").exists()


def test_thresholds_belong_to_the_precision_that_they_were_fitted_in(folder):
    """Scores of another engine are others, and verdicts in another precision say that the thresholds are not theirs."""
    pytest.importorskip("openvino", reason="the extra `openvino` is not installed")
    asked = ["--name=our studio", "--fpr=.1", "--fnr=.2"]
    assert call(folder, *asked, "--engine=openvino", out="by_openvino") == 0
    assert call(folder, *asked, out="by_jax") == 0
    ours, theirs = (load_detector(folder / name).judge.bands for name in ("by_jax", "by_openvino"))
    assert theirs.fake_above == pytest.approx(ours.fake_above, abs=1e-4)
    limits = {name: screener(str(folder / "by_jax"), crops=True, engine=name).verdict(b"").limits
              for name in ("jax", "onnx", "openvino")}  # fmt: skip
    assert not any("another precision" in said for said in limits.values())
    bands = ours._replace(fitted_on=ours.fitted_on | {"engine": "openvino-bfloat16"})
    made = load_detector(folder / "by_jax")
    judge = made.judge._replace(bands=bands)
    save_detector(folder / "by_half", made._replace(about=made.about | {"calibration": judge.as_json()}))
    assert "another precision" in screener(str(folder / "by_half"), crops=True).verdict(b"").limits
