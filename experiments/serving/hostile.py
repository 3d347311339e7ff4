"""Requests that no service should take, and what it must answer instead: never 200, never 500, no stack trace."""

import base64
import io
import json
import struct
import zipfile
import zlib
from typing import NamedTuple

from experiments.serving.bodies import TYPE, body

JSON = "application/json"


class Case(NamedTuple):
    """A request and its answer.

    Attributes:
        name: what it is.
        path: where it goes.
        content: its body.
        allowed: statuses that are right.
        headers: of the request.
        method: of HTTP.
    """

    name: str
    path: str
    content: bytes
    allowed: frozenset[int]
    headers: dict[str, str]
    method: str = "POST"


def bomb(side: int = 30_000) -> bytes:
    """A PNG of a hundred kilobytes that wants 900 million pixels."""
    line, packed = bytes(1 + side // 8), zlib.compressobj(9)
    data = b"".join(packed.compress(line) for _ in range(side)) + packed.flush()
    chunk = lambda kind, said: struct.pack(">I", len(said)) + kind + said + struct.pack(">I", zlib.crc32(kind + said))
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def _zip(inside: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("../../face.jpg", inside)
    return out.getvalue()


def cases(picture: bytes, *, side: int = 30_000) -> list[Case]:
    """All of them, made of a good picture (JPEG), and a bomb of so many pixels a side."""
    form = {"Content-Type": TYPE}
    files = {
        "nothing": (b"", {400}),
        "text": (b"I am a picture.", {415}),
        "drawing": (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", {415}),
        "page": (b"<!doctype html><script>alert(1)</script>", {415}),
        "archive": (_zip(picture), {415}),
        "program": (b"\x7fELF" + bytes(200), {415}),
        "pickle": (b"\x80\x04\x95" + bytes(200), {415}),
        "half a picture": (picture[: len(picture) // 2], {422}),
        "head of a picture": (picture[:400], {422}),
        "no picture behind the head": (picture[:20] + b"\xff" * 5000, {422}),
        "bomb": (bomb(side), {413, 422}),
        "no video behind the head": (b"\0\0\0\x18ftypmp42" + bytes(3000), {422}),
        "larger than a picture may be": (picture + bytes(33 << 20), {413}),
    }
    found = [
        Case(name, "/v1/predict", body([data], field="file"), frozenset(allowed), form)
        for name, (data, allowed) in files.items()
    ]
    good = body([picture], field="file")
    told = {"content": base64.b64encode(picture).decode()}
    texts = {
        "no JSON": b"{",
        "deep JSON": b"[" * 50_000,
        "an address in place of a picture": json.dumps({"url": "http://169.254.169.254/latest/meta-data"}).encode(),
        "an unknown key": json.dumps(told | {"callback": "http://x"}).encode(),
        "no base64": json.dumps({"content": "!" * 100}).encode(),
        "a number for a text": json.dumps({"content": 5}).encode(),
    }
    found += [
        Case(name, "/v1/predict", text, frozenset({400, 422}), {"Content-Type": JSON}) for name, text in texts.items()
    ]
    refused, unknown = frozenset({400, 422}), frozenset({404, 422})
    found += [
        Case("no boundary", "/v1/predict", good, refused, {"Content-Type": "multipart/form-data"}),
        Case("another boundary", "/v1/predict", good, refused, {"Content-Type": "multipart/form-data; boundary=b"}),
        Case("half a form", "/v1/predict", good[: len(good) // 2], refused, form),
        Case("no type", "/v1/predict", good, frozenset({400, 415}), {}),
        Case("another model", "/v1/predict", body([picture], field="file", model="../../etc/passwd"), unknown, form),
        Case("a model that is not there", "/v1/predict", body([picture], field="file", model="0" * 16), unknown, form),
        Case("a web page of elsewhere", "/v1/predict", good, frozenset({403}), form | {"Origin": "http://evil.example"}),
        Case("another host", "/v1/predict", good, frozenset({421}), form | {"Host": "evil.example"}),
        Case("many headers", "/v1/predict", good, frozenset({431}), form | {f"X-{at}": "1" for at in range(300)}),
        Case("a long header", "/v1/predict", good, frozenset({431}), form | {"X-Long": "a" * 100_000}),
        Case("another way", "/v1/predict", b"", frozenset({405}), {}, "GET"),
        Case("a path upwards", "/static/../../../../etc/passwd", b"", frozenset({404}), {}, "GET"),
        Case("the same in hexadecimal", "/static/..%2f..%2f..%2fetc/passwd", b"", frozenset({404}), {}, "GET"),
        Case("feedback of no file", "/v1/feedback", b'{"sha256": "x", "label": "no"}', refused, {"Content-Type": JSON}),
    ]  # fmt: skip
    return found
