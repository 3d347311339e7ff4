"""A model of levels in train, adapt, predict and a study: the head alone learns, on what is kept of an image."""

import csv
import hashlib
import io
import json

import jax
import numpy as np
import pytest
from PIL import Image

from experiments.study import data as study_data
from experiments.study import running as study
from experiments.study.config import STUDY
from metaforge.backbones import choice, levels
from metaforge.backbones.efficientnet._plan import PLANS
from metaforge.backbones.features import embed
from metaforge.backbones.spec import BackboneSpec
from metaforge.cli import adapt, predict
from metaforge.data.pools import pool
from metaforge.errors import InputError
from metaforge.screening import Detector, from_run, load_detector, save_detector
from metaforge.settings import change, fields_of
from metaforge.training import build, kept_features, meta_train, trainable
from tests.backbones.test_efficientnet import TINY_LITE, file_of
from tests.experiments.conftest import TINY

CONFIG = change(
    TINY,
    {
        "model.backbone": "efficientnet_lite0",
        "model.levels": "0,2",
        "model.normalisation": "frozen",
        "model.image_size": 32,
        "learner.trainable": "^head/",
        "learner.name": "anil",
        "run.baseline": False,
        "run.iterations": 4,
        "run.eval_every": 4,
    },
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file of weights of a tiny network, which stands for the large one's."""
    path = tmp_path_factory.mktemp("weights") / "tiny.pth"
    path.write_bytes(b"of a tiny network")
    arrays = file_of(TINY_LITE, 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PLANS, "efficientnet_lite0", TINY_LITE)
        patch.setattr("metaforge.backbones.efficientnet._models.load_weights", lambda source: arrays)
        yield path


@pytest.fixture(scope="module")
def made(weights, tmp_path_factory):
    """A run on kept levels."""
    folder = tmp_path_factory.mktemp("runs")
    config = change(CONFIG, {"model.weights": str(weights), "run.feature_cache": str(folder / "features")})
    meta_train.run(config, folder / "run", quiet=True)
    return config, folder


def test_statistics_are_the_training_images_and_the_head_alone_moves(made):
    config, folder = made
    run = from_run.load_run(folder / "run")
    assert [name for name in run.params if jax.tree.leaves(run.params[name])] == ["head"]
    whole = trainable.whole(run.params, run.frozen)
    model, images = choice.choose(config.network), pool(build.records(config, split="train")).image
    seen = embed(model, whole, images)
    np.testing.assert_allclose(seen.mean(0), 0, atol=1e-3)
    np.testing.assert_allclose(seen.std(0), 1, atol=1e-3)
    # Kept beside the run, and the network is not.
    with np.load(folder / "run" / "frozen.npz") as archive:
        assert {*archive} == {"standardise/mean", "standardise/scale"}
    # The cache holds the levels themselves, once an image, in full precision: runs with other statistics share it.
    (place,) = (folder / "features").iterdir()
    assert "levels0-2" in place.name
    kept = [np.load(file)["values"] for file in place.iterdir()]
    raw = embed(model, levels.without_statistics(whole), images)
    stored = np.concatenate(kept)
    assert stored.dtype == np.float32
    assert min(np.abs(stored - raw[0]).max(axis=1)) < 1e-4


def test_without_a_cache_the_same_is_learned(made, tmp_path):
    config, folder = made
    meta_train.run(change(config, {"run.feature_cache": ""}), tmp_path / "run", quiet=True)
    plain, kept = from_run.load_run(tmp_path / "run"), from_run.load_run(folder / "run")
    assert kept.config == plain.config
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-2, atol=2e-3)
    jax.tree.map(close, (kept.params, kept.frozen), (plain.params, plain.frozen))


def test_a_detector_holds_head_and_statistics_and_says_the_same_when_it_is_read(made, tmp_path, capsys):
    _, folder = made
    run = from_run.load_run(folder / "run")
    images = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), np.uint8)
    detector = from_run.detector(run)
    save_detector(tmp_path / "saved", detector)
    from safetensors.numpy import load_file

    held = {name.split("/")[1] for name in load_file(tmp_path / "saved" / "detector.safetensors") if "/" in name}
    assert held == {"head", "standardise"}
    np.testing.assert_array_equal(load_detector(tmp_path / "saved")(images), detector(images))
    Image.fromarray(images[0]).save(tmp_path / "a.png")
    assert predict.main(["predict", f"--model={tmp_path / 'saved'}", f"--images={tmp_path / 'a.png'}", "--crops"]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert float(row["p_fake"]) == pytest.approx(float(detector(images[:1])[0]), abs=1e-5)
    rng = np.random.default_rng(1)
    for label in ("real", "fake"):
        (tmp_path / "new" / label).mkdir(parents=True)
        for count in range(6):
            Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(tmp_path / "new" / label / f"{count}.png")
    assert adapt.main(["adapt", f"--run={tmp_path / 'saved'}", f"--target={tmp_path / 'new'}", "--crops", "--shots=2",
                       "--steps=1", "--rate=0.1", "--draws=2", "--force",
                       f"--out={tmp_path / 'out'}"]) == 0  # fmt: skip
    adapted = load_detector(tmp_path / "out")
    assert np.any(adapted.params["head"]["kernel"] != detector.params["head"]["kernel"])
    jax.tree.map(np.testing.assert_array_equal, adapted.params["standardise"], detector.params["standardise"])


def test_a_detector_of_before_levels_is_read_as_one_without(tmp_path):
    spec = BackboneSpec(image_size=16, width=4)
    params = jax.tree.map(lambda leaf: np.ones(leaf.shape, leaf.dtype), choice.shapes(spec))
    detector = Detector(params, np.zeros((2, 16, 16, 3), np.uint8), spec, {"learner": "erm"})
    save_detector(tmp_path / "saved", detector)
    file, sums = tmp_path / "saved" / "config.json", tmp_path / "saved" / "SHA256SUMS"
    before = file.read_text()
    said = json.loads(before)
    for name in ("levels", "dropout"):
        del said["detector"]["model"][name]
    file.write_text(json.dumps(said))
    digest = lambda text: hashlib.sha256(text.encode()).hexdigest()
    sums.write_text(sums.read_text().replace(digest(before), digest(file.read_text())))
    assert load_detector(tmp_path / "saved").spec == spec


def test_a_study_sees_levels_that_its_training_images_standardise(made):
    config, _ = made
    one = study_data.held_out(change(config, {"faces.methods": "warp,smooth"}), "warp")
    kept_features.check_whole(one)
    data = study_data.load(one)
    assert data.images.shape[1:] == (2 * (4 + 6),)
    np.testing.assert_allclose(np.mean(data.images, axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(np.std(data.images, axis=0), 1, atol=1e-3)


def test_a_study_trains_and_adapts_heads_on_levels(made, tmp_path):
    config, _ = made
    same = ("model.backbone", "model.levels", "model.normalisation", "model.image_size", "model.weights",
            "learner.trainable", "run.feature_cache", "run.iterations", "faces.folder", "faces.landmarks",
            "faces.variants", "episodes.tasks", "episodes.shots", "episodes.queries", "run.log_every",
            "run.checkpoint_every")  # fmt: skip
    said = {name: value for name, _, value in fields_of(config)}
    asked = change(STUDY, {**{name: said[name] for name in same}, "faces.methods": "smooth,resample,warp"})
    options = study.Options(
        study="what_adapts", methods="erm+head,anil", target="smooth", seeds=1, shots="1,2", steps="0,1",
        episodes=20, tuning=20, resamples=20, workers=1, workdir=str(tmp_path / "study"),
    )  # fmt: skip
    report = study.run(options, asked, quiet=True)
    assert {row["method"] for row in report["rows"]} >= {"erm+head", "anil"}
    assert not report.get("failures")


@pytest.mark.parametrize("pattern", ["", "^(block2|head)", "standardise|head"])
def test_more_than_the_head_is_one_line(pattern, weights, tmp_path):
    config = change(CONFIG, {"model.weights": str(weights), "learner.trainable": pattern})
    with pytest.raises(InputError, match=r"with --model.levels the network .* Give --learner.trainable='\^head/'"):
        meta_train.run(config, tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()
