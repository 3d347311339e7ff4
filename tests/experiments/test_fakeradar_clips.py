"""FakeRadar on clips, in the paper's preset on a tiny tower: what moves, going on to the same bits, the report."""

import dataclasses
import json
import shutil

import jax
import numpy as np
import pytest
from PIL import Image

from experiments.fakeradar.clips import __main__ as command
from experiments.fakeradar.clips import inputs, running, training
from experiments.fakeradar.clips import programs as programs_of
from experiments.fakeradar.clips.config import PRESETS
from experiments.fakeradar.clips.films import make_films
from metaforge import runs
from metaforge.data.embedded_faces import embedded_faces

SMALL = {
    "tower": "tiny", "image_size": 32, "landmarks": "none", "methods": "warp,smooth", "unseen": "splice",
    "variants": 1, "film_frames": 14, "adapter_width": 4, "neck": 4, "head": "quadratic", "slots": 4, "bank": 32,
    "outliers": 4, "epochs": 3, "epoch_steps": 2,
}  # fmt: skip
"""The paper's preset, shrunk."""


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    for face in embedded_faces("lfw", size=32)[:10]:
        Image.fromarray(face.image).save(folder / f"{face.name}.png")
    return folder


@pytest.fixture(scope="module")
def flags(photographs):
    return ["--preset=paper", f"--faces={photographs}", *(f"--{name}={value}" for name, value in SMALL.items())]


@pytest.fixture(scope="module")
def finished(tmp_path_factory, flags):
    folder = tmp_path_factory.mktemp("clips") / "runs"
    assert command.main(["clips", f"--workdir={folder}", *flags]) == 0
    return folder


def config_of(photographs, **changes):
    return dataclasses.replace(PRESETS["paper"], faces=str(photographs), **SMALL | changes)


def test_the_presets_can_be_and_the_first_is_what_is_known_of_the_paper():
    for preset in PRESETS.values():
        preset.check()
    paper = PRESETS["paper"]
    assert (paper.tower, paper.image_size, paper.clips, paper.frames) == ("ViT-B/16", 224, 4, 12)
    assert (paper.batch, paper.outliers, paper.lr, paper.epochs) == (16, 16, 1e-4, 60)
    assert (paper.contrastive, paper.cls, paper.adapted_blocks) == (1.0, 0.5, 0)


def test_the_report_has_the_auc_of_films_on_seen_and_unseen_methods(finished):
    report = json.loads((finished / "report.json").read_text())
    assert {*report["unseen"]["methods"]} == {"splice"}
    assert {*report["seen"]["methods"]} == {"warp", "smooth"}
    one = report["unseen"]["methods"]["splice"]
    assert one["full_minus_binary"]["value"] == pytest.approx(
        one["auc"]["full"]["value"] - one["auc"]["binary"]["value"]
    )
    assert report["films"]["train"]["people"] + report["films"]["test"]["people"] < 10  # validation people are left out
    assert report["steps"] == 6
    text = (finished / "report.md").read_text()
    assert "| **unseen, mean** |" in text
    assert "4 clips of each" in text


def test_people_of_test_films_are_in_no_other_and_pairs_share_their_coding(finished):
    rows = {name: json.loads((finished / "films" / name / "films.json").read_text()) for name in ("train", "test")}
    assert not {row["identity"] for row in rows["train"]} & {row["identity"] for row in rows["test"]}
    for real, fake in zip(rows["train"][::2], rows["train"][1::2], strict=True):
        assert (real["label"], fake["label"]) == (0, 1)
        assert (real["crf"], real["photograph"]) == (fake["crf"], fake["photograph"])


def test_the_first_epoch_has_no_outliers_and_the_next_ones_have(finished):
    rows = runs.read_rows(finished / "full-seed0")
    assert [row["step"] for row in rows] == [2, 4, 6]
    assert rows[0]["loss/contrastive"] == 0 < rows[1]["loss/contrastive"]
    assert {"clusters/real", "clusters/warp", "clusters/smooth"} < {*rows[1]}
    assert all("clusters" not in row for row in runs.read_rows(finished / "binary-seed0"))


def test_adapters_and_head_move_and_of_the_tower_there_is_neither_gradient_nor_state(finished, photographs):
    made = programs_of.programs(config_of(photographs), "full", 3, 6)
    before = made.begin(jax.random.key(0))
    after = runs.restore(finished / "full-seed0", before)
    size = lambda tree: sum(leaf.size for leaf in jax.tree.leaves(tree))
    moments = [part for part in after.opt_state if hasattr(part, "mu")]
    assert {*after.params} == {"adapters", "neck", "head"}
    assert [size(part.mu) for part in moments] == [size(after.params)]
    tower = made.tower()
    assert {*tower} == {"vision"}
    # Every adapter but the last, which nothing looks at behind it (`STAdapter`).
    moved = lambda block, place: np.any(after.params["adapters"][block][place]["conv"]["kernel"])
    assert [moved("00", "attention"), moved("00", "mlp"), moved("01", "attention")] == [True] * 3
    assert not np.array_equal(*(state.params["neck"]["kernel"] for state in (before, after)))


def test_a_killed_run_goes_on_to_the_same_bits(finished, flags, tmp_path, monkeypatch):
    folder = tmp_path / "runs"
    shutil.copytree(finished, folder)
    shutil.rmtree(folder / "full-seed0")
    whole = runs.Run.log

    def dies(run, row):
        whole(run, row)
        if row["step"] == 6:
            raise KeyboardInterrupt

    monkeypatch.setattr(runs.Run, "log", dies)
    assert command.main(["clips", f"--workdir={folder}", *flags]) == 130
    assert runs.latest_step(folder / "full-seed0") == 4
    monkeypatch.setattr(runs.Run, "log", whole)
    assert command.main(["clips", f"--workdir={folder}", *flags]) == 0
    for name in ("full-seed0", "binary-seed0"):
        np.testing.assert_array_equal(*(np.load(place / name / "test_log_odds.npy") for place in (finished, folder)))
    drop = lambda place: [{k: v for k, v in row.items() if k != "seconds"} for row in runs.read_rows(place)]
    assert drop(finished / "full-seed0") == drop(folder / "full-seed0")


def test_a_batch_is_half_real_and_depends_on_its_step_alone(finished, photographs):
    config = config_of(photographs)
    films = make_films(config, finished / "films", quiet=True)["train"]
    look = inputs.from_files(config, films)
    whole = list(inputs.batches(config, films, look, seed=3, step=0, count=3))
    alone = next(inputs.batches(config, films, look, seed=3, step=2, count=1))
    np.testing.assert_array_equal(whole[2].inputs, alone.inputs)
    assert alone.inputs.shape == (16, 12, 32, 32, 3)
    assert alone.label.tolist() == [0] * 8 + [1] * 8
    assert ((alone.kind == 0) == (alone.label == 0)).all()
    assert (whole[0].inputs != whole[1].inputs).any()


def test_kept_tokens_score_as_the_clips_they_were_made_of(finished, photographs, tmp_path):
    scores = []
    for keep in (False, True):
        config = config_of(photographs, adapted_blocks=1, keep=keep)
        films = make_films(config, finished / "films", quiet=True)["test"]
        made = programs_of.programs(config, "binary", 3, 6)
        frozen = made.tower()
        look = running.look_of(config, films, made, frozen, tmp_path / "tokens", quiet=True)
        params = jax.tree.map(
            lambda leaf: leaf + 0.1 * jax.random.normal(jax.random.key(1), leaf.shape),
            made.begin(jax.random.key(0)).params,
        )
        scores.append(training.score(made, frozen, params, films, look))
    assert np.ptp(scores[0]) > 0.01
    np.testing.assert_allclose(*scores, atol=0.02 * np.ptp(scores[0]) + 2e-3)  # tokens are kept in half precision


def test_bad_input_is_one_line_before_the_work(flags, tmp_path, capsys):
    cases = {
        "--tower=ViT-B/16": "--weights: none were given. Give the safetensors file of CLIP's ViT-B/16",
        "--image_size=34": "--image_size=34: the tower has patches of 16 pixels",
        "--batch=12": "--batch=12: give a multiple of 8",
        "--film_frames=11": "--film_frames=11: a clip has 12 frames",
        "--keep=true": "Give --adapted_blocks",
        "--adapted_blocks=3": "give at most 2 of 2 blocks",
        "--rows=all": "unknown 'all'; known: full, binary",
        "--methods=blur": "--methods=blur: give some of self_blend",
        "--unseen=warp": "'warp' is a source method too",
        "--slots=2": "--slots=2: give one at least for real and each source, 3",
        "--weights=missing.safetensors": "the tower 'tiny' is random",
    }
    for flag, said in cases.items():
        assert command.main(["clips", f"--workdir={tmp_path / 'x'}", *flags, flag]) == 2
        assert said in capsys.readouterr().err
    few = tmp_path / "few"
    few.mkdir()
    for face in embedded_faces("lfw", size=32)[:5]:
        Image.fromarray(face.image).save(few / f"{face.name}.png")
    assert command.main(["clips", f"--workdir={tmp_path / 'x'}", *flags, f"--faces={few}"]) == 2
    assert "5 people are too few" in capsys.readouterr().err
    weights = [f"--workdir={tmp_path / 'x'}", *flags, "--tower=ViT-B/16", "--weights=missing.safetensors"]
    assert command.main(["clips", *weights]) == 2
    assert "there is no file 'missing.safetensors'" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
