"""An overload: what counts as a wrong answer, when a service has recovered, and a small run with real kills."""

import jax
import numpy as np
import pytest

from experiments.serving import overload, overload_table, overloaded
from experiments.serving.overloading import Kind, Row, request
from metaforge.backbones import choice
from metaforge.backbones.spec import BackboneSpec
from metaforge.runs import read_json
from metaforge.screening import Detector
from metaforge.screening.portable import save_onnx


def record(p_fake, **more):
    return {"p_fake": p_fake, "file": "a", "time": "now", "model": {"sha256": "ab"}, **more}


FULL, BARE, SPARE = record(0.5, evidence=[1.0]), record(0.5), record(0.25)


@pytest.mark.parametrize(
    ("breaking", "evidence", "degraded", "verdict", "is_right"),
    [
        (False, True, [], FULL, True),
        (False, True, [], BARE, False),  # it says that nothing was left out
        (False, True, ["evidence"], BARE, True),
        (False, True, ["evidence"], FULL, False),
        (False, True, ["evidence", "model"], SPARE, True),
        (False, False, ["model"], SPARE, True),
        (False, False, ["model"], BARE, False),
        (False, False, ["evidence"], BARE, False),  # nobody asked for it
        (False, False, ["map"], BARE, False),
        (True, True, [], FULL, True),
        (True, True, ["evidence"], BARE, False),  # what is breaking is answered in full
    ],
)
def test_an_answer_is_held_against_what_it_says_was_left_out(breaking, evidence, degraded, verdict, is_right):
    kind = Kind(b"", breaking, evidence, FULL, BARE, SPARE)
    assert (kind.wrong({"degraded": degraded, "verdict": verdict}) == "") == is_right
    without = kind._replace(spare=None)
    assert "model" not in degraded or without.wrong({"degraded": degraded, "verdict": verdict})


def light(due, ms, *, status=200, degraded=()):
    return Row(due, due + ms / 1e3, status, False, True, list(degraded), None, "")


def test_it_has_recovered_when_answers_are_as_before_and_stay_so():
    slow, less = [light(10.0, 900), light(10.25, 30)], [light(10.5, 30, degraded=["evidence"])]
    fine = [light(10.75 + number / 4, 30) for number in range(8)]
    ready = [[9.9, True], [10.4, True]]
    assert overloaded.recovery([*fine, *less, *slow], ready, 10.0, usual=30.0) == 0.75
    assert overloaded.recovery([*slow, *less, *fine[:7]], ready, 10.0, usual=30.0) is None
    # A worker is still being replaced.
    assert overloaded.recovery([*less, *fine], [[10.1, True], [12.0, False], [13.5, True]], 10.0, usual=30.0) == 3.5
    assert overloaded.recovery([*less, *fine], [[10.1, True], [12.0, False]], 10.0, usual=30.0) is None
    assert overloaded.recovery(fine, ready, 10.0, usual=1000.0) == 0.75


def test_a_kill_is_made_good_when_the_service_is_ready_again():
    ready = [[0.9, True], [1.1, True], [1.4, False], [3.0, True], [5.2, False], [9.0, False]]
    assert overloaded.ready_again([1.0, 5.0], ready) == [2.0, None]
    assert overloaded.ready_again([1.0], [[1.2, True]]) == pytest.approx([0.2])  # between two looks
    assert overloaded.ready_again([], ready) == []


def test_a_kill_when_little_is_asked_is_timed_from_the_kill():
    rows = [light(number / 4, 1900 if number == 8 else 30) for number in range(20)]
    ready = [[1.9, True], [2.3, False], [3.9, True]]
    said = overloaded.calm(rows, ready, [1.95], {"light_ms": {"p95": 30.0}})
    assert said["recovery_s"] == pytest.approx(3.9 - 1.95)
    assert (said["unanswered"], said["slowest_ms"]) == (0, pytest.approx(1900))
    lost = [*rows, light(5.0, 10, status=500)]
    assert overloaded.calm(lost, ready, [1.95], {"light_ms": {"p95": 30.0}})["unanswered"] == 1
    assert overloaded.calm(rows, ready, [], {"light_ms": {"p95": 30.0}})["recovery_s"] is None


def test_memory_is_flat_if_the_last_third_is_like_the_second():
    times = np.arange(0, 300.0, 1)
    grows = [[at, 100 + at / 60, 200 + at] for at in times]
    front, workers = (overloaded._memory(grows, place, 300.0) for place in (1, 2))
    assert front["mb_a_minute"] == pytest.approx(1)
    assert front["flat"]
    assert workers["mb_a_minute"] == pytest.approx(60)
    assert not workers["flat"]


def test_a_request_is_whole():
    sent = request("http://127.0.0.1:80", "/v1/predict", b"abc", "text/plain")
    assert sent.split(b"\r\n") == [b"POST /v1/predict HTTP/1.1", b"Host: 127.0.0.1:80", b"Content-Type: text/plain",
                                   b"Content-Length: 3", b"", b"abc"]  # fmt: skip


def test_a_small_service_is_overloaded_and_killed(tmp_path, capsys):
    # Servers and clients are processes, so it takes some seconds. How fast they are is not held here.
    for needed in ("onnxruntime", "ai_edge_litert", "fastapi", "uvicorn", "httpx", "psutil"):
        pytest.importorskip(needed)
    spec = BackboneSpec(image_size=16, width=4)
    params = jax.tree.map(lambda leaf: np.full(leaf.shape, 0.1, leaf.dtype), choice.shapes(spec))
    model = tmp_path / "one.onnx"
    save_onnx(model, Detector(params, np.zeros((2, 16, 16, 3), np.uint8), spec, {}))
    flags = ["--minutes=0.03", "--seconds=0.5", "--light=2", "--kill=1", "--photographs=0", "--breaking=0.1"]
    flags += [f"--model={model}", f"--spare={model}", "--serve=--queue=24 --refuse=0.2 --degrade=0.1"]
    code = overload.main(["overload", f"--out={tmp_path / 'made.json'}", *flags])
    report = read_json(tmp_path / "made.json")
    assert code == (0 if all(report["held"].values()) else 1)
    assert overload_table.markdown(report) in capsys.readouterr().out
    assert report["capacity"] > 0
    assert not report["capacity_wrong"]
    assert not report["light_wrong"]
    for name, each in report["phases"].items():
        # While a worker starts again, so fast a client fills the small queue with breaking ones alone, and there is no
        # room for more of them either. Where other tests have the cores, it runs out of connections, too.
        wrong = [text for text, _ in each["wrong"]]
        refused = [text for text in wrong if text.startswith("a breaking one was refused")]
        assert wrong == refused
        assert name == "kills" or all("too many connections" in text for text in refused)
        assert set(each["status"]) <= {"200", "429"}
        assert set(each["breaking"]) <= {"200", "429"}
        assert each["deaths"] == each["kills"]
    assert report["phases"]["overload"]["kills"] == 0 < report["phases"]["kills"]["kills"]
    assert (report["calm"]["kills"], report["calm"]["unanswered"], report["calm"]["wrong"]) == (1, 0, [])
    assert report["held"]["it ended by itself when it was asked to"]


@pytest.mark.parametrize("flag", ["--serve='", "--minutes=0", "--times=0", "--breaking=2"])
def test_what_cannot_be_done_is_said_at_once(flag, tmp_path, capsys):
    assert overload.main(["overload", f"--out={tmp_path / 'new.json'}", flag]) == 2
    assert flag.split("=")[0].strip("-") in capsys.readouterr().err
    assert not (tmp_path / "new.json").exists()
