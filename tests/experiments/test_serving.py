"""What a detector costs over HTTP: waiting counts from when a request was due, and ratios are of the same rounds."""

import io
import json

import jax
import numpy as np
import pytest
from PIL import Image

from experiments.serving import __main__ as command
from experiments.serving import client, hostile, running, soaking, table
from metaforge.backbones import choice
from metaforge.backbones.spec import BackboneSpec
from metaforge.processor import cores
from metaforge.runs import read_json
from metaforge.screening import Detector
from metaforge.screening.portable import save_onnx


def answer(due, sent, done, said, status=200):
    return client.Answer(due, sent, done, status, json.dumps(said).encode())


def test_a_request_waits_from_when_it_was_due():
    # The server hung for two seconds, so the second request could not leave when it should have.
    one = answer(0.0, 0.0, 2.0, {"verdict": {"p_fake": 0.25}, "timing_ms": {"read": 2.0}})
    other = answer(0.5, 2.0, 2.5, {"verdict": {"p_fake": 0.5}, "timing_ms": {"read": 4.0}})
    refused = answer(1.0, 1.0, 1.5, {"error": {}}, status=429)
    batch = answer(3.0, 3.0, 3.5, {"results": [{"status": 200, "verdict": {"p_fake": 0.75}}, {"status": 422}]})
    found = client.seen([other, one, refused, batch])
    assert found["ms"] == [2000, 500, 2000, 500]
    assert found["late_ms"] == 1500
    assert found["scores"] == [0.25, 0.5, 0.75]
    assert found["failed"] == {"429": 1, "422": 1}
    assert found["stages"] == {"read": 3}


def phase(ms, *, seconds, server=1.0):
    return {
        "ms": ms, "scores": [0.5] * len(ms), "failed": {}, "stages": {}, "seconds": seconds, "server_seconds": server,
        "client_seconds": 0.0, "late_ms": 0.0,
    }  # fmt: skip


def test_ratios_are_of_the_same_rounds_and_times_of_all():
    # The machine is half as fast in the second round; what takes half of the time takes it there too.
    first = [{running.SINGLES: phase([10.0, 10.0], seconds=1.0)}, {running.SINGLES: phase([20.0, 20.0], seconds=2.0)}]
    mine = [{running.SINGLES: phase([5.0, 5.0], seconds=0.5)}, {running.SINGLES: phase([10.0, 30.0], seconds=1.0)}]
    row = running._together(mine, first)["phases"][running.SINGLES]
    assert row["rate_over_first"] == {"value": 2, "low": 2, "high": 2}
    assert row["p50_over_first"]["low"] == pytest.approx(0.5 + 0.05 * 0.5)  # of .5 and 1, by quantiles
    assert (row["ms_p50"], row["ms_most"]) == (7.5, 30)
    assert row["processor"]["value"] == pytest.approx(1.5 / cores())  # of 2 and 1 processors
    assert row["processor_ms_an_image"] == 500


def test_a_small_detector_is_served_and_measured(tmp_path, capsys):
    for needed in ("onnxruntime", "ai_edge_litert", "fastapi", "uvicorn", "httpx", "psutil"):
        pytest.importorskip(needed)
    spec = BackboneSpec(image_size=16, width=4)
    params = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), choice.shapes(spec))
    save_onnx(tmp_path / "one.onnx", Detector(params, np.zeros((2, 16, 16, 3), np.uint8), spec, {}))
    flags = [f"--models={tmp_path / 'one.onnx'}", "--servers=plain", "--rounds=1", "--seconds=0.2", "--images=4"]
    flags += ["--batch=2", "--flight=2", "--width=200"]
    assert command.main(["serving", f"--out={tmp_path / 'made.json'}", *flags]) == 0
    report = read_json(tmp_path / "made.json")
    assert table.markdown(report) in capsys.readouterr().out
    (served,) = report["models"].values()
    phases = served["plain"]["phases"]
    assert set(phases) == set(running.PHASES)
    # So many requests; in batches of two half as many.
    assert [row["requests"] for row in phases.values()] == [1, 1, 4, 2, 4]
    assert {row["failed"] for row in phases.values()} == {0}
    assert all(row["processor"]["value"] >= 0 and row["ms_p50"] > 0 for row in phases.values())
    assert served["plain"]["resident_mb"] > 10


@pytest.mark.parametrize("flag", ["--servers=nginx", "--servers=plain,plain", "--models=", "--models=nowhere"])
def test_what_cannot_be_measured_is_said_at_once(flag, tmp_path, capsys):
    pytest.importorskip("httpx")
    # LitServe, which is not everywhere, is left out where it is not what is wrong.
    flags = [flag] if flag.startswith("--servers") else ["--servers=plain", flag]
    assert command.main(["serving", f"--out={tmp_path / 'new.json'}", *flags]) == 2
    assert flag.split("=")[0].strip("-s") in capsys.readouterr().err
    assert not (tmp_path / "new.json").exists()


RECORD = {
    "file": "a.jpg", "time": "2026-01-01T00:00:00Z", "sha256": "ab", "p_fake": 0.25, "decision": "real", "size": [4, 5],
    "faces": [{"p_fake": 0.25, "band": [0.1, 0.4], "box": [1.0, 2.0, 3.0, 4.0]}], "model": {"sha256": "cd"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "is_same"),
    [
        ({"file": "b.jpg", "time": "2027-01-01T00:00:00Z"}, True),
        ({"p_fake": 0.250001}, True),
        ({"p_fake": 0.25001}, False),
        ({"decision": "fake"}, False),
        ({"faces": []}, False),
        ({"faces": [RECORD["faces"][0] | {"band": [0.1001, 0.4]}]}, True),
        ({"faces": [RECORD["faces"][0] | {"box": [1.1, 2.0, 3.0, 4.0]}]}, False),
        ({"model": {"sha256": "ce"}}, False),
        ({"error": None}, False),
    ],
)
def test_a_verdict_is_held_against_the_library_s(change, is_same):
    assert soaking.same(RECORD, RECORD | change) == is_same


def test_the_bomb_is_a_small_file_of_many_pixels():
    data = hostile.bomb(3000)
    assert len(data) < 10_000
    with Image.open(io.BytesIO(data)) as opened:
        assert opened.size == (3000, 3000)
        assert not np.asarray(opened).any()


def test_no_hostile_request_may_be_answered_as_if_it_were_good():
    found = hostile.cases(b"\xff\xd8 a picture", side=300)
    assert len({each.name for each in found}) == len(found) > 30
    assert all(400 <= status < 500 for each in found for status in each.allowed)
