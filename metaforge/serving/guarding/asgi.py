"""The few words of ASGI that all guards speak: a header of a request, and a refusal that every client understands."""

import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from metaforge.serving.errors import Problem

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

CLOSE = (b"connection", b"close")
"""The header that says that no other request is read from this connection."""

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing and compute nothing."""


def header(scope: Scope, name: bytes) -> str | None:
    """What a request says under a name in small letters; `None` if it says nothing.

    Example:
        >>> header({"headers": [(b"host", b"localhost:8000")]}, b"host")
        'localhost:8000'
    """
    for key, value in scope["headers"]:
        if key == name:
            return value.decode("latin-1")
    return None


def noted(scope: Scope) -> dict[str, Any]:
    """What guards have found out about a request, for those behind them; the service finds it as `request.state`.

    Example:
        >>> scope = {}
        >>> noted(scope)["token"] = "ann"
        >>> scope["state"]
        {'token': 'ann'}
    """
    return scope.setdefault("state", {})


def within(path: str, places: Iterable[str]) -> bool:
    """Whether a path is one of these places, or lies below one.

    Example:
        >>> within("/v1/models", ["/v1"]), within("/v10", ["/v1"])
        (True, False)
    """
    return any(path == place or path.startswith(f"{place}/") for place in places)


def announced(scope: Scope) -> int | None:
    """How many bytes of a body a request promises; `None` if it comes in pieces whose sum it does not say.

    Example:
        >>> announced({"headers": []}), announced({"headers": [(b"transfer-encoding", b"chunked")]})
        (0, None)
    """
    if header(scope, b"transfer-encoding") is not None:
        return None
    length = header(scope, b"content-length") or "0"
    return int(length) if length.isascii() and length.isdecimal() and len(length) < 20 else None


async def refuse(scope: Scope, send: Send, problem: Problem, *headers: tuple[bytes, bytes]) -> None:
    """Answers with a problem, as the service itself does."""
    noted(scope)["code"] = problem.code
    content = json.dumps(problem.body(noted(scope).get("request_id", ""), path=scope["path"])).encode()
    said = [(name.lower().encode(), value.encode()) for name, value in problem.headers.items()]
    head = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode()), *said, *headers]
    await send({"type": "http.response.start", "status": problem.status, "headers": head})
    await send({"type": "http.response.body", "body": content})
