"""`metaforge explain`: what it writes, and what it refuses."""

import json

import numpy as np
import pytest
from PIL import Image

from metaforge.cli import explain as command
from metaforge.evaluation.calibration import Verdict
from metaforge.screening.explaining import files
from metaforge.screening.explaining.explanation import Explanation


@pytest.fixture
def pictures(tmp_path):
    (tmp_path / "in" / "sub").mkdir(parents=True)
    for name in ("a.png", "sub/a.png"):
        Image.fromarray(np.full((8, 6, 3), 100, np.uint8)).save(tmp_path / "in" / name)
    (tmp_path / "in" / "broken.jpg").write_bytes(b"no image")
    return tmp_path / "in"


def said(detector, picture, *, crop=""):
    """The upper half, forged."""
    shown = np.zeros(picture.shape[:2])
    shown[:4] = 1
    verdict = Verdict(0.9, 0.5, "fake", "above the threshold")
    return Explanation(
        0.9, {"nose": 0.8}, ("nose",), f"The nose{crop}.", shown, ("A limit.",), verdict, (1.0, 2.0, 3.0, 4.0)
    )


def test_a_line_for_each_image_and_a_picture_with_the_map(pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "loaded", lambda model, weights: None)
    monkeypatch.setattr(files, "explain", said)
    flags = ["--model=m", f"--images={pictures}", f"--out={tmp_path / 'out'}", "--crops"]
    assert command.main(["explain", *flags]) == 0
    rows = [json.loads(line) for line in (tmp_path / "out" / "explanations.jsonl").read_text().splitlines()]
    assert [row["file"] for row in rows] == ["a.png", "broken.jpg", "sub/a.png"]
    assert rows[0]["named"] == ["nose"]
    assert rows[0]["sentence"] == "The nosewhole."
    assert (rows[0]["decision"], rows[0]["box"], rows[0]["regions"]) == ("fake", [1, 2, 3, 4], {"nose": 0.8})
    assert "note" in rows[1]
    for row in (rows[0], rows[2]):
        drawn = np.asarray(Image.open(tmp_path / "out" / row["overlay"]))
        assert drawn.shape == (8, 6, 3)
        assert np.ptp(drawn[:4], axis=2).all()
        assert not np.ptp(drawn[4:], axis=2).any()
    assert command.main(["explain", *flags]) == 2  # nothing is overwritten


def test_a_name_as_long_as_it_may_be_has_an_overlay_too(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "loaded", lambda model, weights: None)
    monkeypatch.setattr(files, "explain", said)
    place = tmp_path / "in" / "sub" / f"{'a' * 250}.png"
    place.parent.mkdir(parents=True)
    try:
        Image.fromarray(np.full((8, 6, 3), 100, np.uint8)).save(place)
    except OSError:
        pytest.skip("the file system takes no such names")
    assert command.main(["explain", "--model=m", f"--images={tmp_path / 'in'}", f"--out={tmp_path / 'out'}"]) == 0
    row = json.loads((tmp_path / "out" / "explanations.jsonl").read_text())
    assert row["file"] == f"sub/{'a' * 250}.png"
    assert (tmp_path / "out" / row["overlay"]).parent == tmp_path / "out" / "overlays" / "sub"
    assert (tmp_path / "out" / row["overlay"]).exists()


def test_an_image_and_a_folder_that_would_share_an_overlay_have_one_each(pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "loaded", lambda model, weights: None)
    monkeypatch.setattr(files, "explain", said)
    (pictures / "a.png.png").mkdir()
    Image.fromarray(np.full((8, 6, 3), 100, np.uint8)).save(pictures / "a.png.png" / "b.png")
    assert command.main(["explain", "--model=m", f"--images={pictures}", f"--out={tmp_path / 'out'}"]) == 0
    rows = [json.loads(line) for line in (tmp_path / "out" / "explanations.jsonl").read_text().splitlines()]
    places = [tmp_path / "out" / row["overlay"] for row in rows if row.get("overlay")]
    assert len({*places}) == 3
    assert all(place.is_file() for place in places)


def test_explanations_do_not_lie_among_the_images(pictures, capsys):
    assert command.main(["explain", "--model=m", f"--images={pictures}", f"--out={pictures / 'out'}"]) == 2
    assert "is inside --images=" in capsys.readouterr().err
    assert not (pictures / "out").exists()


def test_what_cannot_work_is_said_before_the_work(tmp_path, capsys, monkeypatch):
    (tmp_path / "in").mkdir()
    images = f"--images={tmp_path}/in"
    assert command.main(["explain", f"--model={tmp_path}/no", images, f"--out={tmp_path / 'out'}"]) == 2
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr(files, "load", lambda model, weights: type("D", (), {"regions": None}))
    assert command.main(["explain", "--model=m", images, f"--out={tmp_path / 'out'}"]) == 2
    assert "has no regions.npz, which says where" in capsys.readouterr().err
    monkeypatch.setattr(files, "loaded", lambda model, weights: None)
    (tmp_path / "empty").mkdir()
    assert command.main(["explain", "--model=m", f"--images={tmp_path}/empty", f"--out={tmp_path / 'out'}"]) == 2
    assert not (tmp_path / "out").exists()
