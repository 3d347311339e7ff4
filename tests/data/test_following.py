"""Clips with people in them, as they were drawn: who stays, leaves, crosses, hangs on a wall, or is never there."""

import struct

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("av")

from metaforge.data.crops import apply_crop, crop_transform
from metaforge.data.following import face_tracks
from metaforge.data.shots import brief_of, brief_of_image
from metaforge.data.video import read_frames
from metaforge.data.watching import expected_frames, watch
from metaforge.errors import InputError
from tests.data.clips import scene, write_video

ASTRONAUT, ANNA, BERT = 0, 5, 6
"""Identities, as `tests.data.clips` counts them."""


def follow(tmp_path, frames, **options):
    return face_tracks(write_video(tmp_path / "clip.mp4", frames), size=32, **options)


def holds(track, path, side):
    """Whether a track's boxes have their middle within a picture whose upper left corner goes along `path`."""
    middles = (track.boxes[:, :2] + track.boxes[:, 2:]) / 2
    corners = np.array([path(number) for number in track.frames.tolist()])
    return bool((np.abs(middles - corners - side / 2) < side / 4).all())


def test_a_face_that_leaves_is_a_gap(tmp_path):
    away = range(6, 10)
    path = lambda number: None if number in away else (10 + 4 * number, 20)
    (track,) = follow(tmp_path, scene(16, (120, 160), (ASTRONAUT, 80, path)))
    assert track.frames.tolist() == [number for number in range(16) if number not in away]
    assert track.gaps == ((6, 9),)
    assert holds(track, path, 80)
    crops = list(track.crops())
    assert len(crops) == 12
    assert {crop.shape for crop in crops} == {(32, 32, 3)}
    assert np.shape(track.meshes) == (12, 468, 2)
    assert (track.scores > 0.5).all()


def test_who_comes_meanwhile_is_another_person(tmp_path):
    mine = lambda number: None if 5 <= number < 9 else (40, 20 + number)
    other = lambda number: (42, 22) if 5 <= number < 9 else None
    first, second = follow(tmp_path, scene(14, (120, 160), (ASTRONAUT, 80, mine), (ANNA, 80, other)))
    assert (first.frames.tolist(), first.gaps) == ([0, 1, 2, 3, 4, 9, 10, 11, 12, 13], ((5, 8),))
    assert second.frames.tolist() == [5, 6, 7, 8]


def test_a_larger_poster_is_not_the_person(tmp_path):
    wall = lambda _: (5, 10)
    walk = lambda number: (150 + 3 * np.sin(number), 60 + number) if number > 2 else None
    clip = scene(12, (160, 240), (BERT, 130, wall), (ASTRONAUT, 70, walk))
    person, poster = follow(tmp_path, clip)
    assert person.frames.tolist() == list(range(3, 12))
    assert holds(person, walk, 70)
    assert poster.frames.tolist() == list(range(12))
    assert holds(poster, wall, 130)


def test_a_cut_to_another_person_and_back(tmp_path):
    here = lambda number: (20 + 2 * number, 20)
    there = lambda number: (30 + 2 * number, 20)
    back = lambda number: (70, 30 - number)
    shots = [
        scene(5, (120, 160), (ASTRONAUT, 80, here)),
        scene(4, (120, 160), (ANNA, 80, there), ground=9),
        scene(4, (120, 160), (ASTRONAUT, 76, back), ground=5),
    ]
    first, second = follow(tmp_path, np.concatenate(shots))
    assert (first.frames.tolist(), first.gaps) == ([0, 1, 2, 3, 4, 9, 10, 11, 12], ((5, 8),))
    assert second.frames.tolist() == [5, 6, 7, 8]


def test_people_who_cross_keep_their_tracks(tmp_path):
    behind, before = (lambda number: (5 + 11 * number, 20)), (lambda number: (175 - 11 * number, 25))
    tracks = follow(tmp_path, scene(16, (120, 260), (ASTRONAUT, 80, behind), (BERT, 80, before)))
    front, back = tracks[:2]
    # One is hidden while they cross; all that is left is a piece or two of a face half hidden.
    assert front.frames.tolist() == list(range(16))
    assert holds(front, before, 80)
    assert {0, 1, 2, 3, 4, 12, 13, 14, 15} <= set(back.frames.tolist())
    assert holds(back, behind, 80)
    assert sum(len(track.sightings) for track in tracks[2:]) <= 2


def test_videos_without_a_face_have_no_track(tmp_path):
    assert follow(tmp_path, scene(3, (96, 96))) == []
    assert follow(tmp_path, np.concatenate([scene(1, (64, 64), ground=seed) for seed in range(4)])) == []


def test_frames_are_spread_over_the_video_and_the_crops_are_those_of_its_frames(tmp_path):
    clip = write_video(tmp_path / "a.mp4", scene(11, (120, 160), (ASTRONAUT, 80, lambda number: (4 * number, 20))))
    (track,) = face_tracks(clip, frames=3, crop="dfb", size=24)
    assert track.frames.tolist() == [0, 5, 10]
    for (_, image), points, crop in zip(read_frames(clip, [0, 5, 10]), track.points, track.crops(), strict=True):
        transform = crop_transform(None, points, convention="dfb", size=24, image_size=image.shape[:2])
        np.testing.assert_array_equal(crop, apply_crop(image, transform, 24))


def test_a_rotated_stream_is_followed_upright(tmp_path):
    upright = scene(3, (120, 160), (ASTRONAUT, 80, lambda number: (40 + number, 20)))
    path = write_video(tmp_path / "a.mp4", [np.rot90(frame) for frame in upright])
    content = bytearray(path.read_bytes())
    at, one = content.index(b"tkhd") + 44, 1 << 16
    # To be shown turned right by a quarter: (x, y) at (120 - y, x).
    content[at : at + 36] = struct.pack(">9i", 0, one, 0, -one, 0, 0, 160 * one, 0, 1 << 30)
    path.write_bytes(content)
    (track,) = face_tracks(path, size=32)
    middles = (track.boxes[:, :2] + track.boxes[:, 2:]) / 2
    np.testing.assert_allclose(middles, [[80 + number, 60] for number in range(3)], atol=20)


def test_a_folder_of_images_and_an_image_are_videos(tmp_path):
    frames = scene(2, (120, 120), (ASTRONAUT, 80, lambda number: (20 + number, 20)))
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(tmp_path / f"{number}.png")
    (track,) = face_tracks(tmp_path, size=32)
    assert track.frames.tolist() == [0, 1]
    (track,) = face_tracks(tmp_path / "1.png", size=32)
    assert track.frames.tolist() == [0]
    with pytest.raises(InputError, match="'whole' looks for no face"):
        face_tracks(tmp_path, crop="whole")


def test_a_wrong_number_of_coded_pictures_is_made_good(tmp_path, monkeypatch):
    from metaforge.data import following

    clip = write_video(tmp_path / "a.mp4", scene(9, (120, 120), (ASTRONAUT, 80, lambda number: (20 + number, 20))))
    assert expected_frames(clip) == 9
    for wrong in (1, 4, 30):
        monkeypatch.setattr(following, "expected_frames", lambda path, *, max_pixels, wrong=wrong: wrong)
        (track,) = face_tracks(clip, frames=3, size=32)
        assert track.frames.tolist() == [0, 4, 8]


@pytest.mark.parametrize("pixels", ["yuv420p", "yuvj420p", "yuv444p10le", "rgb24", "gray", "nv12"])
def test_changes_are_of_brightness_in_each_coding(pixels):
    import av

    image = np.random.default_rng(0).integers(0, 256, (9, 16), np.uint8)
    image = np.repeat(np.repeat(image, 16, axis=0), 16, axis=1)
    frame = av.VideoFrame.from_ndarray(np.repeat(image[..., None], 3, axis=2), format="rgb24").reformat(format=pixels)
    found, full = brief_of(frame), brief_of_image(np.repeat(image[..., None], 3, axis=2))
    assert found.shape == (9, 16)
    # Limited range has 219 levels from 16 on.
    expected = full if pixels in ("rgb24", "gray", "yuvj420p") else 16 + full * 219 / 255
    np.testing.assert_allclose(found, expected, atol=3)


def test_every_frame_goes_by_once_and_a_cut_shows(tmp_path):
    shots = [scene(4, (48, 64)), scene(3, (48, 64), ground=3)]
    seen = list(watch(write_video(tmp_path / "a.mp4", np.concatenate(shots)), [2, 6]))
    assert [glance.frame for glance in seen] == list(range(7))
    assert [glance.frame for glance in seen if glance.image is not None] == [2, 6]
    changes = [glance.change for glance in seen]
    assert int(np.argmax(changes)) == 4
    assert max(changes[:4] + changes[5:]) < 0.2 * changes[4]
