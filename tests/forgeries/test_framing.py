"""A face is framed anew within its limits, inside its photograph, with all that is known of its place."""

import numpy as np
import pytest

from metaforge.data.faces import load_faces
from metaforge.forgeries import FORGERIES, Face, augment, forge_pairs, make
from metaforge.forgeries.alignment import align
from metaforge.forgeries.base import Frame
from metaforge.forgeries.framing import SCALES, SHIFT, framed, into_frame, out_of_frame, surroundings
from metaforge.forgeries.masks import face_box

SIZE = 40


def ramp(height, width):
    """A picture whose first channel is the column and whose second is the row, of pixels' centres."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns, rows, np.zeros_like(rows)], axis=-1).astype(np.uint8)


def whole_face(photograph, frame):
    left, top, side = (int(n) for n in frame)
    assert side == SIZE
    marks = np.array([[10, 12], [30, 12], [20, 33]], np.float32)
    around = surroundings(photograph, frame, size=SIZE)
    return Face(photograph[top : top + side, left : left + side], marks, "a", "a", around=around)


def test_a_crop_is_drawn_inside_its_limits_and_shows_what_the_photograph_has_there():
    photograph, frame = ramp(140, 150), Frame(50, 60, SIZE)
    face, seen = whole_face(photograph, frame), []
    for seed in range(60):
        moved, drawn = framed(np.random.default_rng(seed), face)
        scale, across, down = drawn["framing"]
        seen.append((scale, across, down))
        side = SIZE * scale
        left, top = (corner + SIZE / 2 + off * SIZE - side / 2 for corner, off in ((50, across), (60, down)))
        # A pixel's centre shows the photograph's column and row: the picture is linear, and so are its samples.
        expected = np.stack(np.meshgrid(*[start + (np.arange(SIZE) + 0.5) * scale - 0.5 for start in (left, top)]), -1)
        assert np.abs(moved.image[..., :2] - expected).max() < 0.6
        # Landmarks are of the same pixels as before.
        at = lambda marks, corner, step: corner + (marks + 0.5) * step - 0.5
        np.testing.assert_allclose(at(moved.landmarks, [left, top], scale), at(face.landmarks, [50, 60], 1), atol=0.1)
        assert moved.around is None
    limits = np.array(seen)
    assert SCALES[0] <= limits[:, 0].min() < SCALES[0] + 0.05
    assert SCALES[1] - 0.05 < limits[:, 0].max() <= SCALES[1]
    assert 0.8 * SHIFT < np.abs(limits[:, 1:]).max() <= SHIFT


@pytest.mark.parametrize("frame", [Frame(0, 0, SIZE), Frame(5, 3, SIZE), Frame(60, 44, SIZE)])
def test_nothing_beyond_the_photograph_is_made_up(frame):
    # 0 is nowhere in it, so black from beyond the border would show.
    photograph = (ramp(84, 100) + 1).astype(np.uint8)
    photograph[..., 2] = 200
    for seed in range(30):
        moved, _ = framed(np.random.default_rng(seed), whole_face(photograph, frame))
        assert (moved.image[..., 2] == 200).all()


def test_without_surroundings_a_crop_is_only_ever_tighter():
    face = whole_face(ramp(100, 100), Frame(20, 20, SIZE))._replace(around=None)
    scales = [framed(np.random.default_rng(seed), face)[1]["framing"][0] for seed in range(30)]
    assert min(scales) < 0.9
    assert max(scales) == 1.0


def test_a_large_photograph_is_kept_no_finer_than_the_tightest_crop_shows_it():
    part = surroundings(np.zeros((900, 900, 3), np.uint8), Frame(250, 250, 400), size=SIZE)
    assert part.frame.side == pytest.approx(SIZE / SCALES[0], rel=0.02)
    room = (part.image.shape[0] - part.frame.side) / 2 / part.frame.side
    assert room == pytest.approx((SCALES[1] - 1) / 2 + SHIFT, abs=0.02)


@pytest.mark.parametrize("frame", [Frame(4, 6, 30), Frame(-6, -3, 52)])
def test_what_is_laid_into_a_frame_comes_out_of_it(frame):
    rows, columns = np.mgrid[:SIZE, :SIZE].astype(float)
    picture = np.stack([rows, columns, rows + columns], axis=-1)
    back = out_of_frame(into_frame(picture, frame), frame)
    # A frame that reaches beyond the picture has lost its border.
    inner = slice(10, 30)
    np.testing.assert_allclose(back[inner, inner], picture[inner, inner], atol=1e-9)


def test_without_landmarks_the_face_and_its_donor_are_where_the_usual_crop_is():
    face = whole_face(ramp(100, 100), Frame(20, 20, SIZE))._replace(landmarks=None)
    moved, _ = framed(np.random.default_rng(3), face)
    left, top, side = moved.frame
    np.testing.assert_allclose(
        face_box(moved), np.array([left, left, top, top]) + side * np.array([0.18, 0.82, 0.10, 0.92])
    )
    # The same photograph as donor lies on itself.
    donor = face._replace(around=None)
    inner = slice(8, 32)
    assert np.abs(align(moved, donor)[inner, inner] - moved.image[inner, inner]).max() < 1


def test_a_flip_and_a_shift_move_the_frame_with_the_image():
    photograph = np.zeros((100, 100, 3), np.uint8)
    photograph[36:39, 45:48] = 255  # around 16.5, 26.5 of the usual crop: 0.4125, 0.6625 of it
    face = whole_face(photograph, Frame(20, 10, SIZE))._replace(landmarks=None)
    for seed in range(8):
        target, _ = framed(np.random.default_rng(seed), face)
        moved = augment(np.random.default_rng(seed), target)
        lit = moved.image[..., 0].astype(float) - moved.image[..., 0].min()
        row, column = (np.average(np.arange(SIZE) + 0.5, weights=lit.sum(axis=axis)) for axis in (1, 0))
        left, top, side = moved.frame
        flipped = np.random.default_rng(seed).random() < 0.5
        share = 1 - 26.5 / SIZE if flipped else 26.5 / SIZE
        assert column == pytest.approx(left + share * side, abs=0.3)
        assert row == pytest.approx(top + 27.5 / SIZE * side, abs=0.3)


def test_both_of_a_pair_are_framed_alike(monkeypatch):
    monkeypatch.setattr("metaforge.forgeries.wild.journey", lambda rng: [])
    faces = load_faces("london", size=32, around=True).faces[:6]
    for method in FORGERIES:
        pairs = list(forge_pairs(faces, methods=[method], acquisitions=["wild"], variants=1, seed=0))
        assert len({tuple(pair.forged.parameters["framing"]) for pair in pairs}) > 1
        for fake, real, mask, _ in (pair.forged for pair in pairs):
            np.testing.assert_array_equal(fake[mask == 0], real[mask == 0])


def test_surroundings_change_nothing_of_the_usual_crop():
    for source in ("london", "lfw"):
        plain, wide = (load_faces(source, size=32, around=around).faces[:4] for around in (False, True))
        assert all((face.around is None) == (source == "lfw") for face in wide)
        for one, other in zip(plain, wide, strict=True):
            np.testing.assert_array_equal(one.image, other.image)


def test_a_face_is_reconstructed_in_the_frame_that_the_components_know():
    faces = load_faces("london", size=32, around=True).faces[:40]
    forgery, aware, ignorant = make("reconstruction", faces), [], []
    for seed, face in enumerate(faces[:12]):
        target, _ = framed(np.random.default_rng(seed), face)
        for frame, changes in ((target.frame, aware), (None, ignorant)):
            fake, real, *_ = forgery.forge(np.random.default_rng(seed), target._replace(frame=frame), None)
            changes.append(np.abs(fake.astype(float) - real).mean())
    assert np.mean(aware) < 0.8 * np.mean(ignorant)
