"""Faces: the embedded ones, those of a folder, their crops and their split by person."""

import socket

import numpy as np
import pytest
from PIL import Image

from metaforge.data.faces import load_faces, split_people
from metaforge.errors import InputError


def picture(value, size=(40, 60)):
    return Image.fromarray(np.full((*size, 3), value, np.uint8))


def test_the_embedded_faces_load_without_a_network(monkeypatch):
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("asked for the network"))
    faces, skipped = load_faces("lfw", size=24)
    assert len(faces) == 100
    assert not skipped
    assert {face.image.shape for face in faces} == {(24, 24, 3)}
    assert len({face.identity for face in faces}) == 100
    assert len({face.image.tobytes() for face in faces}) == 100


def test_a_folder_of_any_formats_becomes_square_crops_in_the_order_of_names(tmp_path):
    (tmp_path / "sub").mkdir()
    picture(10).save(tmp_path / "b.png")
    picture(20).convert("L").save(tmp_path / "a.jpg")
    picture(30).convert("CMYK").save(tmp_path / "sub" / "c.tif")
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG")
    faces, skipped = load_faces(str(tmp_path), size=20)
    assert [face.name for face in faces] == ["a.jpg", "b.png", "sub/c.tif"]
    assert [skip.path for skip in skipped] == ["broken.png", "notes.txt"]
    assert all(face.image.shape == (20, 20, 3) for face in faces)
    np.testing.assert_allclose(faces[1].image, 10, atol=1)
    assert [face.identity for face in faces] == [face.name for face in faces]


def test_the_person_is_what_the_expression_finds(tmp_path):
    for name in ("001_smile.png", "001_neutral.png", "002_smile.png"):
        picture(5).save(tmp_path / name)
    faces, _ = load_faces(str(tmp_path), size=16, identity=r"^(\d+)_")
    assert [face.identity for face in faces] == ["001", "001", "002"]


def test_landmarks_crop_the_photograph_around_them_and_move_with_it(tmp_path):
    image = np.zeros((120, 100, 3), np.uint8)
    image[40:81, 30:71] = 200
    Image.fromarray(image).save(tmp_path / "a.png")
    corners = np.array([[30, 40], [70, 40], [70, 80], [30, 80]], np.float32)
    np.savez(tmp_path / "landmarks.npz", a=corners)
    (face,), _ = load_faces(str(tmp_path), size=52)
    # 40 pixels and a margin of 15 % on both sides are 52: one pixel stays one pixel.
    np.testing.assert_allclose(face.landmarks, corners - [24, 34])
    for x, y in face.landmarks.astype(int):
        assert face.image[y + (4 if y < 26 else -4), x + (4 if x < 26 else -4)].min() > 190
    assert face.image[1, 1].max() < 10


def test_a_crop_stays_inside_the_photograph(tmp_path):
    picture(77, (50, 40)).save(tmp_path / "a.png")
    np.savez(tmp_path / "landmarks.npz", a=np.array([[-5, 1], [39, 2], [20, 48]], np.float32))
    (face,), _ = load_faces(str(tmp_path), size=16)
    np.testing.assert_allclose(face.image, 77, atol=1)


@pytest.mark.parametrize("marks", [np.full((4, 2), np.nan), np.zeros((2, 2)), np.ones((5, 3)), np.full((4, 2), 3.0)])
def test_landmarks_that_are_none_are_one_line_that_names_the_file(tmp_path, marks):
    picture(1).save(tmp_path / "a.png")
    np.savez(tmp_path / "landmarks.npz", a=marks)
    with pytest.raises(InputError, match=r"'a\.png'"):
        load_faces(str(tmp_path), size=16)


def test_pickled_landmarks_are_refused(tmp_path):
    picture(1).save(tmp_path / "a.png")
    np.savez(tmp_path / "landmarks.npz", a=np.array([{"evil": 1}], dtype=object))
    with pytest.raises(InputError, match="plain arrays"):
        load_faces(str(tmp_path), size=16)


def test_splits_share_nobody_cover_everybody_and_ignore_the_order_of_faces():
    faces, _ = load_faces("lfw", size=16)
    faces = [face._replace(identity=f"p{n // 2}") for n, face in enumerate(faces)]
    splits = split_people(faces, seed=3)
    people = {name: {face.identity for face in members} for name, members in splits.items()}
    assert not people["train"] & people["validation"]
    assert not people["train"] & people["test"]
    assert not people["validation"] & people["test"]
    assert sum(map(len, splits.values())) == 100
    again = split_people(faces[::-1], seed=3)
    assert {name: {face.identity for face in members} for name, members in again.items()} == people
    other = split_people(faces, seed=4)
    assert {face.identity for face in other["train"]} != people["train"]


def test_too_few_people_for_the_splits_is_one_line():
    faces, _ = load_faces("lfw", size=16)
    with pytest.raises(InputError, match="5 people are too few"):
        split_people(faces[:5])
