"""The package as it is handed out: a wheel that works in an environment of its own, without the repository."""

import csv
import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.experiments.conftest import FLAGS

ROOT = Path(__file__).parents[1]


def call(*command, where):
    """What a program prints; the test fails with its errors if it does not end with 0."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([*map(str, command)], check=False, capture_output=True, text=True, cwd=where, env=clean)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from the files that are there, without the network."""
    folder = tmp_path_factory.mktemp("wheel")
    build = ["wheel", "--no-deps", "--no-build-isolation", "--no-index", "--quiet", f"--wheel-dir={folder}", ROOT]
    call(sys.executable, "-m", "pip", *build, where=folder)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """An environment that has the wheel and sees the dependencies of this one, but not the repository."""
    folder = tmp_path_factory.mktemp("environment")
    call(sys.executable, "-m", "venv", "--without-pip", folder, where=folder)
    python = folder / "bin" / "python"
    call(sys.executable, "-m", "pip", f"--python={python}", "install", "--no-deps", "--no-index", "--quiet", wheel,
         where=folder)  # fmt: skip
    # A folder that a .pth file names is searched, but its own .pth files are not read: so the repository, which an
    # editable install names in one of them, stays out of sight.
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def test_the_wheel_holds_every_file_of_the_package_and_no_other(wheel):
    tracked = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "metaforge").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert "metaforge/citations.bib" in tracked
    with zipfile.ZipFile(wheel) as opened:
        held = {name for name in opened.namelist() if not name.startswith("metaforge_jax-")}
    assert held == tracked


def test_what_is_installed_trains_adapts_predicts_and_exports(installed, tmp_path):
    metaforge = installed / "bin" / "metaforge"
    code = "import metaforge; print(metaforge.__file__)"
    assert Path(call(installed / "bin" / "python", "-c", code, where=tmp_path).strip()).is_relative_to(installed)

    commands = call(metaforge, where=tmp_path)
    assert all(f"\n  {name} " in commands for name in ("train", "adapt", "predict", "export", "forge", "prepare"))

    # One process, as a start costs more than the work.
    program = """
import importlib, json, sys
for step in json.loads(sys.argv[1]):
    if failed := importlib.import_module(f"metaforge.cli.{step[0]}").main(step):
        sys.exit(f"{step[0]}: {failed}")
"""
    steps = [
        ["train", "--workdir=run", *FLAGS, "--run.baseline=false"],
        ["forge", "--out=target", "--methods=splice", "--faces.variants=2"],
        ["adapt", "--run=run", "--target=target", "--shots=2", "--draws=2", "--steps=1", "--rate=0.1", "--out=adapted"],
        ["export", "--run=run", "--out=exported"],
    ]
    call(installed / "bin" / "python", "-c", program, json.dumps(steps), where=tmp_path)

    # The exported detector is what gets passed on; that of the adapted one is written by the same function.
    assert (tmp_path / "adapted" / "report.md").exists()
    printed = call(metaforge, "predict", "--model=exported", "--images=target", where=tmp_path)
    scores = {row["file"]: float(row["p_fake"]) for row in csv.DictReader(printed.splitlines())}
    images = sorted(path.relative_to(tmp_path / "target").as_posix() for path in (tmp_path / "target").rglob("*.png"))
    assert sorted(scores) == images
    assert all(0 <= score <= 1 for score in scores.values())
