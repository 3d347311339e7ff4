"""Who goes away takes what they asked along: it leaves the queue, and is no fault of the service."""

import asyncio
import socket

import pytest

from metaforge.serving.errors import Problem, problem
from metaforge.serving.keeper import AHEAD
from metaforge.serving.leaving import all_of
from tests.serving.conftest import picture
from tests.serving.test_complaints import held, samples


def sent(running, path, data):
    """A connection on which a file was sent, and whose answer nobody has read."""
    body = b"".join(
        [b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n', data, b"\r\n--x--\r\n"]
    )
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    host, port = running.url.removeprefix("http://").split(":")
    made = socket.create_connection((host, int(port)))
    made.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return made


def test_who_hangs_up_leaves_the_queue(running, monkeypatch):
    queue, came = running.service.pool._queue, []
    put = queue.put
    monkeypatch.setattr(queue, "put", lambda item: [put(item), came.append(item)][0])
    waiting = lambda: queue.waiting()["fast"]
    with held(running.service.pool.processes):
        first = []
        for count in range(1, AHEAD["fast"] + 1):
            first.append(sent(running, "/v1/predict", picture(0)))
            running.until(lambda count=count: len(came) == count and waiting() == 0)
        gone = [sent(running, "/v1/predict", picture(1)) for _ in range(3)]
        running.until(lambda: waiting() == 3)
        for each in gone:
            each.close()
        running.until(lambda: waiting() == 0, seconds=10)
    for each in first:
        each.close()
    assert sum(1 for each in running.log if each.get("status") == 500) == 0


def test_of_many_that_cannot_all_be_answered_the_others_are_called_off():
    ended = []

    async def waits():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async def fails():
        raise problem("too_many", "Come again.")

    async def both():
        with pytest.raises(Problem):
            await all_of([waits(), fails()])
        await asyncio.sleep(0)

    asyncio.run(both())
    assert ended == [True]


def test_who_hangs_up_amid_a_body_is_no_fault(running):
    failed = lambda: {
        key: value for key, value in samples(running.get("/metrics").text).items() if ("status", "500") in key
    }
    before, lines = failed(), len(running.log)
    host, port = running.url.removeprefix("http://").split(":")
    for path, kind in [("/v1/predict", "application/json"), ("/v1/adapt", "multipart/form-data; boundary=x"),
                       ("/v1/predict", "multipart/form-data; boundary=x"), ("/v1/feedback", "application/json"),
                       ("/v2/models/default/infer", "application/json")]:  # fmt: skip
        with socket.create_connection((host, int(port))) as made:
            head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: 99\r\n\r\n"
            made.sendall(head.encode() + b'{"a')
        running.until(lambda: len(running.log) > lines)
    running.until(lambda: sum("status" in each for each in running.log[lines:]) >= 5)
    assert [each for each in running.log[lines:] if each.get("level") == "error"] == []
    assert failed() == before
