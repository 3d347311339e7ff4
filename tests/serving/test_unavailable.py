"""A database that is locked or full, and a disk that is full, are said to be so, and made good when they can be."""

import asyncio
import base64
import contextlib
import errno
import json
import os
import signal
import sqlite3
import tracemalloc

import pytest
import sqlalchemy as sa
from starlette.requests import Request

from metaforge.serving import adapters as making
from metaforge.serving.adapters import JobLimits
from metaforge.serving.intake import Limits, read_many
from metaforge.serving.pool import Judged
from metaforge.serving.routes import inference
from metaforge.serving.scoring import Answer
from tests.serving.apps import asked
from tests.serving.conftest import picture
from tests.serving.test_adapters import HANG, MAKE, number, post, until
from tests.serving.test_feedback import SAID

SOON = JobLimits(pause=0.01, patience=0.05)


def impatient(storage, *pragmas):
    """New connections of a database wait for no lock; and whatever else is to hold for them."""
    storage.engine.dispose()

    @sa.event.listens_for(storage.engine, "connect")
    def said(connection, _):
        for pragma in ("busy_timeout=0", *pragmas):
            connection.execute(f"PRAGMA {pragma}")


@contextlib.contextmanager
def locked(folder):
    """Another program writes."""
    other = sqlite3.connect(folder / "service.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close()


def away(answer):
    return (answer.status_code, answer.json()["error"]["code"], int(answer.headers["retry-after"]) > 0) == (
        503, "unavailable", True,
    )  # fmt: skip


def test_a_locked_database_is_said_to_be_so_and_nothing_of_what_came_is_left(tmp_path, caplog):
    async def main():
        async with asked(tmp_path, program=HANG) as (client, adapters):
            impatient(adapters._storage)
            with locked(tmp_path):
                assert away(await client.post("/v1/feedback", json=SAID))
                assert away(await post(client))
                assert (await client.get("/v1/feedback")).json()["feedback"] == []  # others may read
                assert list(adapters.folder.iterdir()) == []
            assert (await client.post("/v1/feedback", json=SAID)).status_code == 201
            assert [each.request_id for each in caplog.records if getattr(each, "broke", "") == "OperationalError"] == [
                "request1"
            ] * 2

    asyncio.run(main())


def test_a_full_database_is_said_to_be_so(tmp_path):
    async def main():
        async with asked(tmp_path) as (client, adapters):
            impatient(adapters._storage, "max_page_count=1")  # as many as there are
            large = SAID | {"verdict": None, "note": "a" * 2000}
            answers = [await client.post("/v1/feedback", json=large) for _ in range(4)]
            assert away(answers[-1])

    asyncio.run(main())


@pytest.mark.parametrize(("number", "status"), [(errno.ENOSPC, 503), (errno.EDQUOT, 503), (errno.EIO, 500)])
def test_a_full_disk_is_told_from_one_that_is_broken(tmp_path, monkeypatch, number, status):
    def arrange(folder, files):
        raise OSError(number, "no")

    monkeypatch.setattr(making, "arrange", arrange)

    async def main():
        async with asked(tmp_path, program=HANG) as (client, adapters):
            if status == 503:
                assert away(await post(client))
            else:
                with pytest.raises(OSError, match="no"):  # which the guards make a 500 of
                    await post(client)
            assert list(adapters.folder.iterdir()) == []

    asyncio.run(main())


async def logged(caplog, words):
    async with asyncio.timeout(60):
        while words not in caplog.text:
            await asyncio.sleep(0.01)


def test_how_an_adaptation_ended_is_written_down_when_that_can_be(tmp_path, caplog):
    async def main():
        async with asked(tmp_path, program=HANG, limits=SOON) as (client, adapters):
            name = (await post(client)).json()["id"]
            await until(client, name, "running")
            impatient(adapters._storage)
            with locked(tmp_path):
                os.kill(await number(adapters), signal.SIGTERM)
                await logged(caplog, "cannot be written down now")
                assert (await client.get(f"/v1/adapters/{name}")).json()["state"] == "running"
                assert list(adapters.folder.iterdir()) == []  # a full disk has room again
            failed = await until(client, name, "failed")
            assert "killed by signal 15" in failed["error"]
            assert caplog.text.count("cannot be written down now") == 1
            # What is made is likewise asked for only when it is written down.
            adapters.program = MAKE
            with locked(tmp_path):
                caplog.clear()
                task = asyncio.create_task(post(client))
                assert away(await task)
            made = (await post(client)).json()["id"]
            await until(client, made, "done")

    asyncio.run(main())


def test_what_cannot_be_cancelled_now_is_cancelled_later(tmp_path):
    async def main():
        async with asked(tmp_path, program=HANG, limits=SOON) as (client, adapters):
            first, second = [(await post(client)).json()["id"] for _ in range(2)]
            await until(client, first, "running")
            await number(adapters)
            impatient(adapters._storage)
            with locked(tmp_path):
                for name in (first, second):
                    assert away(await client.delete(f"/v1/adapters/{name}"))
            for name in (first, second):
                await until(client, name, "cancelled")
            assert list(adapters.folder.iterdir()) == []

    asyncio.run(main())


class Deleting:
    """A pool that answers with a fault, since an adapter was deleted meanwhile."""

    ready = True

    def __init__(self):
        self.meanwhile, self.own = None, []

    async def ask(self, ask, *, breaking=False, own=0):
        self.own.append(own)
        if self.meanwhile is not None:
            await self.meanwhile()
        return Judged(Answer({}, [], None, 0.0, 0.0, "a fault of this program: InputError: it is not there"), 0.0)


def test_an_adapter_that_is_deleted_while_a_file_waits_for_it_is_not_found(tmp_path):
    (tmp_path / "spool").mkdir()
    pool = Deleting()

    async def main():
        async with asked(tmp_path, program=MAKE, pool=pool) as (client, adapters):
            name = (await post(client)).json()["id"]
            await until(client, name, "done")
            ask = lambda: client.post("/v1/predict", files={"file": ("a.png", picture())}, data={"model": name})
            assert (await ask()).status_code == 500  # it is there, so the fault is ours
            pool.meanwhile = lambda: adapters.remove(name)
            answer = await ask()
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")

    asyncio.run(main())


def test_the_files_of_a_request_are_not_held_against_it(tmp_path):
    (tmp_path / "spool").mkdir()
    pool = Deleting()

    async def main():
        async with asked(tmp_path, pool=pool) as (client, _):
            files = [("files", (f"{place}.png", picture(place))) for place in range(3)]
            await client.post("/v1/predict/batch", files=files)
            assert sorted(pool.own) == [0, 1, 2]
            pool.own.clear()
            data = [base64.b64encode(picture(place)).decode() for place in range(3)]
            tensor = {"name": "image", "shape": [3], "datatype": "BYTES", "data": data}
            await client.post("/v2/models/default/infer", json={"inputs": [tensor]})
            assert sorted(pool.own) == [0, 1, 2]

    asyncio.run(main())


def test_who_asked_for_adapters_can_have_them_all_deleted(tmp_path):
    async def main():
        async with asked(tmp_path, program=MAKE, who="ann") as (client, adapters):
            done = (await post(client)).json()["id"]
            await until(client, done, "done")
            adapters.program = HANG
            running, _ = [(await post(client)).json()["id"] for _ in range(2)]
            await until(client, running, "running")
            pid = await number(adapters)
            storage = adapters._storage
            asked_for = {"asked": {"shots": 1}, "images": {"real": 1, "fake": 0, "unlabelled": 0}}
            for who in ("bob", None):
                storage.add_adapter(who=who, name=str(who), **asked_for)
            for query in ("", "?who=", "?who=" + "a" * 65, "?name=ann"):
                answer = await client.delete(f"/v1/adapters{query}")
                assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid"), query
            assert len(storage.adapters()) == 5
            assert (await client.delete("/v1/adapters?who=ann")).json() == {"deleted": 3}
            assert [row["name"] for row in storage.adapters()] == ["bob", "None"]
            assert list(adapters.folder.iterdir()) == []
            assert adapters.served(done) is None
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)
            assert (await client.delete("/v1/adapters?who=ann")).json() == {"deleted": 0}

    asyncio.run(main())


def coming(body):
    """A request with a body that comes in pieces, none of which is kept."""
    left = iter(range(0, len(body), 1 << 16))

    async def receive():
        place = next(left)
        return {"type": "http.request", "body": bytes(body[place : place + (1 << 16)]),
                "more_body": place + (1 << 16) < len(body)}  # fmt: skip

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"content-type", b"application/json")]}
    return Request(scope, receive)


@pytest.mark.parametrize("kind", ["batch", "protocol"])
def test_a_request_in_json_stands_in_memory_twice_at_most_and_then_as_its_files(tmp_path, kind):
    files = [base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(1_000_000)).decode() for _ in range(6)]
    tensor = {"name": "image", "shape": [6], "datatype": "BYTES", "data": files}
    body = {"items": [{"content": each} for each in files]} if kind == "batch" else {"inputs": [tensor]}
    body = memoryview(json.dumps(body).encode())
    del files, tensor
    bounds = Limits(1 << 20, 1 << 20, 6, tmp_path)

    async def main():
        tracemalloc.start()
        if kind == "batch":
            async with read_many(coming(body), bounds) as (uploads, _):
                return len(uploads), tracemalloc.get_traced_memory()
        asked = await inference._read(coming(body))
        uploads = await asyncio.to_thread(inference._uploads, asked, 6, 1 << 20)
        return len(uploads), tracemalloc.get_traced_memory()

    try:
        count, (now, most) = asyncio.run(main())
    finally:
        tracemalloc.stop()
    assert count == 6
    assert most < 2.6 * len(body)
    assert now < 1.1 * len(body)  # three quarters, and a text that a thread may still hold
