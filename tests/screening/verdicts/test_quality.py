"""Flags: each on a picture that was treated by a known amount, and none on the picture as it was."""

import io

import numpy as np
import pytest
from PIL import Image
from skimage import data

from metaforge.data.detection import find_face
from metaforge.data.face_crops import FaceCrop, face_crops
from metaforge.screening.verdicts.jpeg import blockiness, comb, jpeg_quality
from metaforge.screening.verdicts.quality import COMB, FLAGS, face_flags, file_flags, pose_of

EMPTY = FaceCrop(np.zeros((8, 8, 3), np.uint8), None, ())


def jpeg(image, quality, **how):
    held = io.BytesIO()
    image.save(held, "JPEG", quality=quality, **how)
    return held.getvalue()


@pytest.fixture(scope="module")
def photograph():
    return Image.fromarray(data.astronaut()).resize((425, 425), Image.Resampling.LANCZOS)


@pytest.mark.parametrize("quality", [5, 25, 30, 31, 50, 75, 95, 100])
def test_the_quality_is_that_by_which_it_was_written(photograph, quality):
    assert jpeg_quality(jpeg(photograph, quality)) == pytest.approx(quality, abs=0.5)
    flagged = "over-compressed" in file_flags(jpeg(photograph, quality), faces=1)
    assert flagged == (quality <= 30)


def test_tables_of_other_programs_have_the_quality_that_comes_nearest(photograph):
    table = [3 * each for each in (16, 11, 10, 16, 24, 40, 51, 61, *[20] * 56)]
    found = jpeg_quality(jpeg(photograph, 50, qtables=[table, table]))
    assert 1 <= found < 50
    assert jpeg_quality(jpeg(photograph, 50, qtables=[[1] * 64] * 2)) == 100
    assert jpeg_quality(jpeg(photograph, 50, qtables=[[255] * 64] * 2)) == 1


def test_blocks_are_seen_without_the_file_wherever_the_grid_begins(photograph):
    assert blockiness(np.asarray(photograph)) < 0.2
    again = np.asarray(Image.open(io.BytesIO(jpeg(photograph, 10))).convert("RGB"))
    whole, cut = blockiness(again), blockiness(again[3:, 5:])
    assert whole > 0.6
    assert cut == pytest.approx(whole, rel=0.1)
    assert face_flags(again, EMPTY, jpeg=False) == ("over-compressed",)
    assert face_flags(again, EMPTY, jpeg=True) == ()  # its tables say so already
    assert blockiness(again[:20, :20]) == 0.0


@pytest.mark.parametrize(
    ("first", "second", "twice"), [(50, 90, True), (75, 95, True), (0, 90, False), (95, 80, False)]
)
def test_a_stronger_compression_before_is_seen(photograph, first, second, twice):
    before = Image.open(io.BytesIO(jpeg(photograph, first))) if first else photograph
    written = jpeg(before, second)
    assert (comb(written) >= COMB) == twice
    assert ("re-compressed" in file_flags(written, faces=1)) == twice


def test_the_comb_is_that_of_a_cosine_transform_by_another_program(photograph):
    from scipy.fft import dctn

    from metaforge.screening.verdicts.jpeg import _COSINES

    block = np.asarray(photograph.convert("L"), float)[40:48, 80:88]
    np.testing.assert_allclose(_COSINES @ block @ _COSINES.T, dctn(block, norm="ortho"), atol=1e-9)


@pytest.mark.parametrize("broken", [b"", b"no image", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_jpeg_has_no_such_flag(broken):
    assert jpeg_quality(broken) is None
    assert comb(broken) == 0.0
    assert file_flags(broken, faces=1) == ()


def test_small_and_grey_jpegs_are_no_trouble():
    for size in ((1, 1), (7, 300), (40, 9)):
        assert comb(jpeg(Image.new("L", size), 20)) == 0.0
        assert file_flags(jpeg(Image.new("L", size), 20), faces=0) == ("no face", "over-compressed")


def test_pose_is_that_of_points_that_are_turned():
    upright = np.array([[-30.0, 0.0], [30.0, 0.0], [0.0, 35.0], [-20.0, 60.0], [20.0, 60.0]])
    for degrees in (0, 40, -80):
        angle = np.radians(degrees)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        found = pose_of(upright @ turn.T + 100)
        assert found.roll == pytest.approx(degrees, abs=1e-6)
        assert found.yaw == pytest.approx(0, abs=1e-9)
    # Eyes half of their distance to the side of a nose that stands half as far out, at 30 degrees.
    angle = np.radians(30)
    seen = upright * [np.cos(angle), 1] + [[0, 0], [0, 0], [30 * np.sin(angle), 0], [0, 0], [0, 0]]
    assert pose_of(seen).yaw == pytest.approx(30 * np.sin(angle) / (60 * np.cos(angle)))
    assert pose_of(np.zeros((5, 2))).yaw == 0.0


def test_a_face_that_is_tilted_is_said_to_be(photograph):
    turned = np.asarray(photograph.rotate(60, expand=True))
    (face,) = face_crops(turned, size=32)
    assert face_flags(turned, face, jpeg=False) == ("tilted",)
    assert find_face(np.asarray(photograph)) is not None
    (face,) = face_crops(np.asarray(photograph), size=32)
    assert face_flags(np.asarray(photograph), face, jpeg=False) == ()


def test_flags_are_known_by_name():
    assert len(set(FLAGS)) == len(FLAGS)
    assert file_flags(None, faces=0) == ("no face",)
    assert file_flags(None, faces=3) == ("several faces",)
    assert {"no face", "several faces", "over-compressed", "re-compressed", "turned away", "tilted"} <= {*FLAGS}
