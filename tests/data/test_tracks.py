"""Faces are followed: looks decide who is who, what is away is a gap, and a picture on the wall is not the person."""

import numpy as np
import pytest

from metaforge.data.detection import Detection
from metaforge.data.looks import SAME, look_of
from metaforge.data.patches import crop_of, patch_of
from metaforge.data.shots import cuts
from metaforge.data.tracks import Sighting, Track, by_length, is_still, linked

ANNA, BERT = np.eye(4)[0], np.eye(4)[1]


def sighting(frame, left, look, *, side=10.0, top=0.0):
    corner = np.array([left, top], np.float32)
    face = Detection(np.concatenate([corner, corner + side]), np.tile(corner + side / 2, (5, 1)), 0.9)
    return Sighting(frame, face, look)


def who(track):
    return {int(np.argmax(each.look)) for each in track.sightings}


def test_each_sighting_is_in_one_track_and_a_track_has_a_frame_once():
    rng = np.random.default_rng(0)
    seen = []
    for frame in range(0, 60, 3):
        looks = rng.normal(size=(int(rng.integers(0, 5)), 4))
        looks /= np.linalg.norm(looks, axis=1, keepdims=True)
        seen.append((frame, [sighting(frame, float(rng.uniform(0, 30)), look) for look in looks]))
    tracks = linked(seen, cuts=[10, 33])
    found = [id(each) for track in tracks for each in track.sightings]
    assert sorted(found) == sorted(id(each) for _, faces in seen for each in faces)
    for track in tracks:
        assert (np.diff(track.frames) > 0).all()
    # The order of the faces in a frame says nothing.
    turned = linked([(frame, faces[::-1]) for frame, faces in seen], cuts=[10, 33])
    sets = lambda tracks: {frozenset(id(each) for each in track.sightings) for track in tracks}
    assert sets(turned) == sets(tracks)


def test_people_who_change_places_between_two_looks_keep_their_tracks():
    seen = [(0, [sighting(0, 0, ANNA), sighting(0, 30, BERT)]), (9, [sighting(9, 30, ANNA), sighting(9, 0, BERT)])]
    assert sorted(map(tuple, map(who, linked(seen)))) == [(0,), (1,)]


def test_another_person_in_the_same_place_is_another_track():
    faces = [ANNA, ANNA, BERT, BERT, ANNA]
    tracks = linked([(frame, [sighting(frame, 0, look)]) for frame, look in enumerate(faces)])
    assert [track.frames.tolist() for track in tracks] == [[0, 1, 4], [2, 3]]
    assert [track.gaps for track in tracks] == [((2, 3),), ()]


def test_a_turned_head_is_followed_where_it_was_and_not_over_a_cut_or_a_gap():
    turned = np.array([0.7, 0, np.sqrt(0.51), 0])  # less alike than two people may be
    assert ANNA @ turned < SAME
    pair = [(0, [sighting(0, 0, ANNA)]), (5, [sighting(5, 1, turned)])]
    assert len(linked(pair)) == 1
    assert len(linked(pair, cuts=[3])) == 2
    assert len(linked(pair, cuts=[0, 6])) == 1  # cuts elsewhere
    assert len(linked([pair[0], (3, []), pair[1]])) == 2
    far = [(0, [sighting(0, 0, ANNA)]), (5, [sighting(5, 40, turned)])]
    assert len(linked(far)) == 2


def test_gaps_are_between_the_first_and_the_last_frame_of_a_person():
    there = {4, 6, 12, 14}
    seen = [(frame, [sighting(frame, frame, ANNA)] if frame in there else []) for frame in range(0, 20, 2)]
    (track,) = linked(seen)
    assert track.gaps == ((8, 10),)


def moving(look, frames, side, *, step=1.0):
    return Track(tuple(sighting(frame, step * frame, look, side=side) for frame in frames), ())


@pytest.mark.parametrize(
    ("first", "other"),
    [
        (moving(ANNA, range(20), 5.0), moving(BERT, range(17), 50.0)),  # it lasts
        (moving(ANNA, range(19), 50.0), moving(BERT, range(20), 5.0)),  # nearly as long, and larger
        (moving(ANNA, range(11), 5.0), moving(BERT, range(20), 50.0, step=0.0)),  # the other one is a picture
        (moving(BERT, range(20), 50.0, step=0.0), moving(ANNA, range(8), 5.0)),  # and this one only passes by
        (moving(ANNA, range(20), 50.0, step=0.0), moving(BERT, range(20), 5.0, step=0.0)),
    ],
)
def test_the_track_of_a_video_is_the_one_that_lasts(first, other):
    assert [id(track) for track in by_length([other, first])] == [id(first), id(other)]


def test_a_face_is_still_only_if_all_of_it_is():
    assert is_still(moving(ANNA, range(5), 10.0, step=0.0))
    assert not is_still(moving(ANNA, range(5), 10.0, step=0.2))
    assert not is_still(moving(ANNA, range(2), 10.0, step=0.0))  # nobody knows of two frames
    # The box stays, and the mouth opens.
    mouth = np.zeros((3, 468, 2), np.float32)
    mouth[1, :40, 1] = 2.0
    faces = [sighting(frame, 0, ANNA) for frame in range(3)]
    talking = [each._replace(face=each.face._replace(mesh=mesh)) for each, mesh in zip(faces, mouth, strict=True)]
    assert not is_still(Track(tuple(talking), ()))


def test_a_look_is_of_length_one_and_knows_no_light_and_no_place():
    image = np.random.default_rng(0).integers(0, 160, (32, 32, 3), np.uint8)
    image = np.repeat(np.repeat(image, 4, axis=0), 4, axis=1)
    points = np.array([[54.0, 58], [74, 58], [64, 68], [56, 78], [72, 78]])
    look = look_of(image, points)
    assert np.linalg.norm(look) == pytest.approx(1)
    brighter = np.rint(image * 1.5).astype(np.uint8)
    moved = np.roll(image, (3, -5), axis=(0, 1))
    assert look @ look_of(brighter, points) > 0.999
    assert look @ look_of(moved, points + np.array([-5, 3])) > 0.999
    assert look @ look_of(image[::-1], points) < 0.7
    turned = np.rot90(image)  # left by a quarter: (x, y) lies at (y, 128 - x)
    assert look @ look_of(turned, np.stack([points[:, 1], 128 - points[:, 0]], axis=1)) > 0.99


@pytest.mark.parametrize("size", [8, 200])
@pytest.mark.parametrize("place", [(20.3, 11.7), (-9.5, 40.0), (200.0, 0.0)])
def test_a_kept_crop_has_the_bits_of_one_made_at_once(size, place):
    from metaforge.data.crops import apply_crop

    image = np.random.default_rng(1).integers(0, 256, (70, 90, 3), np.uint8)
    transform = np.array([[30.1 / size, 2.0 / size, place[0]], [-2.0 / size, 30.1 / size, place[1]]])
    kept = patch_of(image, transform, size)
    image_then = image.copy()
    image[:] = 0  # decoders use their memory again
    np.testing.assert_array_equal(crop_of(kept), apply_crop(image_then, transform, size))
    assert kept.pixels.size <= 3 * size * size


def test_fast_motion_is_no_cut_and_a_flash_is_two():
    quiet = [1.0] * 8
    assert cuts(range(17), [0.0, *quiet[1:], 40.0, *quiet]) == [8]
    assert cuts(range(16), [0.0, *[20.0] * 15]) == []
    assert cuts(range(17), [0.0, *quiet[1:], 60.0, 60.0, *quiet[1:]]) == [8, 9]
    assert cuts([], []) == []
    assert cuts([0, 50], [0.0, 80.0]) == [50]
