"""A service answers only to its own names, so that no web page reaches it under another (DNS rebinding)."""

import ipaddress
from collections.abc import Collection

from metaforge.serving.errors import problem
from metaforge.serving.guarding.asgi import App, Receive, Scope, Send, header, refuse, within

LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""The names of the machine itself, as it calls itself."""


def host_name(host: str) -> str:
    """The name in a `Host` header: without the port and brackets, in small letters.

    Example:
        >>> host_name("LocalHost:8000"), host_name("[::1]:8000"), host_name("::1"), host_name("a.example.")
        ('localhost', '::1', '::1', 'a.example')
    """
    host = host.strip().lower()
    if host.startswith("["):
        inside, _, port = host[1:].partition("]")
        return inside if not port or port.startswith(":") else host
    if host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host.removesuffix(".")


def for_own_names(app: App, hosts: Collection[str], *, probes: tuple[str, ...] = ("/healthz", "/readyz")) -> App:
    """Answers 421 `wrong_host` to requests for other names, and 400 to those whose target is no path.

    Args:
        app: what is guarded.
        hosts: names and addresses; `"*"` among them stands for any.

    Other Arguments:
        probes: places that are asked by address from outside, and tell nothing.
    """
    known = {host_name(host) for host in hosts}

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        if not scope["path"].startswith("/"):
            text = "The request's target is not a path. Ask for a path such as /v1/models."
            await refuse(scope, send, problem("bad_request", text))
        elif "*" in known or within(scope["path"], probes) or host_name(header(scope, b"host") or "") in known:
            await app(scope, receive, send)
        else:
            text = "This service does not go by that name. Use an address or a name that it was started with."
            await refuse(scope, send, problem("wrong_host", text))

    return guard
