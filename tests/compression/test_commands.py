"""`metaforge distill` and `metaforge prune`, on toys: what they write is a detector, and a kill changes nothing."""

import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from metaforge.backbones import choice
from metaforge.backbones.efficientnet._plan import LITE0, PLANS, Stage
from metaforge.backbones.spec import BackboneSpec
from metaforge.cli import distill, prune
from metaforge.compression import agreeing, head, saving, teaching
from metaforge.compression.images import of_folder
from metaforge.compression.shrinking import matched
from metaforge.compression.spec import TeachingSpec
from metaforge.compression.teaching import Lessons, distillation, taught
from metaforge.errors import InputError
from metaforge.evaluation.calibration import Bands, Calibration, Judge
from metaforge.screening import Detector, load_detector, save_detector, saved_detector
from metaforge.screening.portable import onnx_of, read_onnx

SIZE = 32
JUDGE = Judge(Calibration(2.0, 0.5), Bands(0.3, 0.8, {}), None)
LITE = BackboneSpec(
    image_size=SIZE, backbone="efficientnet_lite0", hidden="4,16,16", normalisation="frozen", levels="1,2"
)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    stages = (Stage(1, 3, 1, 1, 4), Stage(2, 5, 2, 4, 8))
    monkeypatch.setitem(PLANS, "efficientnet_lite0", LITE0._replace(stages=stages, stem=4, top=8))
    choice._shapes.cache_clear()
    yield
    choice._shapes.cache_clear()


def detector_of(spec, seed=0, **about):
    rng = np.random.default_rng(seed)
    draw = lambda path, leaf: jnp.asarray(
        rng.uniform(0.5, 1.5, leaf.shape) if path[-1].key in ("variance", "scale") else rng.normal(size=leaf.shape),
        jnp.float32,
    )
    params = jax.tree_util.tree_map_with_path(draw, choice.shapes(spec))
    context = rng.integers(0, 256, (2, spec.image_size, spec.image_size, 3), np.uint8)
    rule = {"optimizer": "sgd", "rate": 0.1, "steps": 1, "adaptable": "", "trainable": "^head/"}
    return Detector(params, context, spec, {"learner": "erm", "adaptation": "none", "rule": rule, **about})


@pytest.fixture
def folder(tmp_path):
    """Eight people in real/ and fake/, crops of other sizes than the networks take."""
    rng = np.random.default_rng(3)
    for kind in ("real", "fake"):
        (tmp_path / "faces" / kind).mkdir(parents=True)
        for person in range(8):
            pixels = rng.integers(0, 256, (20, 20, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "faces" / kind / f"{person}.png")
    return tmp_path / "faces"


def told(monkeypatch, steps):
    """Kills the work after so many steps."""
    real, count = teaching.np.random.default_rng, iter(range(10**6))

    def rng(seed=None):
        if isinstance(seed, list) and len(seed) == 2 and seed[1] < 10 and next(count) >= steps:
            raise KeyboardInterrupt
        return real(seed)

    monkeypatch.setattr(teaching.np.random, "default_rng", rng)


def test_a_soft_target_s_loss_by_hand():
    # T = 2: softmax(0, 1) against softmax(.5, 0), times 4.
    p, q = np.exp([0, 1]) / np.exp([0, 1]).sum(), np.exp([0.5, 0]) / np.exp([0.5, 0]).sum()
    found = distillation(jnp.array([[1.0, 0.0]]), jnp.array([2.0]), temperature=2.0)
    np.testing.assert_allclose(found, [4 * np.sum(p * np.log(p / q))], rtol=1e-5)


def test_at_a_high_temperature_it_is_the_squared_difference_of_logits():
    # Hinton et al., section 2.1: of two classes (d / T)^2 / 8, times T^2.
    found = distillation(jnp.array([[0.0, 3.0]]), jnp.array([1.0]), temperature=300.0)
    np.testing.assert_allclose(found, [(3.0 - 1.0) ** 2 / 8], rtol=1e-2)


def test_features_of_another_size_are_taught_through_a_matrix():
    from metaforge.backbones import mlp

    seen = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
    student = mlp(hidden=(), outputs=2, neck=2)
    begun = student.init(jax.random.key(0), seen)
    wanted = seen @ np.array([[1, 0, 1, 2], [0, 1, 1, -1], [0, 0, 0, 0]], np.float32)  # of rank 2
    how = TeachingSpec(steps=300, rate=0.05, batch=64, logits=0.0, features=1.0)
    ended = taught(student, begun, Lessons(seen, features=wanted), how)
    found = np.asarray(student.apply(ended, seen).embeddings)
    best = np.linalg.lstsq(np.c_[found, np.ones(64)], wanted, rcond=None)[0]
    assert np.abs(np.c_[found, np.ones(64)] @ best - wanted).max() < 0.1
    assert jax.tree.structure(ended) == jax.tree.structure(begun)


def test_statistics_are_matched():
    rng = np.random.default_rng(0)
    params = {"standardise": {"mean": rng.normal(size=3), "scale": rng.uniform(1, 2, 3)}}
    raw = rng.normal(size=(50, 3))
    of = lambda statistics: (raw - statistics["mean"]) / statistics["scale"]
    wanted = 3 * rng.normal(size=(50, 3)) + 1
    found = of(matched(params, of(params["standardise"]), wanted)["standardise"])
    np.testing.assert_allclose(found.mean(axis=0), wanted.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(found.std(axis=0), wanted.std(axis=0), rtol=1e-5)


def test_agreement_of_two_people_by_hand():
    teacher, student = np.array([1.0, -1.0, 2.0, -2.0]), np.array([1.0, 1.0, 2.0, -2.0])
    found = agreeing.compared(teacher, student, np.array(["a", "a", "b", "b"]), np.array([1, 0, 1, 0]))
    p, q = 1 / (1 + np.exp(1.0)), 1 / (1 + np.exp(-1.0))
    assert found["agreement"]["value"] == 0.75
    np.testing.assert_allclose(found["kl"]["value"], (p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))) / 4)
    assert (found["auc_teacher"]["value"], found["auc_student"]["value"]) == (1.0, 0.875)


def test_nobody_is_learned_from_and_judged_on(folder):
    faces = of_folder(str(folder), size=SIZE, crop="ffpp", crops=True, share=0.25, seed=0)
    assert len({*faces.people[faces.held]}) == 2
    assert not {*faces.people[faces.held]} & {*faces.people[~faces.held]}
    assert faces.labels is not None
    assert faces.labels.tolist() == [0] * 8 + [1] * 8
    assert faces.at(16).shape == (16, 16, 16, 3)


def test_two_detectors_teach_a_third(tmp_path, folder, monkeypatch, capsys):
    calibration = JUDGE.as_json()
    teachers = [detector_of(BackboneSpec(image_size=16, width=2), seed, calibration=calibration) for seed in (0, 1)]
    for name, teacher in zip("ab", teachers, strict=True):
        save_detector(tmp_path / name, teacher)
    out = tmp_path / "student"
    words = [
        "distill", f"--teachers={tmp_path / 'a'},{tmp_path / 'b'}", f"--images={folder}", "--crops=true",
        f"--out={out}", "--model.image_size=20", "--model.width=2", "--teaching.steps=4", "--teaching.batch=4",
        "--teaching.checkpoint_every=2", "--teaching.labels=0.5",
    ]  # fmt: skip
    with monkeypatch.context() as killed:
        told(killed, 3)
        assert distill.main(words) == 130
    assert not out.exists()
    assert distill.main(words) == 0
    assert "taught 4 steps" in capsys.readouterr().out
    assert not out.with_name("student.unfinished").exists()
    straight = tmp_path / "straight"
    assert distill.main([word.replace(str(out), str(straight)) for word in words]) == 0
    found, other = load_detector(out), load_detector(straight)
    jax.tree.map(np.testing.assert_array_equal, found.params, other.params)
    # Its verdicts: its own logits are calibrated, and the thresholds the teachers'.
    assert found.judge is not None
    assert (found.judge.calibration, found.judge.bands) == (Calibration(), Bands(0.3, 0.8, {}))
    report = json.loads((out / "report.json").read_text())
    assert report["held_out"]["people"] == 2
    assert report["before"]["parameters"] == 2 * report["after"]["parameters"]  # 16 and 20 pixels are pooled to one
    # Adapting and ONNX take it.
    assert saved_detector.load(out).rule["optimizer"] == "adam"
    images = np.random.default_rng(0).integers(0, 256, (3, 20, 20, 3), np.uint8)
    onnx = read_onnx(onnx_of(found), "student")
    np.testing.assert_allclose(onnx.examine(images)[0], found.examine(images)[0], rtol=1e-3, atol=1e-3)


def test_unfinished_work_of_a_detector_that_became_another_is_not_gone_on_with(tmp_path, folder, monkeypatch, capsys):
    out, spec = tmp_path / "student", BackboneSpec(image_size=16, width=2)
    save_detector(tmp_path / "a", detector_of(spec))
    words = [
        "distill", f"--teachers={tmp_path / 'a'}", f"--images={folder}", "--crops=true", f"--out={out}",
        "--model.image_size=16", "--model.width=2", "--teaching.steps=4", "--teaching.batch=4",
    ]  # fmt: skip
    with monkeypatch.context() as killed:
        told(killed, 0)
        assert distill.main(words) == 130
    shutil.rmtree(tmp_path / "a")
    save_detector(tmp_path / "a", detector_of(spec, seed=1))
    assert distill.main(words) == 2
    assert "unfinished work" in capsys.readouterr().err.splitlines()[-1]


def test_a_pruned_detector_is_tuned_without_labels(tmp_path, folder, capsys):
    save_detector(tmp_path / "whole", detector_of(LITE, calibration=JUDGE.as_json()))
    out = tmp_path / "smaller"
    words = [
        "prune", f"--model={tmp_path / 'whole'}", f"--images={folder}", "--crops=true", f"--out={out}",
        "--share=0.5", "--teaching.steps=4", "--teaching.batch=4", "--head=kept",
    ]  # fmt: skip
    assert prune.main(words) == 0
    assert "4,8,8 channels" in capsys.readouterr().out
    whole, found = load_detector(tmp_path / "whole"), load_detector(out)
    assert found.spec.hidden == "4,8,8"
    assert found.params["block2"]["depthwise"]["kernel"].shape == (5, 5, 8)
    # The head is kept, and what it sees has the mean and deviation that it had.
    jax.tree.map(np.testing.assert_array_equal, found.params["head"], whole.params["head"])
    faces = of_folder(str(folder), size=SIZE, crop="ffpp", crops=True, share=0.2, seed=0)
    shown = faces.images[~faces.held]
    seen = [np.asarray(choice.choose(each.spec).apply(each.params, shown).embeddings) for each in (whole, found)]
    np.testing.assert_allclose(seen[1].mean(axis=0), seen[0].mean(axis=0), atol=2e-3)
    assert found.judge == JUDGE
    report = json.loads((out / "report.json").read_text())
    assert report["after"]["multiply_adds"] < report["before"]["multiply_adds"]
    assert saved_detector.load(out).config.model.hidden == "4,8,8"


def test_the_head_of_a_pruned_detector_learns_what_it_said(tmp_path, folder):
    made = detector_of(LITE, calibration=JUDGE.as_json())
    # Not so large that float32 takes its probabilities for 0.
    less = jax.tree.map(lambda leaf: 0.01 * leaf, made.params["head"])
    save_detector(tmp_path / "whole", made._replace(params={**made.params, "head": less}))
    out = tmp_path / "smaller"
    words = ["prune", f"--model={tmp_path / 'whole'}", f"--images={folder}", "--crops=true", f"--out={out}"]
    assert prune.main([*words, "--share=0.5", "--teaching.steps=0"]) == 0
    whole, found = load_detector(tmp_path / "whole"), load_detector(out)
    assert (found.prior, found.judge) == (None, Judge(Calibration(), JUDGE.bands, None))
    faces = of_folder(str(folder), size=SIZE, crop="ffpp", crops=True, share=0.2, seed=0)
    shown = faces.images[~faces.held]
    # Whatever the penalty, a ridge regression has the mean of what it was fitted to.
    said = JUDGE.weigh(whole.examine(shown)[0], None)[0]
    np.testing.assert_allclose(found.examine(shown)[0].mean(), said.mean(), rtol=1e-2)
    assert saved_detector.load(out).rule["optimizer"] == "sgd"


@pytest.mark.parametrize("penalty", [1e-3, 10.0])
def test_a_taught_head_s_penalty_is_the_one_that_leaving_out_would_choose(penalty, monkeypatch):
    rng = np.random.default_rng(0)
    seen = rng.normal(size=(12, 5))
    said = seen @ rng.normal(size=5) + rng.normal(size=12)

    def fitted(rows, own):
        middle, mean = seen[rows].mean(axis=0), said[rows].mean()
        of = seen[rows] - middle
        # The penalty that is meant is that of all images.
        unit = np.sum((seen - seen.mean(axis=0)) ** 2) / 5
        weights = np.linalg.solve(of.T @ of + own * unit * np.eye(5), of.T @ (said[rows] - mean))
        return weights, mean - middle @ weights

    every = np.arange(12)
    errors = {}
    for own in (penalty, 100.0):
        left = [said[i] - seen[i] @ w - b for i in every for w, b in [fitted(np.delete(every, i), own)]]
        errors[own] = np.sum(np.square(left))
    best = min(errors, key=lambda own: errors[own])
    monkeypatch.setattr(head, "PENALTIES", (penalty, 100.0))
    found, (weights, bias) = head.taught_head(seen, said), fitted(every, best)
    np.testing.assert_allclose(found.weights, weights, rtol=1e-4)
    np.testing.assert_allclose(found.bias, bias, rtol=1e-4)


@pytest.mark.parametrize("images", [1, 3])
def test_features_that_never_move_have_a_head_that_says_the_mean(images):
    said = np.arange(images) + 2.0
    found = head.taught_head(np.ones((images, 5)), said)
    np.testing.assert_array_equal(found.weights, np.zeros(5))
    assert float(found.bias) == said.mean()


def test_unfinished_work_stands_beside_a_folder_whose_name_ends_with_a_slash(tmp_path):
    with saving.unfinished(f"{tmp_path / 'out'}/", {}) as run:
        assert run.directory == tmp_path / "out.unfinished"


def test_unfinished_work_of_others_is_said_in_words_of_the_command(tmp_path, monkeypatch):
    opened = lambda steps: saving.unfinished(f"{tmp_path / 'out'}", {"steps": steps}).__enter__()
    opened(1)
    with pytest.raises(InputError, match=r"other settings, .* \(steps: 1 there, 2 asked\)\. Delete it") as other:
        opened(2)

    def busy(*_, **__):
        raise InputError("workdir: another process is writing to it. Wait for it, or choose another --workdir.")

    monkeypatch.setattr("metaforge.runs.directory.lock_directory", busy)
    # Nobody is told to delete what another process is at.
    with pytest.raises(InputError, match=r"^out: another process .* choose another --out") as held:
        opened(1)
    assert "Delete" not in str(held.value)
    assert "workdir" not in str(other.value)


def test_a_share_of_nothing_is_the_same_detector(tmp_path, folder):
    save_detector(tmp_path / "whole", detector_of(LITE))
    out = tmp_path / "same"
    words = ["prune", f"--model={tmp_path / 'whole'}", f"--out={out}", "--share=0", f"--images={folder}"]
    assert prune.main([*words, "--crops=true", "--multiple=1"]) == 0
    jax.tree.map(np.testing.assert_array_equal, load_detector(out).params, load_detector(tmp_path / "whole").params)
    report = json.loads((out / "report.json").read_text())
    assert report["held_out"]["agreement"]["value"] == 1.0
    assert report["held_out"]["kl"]["value"] == 0.0


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--share=0.5"], "--images"),
        (["--share=1"], "share"),
        (["--share=0.5", "--images=nowhere"], "nowhere"),
        (["--teaching.labels=0.3", "--images={}"], "no labels"),
        (["--teaching.features=0", "--images={}", "--crops=true"], "nothing is left"),
        (["--teaching.steps=0", "--test_share=0.5"], "--images"),
    ],
)
def test_prune_says_first_what_cannot_work(tmp_path, folder, words, why, capsys):
    save_detector(tmp_path / "whole", detector_of(LITE))
    given = [f"--model={tmp_path / 'whole'}", f"--out={tmp_path / 'out'}", *(word.format(folder) for word in words)]
    assert prune.main(["prune", *given]) == 2
    said = capsys.readouterr().err
    assert why in said
    assert len(said.splitlines()) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"whole", "faces"}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--model.normalisation=episode"], "episode"),
        (["--teaching.logits=0"], "nothing is left"),
        (["--model.backbone=clip"], "image_size"),
        (["--teaching.labels=1", "--images={}/real"], "no labels"),
        (["--teachers=,"], "teachers"),
        (["--faces.methods=swap"], "--faces says nothing"),
        (["--images=", "--crops=true"], "--crops=true: it is of the folder"),
    ],
)
def test_distill_says_first_what_cannot_work(tmp_path, folder, words, why, capsys):
    save_detector(tmp_path / "a", detector_of(BackboneSpec(image_size=16, width=2)))
    given = [f"--teachers={tmp_path / 'a'}", f"--images={folder}", "--crops=true", f"--out={tmp_path / 'out'}"]
    assert distill.main(["distill", *given, *(word.format(folder) for word in words)]) == 2
    said = capsys.readouterr().err
    assert why in said
    assert len(said.splitlines()) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"a", "faces"}
