"""The sheet of forged films: a row a method, and refusals of one line."""

import numpy as np
from PIL import Image

from experiments import show_films
from experiments.fakeradar.clips import cost
from metaforge.forgeries import FORGERIES


def test_the_sheet_has_a_row_for_each_method_and_shows_what_differs(tmp_path):
    out = tmp_path / "films.png"
    flags = ["--faces=lfw", "--image_size=24", "--columns=2", "--every=1", "--coded=false"]
    assert show_films.main(["show_films", f"--out={out}", *flags]) == 0
    sheet = np.asarray(Image.open(out)).astype(int)
    assert sheet.shape == (16 + 24 * len(FORGERIES), 100 + 6 * 24, 3)
    for row in range(len(FORGERIES)):
        real, fake, apart = np.split(sheet[16 + 24 * row : 16 + 24 * (row + 1), 100:], 3, axis=1)
        np.testing.assert_array_equal(apart, np.clip(128 + 4 * (fake - real), 0, 255))
        assert (apart != 128).any()


def test_what_cannot_be_drawn_is_one_line(tmp_path, capsys):
    for flags, said in (
        (["--out=films.jpg"], "is no .png"),
        ([f"--out={tmp_path}/a.png", "--faces=lfw", "--image_size=25"], "even number of pixels"),
    ):
        assert show_films.main(["show_films", *flags]) == 2
        assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_cost_of_the_whole_training_is_that_of_its_clips():
    report = {
        "processor_seconds_a_clip": {"forward": 2.0, "forward_and_backward": 7.0}, "cores": 2, "trained": 14_000_000,
        "clips": 864_000, "days": 864_000 * 7.0 / 2 / 86_400, "provenance": {"device": "cpu"},
    }  # fmt: skip
    assert "864,000 clips, 60 epochs of FaceForensics++, on 2 cores | 35 days |" in cost.markdown(report)
    assert report["clips"] == cost.VIDEOS * 4 * 60
