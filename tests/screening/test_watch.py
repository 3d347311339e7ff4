"""A video that runs: said in time, of the same people all along, and of each what all of their frames say."""

import json
import os
import threading

import numpy as np
import pytest
from PIL import Image

from metaforge.cli import watch
from metaforge.data.watching import Glance
from metaforge.errors import InputError
from metaforge.screening import save_detector
from metaforge.screening.live import people, streams
from metaforge.screening.live.running import watched
from tests.data.clips import face_frames, write_video
from tests.screening.test_raw_pictures import detector


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Two seconds of one face, in 25 frames a second."""
    return write_video(tmp_path_factory.mktemp("film") / "a.mp4", face_frames(frames=50, size=160))


def test_frames_come_with_their_times_and_so_many_a_second_are_looked_at(film):
    found = list(streams.frames_of(str(film), rate=5.0))
    assert [each.glance.frame for each in found] == list(range(50))
    np.testing.assert_allclose([each.seconds for each in found], np.arange(50) / 25, atol=1e-3)
    assert [each.glance.frame for each in found if each.glance.image is not None] == list(range(0, 50, 5))
    every = list(streams.frames_of(str(film), rate=60.0))
    assert all(each.glance.image is not None for each in every)


def test_bare_frames_through_a_pipe_are_the_same_frames(monkeypatch):
    drawn = np.random.default_rng(0).integers(0, 256, (3, 6, 8, 3), np.uint8)
    read, write = os.pipe()
    told = threading.Thread(target=lambda: (os.write(write, drawn.tobytes()), os.close(write)))
    with os.fdopen(read, encoding="latin-1") as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        told.start()
        found = list(streams.frames_of("-", rate=25.0, raw="8x6"))
        told.join()
    assert [each.seconds for each in found] == pytest.approx([0.0, 0.04, 0.08])
    np.testing.assert_array_equal([each.glance.image for each in found], drawn)


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "does not exist"), (b"", "cannot be read"), (b"#EXTM3U\n#EXTINF:1,\nb.mp4\n", "cannot be read"),
     (b"ffconcat version 1.0\nfile b.mp4\n", "cannot be read"), ("folder", "is no file, no pipe and no camera")],
)  # fmt: skip
def test_what_is_no_film_is_one_line(tmp_path, capsys, content, words):
    path = tmp_path / "a.mp4"
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=words) as refused:
        list(streams.frames_of(str(path), rate=1.0))
    assert "\n" not in str(refused.value)


def test_the_verdict_runs_with_the_film(film, tmp_path, capsys):
    made = detector()
    save_detector(tmp_path / "detector", made)
    flags = ["watch", f"--model={tmp_path / 'detector'}", f"--video={film}", "--every=1", "--rate=2.5"]
    assert watch.main(flags) == 0
    first, last = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (first["seconds"], last["seconds"]) == (0.96, 1.96)
    assert (first["looked"], last["looked"]) == (3, 2)
    assert "behind" not in first
    (one,), (other,) = first["people"], last["people"]
    assert (one["person"], other["person"]) == (1, 1)
    assert (one["frames"], one["now"]["frames"], other["frames"], other["now"]["frames"]) == (3, 3, 5, 2)
    # A detector without a calibration gives the mean of the scores.
    assert one["p_fake"] == one["now"]["p_fake"]
    assert other["p_fake"] == pytest.approx((3 * one["p_fake"] + 2 * other["now"]["p_fake"]) / 5, abs=2e-6)
    assert other["decision"] in ("real", "fake")


def test_who_comes_back_has_the_number_from_before_and_another_has_a_new_one():
    """Astronaut, nobody, somebody else, astronaut; each in a call of its own."""
    made = people.People(detector(), crop="ffpp")
    astronaut, other = (face_frames(frames=2, size=160, identity=identity) for identity in (0, 5))
    nobody = np.zeros_like(astronaut)
    numbers, since, frame = [], [], 0
    for clip in (astronaut, nobody, other, astronaut):
        glances = [Glance(frame + place, 60.0 if place == 0 else 0.0, image) for place, image in enumerate(clip)]
        told = made.look(glances, [glance.frame / 25 for glance in glances])
        frame += len(clip)
        numbers.append([each["person"] for each in told])
        since.append([each["since"] for each in told])
    assert numbers == [[1], [], [2], [1]]
    assert since == [[0.0], [], [0.16], [0.0]]  # when they came, not when something was said of it


def test_a_detector_that_is_not_there_or_a_size_that_is_none_is_one_line(tmp_path, capsys):
    assert watch.main(["watch", f"--model={tmp_path}", "--video=a.mp4", "--raw=640"]) == 2
    assert "raw: '640' is no width and height" in capsys.readouterr().err
    assert watch.main(["watch", f"--model={tmp_path}", "--video=a.mp4"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_stream_without_a_face_says_so_each_time(tmp_path):
    path = write_video(tmp_path / "empty.mp4", np.zeros((30, 64, 64, 3), np.uint8))
    assert [(said["looked"], said["people"]) for said in watched(detector(), str(path), every=1.0, rate=1.0)] == [
        (1, []), (1, [])
    ]  # fmt: skip
    Image.new("RGB", (8, 8)).save(tmp_path / "b.mp4", "PNG")
    with pytest.raises(InputError):
        list(watched(detector(), str(tmp_path / "b.mp4"), every=1.0, rate=1.0))
