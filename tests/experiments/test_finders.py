"""The measurement of the face finder: where faces are in the pictures, what is found or false, and the report."""

import json

import numpy as np
import pytest
from PIL import Image

from experiments.finders import __main__ as finders_command
from experiments.finders import measuring, running
from experiments.finders.backgrounds import background
from experiments.finders.config import Config
from experiments.finders.known import FIVE, OUTLINE, Known, centred, landmarked
from experiments.finders.measuring import match, threshold_of
from experiments.finders.pictures import VARIANTS, Picture, _placed, group
from experiments.finders.table import markdown
from metaforge.data.detection import Detection
from metaforge.errors import InputError

COLOURS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [0, 255, 255]])


def known(person="a", *, side=300):
    """A grey photograph with a coloured dot at each of the five points."""
    image = np.full((side, side, 3), 60, np.uint8)
    points = np.array([[0.42, 0.45], [0.58, 0.45], [0.5, 0.55], [0.44, 0.63], [0.56, 0.63]]) * side
    for (x, y), colour in zip(points.astype(int), COLOURS, strict=True):
        image[y - 4 : y + 4, x - 4 : x + 4] = colour
    outline = np.array([[0.35, 0.5], [0.65, 0.5], [0.5, 0.3], [0.5, 0.72]]) * side
    return Known(image, person, "drawn", outline, points)


def middle_of(image, colour):
    y, x = np.nonzero(np.abs(image.astype(int) - colour).max(axis=-1) < 100)
    return np.array([x.mean() + 0.5, y.mean() + 0.5])


def boxed(box, score=0.9, points=None):
    points = np.zeros((5, 2)) if points is None else points
    return Detection(np.asarray(box, np.float32), np.asarray(points, np.float32), score)


@pytest.mark.parametrize("degrees", [0, 30, -60, 90, 180])
@pytest.mark.parametrize("height", [60, 150])
def test_a_placed_face_is_where_its_points_say(degrees, height):
    canvas = np.full((480, 640, 3), 90, np.uint8)
    image, box, points = _placed(known(), canvas, np.array([320.0, 240.0]), height, degrees=degrees)
    for point, colour in zip(points, COLOURS, strict=True):
        np.testing.assert_allclose(middle_of(image, colour), point, atol=1.2)
    np.testing.assert_allclose(
        (points[1] - points[0]) @ [1, 0], 0.16 / 0.42 * height * np.cos(np.deg2rad(degrees)), atol=1e-9
    )
    if degrees in (0, 180):
        np.testing.assert_allclose(box[3] - box[1], height)
        np.testing.assert_allclose((box[:2] + box[2:]) / 2, [320, 240])
    assert (image[:5] == 90).all()


def test_every_variant_has_its_face_within_reach_and_its_name():
    names = []
    for variant in VARIANTS:
        picture = variant(known(), np.random.default_rng(1))
        height, width = picture.image.shape[:2]
        middle = (picture.boxes[0, :2] + picture.boxes[0, 2:]) / 2
        assert 0 < middle[0] < width
        assert 0 < middle[1] < height
        assert picture.points.shape == (1, 5, 2)
        again = variant(known(), np.random.default_rng(1))
        np.testing.assert_array_equal(again.image, picture.image)
        names.append(picture.variant)
    assert len(set(names)) == len(VARIANTS)
    six = group([known(name) for name in "abcdef"], np.random.default_rng(0))
    assert six.people == list("abcdef")
    assert six.boxes.shape == (6, 4)


def test_backgrounds_are_of_one_size_and_no_two_are_alike():
    drawn = np.random.default_rng(0)
    made = [background(drawn) for _ in range(12)]
    assert {(each.shape, each.dtype.name) for each in made} == {((480, 640, 3), "uint8")}
    assert len({each.tobytes() for each in made}) == 12


def picture(*boxes, points=True):
    five = np.tile(np.array([[10.0, 10], [30, 10], [20, 20], [12, 30], [28, 30]]), (len(boxes), 1, 1))
    return Picture(np.zeros((100, 100, 3), np.uint8), np.array(boxes, float).reshape(-1, 4), five if points else None,
                   ["a"], "drawn")  # fmt: skip


def test_what_counts_as_found_and_as_false():
    there = picture([0, 0, 40, 40], [60, 60, 90, 90])
    shifted = there.points[0] + [2.0, 0]
    seen = [boxed([0, 0, 40, 40], 0.9, shifted), boxed([2, 0, 42, 40], 0.8), boxed([0, 60, 30, 90], 0.7),
            boxed([70, 70, 105, 105], 0.6)]  # fmt: skip
    found = match(there, seen)
    assert found.found == [True, False]
    # Two pixels of an eye distance of twenty; a second box on a face and one on nothing are false, a bad one is not.
    np.testing.assert_allclose(found.offsets, np.tile([0.1, 0.0], (1, 5, 1)), atol=1e-9)
    assert found.false == [0.8, 0.7]
    assert match(there, seen, threshold=0.85).false == []
    assert match(picture(), seen).false == [0.9, 0.8, 0.7, 0.6]


@pytest.mark.parametrize(
    ("box", "is_found"), [([5, 5, 55, 75], True), ([0, 0, 20, 20], False), ([20, 0, 40, 80], False)]
)
def test_where_only_the_width_is_known_centre_and_width_decide(box, is_found):
    assert match(picture([10, 20, 50, 60], points=False), [boxed(box)]).found == [is_found]


def test_the_threshold_is_the_lowest_that_leaves_as_many_false_boxes_as_are_allowed():
    scores = [0.1, 0.2, 0.4, 0.5, 0.6]
    assert threshold_of(scores, pictures=100, allowed=0.02) == 0.41
    assert threshold_of([], pictures=100, allowed=0.02) == 0.3
    assert threshold_of([1.0] * 9, pictures=100, allowed=0.02) == 0.99


@pytest.fixture
def folders(tmp_path):
    """Six drawn people with landmarks, and six crops of known width."""
    marks, rows = {}, ["file,collection,person,face"]
    (tmp_path / "marked" / "drawn_neutral").mkdir(parents=True)
    (tmp_path / "others").mkdir()
    for index in range(6):
        one = known()
        points = np.zeros((189, 2), np.float32)
        points[list(OUTLINE)] = one.outline[np.arange(len(OUTLINE)) % 4]
        for each, point in zip(FIVE, one.points, strict=True):
            points[list(each)] = point
        marks[f"drawn_neutral__{index:03}_1"] = points
        Image.fromarray(one.image).save(tmp_path / "marked" / "drawn_neutral" / f"{index:03}_1.jpg")
        Image.fromarray(one.image).save(tmp_path / "others" / f"{index}.png")
        rows.append(f"{index}.png,drawn,p{index},120")
    np.savez(tmp_path / "marked" / "landmarks_xy_resized.npz", **marks)
    (tmp_path / "others" / "manifest.csv").write_text("\n".join(rows))
    return tmp_path


def test_folders_are_read_a_photograph_a_person(folders):
    marked = landmarked(folders / "marked")
    assert [one.person for one in marked] == [f"drawn/{index:03}" for index in range(6)]
    np.testing.assert_allclose(marked[0].points, known().points, atol=1e-4)
    np.testing.assert_allclose(np.ptp(marked[0].outline, axis=0), [90, 126], atol=1e-4)
    (one, *_) = centred(folders / "others", each=2)
    np.testing.assert_allclose([one.outline.min(axis=0), one.outline.max(axis=0)], [[90, 90], [210, 210]])
    assert len(centred(folders / "others", each=2)) == 2


def seeing(image, **_):
    """A finder that knows the colours of the eyes."""
    image = image.astype(np.int16)
    eyes = [(np.abs(image - colour.astype(np.int16)) < 60).all(axis=-1) for colour in COLOURS[:2]]
    if not all(eye.any() for eye in eyes):
        return []
    left, right = (np.argwhere(eye).mean(axis=0)[::-1] + 0.5 for eye in eyes)
    width = (right - left)[0] / 0.16 * 0.3
    x, y = (left + right) / 2
    return [boxed([x - width / 2, y - width / 2, x + width / 2, y + 0.9 * width], 0.99)]


@pytest.fixture(scope="module")
def made_once():
    """`pictures`, which makes those of a half of the people once: they are the same at each call."""
    made, make = {}, running.pictures

    def pictures(people, others, config, half):
        if half not in made:
            made[half] = make(people, others, config, half)
        return made[half]

    return pictures


@pytest.mark.parametrize("sees", [True, False])
def test_the_report_says_who_is_found(folders, made_once, monkeypatch, capsys, sees):
    monkeypatch.setattr(running, "pictures", made_once)
    for module in (measuring, running):
        monkeypatch.setattr(module, "find_faces", seeing if sees else lambda image, **_: [])
    flags = ["finders", f"--workdir={folders}/run", f"--faces={folders}/marked", f"--others={folders}/others",
             "--people=6", "--each=6", "--empty=20", "--rounds=2"]  # fmt: skip
    assert finders_command.main(flags) == 0
    report = json.loads((folders / "run" / "report.json").read_text())
    rows = {row["variant"]: row["finders"]["blazeface"] for row in report["rows"]}
    assert rows["plain"]["recall"] == dict.fromkeys(("value", "low", "high"), float(sees))
    assert ("point_error" in rows["plain"]) == sees
    assert "recall" not in rows["no face"]
    assert "point_error" not in rows["drawn"]
    # All that it sees has one score, and of six faces it makes one box, which is false: no threshold leaves fewer.
    assert report["thresholds"] == {"blazeface": 0.99 if sees else 0.3}
    assert capsys.readouterr().out.count(markdown(report)) == 1


def test_what_cannot_be_measured_is_said_first(tmp_path, folders):
    with pytest.raises(InputError, match=r"has no landmarks_xy_resized\.npz"):
        landmarked(tmp_path)
    with pytest.raises(InputError, match=r"has no manifest\.csv"):
        centred(tmp_path, each=3)
    few = dict(list(np.load(folders / "marked" / "landmarks_xy_resized.npz").items())[:3])
    np.savez(folders / "marked" / "landmarks_xy_resized.npz", **few)
    with pytest.raises(InputError, match="4 are needed"):
        running.run(Config(), tmp_path / "run", faces=str(folders / "marked"))
    assert not (tmp_path / "run").exists()
