"""Every request has a name of its own, which its answer and its lines in the log carry."""

import re
import secrets

from metaforge.serving.guarding.asgi import App, Message, Receive, Scope, Send, header, noted

_WELL_FORMED = re.compile(r"[A-Za-z0-9_-]{8,64}", re.ASCII)


def request_id(given: str | None) -> str:
    """The name that a client gave its request, if it is harmless wherever it is written; else a new one.

    Example:
        >>> request_id("job-2026-0001"), len(request_id("a b")), len(request_id(None))
        ('job-2026-0001', 22, 22)
    """
    return given if given and _WELL_FORMED.fullmatch(given) else secrets.token_urlsafe(16)


def with_request_id(app: App) -> App:
    """Notes the request's name as `request_id`, and says it in the answer's `X-Request-ID`."""

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        named = noted(scope)["request_id"] = request_id(header(scope, b"x-request-id"))

        async def say(message: Message) -> None:
            if message["type"] == "http.response.start":
                others = [pair for pair in message.get("headers", ()) if pair[0].lower() != b"x-request-id"]
                message = {**message, "headers": [*others, (b"x-request-id", named.encode())]}
            await send(message)

        await app(scope, receive, say)

    return guard
