"""Another backbone than Conv4 in train, adapt and predict: what moves, what does not, where the rest comes from."""

import csv
import dataclasses
import io
import json

import jax
import numpy as np
import pytest
from PIL import Image

from experiments.study import data as study_data
from experiments.study import methods as study_methods
from experiments.study import models as study_models
from experiments.study import results as study_results
from experiments.study import running as study
from experiments.study.config import STUDY
from metaforge import runs
from metaforge.backbones import choice
from metaforge.backbones.depths import depth_weights
from metaforge.backbones.efficientnet._plan import PLANS
from metaforge.cli import adapt, export, predict, train
from metaforge.core.averaging import average_of
from metaforge.core.param_paths import merge
from metaforge.errors import InputError
from metaforge.screening import closed_form, forgetting, from_run, load_detector, save_detector
from metaforge.settings import change, fields_of
from metaforge.training import build, kept_features, meta_train, probing, trainable
from metaforge.training.config import FINE_TUNED, STRONG
from tests.backbones.test_efficientnet import TINY_LITE, file_of
from tests.experiments.conftest import TINY

CONFIG = change(
    TINY,
    {
        "model.backbone": "efficientnet_lite0",
        "learner.trainable": "^head/",
        "model.normalisation": "frozen",
        "model.image_size": 32,
        "learner.name": "fomaml",
        "run.baseline": False,
        "model.convolution": "auto",
        "run.iterations": 4,
        "run.eval_every": 4,
        "model.neck": 3,
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
    """A run that moves the head alone, on weights of a file."""
    config = change(CONFIG, {"model.weights": str(weights)})
    folder = tmp_path_factory.mktemp("runs") / "head"
    meta_train.run(config, folder, quiet=True)
    return config, folder


def test_only_the_head_moves_and_the_rest_is_the_file_s(made):
    config, folder = made
    run = from_run.load_run(folder)
    before = build.all_params(config)
    after = merge(run.params, run.frozen)
    moved = {
        name for name in before
        if any(np.any(np.asarray(a) != np.asarray(b))
               for a, b in zip(jax.tree.leaves(before[name]), jax.tree.leaves(after[name]), strict=True))
    }  # fmt: skip
    assert moved == {"head"}
    assert [name for name in run.params if jax.tree.leaves(run.params[name])] == ["head"]
    # What was drawn at random and never moves is kept; what the file brings is not.
    with np.load(folder / "frozen.npz") as archive:
        assert {name.split("/")[0] for name in archive} == {"neck"}


def test_a_detector_holds_what_its_file_does_not_and_scores_alike(made, weights, tmp_path, capsys):
    _, folder = made
    run = from_run.load_run(folder)
    images = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), np.uint8)
    detector = from_run.detector(run, support=images[:4], labels=np.array([0, 0, 1, 1]))
    save_detector(tmp_path / "saved", detector)
    again = load_detector(tmp_path / "saved")
    np.testing.assert_array_equal(again(images), detector(images))
    moved = tmp_path / "elsewhere.pth"
    weights.rename(moved)
    try:
        with pytest.raises(InputError, match="needs them; say where with --weights"):
            load_detector(tmp_path / "saved")
        np.testing.assert_array_equal(load_detector(tmp_path / "saved", weights=str(moved))(images), detector(images))
        Image.fromarray(images[0]).save(tmp_path / "a.png")
        assert predict.main(["predict", f"--model={tmp_path / 'saved'}", f"--weights={moved}",
                             f"--images={tmp_path / 'a.png'}", "--crops"]) == 0  # fmt: skip
        (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
        assert float(row["p_fake"]) == pytest.approx(float(detector(images[:1])[0]), abs=1e-5)
        with pytest.raises(InputError, match="weights: cannot read"):
            from_run.load_run(folder)
    finally:
        moved.rename(weights)


def test_kept_features_train_the_same_detector_and_are_made_once(made, tmp_path, monkeypatch):
    config, folder = made
    keeping = change(config, {"run.feature_cache": str(tmp_path / "features")})
    meta_train.run(keeping, tmp_path / "run", quiet=True)
    plain, kept = from_run.load_run(folder), from_run.load_run(tmp_path / "run")
    assert kept.config == plain.config
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-2, atol=2e-3), kept.params, plain.params)
    jax.tree.map(np.testing.assert_array_equal, kept.frozen, plain.frozen)
    # Another learner on the same images, and a run that goes on, make none anew.
    monkeypatch.setattr(kept_features, "BATCH", 0)
    other = change(keeping, {"learner.name": "anil", "run.seed": 1, "run.iterations": 2, "learner.average": 0.9})
    meta_train.run(change(other, {"learner.trainable": "^head/"}), tmp_path / "other", quiet=True)
    with pytest.raises((ValueError, ZeroDivisionError)):
        meta_train.run(change(other, {"learner.trainable": "^(top|head)"}), tmp_path / "deeper", quiet=True)


def test_fusion_trains_over_kept_maps_and_goes_into_the_detector(weights, tmp_path):
    differs = {"model.weights": str(weights), "model.neck": 0, "model.fusion": "0,2", "model.fusion_width": 4,
               "learner.trainable": "^(fusion|head)/", "run.feature_cache": str(tmp_path / "features")}  # fmt: skip
    meta_train.run(change(CONFIG, differs), tmp_path / "run", quiet=True)
    run = from_run.load_run(tmp_path / "run")
    assert {name for name in run.params if jax.tree.leaves(run.params[name])} == {"fusion", "head"}
    assert not (tmp_path / "run" / "frozen.npz").exists()  # all that stays is the file's
    images = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), np.uint8)
    detector = from_run.detector(run, support=images[:4], labels=np.array([0, 0, 1, 1]))
    save_detector(tmp_path / "saved", detector)
    again = load_detector(tmp_path / "saved")
    np.testing.assert_array_equal(again(images), detector(images))
    given = depth_weights(again.spec, again.params, images)
    np.testing.assert_allclose(given.sum(axis=1), 1, rtol=1e-5)
    assert np.any(given != 0.5)
    # What a head in closed form stands on is what is fused.
    fused = jax.jit(choice.choose(run.config.network).apply)(merge(run.params, run.frozen), images).embeddings
    np.testing.assert_allclose(closed_form.embedder(run)(images), fused, rtol=1e-5, atol=1e-6)
    assert fused.shape == (6, 4)


def test_a_study_of_kept_features_scores_what_the_whole_network_says_of_the_images(weights, tmp_path):
    shared = ("model.backbone", "model.normalisation", "model.image_size", "run.iterations")
    said = {name: value for name, _, value in fields_of(CONFIG)}
    config = change(
        STUDY,
        {
            **{name: said[name] for name in shared},
            "model.weights": str(weights),
            "learner.trainable": "^(top|head)",
            "run.feature_cache": str(tmp_path / "features"),
            "run.log_every": 2,
            "run.checkpoint_every": 4,
            "episodes.tasks": 2,
            "episodes.shots": 2,
            "episodes.queries": 3,
            "faces.variants": 2,
            "faces.methods": "smooth,resample,warp",
            "episodes.lead": "warp",
            "learner.average": 0.9,
        },
    )
    options = study.Options(
        study="what_adapts", methods="erm+head,anil", target="smooth", seeds=1, shots="1,2", steps="0,1",
        episodes=20, tuning=20, resamples=20, workers=1, workdir=str(tmp_path / "study"),
    )  # fmt: skip
    report = study.run(options, config, quiet=True)
    assert {row["method"] for row in report["rows"]} == {"erm+finetune", "erm+head", "anil"}
    for name in ("erm+head", "anil"):
        method = study_methods.METHODS[name]
        asked = method.trained(study_data.held_out(config, "smooth"))
        run = runs.Run(study_results.model_path(options.workdir, "smooth", method, 0), dataclasses.asdict(asked))
        params = study_models.train(asked, study_data.load(asked), run)
        assert not np.array_equal(
            params["head"]["kernel"], run.resume(study_models.initial(asked))[1].params["head"]["kernel"]
        )
        # Without a step a model says of an image what the whole network does, pixels to logits.
        plain = kept_features.without(asked)
        every = merge(params, trainable.part(plain, build.all_params(plain))[1])
        apply = jax.jit(lambda images, every=every, plain=plain: build.model(plain).apply(every, images).logits)
        test = build.test_split(plain)
        whole = test.score(lambda images, apply=apply: np.asarray(jax.nn.softmax(apply(images))[:, 1]))
        rows, scores = study_results.read_result(study_results.result_path(options.workdir, "smooth", name, 0))
        expected = whole[study_data.query_sets(asked, test, episodes=20)]
        for row, found in zip(rows, scores, strict=True):
            close = np.allclose(found, expected, rtol=5e-3, atol=5e-3)
            assert close == (row["steps"] == 0)


RECIPES = {
    "fine_tuned": (FINE_TUNED, {"learner.trainable": "^(top|head)", "run.iterations": 4}, ("--steps=1", "--rate=0.1")),
    "strong": (STRONG, {"model.levels": "0,2"}, ()),
}


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_for_large_faces_trains_adapts_remembers_and_screens(weights, few_people, tmp_path, name):
    recipe, own, how = RECIPES[name]
    rng = np.random.default_rng(0)
    for label in ("real", "fake"):
        (tmp_path / "new" / label).mkdir(parents=True)
        for count in range(8):
            Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(tmp_path / "new" / label / f"{count}.png")
    small = {
        "model.weights": str(weights),
        "run.feature_cache": str(tmp_path / "features"),
        "model.image_size": 32,
    }
    few = {
        "faces.variants": 1,
        "episodes.shots": 2,
        "episodes.queries": 2,
        "run.log_every": 2,
        "run.eval_every": 4,
        "run.eval_batches": 1,
    }
    changes = {**small, **few, **own, "run.checkpoint_every": 4}
    assert (
        changes.keys()
        & {
            "learner.name",
            "episodes.lead",
            "faces.acquisitions",
            "model.normalisation",
            "learner.average",
            "faces.methods",
        }
        == set()
    )
    config = change(recipe, changes)
    assert train.main(["train", f"--preset={name}", f"--workdir={tmp_path / 'run'}",
                       *(f"--{name}={value}" for name, value in changes.items())]) == 0  # fmt: skip
    run = from_run.load_run(tmp_path / "run")
    assert run.config == kept_features.without(config)
    paths = {"run": tmp_path / "run", "target": tmp_path / "new", "out": tmp_path / "out"}
    assert adapt.main(["adapt", *(f"--{name}={path}" for name, path in paths.items()),
                       "--crops", "--shots=2", "--draws=2", "--remembers", "--force", *how]) == 0  # fmt: skip
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    domains = set(build.records(config, split="validation").by_domain())
    assert report["remembered"].keys() == {*domains, forgetting.ALL}
    assert len(domains) >= len(build.methods(config)[0])
    detector = load_detector(tmp_path / "out")
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
    # Frozen statistics: what a detector says of an image depends on no other.
    # Beside other images, in a batch of the same size: another size would be another program.
    beside = [np.where(np.arange(4)[:, None, None, None] == i, images, np.uint8(0)) for i in range(4)]
    alone = np.concatenate([detector(each)[i : i + 1] for i, each in enumerate(beside)])
    np.testing.assert_allclose(detector(images), alone, atol=1e-5)
    assert np.ptp(alone) > 0
    # What is passed on is small, and adapts to the same detector.
    assert export.main(["export", f"--run={tmp_path / 'run'}", f"--out={tmp_path / 'exported'}"]) == 0
    assert (
        adapt.main(
            [
                "adapt",
                f"--run={tmp_path / 'exported'}",
                f"--target={tmp_path / 'new'}",
                "--shots=2",
                "--crops",
                "--draws=2",
                "--force",
                *how,
                f"--out={tmp_path / 'again'}",
            ]
        )
        == 0
    )
    np.testing.assert_allclose(load_detector(tmp_path / "again")(images), detector(images), atol=1e-5)


def test_an_average_is_what_is_judged_and_kept(made, tmp_path):
    config, _ = made
    config = change(config, {"learner.average": 0.9, "run.iterations": 2, "run.eval_every": 2})
    meta_train.run(config, tmp_path / "run", quiet=True)
    state = runs.restore(tmp_path / "run", jax.eval_shape(lambda: probing.initial(config)))
    run = from_run.load_run(tmp_path / "run")
    jax.tree.map(np.testing.assert_array_equal, run.params, average_of(state.opt_state))
    assert np.any(run.params["head"]["kernel"] != state.params["head"]["kernel"])


def test_other_weights_than_a_run_began_with_are_refused(made, weights, tmp_path):
    config, folder = made
    content = weights.read_bytes()
    weights.write_bytes(b"of another")
    try:
        with pytest.raises(InputError, match=r"is not the file that the run in .* began with"):
            meta_train.run(config, folder, quiet=True)
        with pytest.raises(InputError, match="is not the file"):
            from_run.load_run(folder)
    finally:
        weights.write_bytes(content)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"learner.trainable": "^tail/"}, "--learner.trainable: no parameter's path has"),
        ({"learner.name": "anil", "learner.trainable": "^head/bias"}, "anil makes its own head"),
        (
            {"learner.name": "maml", "learner.adaptable": "Convolution", "learner.trainable": "^head/"},
            "--learner.adaptable among those that",
        ),
        (
            {"model.backbone": "clip", "model.normalisation": "support"},
            "--model.normalisation=support: clip has only none",
        ),
        (
            {"learner.trainable": "", "run.feature_cache": "features"},
            "--run.feature_cache=features: everything is trained",
        ),
        (
            {"learner.trainable": "stem|head", "run.feature_cache": "features"},
            "no first part stays as it is for every image",
        ),
        ({"model.normalisation": "support", "run.feature_cache": "features"}, "no first part stays"),
        ({"learner.average": 1.0}, "--learner.average=1.0: give a number, at least 0 and below 1"),
        ({"model.dropout": 0.5}, "--model.dropout=0.5: efficientnet_lite0 has none"),
        ({"model.dropout": 1.0}, "--model.dropout=1.0: give a number, at least 0 and below 1"),
        ({"model.backbone": "conv4", "model.weights": "imagenet", "model.normalisation": "support"}, "conv4 has none"),
    ],
)
def test_what_does_not_fit_is_one_line_before_anything_is_written(changes, line, weights, tmp_path):
    given = {"model.weights": str(weights)} | changes
    config = change(CONFIG, given)
    with pytest.raises(InputError, match=line):
        meta_train.run(config, tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()
