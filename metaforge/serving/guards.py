"""All guards around a service, in their order: the outermost sees a request first and its answer last."""

from collections.abc import Collection

from metaforge.serving.guarding.access import Log, json_lines, logged
from metaforge.serving.guarding.asgi import App, Receive, Scope, Send
from metaforge.serving.guarding.bearers import for_bearers
from metaforge.serving.guarding.bodies import within_bounds
from metaforge.serving.guarding.failing import failing_quietly
from metaforge.serving.guarding.headers import with_security_headers
from metaforge.serving.guarding.hosts import LOOPBACK, for_own_names
from metaforge.serving.guarding.ids import with_request_id
from metaforge.serving.guarding.leftovers import closing_on_unread
from metaforge.serving.guarding.origins import for_own_pages
from metaforge.serving.limits import Limits
from metaforge.serving.rates import Rates
from metaforge.serving.tokens import Tokens


def guarded(
    app: App,
    *,
    tokens: Tokens | None = None,
    rates: Rates | None = None,
    limits: Limits | None = None,
    hosts: Collection[str] = LOOPBACK,
    log: Log | None = None,
) -> App:
    """An application that strangers may talk to, around one that they may not.

    A request passes, in this order: its id, the log, the answer's headers, failures, the host that it asks for, the
    site that it comes from, its token and how often it asks, the size and speed of its body. So who has no token has
    nothing of a body read, and every answer has an id, security headers and a line in the log. What a request's head
    may be is bounded by the connection (`metaforge.serving.connections`).

    Args:
        app: an ASGI application. It finds `request_id` and `token` (a name, or `None`) in the request's state.

    Other Arguments:
        tokens: of those who may use /v1, /v2 and /metrics; everybody may if there are none.
        rates: how often each may ask.
        limits: bounds on bodies.
        hosts: names and addresses that the service goes by; `"*"` among them for any.
        log: called with one record for each request, and one for each failure; JSON lines on standard error if it is
            not given.

    Returns:
        An ASGI application.

    Example:
        >>> import asyncio
        >>> async def app(scope, receive, send):
        ...     raise RuntimeError("a secret")
        >>> async def call(app, path, **headers):
        ...     said, sent = [(name.encode(), value.encode()) for name, value in headers.items()], []
        ...     async def receive():
        ...         return {"type": "http.request", "body": b""}
        ...     async def send(message):
        ...         sent.append(message)
        ...     await app({"type": "http", "method": "GET", "path": path, "headers": said}, receive, send)
        ...     return sent[0]["status"]
        >>> app = guarded(app, tokens=Tokens([("ann", "an-example-of-24-letters")]), log=lambda record: None)
        >>> asyncio.run(call(app, "/v1/models", host="evil.example"))
        421
        >>> asyncio.run(call(app, "/v1/models", host="localhost"))
        401
        >>> asyncio.run(call(app, "/v1/models", host="localhost", authorization="Bearer an-example-of-24-letters"))
        500
    """
    log = log or json_lines()
    inner = within_bounds(app, limits or Limits())
    inner = for_bearers(inner, tokens, rates or Rates(0))
    inner = for_own_names(for_own_pages(inner), hosts)
    inner = with_security_headers(failing_quietly(inner, log))
    outer = with_request_id(logged(closing_on_unread(inner), log))

    async def entrance(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await outer(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await app(scope, receive, send)

    return entrance
