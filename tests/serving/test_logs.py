"""The log of front and workers: every line about a request has its id, and none has what was sent."""

import json
import os
import signal
import subprocess
import sys

import httpx
import pytest

from tests.serving.conftest import picture

SECRETS = ("hidden-name", "hidden-note", "hidden-token", "hidden-path", "hidden-adapter")
TOKEN = "hidden-token-of-24-letters"

BROKEN = """
import metaforge.serving.scoring as scoring
from metaforge.screening.verdicts.making import Screener

look_at = Screener.look_at


def broken(self, data, *, name="", **more):
    if name.startswith("hidden-name-fault"):
        raise RuntimeError(f"{name}: {data[:9]}")
    if name.startswith("hidden-name-warn"):
        import warnings

        warnings.warn(f"{name} is strange")
    return look_at(self, data, name=name, **more)


Screener.look_at = broken
"""


@pytest.fixture(scope="module")
def said(tiny_model, tmp_path_factory):
    """The whole of standard error of a service that was asked all sorts of things, and the ids of those requests."""
    folder = tmp_path_factory.mktemp("logged")
    (folder / "sitecustomize.py").write_text(BROKEN)  # each process reads it at its start, workers as well
    (folder / "tokens").write_text(f"ann {TOKEN}\n")
    os.chmod(folder / "tokens", 0o600)
    flags = [f"--model={tiny_model}", f"--state={folder / 'state'}", "--port=0", "--workers=1", "--image_mb=1",
             f"--tokens={folder / 'tokens'}"]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    command = [sys.executable, "-m", "metaforge.cli", "serve", *flags]
    with (
        open(folder / "log", "w+", encoding="utf-8") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment) as process,
    ):
        url = next(word for word in process.stdout.readline().split() if word.startswith("http://")).rstrip("/")
        ids = {}
        with httpx.Client(base_url=url, timeout=60, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
            while client.get("/readyz").status_code != 200:
                pass

            def ask(what, method, path, **more):
                headers = more.pop("headers", {}) | {"X-Request-ID": f"request-{what}"}
                answer = client.request(method, path, headers=headers, **more)
                ids[what] = answer.status_code

            file = lambda name, data: {"files": {"file": (name, data)}}
            ask("good", "POST", "/v1/predict", **file("hidden-name.png", picture(0)))
            ask("fault", "POST", "/v1/predict", **file("hidden-name-fault.png", picture(0)))
            ask("warned", "POST", "/v1/predict", **file("hidden-name-warn.png", picture(0)))
            ask("damaged", "POST", "/v1/predict", **file("hidden-name.png", picture(0)[:100]))
            ask("batch", "POST", "/v1/predict/batch",
                files=[("files", (f"hidden-name{place}", picture(place))) for place in range(3)])  # fmt: skip
            ask("video", "POST", "/v1/predict", **file("hidden-name.mp4", b"\0\0\0\x20ftypisom" + bytes(100)))
            ask("strange", "POST", "/v1/predict?name=hidden-path", content=b"hidden-note")
            ask("nowhere", "GET", "/v1/hidden-path")
            ask("wrong token", "GET", "/v1/models", headers={"Authorization": "Bearer hidden-token-that-is-not-known"})
            ask("noted", "POST", "/v1/feedback", json={"sha256": "0" * 64, "label": "real", "note": "hidden-note"})
            ask("adapted", "POST", "/v1/adapt", files=[("real", ("hidden-name.png", picture(0)))],
                data={"name": "hidden-adapter"})  # fmt: skip
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        log.seek(0)
        return log.read(), ids


def test_nothing_of_what_was_sent_is_in_the_log(said):
    text, ids = said
    assert (ids["good"], ids["fault"], ids["batch"], ids["nowhere"], ids["wrong token"]) == (200, 500, 200, 404, 401)
    for secret in (*SECRETS, "PNG", "IHDR", "ftypisom", "0" * 64):
        assert secret not in text, next(line for line in text.splitlines() if secret in line)


def test_every_line_is_json_and_every_request_has_its_lines(said):
    text, ids = said
    lines = [json.loads(line) for line in text.splitlines()]
    assert all({"time"} < set(line) for line in lines)
    for what, status in ids.items():
        if " " not in what:
            (line,) = [each for each in lines if each.get("request_id") == f"request-{what}" and "status" in each]
            assert line["status"] == status


def test_a_fault_in_a_worker_has_the_id_of_its_request_and_its_place(said):
    text, _ = said
    lines = [json.loads(line) for line in text.splitlines()]
    (line,) = [each for each in lines if each.get("logger") == "metaforge.serving.scoring"]
    assert (line["request_id"], line["broke"], line["level"]) == ("request-fault", "RuntimeError", "error")
    assert any("sitecustomize" in place for place in line["trace"])
    (warned,) = [each for each in lines if each.get("logger") == "py.warnings"]
    assert warned["message"].startswith("UserWarning at sitecustomize.py:")
