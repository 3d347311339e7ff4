"""Who may ask: those who hold a token, which is looked at before anything of the body is read."""

from metaforge.serving.errors import problem
from metaforge.serving.guarding.asgi import App, Receive, Scope, Send, header, noted, refuse, within
from metaforge.serving.rates import Rates, client_of
from metaforge.serving.tokens import Tokens

CLOSED = ("/v1", "/v2", "/metrics")
"""Places that need a token, if the service has any."""

COUNTED = ("/v1", "/v2")
"""Places whose requests are counted."""

_REALM = 'Bearer realm="metaforge"'


def for_bearers(app: App, tokens: Tokens | None, rates: Rates) -> App:
    """Answers 401 `unauthorized` without a right token, and 429 `too_many` to who asks too often.

    Requests are counted for each token, and where there is none, or a wrong one, for each address of a client. The
    token's name is noted as `token`.
    """

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if not within(path, CLOSED):
            await app(scope, receive, send)
            return
        given = bearer(header(scope, b"authorization"))
        name = noted(scope)["token"] = tokens.name_of(given) if tokens and given is not None else None
        missing = tokens is not None and name is None
        counted = within(path, COUNTED) or missing
        wait = rates.hit(f"token {name}" if name else f"client {client_of(scope)}") if counted else 0
        if wait:
            text = f"You ask more than {rates.per_minute} times a minute. Ask again in {wait} s."
            await refuse(scope, send, problem("too_many", text, retry_after=wait))
        elif missing:
            wrong = ', error="invalid_token"' if given is not None else ""
            text = "This needs a token that the service knows. Send the header Authorization: Bearer TOKEN."
            said = (b"www-authenticate", f"{_REALM}{wrong}".encode())
            await refuse(scope, send, problem("unauthorized", text), said)
        else:
            await app(scope, receive, send)

    return guard


def bearer(authorization: str | None) -> str | None:
    """The token in an `Authorization` header; `None` if it holds none.

    Example:
        >>> bearer("bearer abc"), bearer("Basic abc"), bearer("Bearer"), bearer(None)
        ('abc', None, None, None)
    """
    scheme, _, token = (authorization or "").strip().partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None
