"""Verdicts over HTTP are the library's, whatever comes beside them."""

import base64
import concurrent.futures
import os
import signal

import pytest

from metaforge.screening.verdicts import FileVerdict, screener
from metaforge.serving.pool import Judged
from metaforge.serving.scoring import Answer
from tests.serving.conftest import picture


@pytest.fixture(scope="module")
def library(tiny_model):
    return screener(str(tiny_model))


def alike(found, expected):
    """Two records say the same, numbers to 1e-6, apart from when they were made."""
    expected = expected.as_json() if isinstance(expected, FileVerdict) else expected
    left, right = ({name: value for name, value in one.items() if name != "time"} for one in (found, expected))
    assert left["p_fake"] == pytest.approx(right["p_fake"], abs=1e-6)
    for face, other in zip(left["faces"], right["faces"], strict=True):
        assert face["p_fake"] == pytest.approx(other["p_fake"], abs=1e-6)
        face["p_fake"] = other["p_fake"] = None
    assert left | {"p_fake": None} == right | {"p_fake": None}


def test_a_verdict_is_the_librarys(running, library):
    for seed in range(3):
        data = picture(seed)
        answer = running.post("/v1/predict", files={"file": ("a.png", data)})
        assert answer.status_code == 200
        alike(answer.json()["verdict"], library.verdict(data, name="a.png"))
        assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_json_is_answered_as_a_form(running, library):
    data = picture(3)
    body = {"content": base64.b64encode(data).decode(), "name": "a.png"}
    alike(running.post("/v1/predict", json=body).json()["verdict"], library.verdict(data, name="a.png"))


def test_a_batch_is_answered_in_its_order_and_a_bad_file_fails_no_other(running, library):
    good = [picture(seed) for seed in range(20)]
    files = [("files", (f"{place}.png", data)) for place, data in enumerate(good)]
    files[4:4] = [("files", ("bad.png", good[0][:90])), ("files", ("page.png", b"<html>")), ("files", ("no.png", b""))]
    answer = running.post("/v1/predict/batch", files=files)
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert [one["name"] for one in results] == [file[1][0] for file in files]
    assert [one["status"] for one in results] == [200] * 4 + [422, 415, 400] + [200] * 16
    assert [one["error"]["code"] for one in results[4:7]] == ["unreadable", "unsupported_type", "empty"]
    for place, one in enumerate(results[:4] + results[7:]):
        alike(one["verdict"], library.verdict(good[place], name=f"{place}.png"))


def test_many_at_once_are_each_answered_with_their_own(running, library):
    data = [picture(seed) for seed in range(24)]
    expected = [library.verdict(each, name="a.png").p_fake for each in data]
    ask = lambda each: running.post("/v1/predict", files={"file": ("a.png", each)}).json()["verdict"]["p_fake"]
    with concurrent.futures.ThreadPoolExecutor(12) as threads:
        assert list(threads.map(ask, data)) == pytest.approx(expected, abs=1e-6)
    text = running.get("/metrics").text
    taken = {
        line.split()[0]: float(line.split()[1]) for line in text.splitlines() if line.startswith("metaforge_batch")
    }
    files = taken['metaforge_batch_files_sum{lane="fast"}']
    assert files > taken['metaforge_batch_files_count{lane="fast"}'], "no two files were taken together"


def test_a_map_says_what_the_score_depends_on(running, library):
    data = picture(5)
    answer = running.post("/v1/predict", files={"file": ("a.png", data)}, data={"map": "true"}).json()
    (shown,) = answer["maps"]
    assert [len(row) for row in shown["falls"]] == [8] * 8
    assert answer["regions"] is None
    alike(answer["verdict"], library.verdict(data, name="a.png"))
    assert "maps" not in running.post("/v1/predict", files={"file": ("a.png", data)}).json()


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ({"data": {"evidence": "true"}}, 415, "unsupported_type"),
        ({"files": {"other": ("a.png", b"x")}}, 422, "invalid"),
        ({"files": {"file": ("a.png", b"")}}, 400, "empty"),
        ({"files": {"file": ("a.svg", b"<svg/>")}}, 415, "unsupported_type"),
        ({"files": {"file": ("a.png", picture(0)[:60])}}, 422, "unreadable"),
        ({"files": {"file": ("a.png", picture(0))}, "data": {"map": "perhaps"}}, 422, "invalid"),
        ({"files": {"file": ("a.png", picture(0))}, "data": {"url": "x"}}, 422, "invalid"),
        ({"files": {"file": ("a.png", picture(0))}, "data": {"model": "none"}}, 404, "not_found"),
        ({"files": {"file": ("a.png", picture(0) + bytes(1 << 20))}}, 413, "too_large"),
        ({"json": {"content": "%%"}}, 422, "invalid"),
        ({"json": {"content": "AAAA", "url": "http://localhost/a.png"}}, 422, "invalid"),
        ({"json": [1]}, 422, "invalid"),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 400, "bad_request"),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 400, "bad_request"),
    ],
)  # fmt: skip
def test_what_cannot_be_judged_has_a_status_a_code_and_a_sentence(running, kind, status, code):
    answer = running.post("/v1/predict", **kind)
    said = answer.json()["error"]
    assert (answer.status_code, said["code"]) == (status, code)
    assert said["message"].endswith(".")
    assert said["request_id"] == answer.headers["x-request-id"]


def test_nothing_that_was_judged_is_left(running):
    running.post("/v1/predict", files={"file": ("a.png", picture(1))})
    running.post("/v1/predict", files={"file": ("a.mp4", b"\0\0\0\x20ftypisom" + bytes(100))})
    assert list((running.service.state / "spool").iterdir()) == []


def test_models_say_which_detector_answers(running, library):
    (model,) = running.get("/v1/models").json()["models"]
    assert (model["id"], model["name"], model["sha256"]) == ("default", *library.model[:2])


def test_a_worker_that_dies_is_replaced_and_its_files_are_judged(running, library):
    data = picture(7)
    before = set(running.service.pool.processes)
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(running.post, "/v1/predict", files={"file": ("a.png", data)}) for _ in range(8)]
        for process in before:
            os.kill(process, signal.SIGKILL)
        answers = [each.result() for each in asked]
    assert [answer.status_code for answer in answers] == [200] * 8
    alike(answers[0].json()["verdict"], library.verdict(data, name="a.png"))
    running.until(lambda: running.get("/readyz").status_code == 200)
    assert not before & set(running.service.pool.processes)


def test_a_fault_of_ours_is_in_the_log_under_the_requests_id(running, monkeypatch, caplog):
    async def ask(asked, **more):
        return Judged(Answer({}, [], None, 0.0, 0.0, "a fault of this program: KeyError: 7"), 0.0)

    monkeypatch.setattr(running.service.pool, "ask", ask)
    answer = running.post("/v1/predict", files={"file": ("secret name.png", picture(0))})
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "failed")
    (line,) = [each for each in caplog.records if each.name == "metaforge.serving.routes.predict"]
    assert (line.request_id, line.broke) == (answer.json()["error"]["request_id"], "KeyError")
    assert "secret name" not in caplog.text
