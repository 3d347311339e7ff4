"""The Open Inference Protocol: the bodies that its text names, and errors in its own form."""

import asyncio
import base64
import json

import pytest

from metaforge.serving.errors import problem
from metaforge.serving.pool import Judged
from metaforge.serving.scoring import Answer
from tests.screening.verdicts.test_record import FILE, UNREAD
from tests.serving.apps import Pool, asked
from tests.serving.detectors import pictures

GOOD = base64.b64encode(pictures(1)[0]).decode()
INPUT = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [GOOD]}
NO_FACE = FILE._replace(p_fake=None, decision="cannot tell", faces=())
INFER = "/v2/models/default/infer"


class Judging(Pool):
    """Says of every picture what it was made with; it has heard what was asked."""

    def __init__(self, *records, error=None):
        self.records, self.heard, self.error = list(records), [], error

    async def ask(self, ask, *, breaking=False, own=0):
        self.heard.append(ask)
        if self.error:
            raise self.error
        return Judged(Answer(self.records[len(self.heard) - 1], [], None, 0.0, 0.0), 0.0)


def ask(folder, do, *, pool=None):
    async def main():
        async with asked(folder, pool=pool) as (client, _):
            return await do(client)

    return asyncio.run(main())


def post(folder, body, *, pool=None, path=INFER):
    return ask(folder, lambda client: client.post(path, json=body), pool=pool)


def test_what_is_said_of_the_server_and_its_model(tmp_path):
    pool = Judging()

    async def do(client):
        server = (await client.get("/v2")).json()
        assert (server["name"], server["extensions"]) == ("metaforge", [])
        assert server["version"]
        assert (await client.get("/v2/health/live")).json() == {"live": True}
        assert (await client.get("/v2/health/ready")).json() == {"ready": True}
        assert (await client.get("/v2/models/default/ready")).json() == {"name": "default", "ready": True}
        about = (await client.get("/v2/models/default")).json()
        assert about["inputs"] == [{"name": "image", "datatype": "BYTES", "shape": [-1]}]
        assert [(each["name"], each["datatype"]) for each in about["outputs"]] == [
            ("p_fake", "FP32"), ("decision", "BYTES"), ("verdict", "BYTES"),
        ]  # fmt: skip
        pool.ready = False
        for place in ("/v2/health/ready", "/v2/models/default/ready"):
            answer = await client.get(place)
            assert (answer.status_code, answer.json()["ready"]) == (503, False)
        for place in ("/v2/models/other", "/v2/models/other/ready"):
            answer = await client.get(place)
            assert (answer.status_code, list(answer.json())) == (404, ["error"])

    ask(tmp_path, do, pool=pool)


def test_each_picture_has_its_place_and_a_bad_one_fails_no_other(tmp_path):
    pool = Judging(FILE.as_json(), NO_FACE.as_json(), UNREAD.as_json())
    body = {"id": "seven", "inputs": [INPUT | {"shape": [3], "data": [GOOD] * 3}], "parameters": {"crops": True}}
    found = post(tmp_path, body, pool=pool).json()
    assert (found["model_name"], found["id"]) == ("default", "seven")
    p_fake, decision, verdict = found["outputs"]
    assert p_fake == {"name": "p_fake", "shape": [3], "datatype": "FP32", "data": [0.9, -1.0, -1.0]}
    assert decision == {"name": "decision", "shape": [3], "datatype": "BYTES",
                        "data": ["fake", "cannot tell", "cannot tell"]}  # fmt: skip
    assert [json.loads(each) for each in verdict["data"][:2]] == [FILE.as_json(), NO_FACE.as_json()]
    assert json.loads(verdict["data"][2])["error"]["code"] == "unreadable"
    assert [(each.crops, each.evidence) for each in pool.heard] == [(True, False)] * 3
    assert pool.heard[0].data == base64.b64decode(GOOD)


def test_what_is_no_picture_never_reaches_a_worker(tmp_path):
    pool = Judging(FILE.as_json())
    data = [base64.b64encode(each).decode() for each in (b"<svg>", pictures(1)[0], b"\x1aE\xdf\xa3")]
    body = {"inputs": [INPUT | {"shape": [3], "data": data}], "outputs": [{"name": "verdict"}]}
    (verdict,) = post(tmp_path, body, pool=pool).json()["outputs"]
    svg, good, video = map(json.loads, verdict["data"])
    assert (svg["error"]["code"], good, video["error"]["code"]) == (
        "unsupported_type",
        FILE.as_json(),
        "unsupported_type",
    )
    assert len(pool.heard) == 1


@pytest.mark.parametrize("body", [
    {}, [], {"inputs": []}, {"inputs": [INPUT, INPUT]}, {"inputs": [INPUT | {"name": "url"}]},
    {"inputs": [INPUT | {"datatype": "FP32"}]}, {"inputs": [INPUT | {"shape": [2]}]},
    {"inputs": [INPUT | {"shape": [], "data": []}]}, {"inputs": [INPUT | {"shape": [0], "data": []}]},
    {"inputs": [INPUT | {"data": ["no base64!"]}]}, {"inputs": [INPUT | {"data": [7]}]},
    {"inputs": [INPUT | {"data": ["ü"]}]}, {"inputs": [INPUT], "outputs": [{"name": "logit"}]},
    {"inputs": [INPUT], "outputs": [{"name": "p_fake"}] * 2}, {"inputs": [INPUT], "parameters": {"map": True}},
    {"inputs": [INPUT], "parameters": {"crops": "true"}}, {"inputs": [INPUT], "url": "http://x"},
])  # fmt: skip
def test_a_request_that_is_amiss_is_told_so_in_the_protocols_words(tmp_path, body):
    answer = post(tmp_path, body)
    assert answer.status_code == 400
    assert list(answer.json()) == ["error"]
    assert isinstance(answer.json()["error"], str)


def test_errors_of_the_service_are_of_the_whole_request(tmp_path):
    full = problem("too_many", "Too many files wait already.", retry_after=1)
    answer = post(tmp_path, {"inputs": [INPUT]}, pool=Judging(error=full))
    assert (answer.status_code, answer.json(), answer.headers["retry-after"]) == (429, {"error": full.message}, "1")
    assert post(tmp_path, {"inputs": [INPUT]}, path="/v2/models/other/infer").status_code == 404
    many = {"inputs": [INPUT | {"shape": [4], "data": [GOOD] * 4}]}
    assert post(tmp_path, many).status_code == 413
    broken = ask(tmp_path, lambda client: client.post(INFER, content=b'{"inputs": ' + b"[" * 100_000))
    assert (broken.status_code, list(broken.json())) == (400, ["error"])
