"""Real requests, and what a drawn number of small changes makes of them: the same for the same seed."""

import base64
import json

import numpy as np

from tests.serving.attacks import hostile

_WORDS = [
    b"\0", b"\xff", b"\r\n", b"--b", b"--b--", b'"', b"\\", b"{", b"[", b"NaN", b"null", b"-1", b"1e999", b"%00",
    b"../", b"\xed\xa0\x80", b"filename*=UTF-8''%00", b"\xe2\x80\xae", b"<svg", b"%PDF-", b"PK\x03\x04", b"GIF89a",
    b"\x7fELF", b"true", b'Content-Disposition: form-data; name="file"\r\n', b"=", b";", b"9" * 40,
]  # fmt: skip
"""What a reader may stumble over."""


def text(data):
    """Bytes in base64."""
    return base64.b64encode(data).decode()


def _form(name, content, **fields):
    parts = [f'Content-Disposition: form-data; name="{name}"; filename="a.png"\r\n\r\n'.encode() + content]
    parts += [f'Content-Disposition: form-data; name="{key}"\r\n\r\n{value}'.encode() for key, value in fields.items()]
    return b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n"


def real_requests():
    """Path, type and body of requests that are answered 200 to 202, of every place that takes a body."""
    small = [hostile.picture(form) for form in ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")]
    multipart, plain = "multipart/form-data; boundary=b", "application/json"
    said = {"sha256": "5b" * 32, "label": "fake", "face": 1, "note": "The left ear has no outline."}
    infer = {"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": [text(small[0])]}]}
    batch = {"items": [{"content": text(data), "name": "a"} for data in small[:2]]}
    found = [("/v1/predict", multipart, _form("file", data, crops="true")) for data in small]
    found += [("/v1/predict", plain, json.dumps({"content": text(data), "map": False}).encode()) for data in small]
    found += [("/v1/predict/batch", multipart, _form("files", data)) for data in small[:2]]
    found += [
        (path, plain, json.dumps(body).encode())
        for path, body in (("/v1/predict/batch", batch), ("/v1/feedback", said), ("/v2/models/default/infer", infer))
    ]
    return found


def mutated(body, rng):
    """A body after one to four changes: bytes turned, cut out, put in, repeated or moved, or its end cut off."""
    for _ in range(rng.integers(1, 5)):
        at, length = int(rng.integers(0, len(body) + 1)), int(rng.integers(1, 40))
        change = rng.integers(0, 7)
        if change == 0 and body:
            place = min(at, len(body) - 1)
            body = body[:place] + bytes([body[place] ^ (1 << int(rng.integers(0, 8)))]) + body[place + 1 :]
        elif change == 1:
            body = body[:at] + body[at + length :]
        elif change == 2:
            body = body[:at] + rng.bytes(length) + body[at:]
        elif change == 3:
            body = body[:at] + _WORDS[rng.integers(0, len(_WORDS))] + body[at:]
        elif change == 4:
            body = body[:at] + body[at : at + length] * int(rng.integers(2, 30)) + body[at + length :]
        elif change == 5:
            body = body[:at]
        else:
            word = _WORDS[rng.integers(0, len(_WORDS))]
            body = body[:at] + word + body[at + len(word) :]
    return body


def fuzzed(count, *, seed):
    """So many mutated requests."""
    rng, real = np.random.default_rng(seed), real_requests()
    for number in range(count):
        path, kind, body = real[number % len(real)]
        # Now and then it is said to be what it is not.
        if rng.random() < 0.05:
            kind = rng.choice(
                ["application/json", "multipart/form-data", "multipart/form-data; boundary=x", "text/html"]
            )
        yield path, str(kind), mutated(body, rng)
