"""The queue of adaptations: cancelled, killed, interrupted, full; a small program stands for the work itself."""

import asyncio
import io
import os
import signal
import zipfile
from pathlib import Path

import psutil
import pytest

from metaforge.serving.adapters import JobLimits
from metaforge.serving.placing import places
from metaforge.serving.routes import adapt
from tests.serving.apps import asked
from tests.serving.detectors import form, pictures

REPORT = {"decision": {"saved": "as it was", "pays": False}}
ABOUT = {"id": "one", "regions": False}
WRITE = f"""
import json, pathlib, sys
told = json.loads(sys.stdin.readline())
folder = pathlib.Path(told["folder"])
found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*") if path.is_file())
(folder / "detector").mkdir()
(folder / "5b.onnx").write_bytes(b"")
print(json.dumps({{"report": {REPORT} | {{"told": told, "found": found}}, "sha256": "5b", "about": {ABOUT}}}))
"""
HANG = ("-c", "import sys; sys.stdin.read()")
MAKE = ("-c", WRITE)
FEW = form(real=pictures(3), fake=pictures(2, seed=1))


async def post(client, files=FEW, **fields):
    return await client.post("/v1/adapt", files=files, data=fields)


async def until(client, name, *states, within=60.0):
    """The adapter, as soon as it is in one of the states."""
    async with asyncio.timeout(within):
        while (found := (await client.get(f"/v1/adapters/{name}")).json())["state"] not in states:
            await asyncio.sleep(0.01)
    return found


async def number(adapters):
    """That of the process that adapts, as soon as there is one."""
    async with asyncio.timeout(60.0):
        while (found := adapters._child.pid) is None:
            await asyncio.sleep(0.01)
    return found


def alive(pid):
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def images_in(folder):
    return [path for path in folder.rglob("*") if path.suffix == ".png" or path.name.isdigit()]


def test_an_adapter_is_made_and_its_images_are_gone(tmp_path):
    async def main():
        async with asked(tmp_path, program=MAKE, who="ann") as (client, adapters):
            answer = await post(client, name="phones", force="true")
            queued = answer.json()
            assert (answer.status_code, queued["state"], queued["name"]) == (202, "queued", "phones")
            assert answer.headers["location"] == f"/v1/adapters/{queued['id']}"
            assert adapters.served(queued["id"]) is None
            done = await until(client, queued["id"], "done", "failed")
            assert (done["state"], done["saved"], done["sha256"]) == ("done", "as it was", "5b")
            assert "saved is the detector as it was" in done["message"]
            assert done["decision"] == REPORT["decision"]
            told = done["report"]["told"]
            assert (told["shots"], told["force"], told["crops"]) == (1, True, False)
            assert len([each for each in done["report"]["found"] if each.endswith(".png")]) == 5
            assert images_in(tmp_path) == []
            served = adapters.served(queued["id"])
            assert served is not None
            assert (served.id, served.name, served.sha256) == (queued["id"], queued["id"], "5b")
            assert Path(served.path) == tmp_path / "adapters" / queued["id"] / "5b.onnx"
            assert (await client.get("/v1/models")).json()["models"] == [{"id": "default"}, ABOUT | {"name": "phones"}]
            assert (await client.get("/v1/adapters")).json()["adapters"][0]["images"] == {
                "real": 3, "fake": 2, "unlabelled": 0,
            }  # fmt: skip
            assert [row["who"] for row in adapters._storage.adapters()] == ["ann"]
            removed = (await client.delete(f"/v1/adapters/{queued['id']}")).json()
            assert removed == {"id": queued["id"], "state": "deleted"}
            assert (await client.get(f"/v1/adapters/{queued['id']}")).status_code == 404
            assert adapters.served(queued["id"]) is None
            assert list((tmp_path / "adapters").iterdir()) == []

    asyncio.run(main())


def test_the_running_and_the_waiting_are_cancelled_and_a_full_queue_says_so(tmp_path):
    async def main():
        async with asked(tmp_path, program=HANG, limits=JobLimits(waiting=1)) as (client, adapters):
            running = (await post(client)).json()["id"]
            await until(client, running, "running")
            pid = await number(adapters)
            waiting = (await post(client)).json()["id"]
            full = await post(client)
            assert (full.status_code, full.json()["error"]["code"]) == (429, "too_many")
            assert int(full.headers["retry-after"]) > 0
            for name in (waiting, running):
                assert (await client.delete(f"/v1/adapters/{name}")).json() == {"id": name, "state": "cancelled"}
            assert not alive(pid)
            assert [each["state"] for each in (await client.get("/v1/adapters")).json()["adapters"]] == [
                "cancelled"
            ] * 2
            assert list((tmp_path / "adapters").iterdir()) == []
            # Cancelled, they can be forgotten; and the queue goes on.
            assert (await client.delete(f"/v1/adapters/{running}")).json()["state"] == "deleted"
            adapters.program = MAKE
            await until(client, (await post(client)).json()["id"], "done")

    asyncio.run(main())


def test_what_is_killed_or_takes_too_long_or_breaks_has_failed(tmp_path, caplog):
    async def main():
        async with asked(tmp_path, program=HANG) as (client, adapters):
            name = (await post(client)).json()["id"]
            await until(client, name, "running")
            os.kill(await number(adapters), signal.SIGTERM)
            failed = await until(client, name, "failed")
            assert failed["error"].startswith("The process that adapts was killed by signal 15")
            adapters.program = ("-c", "import os; os._exit(3)")
            failed = await until(client, (await post(client)).json()["id"], "failed")
            assert "ended with code 3" in failed["error"]
            adapters.program = ("-c", 'print(\'{"refused": "Send more."}\')')
            assert (await until(client, (await post(client)).json()["id"], "failed"))["error"] == "Send more."
            adapters.program = ("-c", 'print(\'{"broke": "ErrorOfOurs", "trace": []}\')')
            failed = await until(client, (await post(client)).json()["id"], "failed")
            assert failed["error"].startswith("Adapting failed by a fault of the service")
            (line,) = [each for each in caplog.records if getattr(each, "broke", "") == "ErrorOfOurs"]
            assert (line.adapter, len(line.request_id)) == (failed["id"], 8)
            adapters.program = ("-c", "print('no JSON')")
            failed = await until(client, (await post(client)).json()["id"], "failed")
            assert failed["error"].startswith("Adapting failed by a fault of the service")
            adapters.program, adapters.limits = HANG, JobLimits(seconds=0.01)
            failed = await until(client, (await post(client)).json()["id"], "failed")
            assert failed["error"].startswith("Adapting took longer than")
            assert list((tmp_path / "adapters").iterdir()) == []

    asyncio.run(main())


def test_what_a_stop_interrupts_is_made_at_the_next_start(tmp_path):
    async def main():
        async with asked(tmp_path, program=HANG) as (client, adapters):
            names = [(await post(client, name=name)).json()["id"] for name in ("first", "second", "lost")]
            await until(client, names[0], "running")
            pid = await number(adapters)
        assert not alive(pid)
        folder = tmp_path / "adapters"
        (folder / names[0] / "detector").mkdir()  # half made
        (folder / names[2] / "target" / "names.json").unlink()
        (folder / "coming-0").mkdir()
        async with asked(tmp_path, program=MAKE) as (client, adapters):
            done = [await until(client, name, "done") for name in names[:2]]
            assert [len([each for each in one["report"]["found"] if each.endswith(".png")]) for one in done] == [5, 5]
            assert not any("detector" in each for each in done[0]["report"]["found"])
            assert (await until(client, names[2], "failed"))["error"].startswith("Its images are no longer")
            assert not (folder / "coming-0").exists()
        async with asked(tmp_path, program=HANG) as (client, adapters):
            assert [adapters.served(name) is not None for name in names] == [True, True, False]

    asyncio.run(main())


def zipped():
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as made:
        made.writestr("a.png", pictures(1)[0])
    return held.getvalue()


GOOD = pictures(1)[0]
FIELD = b'--x\r\ncontent-disposition: form-data; name="shots"\r\n\r\n'


@pytest.mark.parametrize(("files", "fields", "status", "code", "said"), [
    ({"real": [b""]}, {}, 400, "empty", "no bytes"),
    ({"real": [b"<svg xmlns='x'/>"]}, {}, 415, "unsupported_type", "SVG"),
    ({"real": [zipped()]}, {}, 415, "unsupported_type", "ZIP archive"),
    ({"real": [b"\0\0\0\x20ftypisom"]}, {}, 415, "unsupported_type", "single frames"),
    ({"real": [b"words"]}, {}, 415, "unsupported_type", "no image of a known kind"),
    ({"real": [GOOD], "more": [GOOD]}, {}, 422, "invalid", "'more' is no field"),
    ({"fake": [GOOD]}, {}, 422, "invalid", "real: there is none"),
    ({"real": [GOOD]}, {"shots": "0"}, 422, "invalid", "at least 1"),
    ({"real": [GOOD]}, {"shots": "٣"}, 422, "invalid", "whole number"),
    ({"real": [GOOD]}, {"force": "yes"}, 422, "invalid", "neither true nor false"),
    ({"real": [GOOD]}, {"name": "a\nb"}, 422, "invalid", "name: "),
    ({"real": [GOOD]}, {"name": "a" * 2000}, 422, "invalid", "1000 bytes"),
    ({"real": [GOOD]}, {"note": "a"}, 422, "invalid", "'note' is no field"),
    ({"real": [GOOD]}, {"real": "a"}, 422, "invalid", "holds files"),
    ({"real": [GOOD] * 5}, {}, 413, "too_large", "more than 4 files"),
    ({"real": [GOOD + bytes(1_000_000)]}, {}, 413, "too_large", "more than 1 MB"),
])  # fmt: skip
def test_what_cannot_be_adapted_to_is_refused_and_nothing_is_left(
    tmp_path, monkeypatch, files, fields, status, code, said
):
    monkeypatch.setattr(adapt, "FILES", 4)

    async def main():
        async with asked(tmp_path, program=HANG) as (client, adapters):
            answer = await client.post("/v1/adapt", files=form(**files), data=fields)
            error = answer.json()["error"]
            assert (answer.status_code, error["code"]) == (status, code)
            assert said in error["message"]
            assert list(adapters.folder.iterdir()) == []
            assert (await client.get("/v1/adapters")).json() == {"adapters": []}

    asyncio.run(main())


@pytest.mark.parametrize(("kind", "body", "status", "code"), [
    ("application/json", b"{}", 415, "unsupported_type"),
    ("", b"", 415, "unsupported_type"),
    ("multipart/form-data", b"", 400, "bad_request"),
    ("multipart/form-data; boundary=x", b"", 400, "bad_request"),
    ("multipart/form-data; boundary=x", b"no form", 400, "bad_request"),
    ("multipart/form-data; boundary=x", b"--x\r\n\r\nx\r\n--x--", 422, "invalid"),
    ("multipart/form-data; boundary=x", FIELD + b"3", 400,
     "bad_request"),
    ("multipart/form-data; boundary=x", FIELD + b"\xff\r\n--x--", 422,
     "invalid"),
    ("multipart/form-data; boundary=" + "x" * 5000, b"", 400, "bad_request"),
    ("multipart/form-data; boundary=x", b"--x\r\n" + b"a: b\r\n" * 5000, 400, "bad_request"),
])  # fmt: skip
def test_a_body_that_is_no_form_is_refused(tmp_path, kind, body, status, code):
    async def main():
        async with asked(tmp_path, program=HANG) as (client, adapters):
            answer = await client.post("/v1/adapt", content=body, headers={"content-type": kind})
            assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
            assert list(adapters.folder.iterdir()) == []

    asyncio.run(main())


def test_a_file_in_onnx_cannot_be_adapted_and_unknown_ids_are_not_found(tmp_path):
    (tmp_path / "a.onnx").write_bytes(b"")

    async def main():
        async with asked(tmp_path, model=str(tmp_path / "a.onnx"), limits=JobLimits(kept=0)) as (client, adapters):
            answer = await post(client)
            assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")
            assert "a detector in ONNX, which cannot be adapted" in answer.json()["error"]["message"]
            for name in ("0" * 16, "..%2f..", "a" * 500, "\u2603"):
                for method in ("GET", "DELETE"):
                    assert (await client.request(method, f"/v1/adapters/{name}")).status_code == 404
            adapters.why_not = ""
            answer = await post(client)
            assert answer.status_code == 409
            assert "Delete one first" in answer.json()["error"]["message"]

    asyncio.run(main())


def test_names_keep_pairs_and_folders_and_nothing_else():
    found = places({
        "real": [("1.png", ".png"), ("2.png", ".png"), ("blob", ".png"), ("blob", ".png"), ("/home/ann/3.png", ".jpg"),
                 ("clip/7.png", ".png"), ("C:\\users\\4.png", ".png"), ("", ".png"), ("../../5.png", ".gif")],
        "fake": [("2.jpg", ".jpg"), ("blob", ".png"), ("clip/7.png", ".png"), ("clip/8.png", ".png"),
                 ("3.png", ".png")],
        "unlabelled": [("2.png", ".png"), ("a/../../b.png", ".png")],
    })  # fmt: skip
    assert found == {
        "real": ["0001.png", "0002.png", "0003.png", "0004.png", "0005.jpg", "g001/0006.png", "0007.png", "0008.png",
                 "0009.gif"],
        "fake": ["0002.jpg", "0010.png", "g001/0006.png", "g001/0011.png", "0005.png"],
        "unlabelled": ["0012.png", "0013.png"],
    }  # fmt: skip


def test_path_like_names_stay_within(tmp_path):
    names = ["../../../evil.png", "/etc/evil.png", "a/../../evil.png", "evil.png\0.sh", "..", ".", "~/evil.png"]
    files = [("real", (name, GOOD, "image/png")) for name in names]

    async def main():
        async with asked(tmp_path, program=MAKE) as (client, _):
            done = await until(client, (await post(client, files)).json()["id"], "done")
            found = [each for each in done["report"]["found"] if not each.endswith(".json")]
            assert found == [f"target/real/{number:04}.png" for number in range(1, len(found) + 1)]

    asyncio.run(main())
    assert not any("evil" in path.name for path in tmp_path.rglob("*"))
