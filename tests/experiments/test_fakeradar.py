"""FakeRadar's ablation at a tiny size: a table, its figures, and going on where it was interrupted."""

import json
import shutil

import jax
import numpy as np
import pytest

from experiments.fakeradar import __main__ as fakeradar_command
from experiments.fakeradar import programs as programs_of
from experiments.fakeradar import running as fakeradar
from experiments.fakeradar.config import Config
from metaforge import runs
from metaforge.errors import InputError
from paper_figures import ablation_bars, clusters_over_training, outlier_map, outliers_taken_for_real

FLAGS = [
    "--target=swap", "--methods=warp,smooth", "--variants=2", "--image_size=16",
    "--width=4", "--neck=4", "--head=quadratic", "--slots=4", "--seeds=1",
    "--rows=full,no outliers", "--epochs=4", "--refresh_every=2", "--batch=8",
    "--outliers=4", "--checkpoint_every=1",
]  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fakeradar") / "runs"
    assert fakeradar_command.main(["fakeradar", f"--workdir={folder}", *FLAGS]) == 0
    return folder


def test_the_report_compares_every_row_with_the_binary_classifier(finished):
    report = json.loads((finished / "report.json").read_text())
    one = report["targets"]["swap"]
    assert set(one["auc"]) == {"full", "no outliers", "binary"}
    assert set(one["minus_binary"]) == {"full", "no outliers"}
    for row, found in one["minus_binary"].items():
        np.testing.assert_allclose(found["value"], one["auc"][row]["value"] - one["auc"]["binary"]["value"])
    text = (finished / "report.md").read_text()
    assert "| variant | AUC | minus binary |" in text
    assert "synthesised" in text


def test_nothing_of_the_target_is_in_the_logs_and_the_first_epoch_has_no_outliers(finished):
    rows = runs.read_rows(finished / "swap" / "full-seed0")
    assert [row["step"] for row in rows] == [2, 4, 6, 8]
    assert {name for name in rows[-1] if name.startswith("clusters/")} == {
        "clusters/real", "clusters/warp", "clusters/smooth",
    }  # fmt: skip
    assert "clusters" not in rows[0]
    assert rows[0]["loss/contrastive"] == 0 < rows[1]["loss/contrastive"]
    alone = runs.read_rows(finished / "swap" / "no_outliers-seed0")
    assert all(row["outliers_taken_for_real"] == 0 and row.get("clusters", 3) == 3 for row in alone)


def test_an_interrupted_model_goes_on_to_the_same_bits(finished, tmp_path, monkeypatch):
    folder = tmp_path / "runs"
    shutil.copytree(finished, folder)
    shutil.rmtree(folder / "swap" / "full-seed0")
    whole = runs.Run.log

    def dies(run, row):
        whole(run, row)
        if row["step"] == 6:
            raise KeyboardInterrupt

    monkeypatch.setattr(runs.Run, "log", dies)
    with pytest.raises(KeyboardInterrupt):
        fakeradar.run(*_asked(folder), quiet=True)
    assert runs.latest_step(folder / "swap" / "full-seed0") == 4
    monkeypatch.setattr(runs.Run, "log", whole)
    fakeradar.run(*_asked(folder), quiet=True)
    states = [_state(place / "swap" / "full-seed0") for place in (finished, folder)]
    jax.tree.map(np.testing.assert_array_equal, *states)
    drop = lambda place: [{k: v for k, v in row.items() if k != "seconds"} for row in runs.read_rows(place)]
    assert drop(finished / "swap" / "full-seed0") == drop(folder / "swap" / "full-seed0")


def test_models_of_an_earlier_call_that_are_not_asked_for_are_not_reported(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "runs")
    for row in ("full", "no_outliers", "binary"):
        other = tmp_path / "runs" / "swap" / f"{row}-seed1"
        shutil.copytree(finished / "swap" / f"{row}-seed0", other)
        log = [row | {"val_auc": -9.0, "clusters": 99} for row in runs.read_rows(other)]
        (other / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in log))
    before, after = runs.read_json(finished / "report.json"), fakeradar.run(*_asked(tmp_path / "runs"), quiet=True)
    for part in ("source_validation", "probing"):
        assert after[part] == before[part]


def _asked(folder):
    values = {flag.split("=")[0].removeprefix("--"): flag.split("=")[1] for flag in FLAGS[1:]}
    kinds = {name: type(getattr(Config(), name)) for name in values}
    config = Config(**{name: kinds[name](value) for name, value in values.items()})
    return fakeradar.Options(str(folder), "swap"), config


def _state(place):
    begin = programs_of.programs(_asked("")[1], "full", 3).begin
    return runs.restore(place, begin(jax.random.key(0), np.zeros((2, 16, 16, 3), np.uint8)))


def test_the_four_figures_are_drawn_from_the_run_directories(finished, tmp_path):
    full = f"--runs={finished}/swap/full-*"
    commands = {
        clusters_over_training: full, outliers_taken_for_real: full, outlier_map: full,
        ablation_bars: f"--report={finished}/report.json",
    }  # fmt: skip
    for figure, source in commands.items():
        out = tmp_path / f"{figure.__name__}.png"
        assert figure.main(["figure", source, f"--out={out}"]) == 0
        assert out.read_bytes().startswith(b"\x89PNG")


def test_bad_input_is_one_line(finished, tmp_path, capsys):
    cases = {
        "--rows=everything": "unknown 'everything'",
        "--target=nobody": "unknown 'nobody'",
        "--batch=7": "give an even number",
        "--faces=nowhere": "nowhere",
        "--head=tall": "linear|quadratic|mlp",
    }
    for flag, said in cases.items():
        assert fakeradar_command.main(["fakeradar", f"--workdir={tmp_path / 'x'}", *FLAGS, flag]) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
    assert fakeradar_command.main(["fakeradar", f"--workdir={finished}", *FLAGS, "--lr=0.5"]) == 2
    assert "another configuration" in capsys.readouterr().err
    assert clusters_over_training.main(["figure", f"--runs={finished}/swap/binary-*", f"--out={tmp_path}/x.png"]) == 2
    assert "none that" in capsys.readouterr().err
    with pytest.raises(InputError, match="unknown row"):
        programs_of.programs(Config(), "everything", 3)
