"""BlazeFace and the mesh: turned faces, long pictures, faces that fill the picture, and boxes that are one face."""

import itertools

import numpy as np
import pytest
from PIL import Image
from skimage import data

from metaforge.data.detection import find_face, find_faces
from metaforge.data.detection._blazeface import FULL, SHORT, SMALL, centres
from metaforge.data.detection._finder import _windows
from metaforge.data.detection._mesh import five_of
from metaforge.data.detection._suppression import groups, overlap


@pytest.fixture(scope="module")
def astronaut():
    return data.astronaut()


@pytest.fixture(scope="module")
def face(astronaut):
    return find_face(astronaut)


def turned(image, degrees):
    """The picture turned left about its middle, and the matrix from positions to where they are then."""
    radians = np.deg2rad(degrees)
    matrix = np.array([[np.cos(radians), np.sin(radians)], [-np.sin(radians), np.cos(radians)]])
    return np.asarray(Image.fromarray(image).rotate(degrees, Image.Resampling.BICUBIC)), matrix


@pytest.mark.parametrize("degrees", [20, -35, 60, 90, 180, 270])
def test_a_turned_picture_has_turned_points(astronaut, face, degrees):
    image, matrix = turned(astronaut, degrees)
    found = find_face(image)
    # In the same order: the eye that is left in an upright image leads.
    expected = (face.points - 256) @ matrix.T + 256
    np.testing.assert_allclose(found.points, expected, atol=0.06 * 110)
    np.testing.assert_allclose(found.mesh[[10, 152]], (face.mesh[[10, 152]] - 256) @ matrix.T + 256, atol=0.08 * 110)
    assert found.mesh_score > 0.5


def test_points_are_those_of_the_mesh(face):
    np.testing.assert_allclose(face.points, five_of(face.mesh.astype(np.float64)), atol=1e-3)
    assert (face.mesh >= face.box[:2] - 1e-3).all()
    assert (face.mesh <= face.box[2:] + 1e-3).all()


def test_a_face_that_fills_the_picture_is_found(astronaut, face):
    x0, y0, x1, y1 = face.box.round().astype(int)
    found = find_face(np.ascontiguousarray(astronaut[y0:y1, x0:x1]))
    np.testing.assert_allclose(found.points + np.array([x0, y0]), face.points, atol=8)


def test_faces_of_a_panorama_are_found_where_they_are(astronaut, face):
    wide = np.full((512, 8000, 3), 90, np.uint8)
    for left in (0, 3000, 7488):
        wide[:, left : left + 512] = astronaut
    found = sorted(find_faces(wide, min_face=0.01), key=lambda one: one.box[0])
    assert len(found) == 3
    for one, left in zip(found, (0, 3000, 7488), strict=True):
        np.testing.assert_allclose(one.points - [left, 0], face.points, atol=8)


def test_a_quick_look_and_a_thorough_one_agree(astronaut, face):
    (thorough,) = find_faces(astronaut)
    np.testing.assert_allclose(thorough.points, face.points, atol=3)
    assert face.score == max(face.score, 0.75)


def test_windows_cover_the_picture_and_overlap():
    for width, height, side in ((1000, 300, 300), (300, 1000, 300), (700, 700, 300), (301, 300, 300)):
        seen = np.zeros((height, width), int)
        boxes = _windows(width, height, side)
        for x0, y0, x1, y1 in boxes:
            assert 0 <= x0 < x1 <= width
            assert 0 <= y0 < y1 <= height
            seen[y0:y1, x0:x1] += 1
        assert seen.min() >= 1
        columns = sorted({box[0] for box in boxes})
        assert all(b - a <= 0.75 * side + 1 for a, b in itertools.pairwise(columns))
    assert len(_windows(100_000, 100, 100)) <= 64


def test_places_are_the_middles_of_the_squares_of_each_grid():
    assert [len(centres(network)) for network in (SHORT, FULL, SMALL)] == [896, 2304, 896]
    np.testing.assert_allclose(centres(SHORT)[:3], [[8 / 256, 8 / 256], [8 / 256, 8 / 256], [24 / 256, 8 / 256]])
    np.testing.assert_allclose(centres(SHORT)[512:519:6], [[1 / 16, 1 / 16], [3 / 16, 1 / 16]])
    np.testing.assert_allclose(centres(FULL)[48], [0.5 / 48, 1.5 / 48])


def test_overlaps_and_groups_of_boxes():
    boxes = np.array([[0.0, 0, 10, 10], [0, 0, 10, 5], [5, 0, 15, 10], [20, 20, 30, 30]])
    np.testing.assert_allclose(overlap(boxes[0], boxes), [1, 0.5, 1 / 3, 0])
    np.testing.assert_allclose(overlap(boxes[0], boxes, of_smaller=True), [1, 1, 0.5, 0])
    made = groups(boxes, np.array([0.5, 0.9, 0.4, 0.8]), 0.3)
    assert [group.tolist() for group in made] == [[1, 0], [3], [2]]
