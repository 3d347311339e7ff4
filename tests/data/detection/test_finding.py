"""Finding faces: where they are, none where there are none, moved as the picture moves."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from metaforge.data.detection import Detection, find_face, find_faces
from metaforge.data.video import read_frames
from metaforge.errors import InputError
from tests.data.clips import IDENTITIES, face_clip, face_frames


@pytest.fixture(scope="module")
def astronaut():
    assert Path(data.__file__).with_name("astronaut.png").exists()  # in the wheel: no network
    return data.astronaut()


@pytest.fixture(scope="module")
def cup():
    assert Path(data.__file__).with_name("coffee.png").exists()
    return data.coffee()


def resized(image, height, width):
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS))


def every(image, **options):
    return find_faces(np.ascontiguousarray(image), **options)


def largest(image) -> Detection:
    """Without small faces, which takes a quarter of the time."""
    face = find_face(np.ascontiguousarray(image), min_face=0.1)
    assert face is not None
    return face


def middle(face):
    return (face.box[:2] + face.box[2:]) / 2


def side(face):
    return float((face.box[2:] - face.box[:2]).mean())


def test_the_astronaut_is_found_with_her_eyes_nose_and_mouth(astronaut):
    (face,) = every(astronaut)
    np.testing.assert_allclose(middle(face), (225, 120), atol=12)
    assert 70 < side(face) < 140
    left_eye, right_eye, nose, left_mouth, right_mouth = face.points
    assert (face.points > face.box[:2]).all()
    assert (face.points < face.box[2:]).all()
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
    assert 0.85 < face.score <= 1
    assert (face.box.dtype, face.box.shape, face.points.dtype, face.points.shape) == (
        np.float32,
        (4,),
        np.float32,
        (5, 2),
    )


def test_a_cup_and_flat_images_hold_no_face(cup):
    assert every(cup) == []
    for level in (0, 127, 255):
        assert every(np.full((200, 300, 3), level, np.uint8)) == []
    assert find_face(np.zeros((5, 400, 3), np.uint8)) is None


def test_a_mirrored_face_has_mirrored_points(astronaut):
    face, mirrored = largest(astronaut), largest(astronaut[:, ::-1])
    back = mirrored.points[[1, 0, 2, 4, 3]] * [-1, 1] + [astronaut.shape[1], 0]
    np.testing.assert_allclose(back, face.points, atol=0.06 * side(face))


@pytest.mark.parametrize("scale", [0.4, 2.0])
def test_a_scaled_image_has_a_scaled_box(astronaut, scale):
    size = round(512 * scale)
    face, scaled = largest(astronaut), largest(resized(astronaut, size, size))
    np.testing.assert_allclose(scaled.box / scale, face.box, atol=0.06 * side(face))
    np.testing.assert_allclose(scaled.points / scale, face.points, atol=0.06 * side(face))


@pytest.mark.parametrize("shift", [(3, 5), (0, 71), (88, 88)])
def test_a_shifted_face_is_found_shifted(astronaut, shift):
    def placed(top, left):
        canvas = np.full((600, 600, 3), 128, np.uint8)
        canvas[top : top + 512, left : left + 512] = astronaut
        return largest(canvas)

    face, shifted = placed(0, 0), placed(*shift)
    np.testing.assert_allclose(shifted.points - shift[::-1], face.points, atol=0.06 * side(face))
    np.testing.assert_allclose(shifted.box - np.tile(shift[::-1], 2), face.box, atol=0.08 * side(face))


def test_faces_come_largest_first_and_the_limits_hold(astronaut):
    both = np.zeros((512, 800, 3), np.uint8)
    both[:, 288:] = astronaut
    both[100:300, 30:230] = resized(astronaut, 200, 200)
    large, small = every(both)
    assert side(large) > 2 * side(small)
    assert large.box[0] > 288 > small.box[2]
    (alone,) = every(both, min_face=0.1)
    np.testing.assert_allclose(alone.box, large.box, atol=0.06 * side(large))
    np.testing.assert_array_equal(largest(both).box, alone.box)
    assert every(both, min_face=0.1, threshold=1.0) == []


def test_a_face_at_the_border_is_found_with_a_box_beyond_it(astronaut):
    face = largest(astronaut[80:, :250])
    assert face.box[1] < 0
    np.testing.assert_allclose(face.points[0], (204, 21), atol=6)


@pytest.mark.parametrize("identity", [0, 1, IDENTITIES - 1])
@pytest.mark.parametrize("crf", [23, 40])
def test_the_face_of_a_test_clip_is_found_in_its_frames(tmp_path, identity, crf):
    drawn = face_frames(seed=identity, identity=identity)
    path = face_clip(tmp_path / "a.mp4", seed=identity, identity=identity, crf=crf)
    for index, frame in read_frames(path, [0, 23]):
        face, *rest = sorted(every(frame), key=lambda found: -found.score)
        # The ground is textured, and on some processors a part of it is a face at the threshold.
        assert all(found.score < 0.6 < face.score for found in rest)
        assert 30 < side(face) < 80
        # The compressed frame shows what was drawn, and the face is on it.
        x, y = np.rint(middle(face)).astype(int)
        np.testing.assert_allclose(frame[y, x].astype(int), drawn[index][y, x], atol=50)


def test_a_fake_clip_differs_in_the_face_alone():
    real, fake = (face_frames(frames=3, fake=fake) for fake in (None, lambda frame: 255 - frame))
    face = largest(real[0])
    differs = (real[0] != fake[0]).any(-1)
    x, y = np.rint(face.points).astype(int).T
    assert differs[y, x].all()
    assert not differs[[0, 0, -1, -1], [0, -1, 0, -1]].any()
    assert 0.2 < differs.mean() < 0.6


@pytest.mark.parametrize("options", [{"min_face": 0.0}, {"min_face": 0.9}, {"threshold": 1.5}])
def test_arguments_out_of_range_are_refused(options):
    with pytest.raises(InputError, match=r"min_face .* threshold"):
        every(np.zeros((50, 50, 3), np.uint8), **options)
