"""What is said of a face that was cut out, and which faces are cut out at all."""

import numpy as np
import pytest
from PIL import Image

from metaforge.data import face_crops as module
from metaforge.data import folders
from metaforge.data.detection import Detection
from metaforge.data.face_crops import face_crops, largest_crop
from metaforge.data.folders import read_folder

PICTURE = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)


def seen(monkeypatch, *faces):
    """What the finder says: boxes and scores."""
    found = [Detection(np.array(box, np.float32), np.zeros((5, 2), np.float32), score) for box, score in faces]
    monkeypatch.setattr(module, "find_faces", lambda image: found)


@pytest.mark.parametrize(("score", "notes"), [(0.9, ()), (0.71, ()), (0.69, ("perhaps no face",))])
def test_a_face_of_which_the_finder_is_not_sure_is_noted(monkeypatch, score, notes):
    seen(monkeypatch, ([50, 50, 130, 130], score))
    assert [each.notes for each in face_crops(PICTURE, size=32)] == [notes]


def test_the_largest_crop_is_the_first_of_all_and_the_others_are_counted(monkeypatch):
    seen(monkeypatch, ([10, 10, 110, 110], 0.9), ([900, 900, 990, 990], 0.9), ([150, 50, 230, 130], 0.9))
    every = face_crops(PICTURE, size=32)
    first, number = largest_crop(PICTURE, size=32)
    assert len(every) == number == 2  # one box lies outside
    assert first is not None
    np.testing.assert_array_equal(first.image, every[0].image)
    assert first.notes == every[0].notes
    seen(monkeypatch)
    assert largest_crop(PICTURE, size=32) == (None, 0)


def test_how_far_reading_is_stands_on_the_error_stream_where_there_are_many_files(tmp_path, monkeypatch, capsys):
    for number in range(3):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / f"{number}.png")
    (tmp_path / "bad.png").write_bytes(b"none")
    monkeypatch.setattr(folders, "MANY", 4)
    found = read_folder(tmp_path, size=4, what="target real", quiet=False)
    assert found.images[:, 0, 0, 0].tolist() == [0, 1, 2]
    assert "reading target real" in capsys.readouterr().err
    read_folder(tmp_path, size=4, what="target real")
    monkeypatch.setattr(folders, "MANY", 5)
    read_folder(tmp_path, size=4, what="target real", quiet=False)
    assert capsys.readouterr().err == ""
