"""2,000 requests of every kind, each changed a little, to the service itself."""

import collections
import concurrent.futures
import json

import pytest

from metaforge.serving.errors import CODES
from tests.serving.attacks import hostile, mutating

BODIES, SEED = 2000, 20_260
DOCUMENTED = {200, 201, *CODES.values()} - {401, 403, 421, 431, 500, 503}
"""What these may be answered: nothing of the service has failed, and they come from this machine without haste."""

GROWTH = 100 << 20
"""Bytes by which the front and its workers together may grow over all of them."""


def test_the_requests_are_good_before_they_are_changed(live):
    with live.client() as client:
        for path, kind, body in mutating.real_requests():
            answer = client.post(path, content=body, headers={"Content-Type": kind})
            assert answer.status_code in (200, 201), answer.text


def test_whatever_is_sent_the_answer_is_documented_and_the_service_stands(live):
    before, processes = live.memory(), {each.pid for each in live.process.children(recursive=True)}
    statuses = collections.Counter()

    def ask_all(share):
        with live.client() as client:
            for path, kind, body in share:
                answer = client.post(path, content=body, headers={"Content-Type": kind})
                yield answer.status_code
                assert answer.status_code in DOCUMENTED, (path, kind, body, answer.text)
                assert b"Traceback" not in answer.content
                assert b"site-packages" not in answer.content
                assert answer.headers["x-request-id"]
                said = json.loads(answer.content)
                if answer.status_code >= 400:
                    error = said["error"]
                    assert CODES[error["code"]] == answer.status_code if isinstance(error, dict) else error

    requests = list(mutating.fuzzed(BODIES, seed=SEED))
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        for share in threads.map(lambda first: list(ask_all(requests[first::4])), range(4)):
            statuses.update(share)
    assert statuses.total() == BODIES
    # They were near enough to requests to be refused for many reasons, and now and then to be answered.
    assert {200, 400, 415, 422} <= {*statuses}
    assert live.memory() < before + GROWTH
    assert {each.pid for each in live.process.children(recursive=True)} == processes  # no worker died
    assert "Traceback" not in live.log.read_text()
    assert not [path for path in (live.state / "spool").rglob("*") if path.is_file()]
    with live.client() as client:
        assert client.get("/readyz").status_code == 200
        answer = client.post("/v1/predict", files={"file": ("a.png", hostile.picture())})
        assert answer.json()["verdict"]["p_fake"] == pytest.approx(again(client), abs=1e-6)


def again(client):
    """What the other way in says of the same picture."""
    answer = client.post("/v1/predict", json={"content": mutating.text(hostile.picture())})
    return answer.json()["verdict"]["p_fake"]
