"""Bodies that are not what they say: forms that are none, and JSON that could be read in two ways."""

import base64
import json

import pytest

from tests.serving.attacks import hostile
from tests.serving.raw import ask, code_of

PICTURE = base64.b64encode(hostile.picture()).decode()


@pytest.fixture(scope="module")
def client(live):
    with live.client() as asking:
        yield asking


def part(name, content=b"", *, more=b"", filename=b'; filename="a.png"'):
    return b'Content-Disposition: form-data; name="' + name + b'"' + filename + b"\r\n" + more + b"\r\n" + content


def form(*parts, end=b"\r\n--b--\r\n"):
    return b"--b\r\n" + b"\r\n--b\r\n".join(parts) + end


GOOD = part(b"file", hostile.picture())
FIELD = part(b"map", b"true", filename=b"")
KIND = "multipart/form-data; boundary=b"
FORMS = {
    "no boundary": ("multipart/form-data", form(GOOD), {400}),
    "another boundary": ("multipart/form-data; boundary=other", form(GOOD), {400, 422}),
    "a long boundary": ("multipart/form-data; boundary=" + "b" * 5000, form(GOOD), {400, 422}),
    "a boundary of letters that are none": ("multipart/form-data; boundary=\xe9", form(GOOD), {400, 422}),
    "nothing": (KIND, b"", {400, 422}),
    "no part": (KIND, b"--b--\r\n", {400, 422}),
    "no end": (KIND, form(GOOD, end=b""), {400, 422}),
    "not a form": (KIND, bytes(range(256)) * 20, {400, 422}),
    "a line that never ends": (KIND, b"--b\r\n" + b"X" * 200_000, {400}),
    "a part with endless headers": (KIND, form(part(b"file", more=b"X: 1\r\n" * 50_000)), {400}),
    "a part with a long header": (
        KIND, form(part(b"file", more=b"X: " + b"1" * 200_000 + b"\r\n")), {400},
    ),
    "a part without a name": (KIND, form(b"X: 1\r\n\r\n1"), {400, 422}),
    "10,000 fields": (KIND, form(*[FIELD] * 10_000), {400, 413}),
    "10,000 files": (KIND, form(*[part(b"file", b"1")] * 10_000), {413}),
    "two files": (KIND, form(GOOD, GOOD), {413, 422}),
    "a field twice": (KIND, form(GOOD, FIELD, FIELD), {422}),
    "an unknown field": (KIND, form(GOOD, part(b"url", b"http://x/", filename=b"")), {422}),
    "a field of 1 MB": (KIND, form(GOOD, part(b"map", b"t" * 10**6, filename=b"")), {400}),
    "a file as a field": (KIND, form(part(b"file", b"text", filename=b"")), {422}),
    "a form in a form": (
        KIND,
        form(part(b"file", form(GOOD).replace(b"--b", b"--c"), more=b"Content-Type: multipart/mixed; boundary=c\r\n")),
        {415},
    ),
    "base64 within a part": (
        KIND,
        form(part(b"file", PICTURE.encode(), more=b"Content-Transfer-Encoding: base64\r\n")), {415},
    ),
    "text": ("text/plain", b"hello", {415}),
    "a picture as it is": ("image/png", hostile.picture(), {415}),
    "a form of addresses": ("application/x-www-form-urlencoded", b"file=1", {415}),
    "no type": ("", hostile.picture(), {415}),
    "XML": ("application/xml", b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>", {415}),
}  # fmt: skip


def text(**more):
    return json.dumps({"content": PICTURE, **more})


JSON = {
    "not JSON": ("{", 400),
    "nothing": ("", 400),
    "a list": ("[]", 422),
    "a number": ("1", 422),
    "null": ("null", 422),
    "nesting": ("[" * 100_000 + "]" * 100_000, 400),
    "nesting of objects": ('{"a":' * 100_000 + "1" + "}" * 100_000, 400),
    "NaN": (text()[:-1] + ', "map": NaN}', 400),
    "infinity": (text()[:-1] + ', "map": -Infinity}', 400),
    "a number beyond all": (text()[:-1] + ', "map": 1e999}', 400),
    "a number of 100,000 digits": (text()[:-1] + ', "map": ' + "9" * 100_000 + "}", 400),
    "a name twice": (text()[:-1] + ', "content": "aGVsbG8="}', 400),
    "no UTF-8": (b'{"content": "\xff"}', 400),
    "UTF-16": (text().encode("utf-16"), 400),
    "half a letter": ('{"content": "\\ud800"}', 422),
    "more after its end": (text() + "{}", 400),
    "a URL": (text(url="http://127.0.0.1/"), 422),
    "an unknown name": (text(__class__="a"), 422),
    "content that is a URL": (text(content="http://169.254.169.254/latest/meta-data"), 422),
    "content that is a data URL": (text(content="data:image/png;base64," + PICTURE), 422),
    "content with rubbish": (text(content=PICTURE[:20] + "!!!" + PICTURE[20:]), 422),
    "content of another alphabet": (text(content="-_" * 100), 422),
    "content without its padding": (text(content=PICTURE.rstrip("=")[:-1]), 422),
    "content that is a number": (text(content=1), 422),
    "content that is a list": (text(content=[PICTURE]), 422),
    "a word for yes": (text(map="perhaps"), 422),
    "a long model": (text(model="a" * 65), 422),
    "a model that is a path": (text(model="../../etc"), 404),
    "a model that is not there": (text(model="nobody"), 404),
}


@pytest.mark.parametrize(("kind", "body", "statuses"), FORMS.values(), ids=FORMS)
def test_a_form_that_is_none_is_refused(client, kind, body, statuses):
    for path in ("/v1/predict", "/v1/predict/batch", "/v1/adapt"):
        answer = client.post(path, content=body, headers={"Content-Type": kind.encode("latin-1")})
        assert 400 <= answer.status_code < 500
        code_of(answer.content)
        if path == "/v1/predict":
            assert answer.status_code in statuses


@pytest.mark.parametrize(("body", "status"), JSON.values(), ids=JSON)
def test_json_that_is_none_or_could_be_read_in_two_ways_is_refused(client, body, status):
    head = {"Content-Type": "application/json"}
    answer = client.post("/v1/predict", content=body, headers=head)
    assert (answer.status_code, code_of(answer.content)) == (status, answer.json()["error"]["code"])
    for path in ("/v1/feedback", "/v2/models/default/infer", "/v1/predict/batch", "/v1/adapt"):
        answer = client.post(path, content=body, headers=head)
        assert 400 <= answer.status_code < 500
        assert set(answer.json()) == {"error"}


def test_the_bodys_own_compression_is_not_undone(client):
    import gzip

    body = gzip.compress(text().encode())
    head = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = client.post("/v1/predict", content=body, headers=head)
    assert answer.status_code in (400, 415)
    code_of(answer.content)


def test_a_body_that_is_too_large_is_refused_unread(live):
    said = f"Host: localhost\r\nContent-Type: application/json\r\nContent-Length: {10**9}\r\n"
    for path in ("/v1/predict", "/v1/predict/batch", "/v1/adapt", "/v1/feedback", "/v2/models/default/infer", "/none"):
        head = f"POST {path} HTTP/1.1\r\n{said}\r\n"
        ((status, headers, body),) = ask(live.port, head.encode())
        assert (status, headers["connection"]) == (413, "close")
        if path.startswith("/v2"):  # whose protocol has a sentence and no code
            assert "larger" in json.loads(body)["error"]
        else:
            assert code_of(body) == "too_large"


def test_a_picture_of_too_many_bytes_is_refused(client):
    for answer in (
        client.post("/v1/predict", files={"file": ("a.png", hostile.picture() + bytes(4 << 20))}),
        client.post("/v1/predict", json={"content": base64.b64encode(hostile.picture() + bytes(4 << 20)).decode()}),
    ):
        assert (answer.status_code, code_of(answer.content)) == (413, "too_large")


def test_methods_that_are_none_are_refused(client):
    for method in ("GET", "PUT", "PATCH", "TRACE", "CONNECT", "FOO"):
        answer = client.request(method, "/v1/predict")
        assert (answer.status_code, code_of(answer.content)) == (405, "method_not_allowed")


def test_the_service_answers_as_ever(client, live):
    answer = client.post("/v1/predict", content=text(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 200
    assert "Traceback" not in live.log.read_text()
