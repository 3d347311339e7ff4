"""No other web site makes a visitor's browser ask this service for anything that changes or computes something."""

from urllib.parse import urlsplit

from metaforge.serving.errors import problem
from metaforge.serving.guarding.asgi import SAFE, App, Receive, Scope, Send, header, refuse


def is_cross_site(scope: Scope) -> bool:
    """Whether a browser says that a request comes from a page of another origin.

    Browsers say so in `Sec-Fetch-Site`; older ones name the page's `Origin`, which must then be the host that is
    asked. Programs send neither, and no browser lets a page leave out both.

    Example:
        >>> is_cross_site({"headers": [(b"host", b"127.0.0.1:8000"), (b"origin", b"http://127.0.0.1:8000")]})
        False
        >>> is_cross_site({"headers": [(b"host", b"127.0.0.1:8000"), (b"origin", b"https://elsewhere.example")]})
        True
    """
    site = header(scope, b"sec-fetch-site")
    if site is not None:
        return site.strip().lower() not in ("same-origin", "none")
    origin = header(scope, b"origin")
    if origin is None:
        return False
    try:
        page = urlsplit(origin).netloc.lower()
    except ValueError:
        return True
    return not page or page != (header(scope, b"host") or "").lower()  # a page without a host is "null"


def for_own_pages(app: App) -> App:
    """Answers 403 `cross_site` to such requests; GET and HEAD are let through, whose answers no page may read."""

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in SAFE and is_cross_site(scope):
            text = "A page of another site asked for this. Use the page of this service, or a program."
            await refuse(scope, send, problem("cross_site", text))
        else:
            await app(scope, receive, send)

    return guard
