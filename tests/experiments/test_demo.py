"""The demo, at a tiny size: one table, its files, and going on where it was interrupted."""

import json

import numpy as np
import pytest
from PIL import Image

from experiments.demo import __main__ as demo_command
from experiments.demo import photographs
from metaforge.errors import InputError
from metaforge.screening import from_run
from metaforge.training import meta_train

FLAGS = [
    *("--seeds=2", "--draws=2", "--target=smooth", "--faces.methods=all", "--faces.variants=1"),
    *("--model.image_size=16", "--model.width=4", "--episodes.tasks=2", "--episodes.shots=1", "--episodes.queries=2"),
    *("--run.iterations=4", "--run.log_every=2", "--run.eval_every=2", "--run.checkpoint_every=2"),
    *("--run.eval_batches=1", "--adapt.lr=0.1", "--adapt.steps=1", "--model.convolution=lax"),
]


class Detector:
    """A stand-in for the shipped detector, which takes long to compile: it says how blue a crop is."""

    image_size, crop = 32, "ffpp"

    def __init__(self, folder):
        assert (folder / "detector.safetensors").exists()

    judge = None

    def __call__(self, images, *, batch):
        return images[..., 2].mean(axis=(1, 2)) / 255

    def examine(self, images, *, batch):
        return np.log(self(images, batch=batch)), None


@pytest.fixture(scope="module")
def finished(few_people_throughout, tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "runs"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(photographs, "load_detector", Detector)
        assert demo_command.main(["demo", f"--workdir={folder}", *FLAGS]) == 0
    return folder


def test_the_demo_writes_a_table_with_intervals_and_the_two_figures(finished):
    report = json.loads((finished / "report.json").read_text())
    (one,) = report["targets"].values()
    assert set(one["auc"]) == {f"{n}, {k}" for n in ("maml", "daml", "erm") for k in from_run.states("support")}
    assert all(0 <= i["low"] <= i["value"] <= i["high"] <= 1 for i in one["auc"].values())
    text = (finished / "report.md").read_text()
    assert "| learner | no adaptation | support statistics | adapted | gain |" in text
    assert "synthesised" in text
    for name in ("loss_curves.png", "validation_curves.png"):
        assert (finished / name).read_bytes().startswith(b"\x89PNG")
    assert {p.name for p in finished.glob("*-seed*")} == {
        f"{n}-seed{s}" for n in ("maml", "daml", "erm") for s in (0, 1)
    }


def test_it_ends_by_scoring_the_faces_of_raw_photographs_and_draws_their_boxes(finished):
    rows = json.loads((finished / "report.json").read_text())["photographs"]["faces"]
    assert [(row["photograph"], row["is"]) for row in rows] == [
        ("astronaut", "real"), ("002_neutral", "real"), ("005_smiling", "real"), ("swapped", "fake"),
    ]  # fmt: skip
    images = photographs.photographs()
    for row in rows:
        name, (x0, y0, x1, y1) = row["photograph"], row["box"]
        assert 0 < x0 < x1 < 512
        assert 0 < y0 < y1 < 512
        with Image.open(finished / f"photograph_{name}.png") as drawn:
            changed = (np.asarray(drawn) != images[name]).any(axis=-1)
        assert changed[round(y0) : round(y1), round(x0)].mean() > 0.9
        changed[round(y0) - 1 : round(y1) + 2, round(x0) - 1 : round(x1) + 2] = False
        assert not changed.any()
    # The swapped face lies in the first person's photograph.
    assert np.abs(np.subtract(rows[1]["box"], rows[3]["box"])).max() < 20
    outside = (images["swapped"] == images["002_neutral"]).all(axis=-1)
    assert 0.6 < outside.mean() < 0.95
    text = (finished / "report.md").read_text()
    assert "## Raw photographs, by the shipped detector" in text
    assert "Of 4 faces" in text


def test_without_the_detector_s_extras_the_demo_says_so_and_ends(tmp_path, monkeypatch):
    def missing(folder):
        raise InputError("model: the package is not installed.")

    monkeypatch.setattr(photographs, "load_detector", missing)
    rows, why = photographs.screened(tmp_path)
    assert rows == []
    assert "not installed" in why
    assert "`make demo` installs" in why


def test_no_run_was_trained_or_chosen_on_the_target(finished):
    for folder in finished.glob("*-seed*"):
        report = json.loads((folder / "report.json").read_text())
        for images in report["data"]["images"].values():
            assert images
            assert "smooth" not in images
        assert not any("smooth" in line for line in (folder / "log.jsonl").read_text().splitlines())


def test_called_again_it_trains_nothing_says_the_same_and_names_its_files_and_three_commands(
    finished, monkeypatch, capsys
):
    before = json.loads((finished / "report.json").read_text())
    monkeypatch.setattr(meta_train, "_train", lambda *_, **__: pytest.fail("trained again"))
    monkeypatch.setattr(photographs, "load_detector", Detector)
    assert demo_command.main(["demo", f"--workdir={finished}", *FLAGS]) == 0
    assert json.loads((finished / "report.json").read_text())["targets"] == before["targets"]
    text = capsys.readouterr().out
    assert text.splitlines()[-1].startswith(f"Wrote {finished}/report.json")
    following = text.split("Next:")[1]
    assert [following.count(word) for word in ("experiments.show_domains", "cli adapt", "cli train")] == [1, 1, 1]


def test_an_unknown_target_is_one_line(tmp_path, capsys):
    assert demo_command.main(["demo", f"--workdir={tmp_path}", "--target=oops"]) == 2
    assert "known: self_blend" in capsys.readouterr().err


def test_learners_of_one_seed_see_the_same_episodes(finished):
    configs = [json.loads((finished / f"{n}-seed1" / "config.json").read_text()) for n in ("maml", "erm")]
    assert [c["learner"].pop("name") for c in configs] == ["maml", "erm"]
    assert configs[0] == configs[1]
