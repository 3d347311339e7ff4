"""Clips of films: where they begin, and that they are the film's frames."""

import numpy as np
import pytest

from metaforge.data.film_clips import clip_starts, read_clips
from metaforge.data.video import read_frames
from metaforge.errors import InputError
from tests.data.clips import face_clip


def test_clips_at_test_time_begin_with_the_film_and_end_with_it():
    assert clip_starts(100, clips=4, frames=12).tolist() == [0, 29, 58, 88]
    assert clip_starts(12, clips=3, frames=12).tolist() == [0, 0, 0]
    assert clip_starts(13, clips=1, frames=4).tolist() == [4]


def test_in_training_each_part_of_the_film_has_a_clip_and_every_start_comes_up():
    drawn = np.array([clip_starts(20, clips=2, frames=5, rng=np.random.default_rng(n)) for n in range(300)])
    assert {*drawn[:, 0]} == {*range(8)}
    assert {*drawn[:, 1]} == {*range(8, 16)}
    alone = {int(clip_starts(6, clips=1, frames=5, rng=np.random.default_rng(n))[0]) for n in range(40)}
    assert alone == {0, 1}


def test_a_clip_is_the_frames_of_the_film(tmp_path):
    path = face_clip(tmp_path / "film.mp4", frames=9)
    whole = np.stack([frame for _, frame in read_frames(path, range(9))])
    clips = read_clips(path, np.array([2, 5, 4]), frames=3, size=96)
    np.testing.assert_array_equal(clips, np.stack([whole[2:5], whole[5:8], whole[4:7]]))


def test_a_short_film_and_one_of_another_size_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"the film has 11 frames, and a clip 12\. Ask for shorter clips"):
        clip_starts(11, clips=4, frames=12)
    with pytest.raises(InputError, match="Both must be at least 1"):
        clip_starts(11, clips=0, frames=12)
    path = face_clip(tmp_path / "film.mp4", frames=4)
    with pytest.raises(InputError, match=r"film.mp4.*96 x 96 pixels, not 64 x 64"):
        read_clips(path, np.array([0]), frames=2, size=64)
    with pytest.raises(InputError, match=r"film.mp4.*no frame 4, only 4 frames"):
        read_clips(path, np.array([2]), frames=3, size=96)
