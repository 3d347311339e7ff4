"""What browsers are told of every answer: run nothing but our own files, guess no types, tell nobody where you are."""

from metaforge.serving.guarding.asgi import App, Message, Receive, Scope, Send, within

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What the page may load: files of this service, and pictures that it was given itself."""

ALWAYS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", POLICY.encode()),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
]


def with_security_headers(app: App, *, private: tuple[str, ...] = ("/v1", "/v2")) -> App:
    """Adds them to every answer; of `private` places no cache keeps a copy."""

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        said = [*ALWAYS, (b"cache-control", b"no-store")] if within(scope["path"], private) else ALWAYS
        names = {name for name, _ in said}

        async def say(message: Message) -> None:
            if message["type"] == "http.response.start":
                others = [pair for pair in message.get("headers", ()) if pair[0].lower() not in names]
                message = {**message, "headers": [*others, *said]}
            await send(message)

        await app(scope, receive, say)

    return guard
