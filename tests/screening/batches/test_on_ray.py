"""Ray Data gives the same records as threads, in any order; without Ray it is said before the work."""

import json
import sys
import warnings

import numpy as np
import pytest
from PIL import Image

from metaforge.errors import InputError
from metaforge.screening import save_detector
from metaforge.screening.batches import on_ray, running
from metaforge.screening.batches.options import Options
from tests.programs import reason
from tests.screening.test_raw_pictures import detector


@pytest.fixture
def folder(tmp_path):
    """Six crops, one with a name that is no UTF-8, and a file that is no image."""
    rng = np.random.default_rng(0)
    (tmp_path / "crops").mkdir()
    for name in ("0.png", "1.png", "2.png", "3.png", "4.png", "caf\udce9.png"):
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(tmp_path / "crops" / name, "PNG")
    (tmp_path / "crops" / "bad.png").write_bytes(b"no image")
    save_detector(tmp_path / "detector", detector())
    return tmp_path


def records(folder, out, **changes):
    options = Options(model=str(folder / "detector"), images=str(folder / "crops"), out=str(folder / out), crops=True)
    running.run(Options(**{**vars(options), **changes}), quiet=True)
    found = [json.loads(line) for line in (folder / out).read_text().splitlines()]
    return sorted(({**each, "time": ""} for each in found), key=lambda each: each["file"])


@pytest.fixture(scope="module")
def cluster():
    """Started once: it takes seconds."""
    ray = pytest.importorskip("ray", reason=reason("ray"))
    with warnings.catch_warnings():
        # Processes are started where other tests have computed with JAX before, which warns of that.
        warnings.filterwarnings("ignore", r"os\.fork", RuntimeWarning)
        ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


@pytest.mark.usefixtures("cluster")
def test_two_actors_give_the_records_of_threads_and_go_on(folder, monkeypatch):
    monkeypatch.setattr(on_ray, "HANDFUL", 2)
    expected = records(folder, "threads.jsonl")
    assert len(expected) == 7
    found = records(folder, "ray.jsonl", ray=True, workers=2)
    assert found == expected
    (folder / "ray.jsonl").write_text("".join((folder / "ray.jsonl").read_text().splitlines(keepends=True)[:3]))
    assert records(folder, "ray.jsonl", ray=True, workers=2) == expected


def test_without_ray_the_extra_is_named_before_anything_is_written(folder, monkeypatch):
    monkeypatch.setattr(on_ray.importlib.util, "find_spec", lambda name: None if name == "ray" else sys)
    with pytest.raises(InputError, match="Install the extra `ray`"):
        records(folder, "ray.jsonl", ray=True)
    assert not (folder / "ray.jsonl").exists()


@pytest.mark.parametrize(
    ("address", "expected"), [("", {"address": "local", "num_cpus": 3}), ("10.0.0.1:6379", {})], ids=["none", "named"]
)
def test_a_cluster_that_runs_here_is_joined_only_where_it_is_named(monkeypatch, address, expected):
    ray, asked = pytest.importorskip("ray", reason=reason("ray")), []
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", lambda **how: asked.append(how))
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    monkeypatch.setenv("RAY_ADDRESS", address)
    with on_ray.running_ray(3):
        pass
    (how,) = asked
    assert {name: how[name] for name in ("address", "num_cpus") if name in how} == expected
