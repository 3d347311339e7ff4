"""Photographs as they are: faces found in them, one row each, and what is said where there is none."""

import csv
import io
import json

import jax
import numpy as np
import pytest
from PIL import Image
from skimage import data

from metaforge.backbones import choice
from metaforge.backbones.spec import BackboneSpec
from metaforge.cli import predict
from metaforge.data import crop_folder
from metaforge.data.crops import apply_crop, crop_transform
from metaforge.data.detection import find_faces
from metaforge.data.face_crops import BLURRED, face_crops, sharpness
from metaforge.data.folders import read_folder
from metaforge.data.following import face_tracks
from metaforge.data.images import square
from metaforge.data.video import read_frames
from metaforge.errors import InputError
from metaforge.evaluation.calibration.verdicts import NO_FACE
from metaforge.screening import Detector, save_detector, target_images
from metaforge.screening.predicting import screen
from metaforge.settings import change
from metaforge.training import build
from metaforge.training.config import Config
from tests.data.clips import face_clip

SPEC = BackboneSpec(image_size=16, width=4, normalisation="group", convolution="lax")


def detector(crop="ffpp"):
    params = jax.jit(choice.choose(SPEC).init)(jax.random.key(0), np.zeros((2, 16, 16, 3), np.uint8))
    # Far from its first values, so that scores differ.
    params = jax.tree.map(lambda leaf: leaf + 0.3, params)
    return Detector(params, np.zeros((1, 16, 16, 3), np.uint8), SPEC, {"learner": "erm", "crop": crop})


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """One face, two faces, none, a face at the border, a blurred one, and a file that is no image."""
    folder = tmp_path_factory.mktemp("photographs")
    astronaut = Image.fromarray(data.astronaut())
    two = Image.new("RGB", (700, 512), (60, 90, 120))
    two.paste(astronaut, (0, 0))
    two.paste(astronaut.resize((250, 250)), (440, 200))
    pictures = {
        "1.png": astronaut,
        "2.png": two,
        "3.png": Image.fromarray(data.coffee()),
        "4.png": astronaut.crop((0, 100, 512, 512)),
        "5.png": astronaut.resize((70, 70)).resize((512, 512)),
    }
    for name, picture in pictures.items():
        picture.save(folder / name)
    (folder / "6.jpg").write_bytes(b"no image")
    return folder


def rows_of(printed):
    return list(csv.DictReader(io.StringIO(printed)))


def test_each_face_has_a_row_with_its_box_and_the_score_of_its_crop(photographs, tmp_path, capsys):
    made = detector()
    save_detector(tmp_path / "detector", made)
    assert predict.main(["predict", f"--model={tmp_path / 'detector'}", f"--images={photographs}"]) == 0
    out, err = capsys.readouterr()
    rows = rows_of(out)
    assert [(row["file"], row["face"]) for row in rows] == [
        ("1.png", "1"), ("2.png", "1"), ("2.png", "2"), ("3.png", ""), ("4.png", "1"), ("5.png", "1"), ("6.jpg", "")
    ]  # fmt: skip
    assert [row["note"] for row in rows[:6]] == ["", "", "", "no face was found", "cut off", "blurred"]
    assert "not an image" in rows[6]["note"]
    assert "2 files have no score" in err
    picture = np.asarray(Image.open(photographs / "2.png"))
    for row, face in zip(rows[1:3], find_faces(picture), strict=True):
        box = [float(row[name]) for name in ("x0", "y0", "x1", "y1")]
        np.testing.assert_allclose(box, face.box, atol=0.06)
        how = crop_transform(face.box, face.points, convention="ffpp", size=16, image_size=picture.shape[:2])
        expected = made(apply_crop(picture, how, 16)[None])[0]
        assert float(row["p_fake"]) == pytest.approx(float(expected), abs=2e-6)
    assert rows[1]["p_fake"] != rows[2]["p_fake"]


def test_a_face_that_is_cut_off_or_blurred_is_called_fake_by_nobody(photographs):
    made = detector()
    # Every logit is 9: each face looks forged, and nothing else is doubtful.
    head = {"kernel": made.params["head"]["kernel"] * 0, "bias": np.array([0.0, 9.0], np.float32)}
    rows = [row for row in screen(made._replace(params={**made.params, "head": head}), photographs, crop="ffpp")
            if row.verdict]  # fmt: skip
    assert [(row.note, row.verdict.decision) for row in rows] == [
        ("", "fake"), ("", "fake"), ("", "fake"), ("cut off", "cannot tell"), ("blurred", "cannot tell")
    ]  # fmt: skip
    assert rows[-1].verdict.reason.startswith("the face is blurred; ")
    assert {round(row.p_fake, 4) for row in rows} == {0.9999}


def test_what_is_perhaps_no_face_is_not_judged(photographs, monkeypatch):
    monkeypatch.setattr("metaforge.data.face_crops.DOUBTFUL", 2.0)
    (row,) = screen(detector(), photographs / "1.png", crop="ffpp")
    assert (row.note, row.verdict.decision, row.verdict.reason) == (NO_FACE, "cannot tell", NO_FACE)
    assert row.p_fake is not None


def test_one_photograph_is_scored_as_among_others(photographs):
    made = detector()
    (alone,) = screen(made, photographs / "1.png", crop="ffpp")
    first = next(screen(made, photographs, crop="ffpp"))
    assert alone.p_fake == pytest.approx(first.p_fake, abs=2e-6)
    assert alone.box == first.box


@pytest.mark.parametrize("workers", [1, 3])
def test_memory_does_not_grow_with_the_folder(tmp_path, monkeypatch, workers):
    """No more pictures are read than threads and a batch can be busy with."""
    for number in range(40):
        Image.new("RGB", (20, 20), (number, 0, 0)).save(tmp_path / f"{number}.png")
    made = detector()
    monkeypatch.setattr(Detector, "batch", 4)
    read, ahead = [], []
    monkeypatch.setattr("metaforge.screening.looking.read_image",
                        lambda file: read.append(file) or np.asarray(Image.open(file)))  # fmt: skip
    for count, _ in enumerate(screen(made, tmp_path, crop=None, workers=workers)):
        ahead.append(len(read) - count)
    assert len(ahead) == len(read) == 40
    assert max(ahead) <= 2 * workers + 4


def test_a_folder_of_crops_says_so_and_no_face_is_looked_for(tmp_path, capsys):
    (tmp_path / "real").mkdir()
    Image.new("RGB", (16, 16)).save(tmp_path / "real" / "a.png")
    save_detector(tmp_path / "detector", detector())
    flags = ["predict", f"--model={tmp_path / 'detector'}", f"--images={tmp_path / 'real'}"]
    assert predict.main(flags) == 0
    assert rows_of(capsys.readouterr().out)[0]["note"] == "no face was found"
    crop_folder.mark(tmp_path, crop="ffpp", size=16)
    assert predict.main(flags) == 0
    (row,) = rows_of(capsys.readouterr().out)
    assert row["p_fake"]
    assert row["x0"] == ""
    crop_folder.mark(tmp_path, crop="sbi", size=16)
    assert predict.main(flags) == 0
    assert "were cut by 'sbi', and the detector was trained on 'ffpp'" in capsys.readouterr().err


def test_a_video_has_a_row_for_each_person_with_the_mean_of_their_frames(tmp_path, capsys):
    made = detector()
    save_detector(tmp_path / "detector", made)
    face_clip(tmp_path / "films" / "a.mp4", frames=20, size=160)
    (tmp_path / "films" / "b.mp4").write_bytes(b"no video")
    flags = ["predict", f"--model={tmp_path / 'detector'}", f"--images={tmp_path / 'films'}", "--frames=4"]
    assert predict.main(flags) == 0
    row, bad = rows_of(capsys.readouterr().out)
    (track,) = face_tracks(tmp_path / "films" / "a.mp4", frames=4, size=16)
    assert row["frames"] == "0 6 12 19"
    assert (row["file"], row["face"], bad["file"], bad["p_fake"]) == ("a.mp4", "1", "b.mp4", "")
    assert float(row["p_fake"]) == pytest.approx(float(made(np.stack(list(track.crops()))).mean()), abs=2e-5)
    np.testing.assert_allclose([float(row[name]) for name in ("x0", "y0", "x1", "y1")], track.boxes[0], atol=0.06)
    assert predict.main([*flags, "--crops"]) == 0
    row, _ = rows_of(capsys.readouterr().out)
    frames = [square(frame, size=16) for _, frame in read_frames(tmp_path / "films" / "a.mp4", [0, 6, 12, 19])]
    assert float(row["p_fake"]) == pytest.approx(float(made(np.stack(frames)).mean()), abs=2e-5)


@pytest.mark.parametrize(
    ("changes", "crop"),
    [({}, "ffpp"), ({"faces.folder": "lfw"}, "ffpp"), ({"faces.folder": "here", "faces.landmarks": "none"}, "whole")],
)
def test_a_run_says_how_its_faces_were_cut(changes, crop):
    assert build.crop_of(change(Config(), changes)) == crop


def test_a_mark_that_names_no_convention_is_refused(tmp_path):
    (tmp_path / crop_folder.NAME).write_text(json.dumps({"crop": "tight"}))
    with pytest.raises(InputError, match="says 'tight'; known: ffpp"):
        crop_folder.crop_of(tmp_path)


def test_a_target_of_photographs_is_cropped_to_its_largest_faces(photographs, tmp_path):
    for name in ("real", "fake"):
        (tmp_path / name).mkdir()
        for number in (1, 2, 3, 4):
            picture = np.asarray(Image.open(photographs / f"{number}.png"))
            # Another picture in each class.
            picture = picture if name == "real" else np.ascontiguousarray(picture[:, ::-1])
            Image.fromarray(picture).save(tmp_path / name / f"{name}{number}.png")
    images, labels, _, skipped, doubtful, _ = target_images.read_target(str(tmp_path), size=32, crop="ffpp")
    assert np.bincount(labels).tolist() == [3, 3]
    assert [(skip.path, skip.reason.split(".")[0]) for skip in skipped] == [
        ("real/real3.png", "no face was found"), ("fake/fake3.png", "no face was found")
    ]  # fmt: skip
    assert sum(count for note, count in doubtful.items() if "cut off" in note) == 2
    assert sum(count for note, count in doubtful.items() if "the largest of 2 faces" in note) >= 2
    expected = face_crops(np.asarray(Image.open(photographs / "2.png")), size=32)[0].image
    np.testing.assert_array_equal(images[1], expected)


def test_photographs_without_a_face_are_one_line_that_names_the_way_out(tmp_path):
    Image.new("RGB", (90, 90)).save(tmp_path / "a.png")
    with pytest.raises(
        InputError, match=r"shows a face\. The first, 'a\.png': no face was found.* say so with `crops`"
    ):
        read_folder(tmp_path, size=16, crop="ffpp")


def test_blur_lowers_sharpness_and_brightness_does_not():
    astronaut = data.astronaut()
    box = np.array([177, 49, 273, 174])
    sharp = sharpness(astronaut, box)
    soft = sharpness(np.asarray(Image.fromarray(astronaut).resize((60, 60)).resize((512, 512))), box)
    assert soft < BLURRED < 0.1 < sharp
    assert sharpness((astronaut // 2).astype(np.uint8), box) == pytest.approx(sharp, rel=0.1)
