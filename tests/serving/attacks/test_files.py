"""Files made to do harm, sent to the service itself: each is judged by its content, or refused, and never kept."""

import base64
import json

import pytest

from tests.serving.attacks import hostile
from tests.serving.raw import code_of

BOUND = 400 << 20
"""Bytes that the front and its workers hold by themselves after whatever they were sent; without it it is 200 MB."""

PEAK = 1 << 30
"""Bytes that a worker takes while it reads the largest picture that is allowed."""


@pytest.fixture(scope="module")
def client(live):
    with live.client() as asking:
        yield asking


def send(client, data, name="a.jpg", kind="image/jpeg", **fields):
    return client.post("/v1/predict", files={"file": (name, data, kind)}, data=fields)


def in_json(client, data, **more):
    return client.post("/v1/predict", json={"content": base64.b64encode(data).decode()} | more)


@pytest.mark.parametrize("data", hostile.REFUSED.values(), ids=hostile.REFUSED)
def test_what_is_no_picture_is_refused_whatever_it_is_called(client, data):
    for answer in (send(client, data), send(client, data, "a.mp4", "video/mp4"), in_json(client, data, name="a.png")):
        assert (answer.status_code, code_of(answer.content)) == (415, "unsupported_type")
        assert b"alert" not in answer.content
        assert b"passwd" not in answer.content


@pytest.mark.parametrize("data", hostile.BROKEN.values(), ids=hostile.BROKEN)
def test_what_only_begins_as_one_is_refused_in_a_sentence(client, live, data):
    for answer in (send(client, data), in_json(client, data)):
        assert (answer.status_code, code_of(answer.content)) == (422, "unreadable")
    assert live.memory() < BOUND


def test_an_empty_file_is_said_to_be_empty(client):
    for answer in (send(client, b""), in_json(client, b"")):
        assert (answer.status_code, code_of(answer.content)) == (400, "empty")


@pytest.mark.parametrize("name", ["a.svg", "a.html", "a.mp4", "a", "a.png.exe", "a.zip"])
def test_a_picture_is_one_whatever_it_is_called(client, name):
    for form, kind in zip(
        ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"), ("text/html", "video/mp4", "") * 2, strict=True
    ):
        answer = send(client, hostile.picture(form), name, kind)
        assert answer.status_code == 200
        assert (answer.json()["verdict"]["kind"], answer.json()["verdict"]["size"]) == ("image", [20, 24])


@pytest.mark.parametrize(("name", "data"), hostile.polyglots().items(), ids=hostile.polyglots())
def test_what_is_a_picture_and_more_is_judged_as_a_picture_and_never_served_back(client, name, data):
    answer = send(client, data, "a.html", "text/html")
    assert answer.status_code == 200
    assert answer.json()["verdict"]["kind"] == "image"
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert b"alert" not in answer.content
    # The map's crop is made anew from the pixels: nothing of the file is in it.
    said = send(client, data, "a.html", "text/html", map="true")
    assert said.status_code == 200
    for each in said.json()["maps"]:
        kind, _, text = each["crop"].partition(";base64,")
        crop = base64.b64decode(text, validate=True)
        assert crop.startswith({"data:image/png": b"\x89PNG", "data:image/jpeg": b"\xff\xd8\xff"}[kind])
        assert b"alert" not in crop


def test_a_picture_of_as_many_pixels_as_are_allowed_is_judged_in_bounded_memory(client, live):
    side = 7990  # of 64 million
    answer = send(client, hostile.png(side, side, rows=hostile.zeros(65 << 20)))
    assert (answer.status_code, answer.json()["verdict"]["size"]) == (200, [side, side])
    assert live.peak() < PEAK
    assert send(client, hostile.picture()).status_code == 200  # so it has been given back by now
    assert live.memory() < BOUND


NAMES = {
    "a path": "../../../../etc/passwd",
    "a path of Windows": "..\\..\\windows\\win.ini",
    "an absolute path": "/etc/passwd",
    "NUL": "a\0.png",
    "line breaks": "a\r\nSet-Cookie: b=c\r\n.png",
    "100 kB": "a" * 100_000,
    "markup": "<img src=x onerror=alert(1)>.png",
    "dots": "..",
    "a device": "CON",
    "another direction": "gnp.\u202eexe",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_name_is_a_word_and_never_a_path(client, live, name):
    before = {str(path) for path in live.state.rglob("*")}
    answer = in_json(client, hostile.picture(), name=name)
    assert answer.status_code == (200 if len(name) <= 1000 else 422)
    if answer.status_code == 200:
        said = answer.json()["verdict"]["file"]
        assert said.isprintable()
        assert "/" not in said
        assert len(said) <= 200
    answer = send(client, hostile.picture(), name)
    assert answer.status_code in (200, 400)
    left = {str(path) for path in live.state.rglob("*")} - before
    assert not left
    assert "etc/passwd" not in live.log.read_text()


PATHS = [
    "/static/../../../../etc/passwd", "/static/..%2f..%2f..%2fetc/passwd", "/static/%2e%2e/%2e%2e/app.py",
    "/static//etc/passwd", "/static/..\\..\\app.py", "/static/%00", "/static/page.js%00.html",
    "/static/.git/config", "/../app.py", "//etc/passwd", "/static/%252e%252e/app.py", "/static/" + "a/" * 2000,
    "/static/con", "/static/..;/app.py", "/%c0%ae%c0%ae/app.py",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS, ids=range(len(PATHS)))
def test_no_path_leads_out_of_the_page(live, path):
    from tests.serving.raw import ask

    ((status, _, body),) = ask(
        live.port, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    )
    assert (status, code_of(body)) == (404, "not_found")
    assert b"root:" not in body


def test_nothing_that_was_sent_has_been_kept(client, live):
    left = [path for path in (live.state / "spool").rglob("*") if path.is_file()]
    assert not left
    log = live.log.read_text()
    assert "Traceback" not in log
    assert "alert" not in log
    # And the service answers as ever.
    answer = send(client, hostile.picture())
    assert answer.status_code == 200
    assert json.loads(answer.content)["verdict"]["p_fake"] is not None
