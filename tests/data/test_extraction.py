"""A unit's videos are cut alike: the same frames, the same crops, whatever one of them lacks."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from metaforge.data.catalogues import Video
from metaforge.data.detection import Detection
from metaforge.data.extraction import Rule, extract
from metaforge.data.video import even_frames

REAL = Video("real", 0, "set", "real", "r", split="train")
SIDE = 64


def fake(path, **columns):
    return Video(path, 1, "set", "swap", path, pair=REAL.key, split="train", **columns)


def draw(folder, frames, *, colour=(255, 255, 255), size=(SIDE, SIDE), bad=None):
    """A video of a square on black, in the middle half of its width and height."""
    folder.mkdir(parents=True)
    for number in range(frames):
        image = Image.new("RGB", (SIDE, SIDE))
        image.paste(colour, (SIDE // 4, SIDE // 4, SIDE * 3 // 4, SIDE * 3 // 4))
        image.resize(size).save(folder / f"{number}.png")
    if bad is not None:
        (folder / f"{bad}.png").write_bytes(b"no image")


class Find:
    """Finds the square, counts the frames that it saw by their colour, and gives an empty box to those of `broken`."""

    def __init__(self, broken=None):
        self.seen, self.broken = Counter(), broken

    def __call__(self, image):
        height, width = image.shape[:2]
        colour = tuple(image[height // 2, width // 2].tolist())
        self.seen[colour] += 1
        box = np.array([width, height, width * 3, height * 3]) / 4
        if colour == self.broken:
            box = box * 0  # of which no crop can be made
        eyes, nose, mouth = [[0.3, 0.3], [0.7, 0.3]], [[0.5, 0.5]], [[0.35, 0.7], [0.65, 0.7]]
        points = box[:2] + np.array(eyes + nose + mouth) * [width / 2, height / 2]
        return [Detection(box.astype(np.float32), points.astype(np.float32), 1.0)]


WHITE, RED = (255, 255, 255), (255, 0, 0)


def cut(tmp_path, unit, *, frames=8, find=None, size=32):
    rule = Rule(frames, "ffpp", size)
    return extract(unit, root=tmp_path, out=tmp_path / "out", rule=rule, find=find or Find())


def of(found, video):
    return [row["frame"] for row in found.rows if row["video"] == video.key]


def crops(found, video, tmp_path):
    return [np.asarray(Image.open(tmp_path / "out" / r["path"])) for r in found.rows if r["video"] == video.key]


def test_videos_of_other_lengths_give_the_frames_that_all_of_them_have(tmp_path):
    one, other = fake("one"), fake("other")
    for name, frames in (("real", 60), ("one", 58), ("other", 41)):
        draw(tmp_path / name, frames)
    found = cut(tmp_path, [REAL, one, other])
    assert of(found, REAL) == of(found, one) == of(found, other) == even_frames(41, 8).tolist()
    pairs = {label: sorted(row["pair"] for row in found.rows if row["label"] == label) for label in (0, 1)}
    assert pairs[1] == sorted(pairs[0] * 2)
    assert found.dropped == []


def test_frames_of_folders_are_paired_by_their_numbers_and_those_without_a_partner_are_named(tmp_path):
    one, stranger = fake("one"), fake("stranger")
    for name, numbers in (("real", (1, 2, 3, 10)), ("one", (2, 3, 4, 10)), ("stranger", (50, 51))):
        (tmp_path / name).mkdir()
        for number in numbers:
            Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / name / f"frame_{number}.png")
    found = extract([REAL, one, stranger], root=tmp_path, out=tmp_path / "out", rule=Rule(8, "whole", 8), find=Find())
    shown = {}
    for row in found.rows:
        shown.setdefault(row["pair"], []).append(int(np.asarray(Image.open(tmp_path / "out" / row["path"]))[0, 0, 0]))
    assert sorted(shown.values()) == [[2, 2], [3, 3], [10, 10]]
    lost = {(drop.video.split("/")[-1], drop.frame) for drop in found.dropped}
    assert lost == {("r", 0), ("one", 2), ("stranger", -1)}


def test_a_real_video_that_cannot_be_opened_leaves_each_fake_its_own_frames(tmp_path):
    one, other = fake("one"), fake("other")
    draw(tmp_path / "one", 58)
    draw(tmp_path / "other", 41)
    found = cut(tmp_path, [REAL, one, other])
    assert (of(found, one), of(found, other)) == (even_frames(58, 8).tolist(), even_frames(41, 8).tolist())


def test_where_the_real_video_fails_halfway_a_fake_is_cut_by_its_own_faces(tmp_path):
    draw(tmp_path / "real", 8, bad=3)
    draw(tmp_path / "fake", 8, colour=RED)
    find = Find()
    found = cut(tmp_path, [REAL, fake("fake")], find=find)
    assert of(found, REAL) == []
    assert of(found, fake("fake")) == list(range(8))
    assert find.seen[RED] == 8
    assert [(drop.video, drop.frame) for drop in found.dropped] == [(REAL.key, -1)]
    assert not list((tmp_path / "out/frames" / REAL.key).glob("*"))


def test_a_face_of_which_no_crop_can_be_made_is_none(tmp_path):
    draw(tmp_path / "real", 3)
    draw(tmp_path / "fake", 3, colour=RED)
    found = cut(tmp_path, [REAL, fake("fake")], find=Find(broken=WHITE))
    assert found.rows == []
    assert [drop.reason for drop in found.dropped if drop.video == REAL.key] == ["no face"] * 3 + ["no frame is left"]


@pytest.mark.parametrize("size", [128, 32, 48])
def test_a_fake_of_another_resolution_is_cut_at_the_same_place(tmp_path, size):
    draw(tmp_path / "real", 2)
    draw(tmp_path / "fake", 2, size=(size, size), colour=RED)
    draw(tmp_path / "mask", 2)
    find = Find()
    found = cut(tmp_path, [REAL, fake("fake", mask="mask")], find=find)
    assert found.dropped == []
    assert find.seen == {WHITE: 2}
    # 1.3 times the box's side of 32: the square fills 32 / 41.6 of the crop, and its border is where the real one's is.
    inside = np.zeros((32, 32), bool)
    inside[5:-5, 5:-5] = True
    outside = np.ones((32, 32), bool)
    outside[2:-2, 2:-2] = False
    masks = [np.asarray(Image.open(tmp_path / "out" / row["mask"])) for row in found.rows if row["label"]]
    for crop in (*crops(found, REAL, tmp_path), *crops(found, fake("fake"), tmp_path)):
        assert crop[inside, 0].min() > 240
        assert crop[outside, 0].max() < 15
    for mask in masks:
        assert mask[inside].min() == 255
        assert mask[outside].max() == 0


def test_a_fake_of_another_shape_is_dropped_with_its_size(tmp_path):
    draw(tmp_path / "real", 2)
    draw(tmp_path / "fake", 2, size=(128, 64))
    found = cut(tmp_path, [REAL, fake("fake")])
    assert (of(found, REAL), of(found, fake("fake"))) == ([0, 1], [])
    ((video, frame, reason),) = found.dropped
    assert (video, frame) == (fake("fake").key, -1)
    assert "128 x 64 pixels, where the real frame has 64 x 64" in reason


def test_what_an_earlier_call_left_of_a_unit_goes(tmp_path):
    draw(tmp_path / "real", 6)
    cut(tmp_path, [REAL], frames=6)
    found = cut(tmp_path, [REAL], frames=2)
    files = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.png"))
    assert files == [row["path"] for row in found.rows]
    assert [row["bytes"] for row in found.rows] == [(tmp_path / "out" / name).stat().st_size for name in files]
