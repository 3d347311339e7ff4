"""Connections as strangers use them: heads that never end, too many at once, and what is not quite HTTP."""

import asyncio
import collections
import json
import sys
from collections.abc import Callable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from metaforge.serving.errors import Problem, problem
from metaforge.serving.guarding.headers import ALWAYS
from metaforge.serving.guarding.ids import request_id
from metaforge.serving.limits import Limits
from metaforge.serving.rates import client_of

_FREE_PIECES, _LEAST_PIECE = 4096, 256


def uvicorn_settings(limits: Limits, *, failed: Callable[[str], None] = lambda code: None) -> dict[str, Any]:
    """What `uvicorn.Config` is given beside the application and the address.

    uvicorn neither logs requests nor believes what proxies say of a client, unless it is told so, and it does not say
    what it is.

    Args:
        limits: bounds on connections.

    Other Arguments:
        failed: called with the code of each error that is answered to a connection without asking the application.

    Example:
        >>> settings = uvicorn_settings(Limits(keep_alive=3))
        >>> settings["timeout_keep_alive"], settings["access_log"]
        (3, False)
    """
    return {
        "http": guarded_protocol(limits, failed=failed),
        "ws": "none",
        "timeout_keep_alive": limits.keep_alive,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
    }


def guarded_protocol(limits: Limits, *, failed: Callable[[str], None] = lambda code: None) -> type[H11Protocol]:
    """The protocol of HTTP/1.1 of uvicorn, within bounds; connections are counted over all of one such class.

    - The head of a request must have come within `limits.head` seconds: else 408, or nothing if nothing had come.
    - A head may have `limits.head_bytes` and `limits.head_lines`: else 431.
    - What is no HTTP, or could be read in two ways (a body with a length and in pieces), is answered 400.
    - Every refusal closes the connection. Its client is given `limits.linger` seconds to read it and to stop sending,
      for a connection that is cut at once takes the answer with it; what comes meanwhile is thrown away.
    - Beyond `limits.per_client` or `limits.connections` a new connection is answered 429 and closed.
    - A client that takes none of its answer for `limits.unread` seconds is cut off.
    """
    opened: collections.Counter[str] = collections.Counter()

    class Guarded(H11Protocol):
        def __init__(self, *args: Any, **kwargs: Any):
            super().__init__(*args, **kwargs)
            self.conn = _Strict(limits)
            self.lingering = False
            self.counted = ""
            self.head_timer: asyncio.TimerHandle | None = None
            self.unread_timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            self.bare = transport
            super().connection_made(_Closing(transport, self))  # type: ignore[arg-type]
            self.counted = client_of({"client": self.client})
            opened[self.counted] += 1
            over = max(opened[self.counted] / limits.per_client, opened.total() / limits.connections)
            if over > 2:  # even those that are told so have become too many
                transport.abort()
            elif over > 1:
                text = "There are too many connections. Close some, and ask again."
                self.answer(problem("too_many", text, retry_after=1))
            else:
                self.watch_head()

        def connection_lost(self, exc: Exception | None) -> None:
            opened[self.counted] -= 1
            if not opened[self.counted]:
                del opened[self.counted]
            for timer in (self.head_timer, self.unread_timer):
                if timer is not None:
                    timer.cancel()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if self.lingering:
                return
            super().data_received(data)
            self.watch_head()

        def watch_head(self) -> None:
            """Runs a clock while the head of a request is coming; between requests that of keep-alive runs."""
            coming = self.conn.their_state is h11.IDLE and not self.lingering
            if not coming and self.head_timer is not None:
                self.head_timer.cancel()
                self.head_timer = None
            if coming and self.head_timer is None:
                self.head_timer = self.loop.call_later(limits.head, self.head_is_late)

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:  # a next request has begun already
                self._unset_keepalive_if_required()
                self.watch_head()

        def head_is_late(self) -> None:
            if self.lingering or self.transport.is_closing():
                return
            if self.conn.trailing_data[0]:
                self.answer(problem("too_slow", "The request's head came too slowly. Send it again."))
            else:
                self.transport.close()

        def send_400_response(self, msg: str) -> None:
            # It is called where h11's error is being handled, which knows better than 400.
            error = sys.exc_info()[1]
            code = "headers_too_large" if getattr(error, "error_status_hint", 400) == 431 else "bad_request"
            self.answer(_MEANT[code])

        def answer(self, refusal: Problem) -> None:
            """Answers without the application, and closes."""
            failed(refusal.code)
            if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                named = request_id(None)
                content = json.dumps(refusal.body(named)).encode()
                head: list[tuple[bytes, bytes]] = [
                    *ALWAYS,
                    (b"content-type", b"application/json"),
                    (b"content-length", str(len(content)).encode()),
                    (b"x-request-id", named.encode()),
                    *((name.encode(), value.encode()) for name, value in refusal.headers.items()),
                    (b"connection", b"close"),
                ]
                start = h11.Response(status_code=refusal.status, headers=head)
                for event in (start, h11.Data(data=content), h11.EndOfMessage()):
                    self.transport.write(self.conn.send(event) or b"")
            self.linger()

        def linger(self) -> None:
            """Stops talking, and listens on for a little while."""
            if self.lingering or self.bare.is_closing():
                return
            self.lingering, transport = True, self.bare
            self.watch_head()
            if self.cycle is not None and not self.cycle.response_complete:
                self.cycle.disconnected = True
                self.cycle.message_event.set()
            if transport.can_write_eof():
                transport.write_eof()
            if not transport.is_reading():
                transport.resume_reading()
            self.loop.call_later(limits.linger, transport.abort)

        def shutdown(self) -> None:
            if self.lingering:
                self.bare.abort()
            else:
                super().shutdown()

        def _unsupported_upgrade_warning(self) -> None:
            """Who asks for another protocol is answered in this one, and nothing is logged of it."""

        def pause_writing(self) -> None:
            super().pause_writing()
            if self.unread_timer is None:
                self.unread_timer = self.loop.call_later(limits.unread, self.transport.abort)

        def resume_writing(self) -> None:
            super().resume_writing()
            if self.unread_timer is not None:
                self.unread_timer.cancel()
                self.unread_timer = None

    return Guarded


class _Strict(h11.Connection):
    """h11's reading of requests, with bounds on what arrives whole, and without what could be read in two ways."""

    def __init__(self, limits: Limits):
        super().__init__(h11.SERVER, limits.head_bytes)
        self._limits = limits
        self._pieces = self._brought = 0

    def next_event(self) -> Any:
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._pieces = self._brought = 0
            lines = list(event.headers)
            if (
                len(lines) > self._limits.head_lines
                or len(event.target) + sum(len(name) + len(value) + 4 for name, value in lines)
                > self._limits.head_bytes
            ):
                raise h11.RemoteProtocolError("the head is too large", error_status_hint=431)
            if event.http_version not in (b"1.0", b"1.1"):
                raise h11.RemoteProtocolError("the version is of another protocol")
            names = {name for name, _ in lines}
            if b"transfer-encoding" in names and (b"content-length" in names or event.http_version < b"1.1"):
                raise h11.RemoteProtocolError("the body's length is said in two ways")
        elif isinstance(event, h11.Data):
            # A piece costs far more than its bytes, so a body of tiny pieces would keep everybody waiting.
            self._pieces += 1
            self._brought += len(event.data)
            if self._pieces > _FREE_PIECES and self._brought < _LEAST_PIECE * self._pieces:
                raise h11.RemoteProtocolError("the body's pieces are too small")
        return event


class _Closing:
    """A transport that does not cut off who is still sending."""

    def __init__(self, transport: asyncio.Transport, protocol: Any):
        self._transport, self._protocol = transport, protocol

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        return self._protocol.lingering or self._transport.is_closing()

    def close(self) -> None:
        if self._transport.is_closing():
            return
        conn = self._protocol.conn
        if conn.their_state in (h11.DONE, h11.MUST_CLOSE, h11.CLOSED) or self._is_silent():
            self._transport.close()
        else:
            self._protocol.linger()

    def _is_silent(self) -> bool:
        return self._protocol.conn.their_state is h11.IDLE and not self._protocol.conn.trailing_data[0]


_MEANT = {
    "bad_request": problem("bad_request", "This is not a request of HTTP/1.1 that can be read in one way only."),
    "headers_too_large": problem("headers_too_large", "The request's head is too large. Send fewer headers."),
}
