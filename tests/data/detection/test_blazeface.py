"""BlazeFace and the mesh: turned faces, long pictures, faces that fill the picture, and boxes that are one face."""

import itertools

import numpy as np
import pytest
from PIL import Image, ImageDraw
from skimage import data

from metaforge.data.detection import _interpreter, find_face, find_faces
from metaforge.data.detection._blazeface import SHORT, SMALL, WIDE, centres, propose
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


def test_windows_of_a_very_long_picture_grow_until_they_are_few_and_leave_no_gap():
    boxes = sorted(_windows(100_000, 100, 100))
    assert len(boxes) <= 64
    assert boxes[0][0] == 0
    assert boxes[-1][2] == 100_000
    assert all(one[2] >= other[0] for one, other in itertools.pairwise(boxes))


def test_places_are_the_middles_of_the_squares_of_each_grid():
    assert [len(centres(network, network.side, network.side)) for network in (SHORT, SMALL, WIDE)] == [896, 896, 3584]
    np.testing.assert_allclose(centres(SHORT, 128, 128)[:3], [[4, 4], [4, 4], [12, 4]])
    np.testing.assert_allclose(centres(SHORT, 128, 128)[512:519:6], [[8, 8], [24, 8]])
    np.testing.assert_allclose(centres(SMALL, 256, 192)[2 * 16], [8, 24])


@pytest.mark.parametrize("network", [SHORT, SMALL])
@pytest.mark.parametrize("size", [(512, 384), (384, 512)])
def test_a_rectangle_is_seen_as_it_is_seen_in_a_grey_square(astronaut, network, size):
    part = Image.fromarray(astronaut).crop((64, 0, 64 + size[0], size[1]))
    square = Image.new("RGB", (512, 512), (127, 127, 127))
    corner = [(512 - length) // 2 for length in size]
    square.paste(part, tuple(corner))
    seen, other = (propose(each, network, threshold=0.3) for each in (part, square))
    np.testing.assert_allclose(seen.boxes[0], other.boxes[0] - np.tile(corner, 2), atol=6)
    np.testing.assert_allclose(seen.points[0], other.points[0] - corner, atol=5)


@pytest.mark.parametrize("shape", [(1, 300), (300, 1), (1, 1), (1, 40_000), (3, 5)])
def test_a_picture_of_a_single_row_or_column_has_no_face(shape):
    drawn = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert find_faces(drawn) == []
    assert find_face(drawn) is None


def test_twelve_faces_are_twelve(astronaut, face):
    x0, y0, x1, y1 = (face.box + np.array([-25, -25, 25, 25])).round().astype(int)
    tile = Image.fromarray(np.ascontiguousarray(astronaut[y0:y1, x0:x1]))
    wide = Image.new("RGB", (1280, 960), (40, 90, 60))
    corners = [(40 + 310 * column, 60 + 300 * row) for row in range(3) for column in range(4)]
    for index, corner in enumerate(corners):
        wide.paste(tile.transpose(Image.Transpose.ROTATE_180) if index == 5 else tile, corner)
    found = find_faces(np.asarray(wide))
    middles = {tuple(((one.box[:2] + one.box[2:]) / 2 // [310, 300]).astype(int)) for one in found}
    assert len(found) == len(middles) == 12
    # One of them is upside down among upright ones: its eyes are below its mouth.
    assert sum(one.points[0, 1] > one.points[3, 1] for one in found) == 1


def test_the_moon_and_drawn_circles_are_no_faces():
    moon = np.repeat(data.moon()[..., None], 3, axis=-1)
    drawn = Image.new("RGB", (640, 480), (250, 240, 200))
    pen = ImageDraw.Draw(drawn)
    for x in (150, 400):
        pen.ellipse([x - 90, 150, x + 90, 330], fill=(230, 180, 140))
    for image in (moon, np.asarray(drawn)):
        assert find_faces(image) == []


def test_a_panorama_is_read_in_windows_whose_memory_does_not_grow_with_it(astronaut, face, monkeypatch):
    shapes = set()
    seen = _interpreter.run
    monkeypatch.setattr(_interpreter, "run", lambda name, sheet: shapes.add(sheet.shape) or seen(name, sheet))
    wide = np.full((512, 40_000, 3), 90, np.uint8)
    wide[:, 31_000:31_512] = astronaut
    (found,) = find_faces(wide)
    np.testing.assert_allclose(found.points - [31_000, 0], face.points, atol=8)
    assert find_faces(wide, min_face=0.2) == []  # 140 pixels are less than a fifth of twice its height
    assert max(np.prod(shape) for shape in shapes) <= 512 * 512 * 3


def test_overlaps_and_groups_of_boxes():
    boxes = np.array([[0.0, 0, 10, 10], [0, 0, 10, 5], [5, 0, 15, 10], [20, 20, 30, 30]])
    np.testing.assert_allclose(overlap(boxes[0], boxes), [1, 0.5, 1 / 3, 0])
    np.testing.assert_allclose(overlap(boxes[0], boxes, of_smaller=True), [1, 1, 0.5, 0])
    made = groups(boxes, np.array([0.5, 0.9, 0.4, 0.8]), 0.3)
    assert [group.tolist() for group in made] == [[1, 0], [3], [2]]


def test_a_large_box_that_is_hardly_a_face_comes_last(astronaut):
    mirrored = np.ascontiguousarray(astronaut[:, ::-1])
    found = find_faces(mirrored, threshold=0.3)
    # There is such a box on her suit.
    assert any(side_of(one) > side_of(found[0]) for one in found[1:])
    np.testing.assert_allclose((found[0].box[:2] + found[0].box[2:]) / 2, (512 - 225, 112), atol=12)


def side_of(one):
    return float((one.box[2:] - one.box[:2]).max())
