"""Places on the disk: whatever they are called they work, or are refused before anything is written."""

import dataclasses
import importlib
import os
import pkgutil

import numpy as np
import pytest

import experiments
import paper_figures
from experiments import show_domains
from experiments.demo import __main__ as demo_command
from metaforge import places, runs
from metaforge.cli import forge
from metaforge.errors import InputError
from paper_figures import _runs
from tests.experiments.conftest import FLAGS

ODD = ("lr=[0.1]", "b\\c", "a*b?", "a\udcffb", "two words\n, 100 % e\u0301")


@pytest.mark.parametrize("name", ODD)
def test_a_checkpoint_in_a_folder_of_any_name_is_found_again(name, tmp_path):
    runs.Run(tmp_path / name, {}).save(1, {"w": np.float32([1, 2])})
    found = runs.restore(tmp_path / name, {"w": np.zeros(2, np.float32)})
    np.testing.assert_array_equal(found["w"], [1, 2])
    assert [path.name for path in (tmp_path / name / "checkpoints").iterdir()] == ["1"]


def test_a_checkpoint_that_is_not_on_the_disk_is_not_said_to_be(tmp_path, monkeypatch):
    import orbax.checkpoint as ocp

    monkeypatch.setattr(ocp.CheckpointManager, "save", lambda *_, **__: True)
    with pytest.raises(InputError, match=r"cannot write the checkpoint of step 1 .*not on the disk"):
        runs.Run(tmp_path, {}).save(1, {"w": np.zeros(2)})


def test_a_name_that_nobody_can_give_to_checkpoints_is_refused_before_the_work(tmp_path, monkeypatch):
    (tmp_path / "[tmp]").mkdir()
    monkeypatch.setattr(places.tempfile, "tempdir", str(tmp_path / "[tmp]"))
    with pytest.raises(InputError, match=r"\[ \] .* in its name, and so has TMPDIR"):
        runs.Run(tmp_path / "[run]", {})
    assert not (tmp_path / "[run]" / "config.json").exists()


@pytest.mark.parametrize(
    ("given", "kind", "said"),
    [
        ("", "folder", "--out is empty"),
        ("", "read", "--out is empty"),
        ("file", "folder", "is a file"),
        ("file/deeper/still", "folder", "'{}/file' is not a folder"),
        ("file/a.csv", "file", "'{}/file' is not a folder"),
        ("folder", "file", "is a folder"),
        ("new.csv/", "file", "is a folder"),
        ("dangling", "folder", "a link to nothing"),
        ("dangling", "file", "a link to nothing"),
        ("n" * 256, "folder", "more than 255 bytes"),
        ("folder/" + "\u00e9" * 128 + "/a.csv", "file", "more than 255 bytes"),
        ("closed/a.csv", "file", "'{}/closed' is closed to you"),
    ],
)
def test_what_cannot_be_written_is_said_at_once(given, kind, said, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "closed").mkdir()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    access = os.access  # nothing is closed to the superuser, whom tests may run as
    monkeypatch.setattr(os, "access", lambda path, mode: "closed" not in str(path) and access(path, mode))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=r"^--out") as refused:
        places.settled("out", f"{tmp_path}/{given}" if given else "", kind, needed=True)
    assert said.format(tmp_path) in str(refused.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_home_is_put_in_where_shells_leave_it_out(monkeypatch):
    monkeypatch.setenv("HOME", "/home/her")
    assert places.settled("runs", "~/a,b~,~/c", "read", needed=True) == "/home/her/a,b~,/home/her/c"
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as where nobody has a home folder
    with pytest.raises(InputError, match="nobody's home folder is known"):
        places.settled("runs", "~/a", "read", needed=True)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert places.cache_folder() is None


def test_what_is_written_never_lies_among_what_is_read(tmp_path, capsys):
    (tmp_path / "faces").mkdir()
    (tmp_path / "name").symlink_to(tmp_path / "faces")
    flags = [*FLAGS, f"--faces.folder={tmp_path / 'faces'}"]
    assert forge.main(["forge", f"--out={tmp_path}/name/forged", "--methods=swap", flags[-1]]) == 2
    assert show_domains.main(["show_domains", f"--out={tmp_path}/faces/sheet.png", *flags]) == 2
    assert demo_command.main(["demo", f"--workdir={tmp_path}/faces/demo", flags[-1]]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert all("is inside --faces.folder=" in line for line in lines)
    assert list((tmp_path / "faces").iterdir()) == []


def test_figures_find_runs_in_folders_of_any_name(tmp_path):
    for name in ("lr=[0.1]", "lr=0", "b\\c", "a?c", "a,c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}", encoding="utf-8")
    of = lambda *names: [tmp_path / name for name in names]
    assert _runs.find_runs(f"{tmp_path}/lr=[0.1]") == of("lr=[0.1]")
    assert _runs.find_runs(f"{tmp_path}/lr=*, {tmp_path}/b\\c") == of("lr=0", "lr=[0.1]", "b\\c")
    assert _runs.find_runs(f"{tmp_path}/a?c") == of("a?c")
    assert _runs.find_runs(f"{tmp_path}/a,c") == of("a,c")
    assert _runs.find_runs(f"{tmp_path}/lr=[0-2]") == of("lr=0")


NAMES = ("workdir", "out", "run", "runs", "report", "model", "images", "faces", "landmarks", "data", "keeps")
SPEAK = ("identity", "support")  # of files, and of folders below --data_dir, and are no place themselves


@pytest.mark.parametrize("package", [experiments, paper_figures], ids=lambda package: package.__name__)
def test_every_setting_that_names_a_place_says_so(package):
    for found in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{found.name}")
        specs = [
            group for group in vars(module).values() if dataclasses.is_dataclass(group) and isinstance(group, type)
        ]
        for settings in specs:
            for field in (field for field in dataclasses.fields(settings) if field.metadata):
                speaks = field.type is str and any(word in field.metadata["help"] for word in ("older", " file"))
                named = field.name in NAMES or (speaks and field.name not in SPEAK)
                assert field.metadata["place"] or not named, f"{module.__name__}: {field.name}"
