"""What cannot work is said before the work: no image is read, nothing is trained, scored or written."""

import dataclasses
import json
import sys

import numpy as np
import pytest

from experiments.benchmark import running as benchmark
from experiments.benchmark.config import QUICK
from experiments.demo import running as demo
from experiments.fakeradar import running as fakeradar
from experiments.fakeradar.config import Config as Tri
from metaforge.backbones import weight_files
from metaforge.backbones.spec import BackboneSpec
from metaforge.data.records import Records
from metaforge.errors import InputError
from metaforge.screening import Detector, adapting, forgetting, from_run, target_images
from metaforge.settings import change
from metaforge.training import build, checks, meta_train
from metaforge.training.config import Config
from tests.experiments.conftest import TINY

IMAGES = np.zeros((8, 16, 16, 3), np.uint8)


def no_identities(videos):
    """Two real and two fake frames of each of two videos, or of one; nobody knows who is in them."""
    video = [f"v{number % videos}" for number in range(8)]
    return Records.from_columns(image=IMAGES, label=[0] * 4 + [1] * 4, domain=["m"] * 8, video=video)


def of(learner="erm"):
    return from_run.FinishedRun(
        change(Config(), {"learner.name": learner, "model.image_size": 16, "model.width": 4}),
        {},
        {"optimizer": "sgd", "rate": 1.0, "steps": 1},
        IMAGES,
    )


def test_what_is_forgotten_is_told_of_images_of_nobody_in_particular_video_by_video(monkeypatch):
    scores = np.random.default_rng(0).uniform(size=8)
    monkeypatch.setattr(from_run, "scores", lambda *_: scores)
    found = forgetting.remembered(
        of(), Detector({}, IMAGES, BackboneSpec(image_size=16, width=4), {}), no_identities(4)
    )
    assert set(found) == {"m", "all together"}
    assert found["m"]["before"] == found["m"]["after"]
    assert found["m"]["lost"]["value"] == 0
    assert found["m"]["before"]["low"] < found["m"]["before"]["high"]


def test_what_is_forgotten_is_not_asked_of_one_video(monkeypatch, tmp_path):
    (tmp_path / "data.json").write_text(json.dumps({"sha256": "known"}))
    monkeypatch.setattr(forgetting.build, "identity_of", lambda *_: "known")
    for videos in (2, 1):
        monkeypatch.setattr(checks, "images", lambda *_, videos=videos: [no_identities(videos)] * 2)
        if videos == 2:
            assert len(forgetting.sources(Config(), tmp_path)) == 8
            continue
        with pytest.raises(InputError, match="--remembers: the validation images of 'm' show one person or video"):
            forgetting.sources(Config(), tmp_path)


def test_a_rate_for_a_learner_that_has_its_own_is_refused_before_an_image_is_read(monkeypatch, tmp_path):
    monkeypatch.setattr(adapting.saved_detector, "load", lambda *_, **__: of("r2d2"))
    monkeypatch.setattr(adapting, "read_target", lambda *_, **__: pytest.fail("read"))
    with pytest.raises(InputError, match="--rate, --steps: r2d2 adapts as it has learned to"):
        adapting.run(adapting.Options(run="x", target="y", out=str(tmp_path / "out"), rate=0.1))


def test_a_test_set_of_one_group_is_too_few():
    labels, groups = np.array([0, 1] * 20), np.repeat(["a", "b"], 20)
    with pytest.raises(InputError, match="20 real and 20 fake images in 2 groups are too few"):
        target_images.set_aside(labels, groups, shots=2, share=0.5, seed=0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"learner.name": "daml", "learner.weighting": "uniform"}, "^--learner.weighting: daml weighs no tasks"),
        ({"learner.name": "group_dro", "faces.acquisitions": "oops"}, "^--faces.acquisitions: unknown 'oops'"),
        ({"learner.name": "protonet", "model.head": "mlp"}, "--model.head=mlp: protonet is made for a linear"),
        ({"learner.name": "ltw", "model.head": "quadratic"}, "--model.head=quadratic: ltw is made"),
        ({"learner.name": "mldg", "episodes.tasks": 1}, "--episodes.tasks=1: mldg holds domains out"),
    ],
)
def test_a_learner_that_cannot_be_had_leaves_no_directory(changes, said, tmp_path, monkeypatch):
    monkeypatch.setattr(checks, "images", lambda *_, **__: pytest.fail("forged"))
    with pytest.raises(InputError, match=said):
        meta_train.run(change(TINY, changes), tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


def test_a_treatment_that_needs_pyav_is_refused_before_a_face_is_read(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.setattr(build, "load_faces", lambda *_, **__: pytest.fail("read"))
    config = change(TINY, {"faces.acquisitions": "none,wild"})
    with pytest.raises(
        InputError, match=r"^--faces.acquisitions: 'wild' compresses as videos are, which needs PyAV\. In"
    ):
        meta_train.run(config, tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


def test_the_baseline_of_a_learner_that_weighs_tasks_weighs_none(tmp_path, monkeypatch):
    begun = []
    monkeypatch.setattr(checks, "check", lambda config, **_: (config, config))
    monkeypatch.setattr(checks, "refuse_other_images", lambda *_: None)
    monkeypatch.setattr(meta_train, "_finish", lambda config, *_, **__: begun.append(config) or {})
    meta_train.run(change(TINY, {"learner.name": "maml", "learner.weighting": "uniform"}), tmp_path / "run", quiet=True)
    assert [(config.learner.name, config.learner.weighting) for config in begun] == [("erm", ""), ("maml", "uniform")]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"faces.prepared": "faces"}, "--faces.prepared: the demo forges its own"),
        ({"learner.weighting": "uniform"}, "--learner.weighting: (daml|erm) weighs no tasks"),
        ({"episodes.shots": 500}, "real"),
        ({"faces.acquisitions": "oops"}, "--faces.acquisitions"),
    ],
)
def test_a_demo_that_cannot_be_made_leaves_no_directory(changes, said, tmp_path):
    config = change(
        demo.DEMO,
        {"faces.methods": "warp,smooth", "model.image_size": 16, "model.width": 4, "faces.variants": 2, **changes},
    )
    with pytest.raises(InputError, match=said):
        demo.run(demo.Options(workdir=str(tmp_path / "demo")), config)
    assert not (tmp_path / "demo").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"acquisitions": "oops"}, "--faces.acquisitions"),
        ({"backbone": "efficientnet_lite0"}, "weights: not installed"),
    ],
)
def test_an_ablation_that_cannot_be_made_leaves_no_directory(changes, said, tmp_path, monkeypatch):
    monkeypatch.setattr(
        weight_files, "weights_file", lambda _: (_ for _ in ()).throw(InputError("weights: not installed"))
    )
    monkeypatch.setattr(fakeradar, "hold_out", lambda *_: pytest.fail("trained"))
    with pytest.raises(InputError, match=said):
        fakeradar.run(fakeradar.Options(workdir=str(tmp_path / "tri")), change(Tri(), changes))
    assert not (tmp_path / "tri").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"strategies": "unroll", "tasks": "4,64"}, "--strategies=unroll: 64 tasks cannot run so"),
        ({"convolutions": "oops"}, "--convolutions: unknown 'oops'"),
    ],
)
def test_a_grid_with_a_cell_that_cannot_be_measured_is_refused_whole(changes, said, tmp_path, monkeypatch):
    monkeypatch.setattr(benchmark, "measure", lambda *_: pytest.fail("measured"))
    options = benchmark.Options(out=str(tmp_path / "a.json"))
    with pytest.raises(InputError, match=said):
        benchmark.run(options, dataclasses.replace(QUICK, **changes))
    (tmp_path / "a.md").write_text("mine")
    with pytest.raises(InputError, match=r"a\.md' exists already"):
        benchmark.run(options, QUICK)
