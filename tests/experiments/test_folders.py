"""What a detector says of folders: counts and shares against what was written there."""

import json

import jax
import numpy as np
import pytest
from PIL import Image

from experiments import folders
from metaforge.backbones import choice
from metaforge.backbones.spec import BackboneSpec
from metaforge.screening import Detector, load_detector, save_detector

SPEC = BackboneSpec(image_size=16, width=4, normalisation="none")


@pytest.fixture
def sets(tmp_path):
    """A detector whose numbers are drawn, and three folders of noise, six images of three people each."""
    params = jax.jit(choice.choose(SPEC).init)(jax.random.key(0), np.zeros((1, 16, 16, 3)))
    save_detector(tmp_path / "detector", Detector(params, np.zeros((1, 16, 16, 3), np.uint8), SPEC, {}))
    rng = np.random.default_rng(0)
    for name in ("here", "there", "made"):
        (tmp_path / name).mkdir()
        for number in range(6):
            image = rng.integers(0, 256, (16, 16, 3)).astype(np.uint8)
            Image.fromarray(image).save(tmp_path / name / f"p{number // 2}_{number}.png")
    return tmp_path


def call(sets, *flags):
    flags = [flag.format(sets=sets) for flag in flags]
    return folders.main(["folders", f"--model={sets}/detector", f"--out={sets}/report.json", "--crops", *flags])


def test_shares_are_those_of_the_scores_and_aucs_those_of_every_two_collections(sets):
    assert call(sets, "--real={sets}/here,{sets}/there", "--fake={sets}/made", "--identity=^(p[0-9])_") == 0
    report = json.loads((sets / "report.json").read_text())
    detector = load_detector(sets / "detector")
    scores = {}
    for name in ("here", "there", "made"):
        files = sorted((sets / name).iterdir())
        scores[name] = detector(np.stack([np.asarray(Image.open(file)) for file in files]))
        row = report["collections"][name]
        assert row["people"] == 3
        assert row["above_half"]["value"] == pytest.approx(np.mean(scores[name] > 0.5))
        assert row["fake"]["value"] + row["real"]["value"] + row["cannot_tell"]["value"] == pytest.approx(1)
    assert set(report["auc"]) == {"here against there", "here against made", "there against made"}
    assert report["auc"]["here against there"]["control"]
    wins = np.mean(scores["made"][:, None] > scores["here"][None])
    assert report["auc"]["here against made"]["auc"]["value"] == pytest.approx(wins, abs=1e-6)
    assert "both real: a control" in folders.markdown(report)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ((), "no folder"),
        (("--real={sets}/here,{sets}/detector/../here",), "one name"),
        (("--real={sets}/none",), "none"),
    ],
)
def test_what_cannot_be_screened_is_said(sets, capsys, flags, said):
    assert call(sets, *flags) == 2
    assert said in capsys.readouterr().err
    assert not (sets / "report.json").exists()
