"""Feedback over HTTP: what is kept, what is refused, and that deleting deletes."""

import asyncio
import json

import pytest

from tests.screening.verdicts.test_record import FILE, UNREAD
from tests.serving.apps import asked

JSON = {"content-type": "application/json"}
CODES = {400: "bad_request", 413: "too_large", 422: "invalid"}
SHA = "00" * 32
SAID = {"sha256": SHA, "label": "fake", "face": 1, "note": "no outline", "verdict": FILE.as_json()}


def test_feedback_is_kept_listed_and_deleted(tmp_path):
    async def main():
        async with asked(tmp_path, who="ann") as (client, _):
            made = await client.post("/v1/feedback", json=SAID)
            assert made.status_code == 201
            row = made.json()
            assert made.headers["location"] == f"/v1/feedback/{row['id']}"
            assert row | SAID == row
            assert (row["who"], row["model_sha256"]) == ("ann", FILE.model.sha256)
            more = [(await client.post("/v1/feedback", json={"sha256": SHA, "label": label})).json()["id"]
                    for label in ("real", "skip")]  # fmt: skip
            listed = (await client.get("/v1/feedback", params={"limit": 2})).json()
            assert [each["label"] for each in listed["feedback"]] == ["fake", "real"]
            assert listed["next"] == more[0]
            listed = (await client.get("/v1/feedback", params={"after": listed["next"]})).json()
            assert ([each["id"] for each in listed["feedback"]], listed["next"]) == ([more[1]], None)
            assert (await client.delete(f"/v1/feedback/{row['id']}")).status_code == 204
            assert (await client.delete(f"/v1/feedback/{row['id']}")).status_code == 404
            assert len((await client.get("/v1/feedback")).json()["feedback"]) == 2

    asyncio.run(main())


def test_what_the_form_of_a_record_does_not_know_is_not_kept(tmp_path):
    async def main():
        async with asked(tmp_path) as (client, _):
            record = FILE.as_json()
            record["picture"] = record["faces"][0]["picture"] = "iVBORw0KGgo="
            row = (await client.post("/v1/feedback", json=SAID | {"verdict": record})).json()
            assert row["verdict"] == FILE.as_json()
            assert row["who"] is None

    asyncio.run(main())


@pytest.mark.parametrize(("change", "status"), [
    ({"sha256": "5b"}, 422), ({"sha256": SHA.upper() + "\n"}, 422), ({"sha256": SHA + "\n"}, 422),
    ({"label": "maybe"}, 422), ({"face": -1}, 422), ({"face": 2}, 422), ({"face": True}, 422), ({"face": 1 << 40}, 422),
    ({"note": "a" * 2001}, 422), ({"note": "\0"}, 422), ({"note": "\ud800"}, 422), ({"image": "iVBORw0KGgo="}, 422),
    ({"verdict": {"version": 2}}, 422), ({"verdict": UNREAD.as_json()}, 422), ({"sha256": "0" * 63 + "1"}, 422),
    ({"verdict": FILE.as_json() | {"reason": "\ud800"}}, 422), ({"verdict": FILE.as_json() | {"reason": "\0"}}, 422),
    ({"verdict": FILE.as_json() | {"p_fake": float("nan")}}, 400),
    ({"verdict": FILE.as_json() | {"reason": "a" * 1_000_001}}, 413),
    ({"verdict": FILE.as_json() | {"model": {"name": "a", "sha256": "1" * 65, "fitted_on": ""}}}, 422),
])  # fmt: skip
def test_what_cannot_be_kept_is_refused(tmp_path, change, status):
    async def main():
        async with asked(tmp_path) as (client, _):
            answer = await client.post("/v1/feedback", content=json.dumps(SAID | change), headers=JSON)
            assert (answer.status_code, answer.json()["error"]["code"]) == (status, CODES[status])
            assert (await client.get("/v1/feedback")).json() == {"feedback": [], "next": None}

    asyncio.run(main())


@pytest.mark.parametrize(("body", "headers", "status"), [
    (b'{"sha256": "a", "sha256": "b"}', JSON, 400), (b"[" * 100_000, JSON, 400), (b"\xff", JSON, 400), (b"", JSON, 400),
    (b"[]", JSON, 422), (b"{}", {"content-type": "text/plain"}, 415), (b"{}", {}, 415),
])  # fmt: skip
def test_a_body_that_is_no_plain_json_is_refused(tmp_path, body, headers, status):
    async def main():
        async with asked(tmp_path) as (client, _):
            answer = await client.post("/v1/feedback", content=body, headers=headers)
            assert answer.status_code == status
            assert answer.json()["error"]["message"].endswith(".")

    asyncio.run(main())


@pytest.mark.parametrize("place", ["0", "-1", str(1 << 40), str(10**30)])
def test_ids_that_are_none_are_not_found(tmp_path, place):
    async def main():
        async with asked(tmp_path) as (client, _):
            assert (await client.delete(f"/v1/feedback/{place}")).status_code == 404

    asyncio.run(main())
