"""Clips with people in them, as they were drawn: who stays, leaves, crosses, hangs on a wall, or is never there."""

import struct

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("av")

from metaforge.data import crop_files, watching
from metaforge.data.catalogues import Video
from metaforge.data.crops import apply_crop, crop_transform
from metaforge.data.detection import find_faces
from metaforge.data.extraction import Rule, extract
from metaforge.data.following import face_tracks
from metaforge.data.shots import brief_of, brief_of_image
from metaforge.data.video import read_frames
from metaforge.data.watching import expected_frames, watch
from metaforge.errors import InputError
from tests.data.clips import scene, write_video
from tests.data.test_video import broken_from

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
    assert track.meshes is not None
    assert track.meshes.shape == (12, 468, 2)
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
    # One is hidden while they cross. What else is found, such as half a face, is found once.
    assert front.frames.tolist() == list(range(16))
    assert holds(front, before, 80)
    assert {0, 1, 2, 3, 4, 12, 13, 14, 15} <= set(back.frames.tolist())
    assert holds(back, behind, 80)
    assert all(len(track.sightings) == 1 for track in tracks[2:])


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


def unit_of(tmp_path, real, *fakes):
    """A real video and its fakes, as files."""
    videos = [Video("real.mp4", 0, "set", "real", "r", split="train")]
    write_video(tmp_path / "real.mp4", real)
    for number, frames in enumerate(fakes):
        write_video(tmp_path / f"{number}.mp4", frames)
        videos.append(Video(f"{number}.mp4", 1, "set", "swap", f"{number}", pair=videos[0].key, split="train"))
    return videos


def cut(tmp_path, unit, *, out="out", frames=4):
    return extract(unit, root=tmp_path, out=tmp_path / out, rule=Rule(frames, "ffpp", 32), find=find_faces)


def grey(frames):
    return np.repeat(frames.mean(axis=-1, keepdims=True).astype(np.uint8), 3, axis=-1)


def test_a_unit_is_cut_by_the_face_that_lasts_in_the_real_video(tmp_path):
    # A larger face is there for a while, and he whom the video shows is not.
    path = lambda number: None if 4 <= number < 8 else (10 + number, 60)
    real = scene(13, (160, 240), (ASTRONAUT, 80, path), (ANNA, 110, lambda n: (120, 5 + n) if 2 < n < 8 else None))
    unit = unit_of(tmp_path, real, grey(real), grey(real)[:12])
    found = cut(tmp_path, unit)
    # Spread over the shortest: 0, 3, 7, 11.
    frames = {video.key: [row["frame"] for row in found.rows if row["video"] == video.key] for video in unit}
    assert list(frames.values()) == [[0, 3, 11]] * 3
    assert {(drop.video, drop.frame, drop.reason) for drop in found.dropped} == {
        (unit[0].key, 7, "the face that is followed is not in it"),
        (unit[1].key, 7, "the face that is followed is not in its real frame"),
        (unit[2].key, 7, "the face that is followed is not in its real frame"),
    }
    assert found.faces == {unit[0].key: {"frames": 3, "gaps": 1, "others": 1, "cuts": 0}}
    for row in found.rows:
        crop = np.asarray(Image.open(tmp_path / "out" / row["path"])).astype(float)
        _, frame = next(read_frames(tmp_path / unit[0].path, [row["frame"]]))
        (left, top), side = (10 + row["frame"], 60), 80
        # The crop lies within the picture that was drawn: it is that part of the frame, small.
        part = np.asarray(Image.fromarray(frame[top : top + side, left : left + side]).resize((32, 32)), float)
        assert np.corrcoef(crop.mean(-1).ravel(), part.mean(-1).ravel())[0, 1] > 0.3


def test_a_unit_is_decoded_once_and_counting_first_gives_the_same_bytes(tmp_path, monkeypatch):
    real = scene(9, (120, 120), (ASTRONAUT, 80, lambda number: (20 + number, 20)))
    unit, opened, decode = unit_of(tmp_path, real, grey(real)[:8]), [], watching.decoded
    monkeypatch.setattr(watching, "decoded", lambda path, most: [opened.append(path.name), decode(path, most)][1])
    once = cut(tmp_path, unit)
    assert opened == ["real.mp4", "0.mp4"]
    monkeypatch.setattr(crop_files, "expected_frames", lambda path: 30)
    counted = cut(tmp_path, unit, out="counted")
    assert counted == once
    for row in once.rows:
        assert (tmp_path / "out" / row["path"]).read_bytes() == (tmp_path / "counted" / row["path"]).read_bytes()


def test_a_fake_that_breaks_off_is_dropped_and_shortens_no_other(tmp_path):
    real = scene(9, (120, 120), (ASTRONAUT, 80, lambda number: (20 + number, 20)))
    unit = unit_of(tmp_path, real, grey(real), grey(real)[:7])
    broken_from(tmp_path / unit[2].path, 0)
    found = cut(tmp_path, unit)
    frames = {video.key: [row["frame"] for row in found.rows if row["video"] == video.key] for video in unit}
    assert frames == {unit[0].key: [0, 2, 5, 8], unit[1].key: [0, 2, 5, 8], unit[2].key: []}
    ((video, frame, reason),) = found.dropped
    assert (video, frame) == (unit[2].key, -1)
    assert "cut off or broken" in reason
    assert found.faces.keys() == {unit[0].key}


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
