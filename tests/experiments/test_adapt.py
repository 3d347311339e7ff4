"""Adapting to a folder of images, and screening with what comes out."""

import csv
import hashlib
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from metaforge.cli import adapt, export, predict
from metaforge.data.domains import TestSplit
from metaforge.data.records import Records
from metaforge.screening import adapting, from_run, load_detector, predicting, save_detector, target_images
from metaforge.settings import change
from metaforge.training import build
from metaforge.training.config import Config
from tests.experiments.conftest import TINY


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    """A folder of real/ and fake/ in several formats and sizes, with one broken file."""
    folder = tmp_path_factory.mktemp("target")
    records = build.forged(TINY, build.methods(TINY)[0], "test")
    for label, name in ((0, "real"), (1, "fake")):
        (folder / name).mkdir()
        for count, row in enumerate(records.rows(label=label, domain="smooth")[:12]):
            suffix, size = (("png", 16), ("jpg", 40), ("bmp", 25))[count % 3]
            Image.fromarray(records.image[row]).resize((size, size)).save(folder / name / f"{count}.{suffix}")
    (folder / "fake" / "broken.jpg").write_bytes(b"not an image")
    return folder


def test_a_picture_under_two_names_counts_once_and_one_in_two_classes_has_no_label(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (24, 20, 20, 3), np.uint8)
    for place, name in enumerate(("real", "fake")):
        (tmp_path / name).mkdir()
        for number, image in enumerate(images[12 * place :][:12]):
            Image.fromarray(image).save(tmp_path / name / f"{name}{number}.png")
            # The same pixels in other bytes.
            Image.fromarray(image).save(tmp_path / name / f"{name}{number}-copy.bmp")
    Image.fromarray(images[0]).save(tmp_path / "fake" / "stray.png")
    found, labels, groups, skipped, *_ = target_images.read_target(str(tmp_path), size=20)
    left = {skip.path: skip.reason for skip in skipped}
    assert np.bincount(labels).tolist() == [11, 12]
    assert len({image.tobytes() for image in found}) == len(found) == 23
    assert len(left) == 26
    both = ["fake/stray.png", "real/real0-copy.bmp", "real/real0.png"]
    assert sorted(name for name, reason in left.items() if "real and fake" in reason) == both
    pool, test = target_images.set_aside(labels, groups, shots=2, share=0.5, seed=0)
    assert len(pool) + len(test) == 23


def call(trained, target, out, *flags):
    # Nothing is gained on noise, and what is looked at here is the adapted detector.
    fixed = ["--shots=2", "--draws=3", "--crops", "--force"]
    return adapt.main(["adapt", f"--run={trained}", f"--target={target}", f"--out={out}", *fixed, *flags])


def test_adapt_reports_every_method_with_intervals_and_saves_a_detector(trained, target, tmp_path, capsys):
    assert call(trained, target, tmp_path / "adapted", "--steps=2") == 0
    report = json.loads((tmp_path / "adapted" / "report.json").read_text())
    assert set(report["table"]) == {
        f"{learner}, {state}"
        for learner in ("daml", "erm")
        for state in ("not adapted", "support statistics", "adapted")
    }
    for row in report["table"].values():
        assert set(row) == {"auc", "accuracy", "eer", "ece", "brier"}
        assert all(0 <= i["low"] <= i["high"] <= 1 for i in row.values())
    assert report["images"]["real"] == report["images"]["fake"] == 12
    assert [skip["path"] for skip in report["skipped_files"]] == ["fake/broken.jpg"]
    text = (tmp_path / "adapted" / "report.md").read_text()
    assert "broken.jpg" in text
    assert text in capsys.readouterr().out
    detector = load_detector(tmp_path / "adapted")
    assert detector.context.shape == (4, 16, 16, 3)
    assert detector.about["adaptation"] == "2 steps of sgd at " + detector.about["adaptation"].split(" at ")[1]


def test_predict_writes_a_score_for_every_readable_file_that_no_other_file_changes(trained, target, tmp_path, capsys):
    call(trained, target, tmp_path / "adapted")
    capsys.readouterr()
    assert predict.main(["predict", f"--model={tmp_path / 'adapted'}", f"--images={target / 'fake'}", "--crops"]) == 0
    out, err = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(out)))
    assert len(rows) == 13
    (bad,) = [row for row in rows if row["p_fake"] == ""]
    assert bad["file"] == "broken.jpg"
    assert "not an image" in bad["note"]
    assert "1 file has no score" in err
    rows.remove(bad)
    assert all(0 <= float(row["p_fake"]) <= 1 for row in rows)
    assert {row["face"] + row["x0"] + row["note"] for row in rows} == {""}
    one = target / "fake" / rows[3]["file"]
    assert predict.main(["predict", f"--model={tmp_path / 'adapted'}", f"--images={one}", "--crops"]) == 0
    (alone,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert float(alone["p_fake"]) == pytest.approx(float(rows[3]["p_fake"]), abs=2e-6)


def test_what_is_forgotten_is_the_difference_of_two_aucs_on_the_source_images(trained, target, tmp_path, capsys):
    assert call(trained, target, tmp_path / "adapted", "--remembers=true", "--steps=2", "--rate=3") == 0
    found = json.loads((tmp_path / "adapted" / "report.json").read_text())["remembered"]
    records = build.records(TINY, split="validation")
    before = from_run.detector(from_run.load_run(trained))(records.image)
    after = load_detector(tmp_path / "adapted")(records.image)
    for name, rows in {**records.by_domain(), "all together": slice(None)}.items():
        values = [roc_auc_score(records.label[rows], scores[rows]) for scores in (before, after)]
        assert found[name]["before"]["value"] == pytest.approx(values[0], abs=1e-6)
        assert found[name]["after"]["value"] == pytest.approx(values[1], abs=1e-6)
        assert found[name]["lost"]["value"] == pytest.approx(values[0] - values[1], abs=1e-6)
        assert found[name]["lost"]["low"] <= found[name]["lost"]["value"] <= found[name]["lost"]["high"]
    assert set(found) == {"swap", "smooth", "warp", "all together"}
    assert "| all together |" in capsys.readouterr().out


def test_a_saved_detector_scores_as_it_did_when_it_was_saved(trained, target, tmp_path):
    run = from_run.load_run(trained)
    images, labels, *_ = target_images.read_target(str(target), size=16)
    detector = from_run.detector(run, support=images[[0, 1, 12, 13]], labels=labels[[0, 1, 12, 13]])
    save_detector(tmp_path / "saved", detector)
    np.testing.assert_array_equal(load_detector(tmp_path / "saved")(images), detector(images))
    test = TestSplit(Records.from_columns(image=images, label=labels))
    np.testing.assert_allclose(from_run.scores(run, detector, test), detector(images), atol=1e-6)


def test_an_exported_detector_screens_and_adapts_as_its_run_does(trained, target, tmp_path, capsys, monkeypatch):
    assert export.main(["export", f"--run={trained}", f"--out={tmp_path / 'exported'}"]) == 0
    images = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), np.uint8)
    exported, unexported = (predicting.load(str(path)) for path in (tmp_path / "exported", trained))
    np.testing.assert_array_equal(exported(images), unexported(images))
    assert call(trained, target, tmp_path / "a") == 0
    assert call(tmp_path / "exported", target, tmp_path / "b") == 0
    of_run, again = (load_detector(tmp_path / name) for name in "ab")
    np.testing.assert_array_equal(again(images), of_run(images))
    assert np.any(again(images) != predicting.load(str(trained))(images))
    tables = [json.loads((tmp_path / name / "report.json").read_text())["table"] for name in "ab"]
    assert tables[1]["detector, adapted"] == tables[0]["daml, adapted"]
    # And again, what was adapted already.
    parts = []
    with monkeypatch.context() as patch:
        whole = target_images.set_aside
        patch.setattr(
            adapting, "set_aside", lambda *a, **k: parts.append((a[1], k["seen"], whole(*a, **k))) or parts[-1][2]
        )
        flags = (f"--baseline={trained / 'erm'}", "--seed=1", "--test_share=0.7")
        assert call(tmp_path / "b", target, tmp_path / "c", *flags) == 0
    ((groups, seen, (_, test)),) = parts
    rows = [list(map(tuple, x.context.reshape(4, -1))) for x in (again, load_detector(tmp_path / "c"))]
    images = target_images.read_target(str(target), size=16)[0].reshape(24, -1)
    assert sorted(seen) == sorted(groups[n] for n, image in enumerate(images) if tuple(image) in rows[0])
    assert not {tuple(image) for image in images[test]} & {*rows[0], *rows[1]}
    about = load_detector(tmp_path / "c").about
    assert about["learner"] == "daml"
    assert about["adaptation"].count(" steps of sgd at ") == 2
    assert set(again.about["seen"]) < set(about["seen"])
    # Nothing is overwritten, and what cannot be done is one line.
    before = (tmp_path / "exported" / "config.json").read_bytes()
    capsys.readouterr()
    for line, arguments in (
        ("exists already", [export.main, "export", f"--run={trained}", f"--out={tmp_path / 'exported'}"]),
        ("no source images", [adapt.main, "adapt", f"--run={tmp_path / 'exported'}", "--remembers=true"]),
        ("--weights: ", [adapt.main, "adapt", f"--run={trained}", "--weights=elsewhere"]),
    ):
        command, *flags = arguments
        rest = [f"--target={target}", f"--out={tmp_path / 'none'}"] if command is adapt.main else []
        assert command([*flags, *rest]) == 2
        said = capsys.readouterr().err.strip()
        assert line in said
        assert "\n" not in said
    assert (tmp_path / "exported" / "config.json").read_bytes() == before
    assert not (tmp_path / "none").exists()


def test_a_detector_is_written_whole_or_not_at_all(trained, tmp_path, capsys, monkeypatch):
    arguments = ["export", f"--run={trained}", f"--out={tmp_path / 'out'}"]
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        assert export.main(arguments) == 130
    assert list(tmp_path.iterdir()) == []
    assert export.main(arguments) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    written = [path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(written) == 3
    assert not any(str(tmp_path).encode() in content for content in written)  # it is passed on to others


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rule": None}, "NoneType"),
        ({"rule": {"optimizer": "sgd", "steps": 1, "adaptable": "", "trainable": ""}}, "rate"),
        ({"rule": {"optimizer": "sgd", "rate": "fast", "steps": 1, "adaptable": "", "trainable": ""}}, "fast"),
        ({"rule": {"optimizer": "sgd", "rate": 1.0, "steps": 1, "adaptable": "tail", "trainable": ""}}, "tail"),
        ({"rule": {"optimizer": "sgd", "rate": 1.0, "steps": 1, "trainable": ""}}, "adaptable"),
    ],
)
def test_a_damaged_detector_is_one_line(trained, target, tmp_path, capsys, changes, said):
    assert export.main(["export", f"--run={trained}", f"--out={tmp_path / 'old'}"]) == 0
    file = tmp_path / "old" / "config.json"
    config = json.loads(file.read_text())
    file.write_text(json.dumps({"detector": config["detector"] | changes}))
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in file.parent.iterdir()]
    (file.parent / "SHA256SUMS").write_text("".join(sums))
    capsys.readouterr()
    assert call(tmp_path / "old", target, tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error
    assert "config.json" in error


def test_what_is_forgotten_is_asked_only_of_the_images_that_were_trained_on(trained, target, tmp_path, capsys):
    shutil.copytree(trained, tmp_path / "run")
    file = tmp_path / "run" / "data.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"sha256": "0" * 64}))
    assert call(tmp_path / "run", target, tmp_path / "out", "--remembers=true") == 2
    assert "--remembers: the images that the run" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("lacks", ["its learner's ways", "a rule"])
def test_a_detector_that_cannot_be_adapted_says_so(trained, target, tmp_path, lacks, capsys):
    detector = from_run.detector(from_run.load_run(trained))
    about = {name: value for name, value in detector.about.items() if name != "rule"}
    save_detector(
        tmp_path / "old", detector._replace(about=about | {"learner": "r2d2" if "learner" in lacks else "daml"})
    )
    assert call(tmp_path / "old", target, tmp_path / "out") == 2
    assert ("how r2d2 adapts" if "learner" in lacks else "without a rule") in capsys.readouterr().err


@pytest.mark.parametrize("normalisation", ["support", "episode", "group", "none"])
def test_a_saved_detector_keeps_images_only_where_they_normalise(normalisation, tmp_path):
    config = change(
        Config(),
        {"model.image_size": 16, "model.width": 4, "model.normalisation": normalisation, "model.convolution": "lax"},
    )
    images = np.random.default_rng(0).integers(1, 256, (6, 16, 16, 3), np.uint8)
    run = from_run.FinishedRun(config, build.init_params(config), {}, images[:2])
    detector = from_run.detector(run)
    save_detector(tmp_path / "saved", detector)
    again = load_detector(tmp_path / "saved")
    np.testing.assert_array_equal(again(images), detector(images))
    assert again.context.any() == (normalisation in ("support", "episode"))


def test_images_that_normalise_each_other_do_so_in_batches_of_a_fixed_size(monkeypatch):
    config = change(
        Config(),
        {"model.image_size": 16, "model.width": 4, "model.normalisation": "episode", "model.convolution": "lax"},
    )
    run = from_run.FinishedRun(config, build.init_params(config), {}, np.zeros((2, 16, 16, 3), np.uint8))
    images = np.random.default_rng(0).integers(0, 256, (600, 16, 16, 3), np.uint8)
    test = TestSplit(Records.from_columns(image=images, label=np.zeros(600)))
    batches, score = [], from_run.score
    monkeypatch.setattr(from_run, "score", lambda *args, **rest: batches.append(len(args[2])) or score(*args, **rest))
    found = from_run.scores(run, from_run.detector(run), test)
    assert batches == [200, 200, 200]
    rows = np.random.default_rng(0).permutation(600)[:200]
    np.testing.assert_array_equal(found[rows], score(build.model(config).apply, run.params, images[rows], context=None))


def test_a_training_run_can_screen_without_adaptation(trained, target, tmp_path):
    code = predict.main(
        ["predict", f"--model={trained}", f"--images={target / 'real'}", "--crops", f"--out={tmp_path / 'scores.csv'}"]
    )
    assert code == 0
    assert len((tmp_path / "scores.csv").read_text().splitlines()) == 13


def test_support_and_test_images_share_no_group():
    labels = np.array([0, 1] * 20)
    groups = np.repeat([f"g{i}" for i in range(20)], 2)  # a fake and its real share a name
    pool, test = target_images.set_aside(labels, groups, shots=3, share=0.5, seed=0)
    assert not {*groups[pool]} & {*groups[test]}
    assert sorted([*pool, *test]) == list(range(40))
    _, test = target_images.set_aside(labels, groups, shots=3, share=0.9, seed=0, seen=["g0", "g7"])
    assert not {*groups[test]} & {"g0", "g7"}
    assert len(test) == 2 * round(0.9 * 18)


@pytest.mark.parametrize(
    "kind", ["no folder", "no fake", "empty class", "all bad", "few", "exists", "no run", "unfinished"]
)
def test_bad_input_is_one_line_exit_code_2_and_nothing_is_written(kind, trained, target, tmp_path, capsys):
    folder, run, out, flags = tmp_path / "t", trained, tmp_path / "out", []
    image = Image.fromarray(np.zeros((16, 16, 3), np.uint8))
    if kind != "no folder":
        (folder / "real").mkdir(parents=True)
        for n in range(4):
            image.save(folder / "real" / f"{n}.png")
    if kind in ("empty class", "all bad", "few"):
        (folder / "fake").mkdir()
    if kind == "all bad":
        (folder / "fake" / "a.png").write_bytes(b"no")
    if kind == "few":
        image.save(folder / "fake" / "0.png")
        flags = ["--shots=3"]
    if kind == "exists":
        folder = target
        out.mkdir()
        (out / "precious").write_text("mine")
    if kind == "no run":
        folder, run = target, tmp_path / "nowhere"
    if kind == "unfinished":
        folder, run = target, tmp_path / "half"
        run.mkdir()
        (run / "config.json").write_text((trained / "config.json").read_text())
    before = sorted(tmp_path.rglob("*"))
    assert call(run, folder, out, *flags) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    words = {
        "no folder": "no folder",
        "no fake": "no subfolder 'fake'",
        "empty class": "fake",
        "all bad": "fake",
        "few": "too few",
        "exists": "exists already",
        "no run": "no config.json",
        "unfinished": "not finished",
    }
    assert words[kind] in error
    assert sorted(tmp_path.rglob("*")) == before


def test_a_checkpoint_for_another_backbone_is_one_line(trained, target, tmp_path, capsys):
    shutil.copytree(trained, tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    (tmp_path / "run" / "config.json").write_text(json.dumps(config | {"model": config["model"] | {"width": 8}}))
    assert call(tmp_path / "run", target, tmp_path / "out") == 2
    assert "another backbone" in capsys.readouterr().err
