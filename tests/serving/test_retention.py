"""What is older than was said is deleted when the service starts and every day, and what somebody asks for at once."""

import asyncio

import pytest

from metaforge.serving import retention, storage
from metaforge.serving.databases import sqlite_url
from metaforge.serving.retention import before, delete_older, keep_to
from metaforge.serving.storage import Storage
from tests.serving.apps import asked
from tests.serving.test_storage import ASKED, SAID

DAYS = [f"2026-03-0{day}T12:00:00Z" for day in range(1, 6)]


def fill(folder, monkeypatch):
    """Feedback and made adapters of five days; the second adapter waits."""
    found = Storage(sqlite_url(folder / "service.sqlite"))
    for day in DAYS:
        monkeypatch.setattr(storage, "now", lambda day=day: day)
        found.add_feedback(**SAID | {"note": day})
        row = found.add_adapter(**ASKED | {"name": day})
        (folder / "adapters" / row["id"] / ("target" if day == DAYS[1] else "detector")).mkdir(parents=True)
        if day == DAYS[1]:
            (folder / "adapters" / row["id"] / "target" / "names.json").write_text("{}")
        else:
            about = {"id": row["id"], "regions": False}
            found.change_adapter(row["id"], state="done", ended=day, report={"a": 1}, sha256="5b", about=about)
    monkeypatch.setattr(storage, "now", lambda: "2026-03-05T12:00:00Z")
    return found


def test_what_is_older_is_deleted_and_what_is_as_old_stays(tmp_path, monkeypatch):
    found = fill(tmp_path, monkeypatch)

    async def main():
        async with asked(tmp_path, program=("-c", "import sys; sys.stdin.read()")) as (client, adapters):
            listed = (await client.get("/v1/models")).json()
            assert await delete_older(found, adapters, days=2) == (2, 1)  # the other adapter is being made
            assert [row["note"] for row in found.feedback()] == DAYS[2:]
            left = [row["name"] for row in found.adapters()]
            assert left == DAYS[1:]
            assert {path.name for path in (tmp_path / "adapters").iterdir()} == {row["id"] for row in found.adapters()}
            assert await delete_older(found, adapters, days=2) == (0, 0)
            assert (await client.get("/v1/models")).json() != listed  # nor can it be asked any more
            assert await delete_older(found, adapters, days=10**9) == (0, 0)

    asyncio.run(main())
    found.close()


def test_it_is_done_at_once_and_again_whatever_goes_wrong(monkeypatch, caplog):
    seen, done = [], asyncio.Event

    async def fails_once(*_, days):
        seen.append(days)
        if len(seen) == 1:
            raise OSError("the disk is away")
        if len(seen) == 3:
            ended.set()
        return 1, 0

    async def main():
        global ended
        ended = done()
        task = asyncio.create_task(keep_to(None, None, days=7, pause=0))
        async with asyncio.timeout(30):
            await ended.wait()
        task.cancel()
        await asyncio.wait([task])

    monkeypatch.setattr(retention, "delete_older", fails_once)
    asyncio.run(main())
    assert seen[:3] == [7, 7, 7]
    assert "could not be deleted" in caplog.text
    assert "feedback 1, adapters 0" in caplog.text


@pytest.mark.parametrize(("days", "left"), [(0, 5), (2, 3)])
def test_the_service_does_so_when_it_starts(tmp_path, monkeypatch, days, left):
    from metaforge.serving.adapters import Adapters
    from metaforge.serving.app import create_app
    from metaforge.serving.metrics import Metrics
    from metaforge.serving.options import Options
    from metaforge.serving.service import Service
    from tests.serving.apps import SERVED

    class Pool:
        def start(self): ...

        def stop(self, grace): ...

    found = fill(tmp_path, monkeypatch)
    looked = []
    really = retention.delete_older

    async def seen(*arguments, **more):
        looked.append(await really(*arguments, **more))

    monkeypatch.setattr(retention, "delete_older", seen)

    async def main():
        adapters = Adapters(found, tmp_path / "adapters", model=".", program=("-c", "import sys; sys.stdin.read()"))
        options = Options(model=".", keep_days=days)
        app = create_app(Service(options, tmp_path, SERVED, {}, Pool(), Metrics(), found, adapters))
        async with app.router.lifespan_context(app):
            async with asyncio.timeout(30):
                while days and not looked:
                    await asyncio.sleep(0)

    asyncio.run(main())
    assert len(found.feedback()) == left
    found.close()


def test_somebody_s_words_and_those_on_a_file_are_deleted_when_asked(tmp_path):
    async def main():
        async with asked(tmp_path) as (client, _):
            found = Storage(sqlite_url(tmp_path / "service.sqlite"))
            for who, sha256 in (("ann", "a"), ("ann", "b"), ("bob", "b"), (None, "c")):
                found.add_feedback(**SAID | {"who": who, "sha256": sha256 * 64, "note": f"said by {who} of {sha256}"})
            for query in ("", "?sha256=", "?sha256=5b", "?who=", "?sha256=" + "B" * 64, "?who=" + "a" * 65, "?id=1"):
                answer = await client.delete("/v1/feedback" + query)
                assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid"), query
            assert len(found.feedback()) == 4
            ask = lambda query: client.delete("/v1/feedback?" + query)
            assert (await ask("sha256=" + "b" * 64 + "&who=ann")).json() == {"deleted": 1}
            assert (await ask("sha256=" + "b" * 64)).json() == {"deleted": 1}
            assert (await ask("who=ann")).json() == {"deleted": 1}
            assert (await ask("who=ann")).json() == {"deleted": 0}
            assert [row["note"] for row in found.feedback()] == ["said by None of c"]
            held = [path.name for path in tmp_path.iterdir() if path.is_file() and b"said by ann" in path.read_bytes()]
            assert held == []
            found.close()

    asyncio.run(main())


def test_days_are_days():
    assert before("2026-01-01T00:00:00Z", 365) == "2025-01-01T00:00:00Z"
