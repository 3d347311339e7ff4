"""A client of the service, of the standard library alone: an example to use, to read, or to copy.

client = Client("http://127.0.0.1:8000", token="...")
said = client.predict(Path("portrait.jpg").read_bytes())
print(said.verdict.decision, said.verdict.reason)
"""

import http.client
import json
import secrets
import time
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from metaforge.screening.verdicts.record import FileVerdict

Files = Iterable[tuple[str, str, bytes]]
"""Fields of a form with the names and contents of the files in them."""


class ServiceError(Exception):
    """What a service answers when it does not do what it was asked.

    Attributes:
        status: of HTTP.
        code: for programs, such as "too_large".
        message: for people: what is wrong, and what to do.
        request_id: by which the service's log has it.
        retry_after: after how many seconds asking again may help; `None` if the service says nothing of it.
    """

    def __init__(self, status: int, said: Mapping[str, str], retry_after: int | None = None):
        """From the body of an answer."""
        self.status, self.code, self.message = status, said.get("code", "failed"), said.get("message", "")
        self.request_id, self.retry_after = said.get("request_id", ""), retry_after
        super().__init__(f"{self.message} ({status} {self.code})")


class Prediction(NamedTuple):
    """A verdict, the maps and regions that were asked for, how long each stage took, and what was left out."""

    verdict: FileVerdict
    maps: list[dict[str, Any]]
    regions: dict[str, Any] | None
    timing_ms: dict[str, float]
    degraded: list[str]


class Adapter(NamedTuple):
    """An adapter as it stands; `saved` says whether it is adapted, or the detector as it was."""

    id: str
    name: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    saved: Literal["adapted", "as it was"] | None
    message: str
    error: str | None
    report: dict[str, Any] | None
    decision: dict[str, Any] | None


class Client:
    """Asks one service, over one connection; no two threads at a time."""

    def __init__(self, url: str, *, token: str = "", seconds: float = 60.0):
        """Nothing is asked yet.

        Args:
            url: of the service.

        Other Arguments:
            token: of the service's file of tokens, if it has one.
            seconds: to wait for an answer.
        """
        parts = urllib.parse.urlsplit(url)
        kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
        self._path = parts.path.rstrip("/")
        self._connection = kinds[parts.scheme](parts.netloc, timeout=seconds)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def predict(self, data: bytes, *, name: str = "upload", model: str = "default", evidence: bool = False,
                map: bool = False, crops: bool = False) -> Prediction:  # fmt: skip
        """The verdict on a picture or a video.

        Args:
            data: the content of its file.

        Other Arguments:
            name: what its record calls it.
            model: "default", or an adapter's id.
            evidence: whether features are measured beside the score.
            map: whether to say what the score depends on, and where the face may be forged.
            crops: whether it is a face crop.

        Raises:
            ServiceError: when it cannot be judged.
        """
        asked = _asked(model, evidence=evidence, map=map, crops=crops)
        found = self._post("/v1/predict", [("file", name, data)], asked)
        verdict = FileVerdict.from_json(found["verdict"])
        return Prediction(verdict, found.get("maps") or [], found.get("regions"), found["timing_ms"], found["degraded"])

    def predict_many(self, files: Mapping[str, bytes], *, model: str = "default", evidence: bool = False,
                     crops: bool = False) -> dict[str, FileVerdict | ServiceError]:  # fmt: skip
        """Verdicts on many files by their names; of one that cannot be judged the error, which stops no other."""
        asked = _asked(model, evidence=evidence, crops=crops)
        found = self._post("/v1/predict/batch", [("files", name, data) for name, data in files.items()], asked)
        said = lambda each: (
            FileVerdict.from_json(each["verdict"]) if each["status"] == 200
            else ServiceError(each["status"], each["error"])
        )  # fmt: skip
        return {name: said(each) for name, each in zip(files, found["results"], strict=True)}

    def adapt(self, real: Sequence[bytes], fake: Sequence[bytes] = (), unlabelled: Sequence[bytes] = (), *,
              shots: int | None = None, name: str = "", force: bool = False, crops: bool = False, wait: bool = True,
              every: float = 1.0) -> Adapter:  # fmt: skip
        """Adapts the service's detector to a few labelled images.

        Args:
            real: images.
            fake: likewise; may be none where the detector's rule allows it.
            unlabelled: more real images, which are not tested on.

        Other Arguments:
            shots: images a class to adapt on; the service's choice if left out.
            name: what to call it.
            force: whether to save it adapted even if that is not shown to help.
            crops: whether the images are face crops.
            wait: whether to wait until it has ended.
            every: so many seconds to ask.

        Raises:
            ServiceError: when it is not taken.
        """
        of = {"real": real, "fake": fake, "unlabelled": unlabelled}
        files = [(field, f"{field}{number}", data) for field, some in of.items() for number, data in enumerate(some)]
        asked = {"name": name, "force": _text(force), "crops": _text(crops)} | ({"shots": str(shots)} if shots else {})
        found = _adapter(self._post("/v1/adapt", files, asked))
        while wait and found.state in ("queued", "running"):
            time.sleep(every)
            found = self.adapter(found.id)
        return found

    def adapter(self, id: str) -> Adapter:
        """An adapter as it stands now."""
        return _adapter(self._ask("GET", f"/v1/adapters/{urllib.parse.quote(id, safe='')}"))

    def remove(self, id: str) -> str:
        """Cancels an adapter, or deletes one that has ended; "cancelled" or "deleted"."""
        return self._ask("DELETE", f"/v1/adapters/{urllib.parse.quote(id, safe='')}")["state"]

    def feedback(self, verdict: FileVerdict, label: Literal["real", "fake", "skip"], *, face: int | None = None,
                 note: str = "") -> int:  # fmt: skip
        """Says what a file is of which there is a verdict; the number of what was said."""
        said = {"sha256": verdict.sha256, "label": label, "face": face, "note": note, "verdict": verdict.as_json()}
        return self._ask("POST", "/v1/feedback", json.dumps(said).encode(), "application/json")["id"]

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()

    def _post(self, path: str, files: Files, fields: Mapping[str, str]) -> dict[str, Any]:
        boundary = secrets.token_hex(16)
        return self._ask("POST", path, _form(files, fields, boundary), f"multipart/form-data; boundary={boundary}")

    def _ask(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> dict[str, Any]:
        headers = self._headers | ({"Content-Type": kind} if kind else {})
        try:
            self._connection.request(method, self._path + path, body, headers)
            answer = self._connection.getresponse()
            data = answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()  # the next request opens it anew
            raise
        found = json.loads(data) if answer.headers.get_content_type() == "application/json" else {}
        if answer.status >= 400:
            wait = answer.headers.get("Retry-After")
            raise ServiceError(answer.status, found.get("error", {}), int(wait) if wait else None)
        return found


def _adapter(found: Mapping[str, Any]) -> Adapter:
    return Adapter(**{name: found[name] for name in Adapter._fields})


def _text(flag: bool) -> str:
    return "true" if flag else "false"


def _asked(model: str, **flags: bool) -> dict[str, str]:
    return {"model": model} | {name: _text(flag) for name, flag in flags.items()}


def _form(files: Files, fields: Mapping[str, str], boundary: str) -> bytes:
    """A form in multipart/form-data, as browsers write it."""
    quoted = lambda name: name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
    head = lambda field, more="": f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"{more}\r\n'.encode()
    parts = [head(field) + b"\r\n" + text.encode() + b"\r\n" for field, text in fields.items()]
    for field, name, data in files:
        kind = b"Content-Type: application/octet-stream\r\n\r\n"
        parts.append(head(field, f'; filename="{quoted(name)}"') + kind + data + b"\r\n")
    return b"".join([*parts, f"--{boundary}--\r\n".encode()])
