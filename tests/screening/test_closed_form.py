"""Detectors whose head is a discriminant: trained without a step, adapted in closed form, kept with their prior."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from metaforge.adaptation.gaussian import Source, head_of
from metaforge.cli import predict, train
from metaforge.data.domains import TestSplit
from metaforge.data.records import Records
from metaforge.errors import InputError
from metaforge.evaluation.calibration import Judge
from metaforge.screening import closed_form, from_run, load_detector, saved_detector, target_images
from metaforge.settings import change
from metaforge.training import build, source_prior
from metaforge.training.config import Config
from tests.screening.conftest import FLAGS, call


def test_without_a_step_the_detector_is_the_priors_head_on_the_networks_embeddings(run):
    trained = from_run.load_run(run / "run")
    detector = load_detector(run / "detector")
    images = build.records(trained.config, split="validation").image[:6]
    head, seen = head_of(trained.prior), closed_form.embedder(trained)(images)
    logits, distances = detector.examine(images)
    expected = seen @ np.asarray(head.weights) + np.asarray(head.bias)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(detector(images), 1 / (1 + np.exp(-expected)), atol=1e-5)
    white = np.linalg.solve(np.float64(trained.prior.factor), (seen - np.asarray(trained.prior.middle)).T)
    np.testing.assert_allclose(distances, np.mean(np.square(white), axis=0), rtol=1e-3)
    for ours, theirs in zip(detector.prior, trained.prior, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert isinstance(detector.judge, Judge)


def test_a_detector_and_its_run_are_adapted_alike(run, target, tmp_path):
    for name, model in (("a", run / "run"), ("b", run / "detector")):
        assert call(model, target, tmp_path / name, "--force", f"--unlabelled={target / 'more'}") == 0
    ours, theirs = (load_detector(tmp_path / name) for name in ("a", "b"))
    images = np.random.default_rng(1).integers(0, 256, (4, 16, 16, 3)).astype(np.uint8)
    np.testing.assert_allclose(ours(images), theirs(images), atol=1e-6)
    report = json.loads((tmp_path / "a" / "report.json").read_text())
    assert report["pairs"] >= 3
    assert report["unlabelled"] == 6
    assert report["decision"]["saved"] == "adapted"
    assert ours.about["adaptation"] == "discriminant of 6 images and 6 without labels"


def test_a_discriminant_that_was_adapted_does_not_forget_its_first_images(run, target, tmp_path, capsys):
    assert call(run / "detector", target, tmp_path / "once", "--force") == 0
    capsys.readouterr()
    again = (tmp_path / "once", target, tmp_path / "twice", "--shots=2", "--seed=1", "--test_share=0.4")
    assert call(*again) == 2
    said = capsys.readouterr().err.strip()
    assert "\n" not in said
    assert "was adapted before (discriminant of 6 images) and has not kept those images" in said
    assert not (tmp_path / "twice").exists()
    trained = saved_detector.load(tmp_path / "once")
    images, labels = np.zeros((2, 16, 16, 3), np.uint8), np.array([0, 1])
    with pytest.raises(InputError, match="was adapted before"):
        from_run.detector(trained, support=images, labels=labels)
    # Without images it is as it was saved, and the whitened direction knew nothing of them.
    assert from_run.detector(trained).about["adaptation"] == "discriminant of 6 images"
    assert from_run.detector(trained, support=images, labels=labels, rule="whitened").judge is None


def test_pairs_are_found_by_their_path_in_the_folder_of_the_class(tmp_path):
    rng = np.random.default_rng(0)
    names = ["real/ann/1.png", "real/ann/2.png", "real/bo/1.png", "real/3.png", "real/4.v2.png", "real/cy/9.png"]
    names += ["fake/ann/1.bmp", "fake/bo/1.png", "fake/bo/2.png", "fake/3.png", "fake/4.v2.png", "fake/cy/9.png"]
    names += ["fake/cy/9.bmp"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (8, 8, 3)).astype(np.uint8)).save(tmp_path / name)
    _, labels, groups, *_, stems = target_images.read_target(str(tmp_path), size=8)
    pairs = closed_form.pairs_of(labels, stems)
    found = {tuple(stems[pairs == number]) for number in set(pairs) - {-1}}
    # Two fakes have one name of cy's: which is the pair is not known.
    assert found == {("ann/1",) * 2, ("bo/1",) * 2, ("3",) * 2, ("4.v2",) * 2}
    assert all(len(set(groups[pairs == number])) == 1 for number in set(pairs) - {-1})


def test_the_scores_over_draws_are_those_of_the_detector_adapted_on_each(run):
    trained = from_run.load_run(run / "run")
    records = build.records(trained.config, split="validation")
    images, labels = np.asarray(records.image), np.asarray(records.label)
    pairs = np.unique(np.array(records.pair.tolist()), return_inverse=True)[1]
    test = TestSplit(Records.from_columns(image=images[:8], label=labels[:8]))
    draws = [np.arange(10, 18), np.arange(20, 28)]
    found = closed_form.scores_of(trained, "discriminant", images, labels, draws, test, pairs=pairs)
    for scores, rows in zip(found, draws, strict=True):
        alone = from_run.detector(trained, support=images[rows], labels=labels[rows], pairs=pairs[rows])
        np.testing.assert_allclose(scores, alone(images[:8]), atol=1e-5)


def test_a_detector_that_is_not_shown_to_gain_is_saved_as_it_was(run, tmp_path, capsys):
    # Fakes that are other noise: nothing can be gained.
    rng = np.random.default_rng(5)
    for name in ("real", "fake"):
        (tmp_path / "noise" / name).mkdir(parents=True)
        for number in range(14):
            Image.fromarray(rng.integers(0, 256, (16, 16, 3)).astype(np.uint8)).save(
                tmp_path / "noise" / name / f"{name}{number}.png"
            )
    assert call(run / "detector", tmp_path / "noise", tmp_path / "kept") == 0
    assert "saved as it was; --force saves it adapted" in capsys.readouterr().out
    images = rng.integers(0, 256, (3, 16, 16, 3)).astype(np.uint8)
    np.testing.assert_array_equal(load_detector(tmp_path / "kept")(images), load_detector(run / "detector")(images))


def test_predict_prints_verdicts_of_an_exported_detector(run, target, capsys):
    assert predict.main(["predict", f"--model={run / 'detector'}", f"--images={target / 'more'}", "--crops"]) == 0
    lines = capsys.readouterr().out.strip().splitlines()
    assert {"familiarity", "decision", "reason"} <= set(lines[0].split(","))
    assert len(lines) == 7


def test_what_the_judge_was_fitted_on_says_what_it_ranks_and_resamples_people(run):
    config = change(Config(), {"faces.collection": "^([a-z]+)/"})
    rng = np.random.default_rng(3)
    person, kind, label = (part.ravel() for part in np.meshgrid(np.arange(20), [0, 1, 2], [0, 1], indexing="ij"))

    def worth(copies, kinds):
        mine = np.repeat(np.flatnonzero(np.isin(kind, kinds)), copies)
        records = Records.from_columns(
            image=np.zeros((len(mine), 2, 2, 3), np.uint8), label=label[mine],
            domain=np.array(["swap", "warp", "smooth"])[kind[mine]], identity=np.array([f"p{n}" for n in person[mine]]),
            video=np.array([f"{'a' if n < 10 else 'b'}/{n}.png" for n in person[mine]]),
        )  # fmt: skip
        source = Source(None, logits[mine], np.ones(len(mine)), np.arange(len(mine)))
        return source_prior.left_out_auc(config, records, source), source_prior.judged(config, records, source)

    logits = label + rng.normal(size=20)[person] + 5.0 * (person < 10) + rng.normal(size=len(label))
    found, judge = worth(1, [0, 1, 2])
    cells = [(kind == k) & ((person < 10) == first) for k in range(3) for first in (False, True)]
    assert found.value == pytest.approx(np.mean([roc_auc_score(label[cell], logits[cell]) for cell in cells]))
    assert judge["bands"]["fitted_on"]["left_out_auc"] == found.as_json()
    assert Judge.from_json(judge).as_json() == judge
    assert found.low < found.value < found.high
    # More images of the same people say no more.
    np.testing.assert_allclose(worth(4, [0, 1, 2])[0], found)
    # Of one kind nothing was left out.
    assert worth(1, [1])[0] is None
    report = json.loads((run / "run" / "report.json").read_text())
    assert 0 < report["calibration"]["bands"]["fitted_on"]["left_out_auc"]["value"] < 1


def test_a_collection_that_is_not_in_a_files_name_is_said():
    with pytest.raises(InputError, match=r"faces\.collection"):
        source_prior._collection("^([a-z]+)/", "1.png")
    assert source_prior._collection("^([a-z]+)/", "pif/1.png") == "pif"


@pytest.mark.parametrize("pattern", ["^([a-z]+)/", "^([a-z"])
def test_a_collection_that_cannot_be_found_is_said_before_anything_is_written(tmp_path, capsys, pattern):
    assert train.main(["train", f"--workdir={tmp_path / 'run'}", *FLAGS, f"--faces.collection={pattern}"]) == 2
    assert capsys.readouterr().err.strip().splitlines()[-1].count("--faces.collection=") == 1
    assert not (tmp_path / "run").exists()


def test_images_without_labels_are_remembered_too_and_a_whitened_head_has_no_calibration(run, target):
    trained = from_run.load_run(run / "run")
    rng = np.random.default_rng(2)
    images, labels = rng.integers(0, 256, (6, 16, 16, 3)).astype(np.uint8), np.array([0, 1, 0, 1, 0, 0])
    adapted = {
        rule: from_run.detector(trained, support=images[:4], labels=labels[:4], rule=rule, unlabelled=images[4:])
        for rule in closed_form.RULES
    }
    for found in adapted.values():
        assert found.about["seen"] == sorted(from_run.digests(images))
    assert adapted["discriminant"].judge is not None
    assert adapted["whitened"].judge is None


def test_a_head_in_closed_form_takes_the_place_of_one_that_was_never_trained(tmp_path, target):
    flags = [*FLAGS, "--learner.trainable=^Conv_3"]
    assert train.main(["train", f"--workdir={tmp_path / 'run'}", *flags]) == 0
    trained = from_run.load_run(tmp_path / "run")
    assert trained.prior is not None
    detector, head = from_run.detector(trained), head_of(trained.prior)
    images = np.random.default_rng(3).integers(0, 256, (3, 16, 16, 3)).astype(np.uint8)
    logits = closed_form.embedder(trained)(images) @ np.asarray(head.weights) + np.asarray(head.bias)
    np.testing.assert_allclose(detector.examine(images)[0], logits, rtol=1e-4, atol=1e-4)


def test_a_head_in_closed_form_is_refused_where_the_runs_is_not_linear(run):
    trained = from_run.load_run(run / "run")
    config = change(trained.config, {"model.head": "mlp", "adapt.rule": "steps", "run.iterations": 1})
    with pytest.raises(InputError, match="--rule=whitened: its head is linear, and the run's is 'mlp'"):
        closed_form.rule_of(dataclasses.replace(trained, config=config, prior=None), "whitened")


def test_a_step_is_needed_where_nothing_is_in_closed_form():
    with pytest.raises(InputError, match=r"run\.iterations=0"):
        change(Config(), {"run.iterations": 0}).check()
    with pytest.raises(InputError, match="protonet adapts as it has learned"):
        change(Config(), {"adapt.rule": "discriminant", "learner.name": "protonet"}).check()


def test_after_adapting_real_images_of_the_target_are_familiar_and_of_the_source_no_less(run):
    trained = from_run.load_run(run / "run")
    calibration = trained.before["calibration"]
    knots = np.array(calibration["familiarity"]["knots"])
    rng = np.random.default_rng(0)
    # Whitened, a drawn vector lies as far as its variance says: 9 times the source's median here.
    size = len(trained.prior.weights)
    white = rng.normal(size=(400, size)) * np.sqrt(9 * knots[len(knots) // 2])
    far = white @ np.float64(trained.prior.factor).T + np.asarray(trained.prior.middle)
    found = np.array(closed_form.familiar(trained, calibration, far)["familiarity"]["knots"])
    ratio = np.median(np.mean(np.square(white), axis=1)) / knots[len(knots) // 2]
    assert 6 < ratio < 10
    np.testing.assert_allclose(found / knots, ratio ** (400 / 404), rtol=1e-3)
    near = 0.01 * white @ np.float64(trained.prior.factor).T + np.asarray(trained.prior.middle)
    assert closed_form.familiar(trained, calibration, near) == calibration
    assert closed_form.familiar(trained, calibration, far[:0]) == calibration
