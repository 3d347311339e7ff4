"""One line for each request: who asked what and how it ended, and nothing of what was sent."""

import datetime
import json
import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

from metaforge.serving.guarding.asgi import App, Message, Receive, Scope, Send, noted

Log = Callable[[dict[str, Any]], None]
"""Where records go, one call each."""


def json_lines(stream: TextIO | None = None) -> Log:
    r"""Writes each record as one line of JSON; what is not ASCII is escaped, so no record can begin a line of its own.

    Args:
        stream: where to; standard error if it is not given.

    Example:
        >>> import sys
        >>> json_lines(sys.stdout)({"status": 200, "token": "a\nb"})
        {"status": 200, "token": "a\nb"}
    """

    def write(record: dict[str, Any]) -> None:
        where = stream or sys.stderr
        where.write(json.dumps(record, allow_nan=False) + "\n")
        where.flush()

    return write


def now() -> str:
    """The time as records tell it.

    Example:
        >>> len(now()), now()[-1]
        (24, 'Z')
    """
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def route_of(scope: Scope) -> str:
    """The pattern that a request's path fell under, never the path itself, which may be anything.

    Example:
        >>> route_of({"path": "/v1/predict/../../etc/passwd"})
        '-'
    """
    path = getattr(scope.get("route"), "path", None)
    if path:
        return path
    # Of what is mounted, such as a folder of files, only the place is known.
    return f"{scope['root_path']}/*" if scope.get("endpoint") is not None and scope.get("root_path") else "-"


def logged(app: App, log: Log) -> App:
    """Calls `log` once for each request, when its answer has been sent or its client has gone.

    A record has `time`, `request_id`, `method`, `route`, `status` (`null` if there was no answer), `ms`, `bytes` of
    the answer's body, the name of the token (`null` if there was none), and the `code` of an error.
    """

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        begun, status, sent = time.perf_counter(), None, 0

        async def say(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body":
                sent += len(message.get("body", b""))
            await send(message)

        try:
            await app(scope, receive, say)
        finally:
            log(
                {
                    "time": now(),
                    "request_id": noted(scope).get("request_id"),
                    "method": scope["method"][:16],
                    "route": route_of(scope),
                    "status": status,
                    "ms": round(1000 * (time.perf_counter() - begun), 1),
                    "bytes": sent,
                    "token": noted(scope).get("token"),
                    "code": noted(scope).get("code"),
                }
            )

    return guard
