"""One request over HTTP that ends at a deadline, whatever the other side does. It follows no redirect."""

import http.client
import io
import ipaddress
import socket
import ssl
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from metaforge.errors import InputError


class Reply(NamedTuple):
    """What came back.

    Attributes:
        status: of HTTP.
        headers: by names in lower case.
        body: as it came.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class NoReplyError(Exception):
    """Nothing came back, or not all of it. The message says why, in a few words."""


class Limits(NamedTuple):
    """How long a request may take, and how much may come back.

    Attributes:
        connect: seconds until there is a connection.
        read: seconds without a byte.
        most: bytes of a body.
    """

    connect: float = 10.0
    read: float = 60.0
    most: int = 1 << 20


def checked_url(url: str, *, has_key: bool) -> str:
    """The address of an endpoint, if a key may go there.

    Args:
        url: such as "https://example.org/v1", to which "/chat/completions" is added.

    Other Arguments:
        has_key: whether a key goes with each request: then the connection must be encrypted, or end on this machine.

    Raises:
        InputError: for another address. A password in it is not repeated.

    Example:
        >>> checked_url("http://127.0.0.1:8000/v1/", has_key=True)
        'http://127.0.0.1:8000/v1'
    """
    try:
        parts = urllib.parse.urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise InputError("base_url: that is no address. Give one such as https://example.org/v1.") from None
    if parts.username or parts.password or parts.query or parts.fragment:
        raise InputError(
            "base_url: it has a name, a password or a query in it, which would be recorded. Give the plain address, "
            "and the key by `key_file` or the environment."
        )
    if parts.scheme not in ("http", "https") or not host or not url.isascii() or any(one <= " " for one in url):
        raise InputError(f"base_url: '{url[:80]}' is no address. Give one such as https://example.org/v1.")
    if has_key and parts.scheme == "http" and not _is_here(host):
        raise InputError(
            f"base_url: the key would go to '{host}' unencrypted. Use https, or unset the key if none is needed."
        )
    return url.rstrip("/")


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    until: float,
    limits: Limits,
    clock: Callable[[], float],
) -> Reply:
    """Sends a request and reads what comes back.

    A proxy of the environment (HTTPS_PROXY, NO_PROXY) is used for encrypted connections; one that wants a password is
    not.

    Args:
        url: where.
        body: what.
        headers: beside those that HTTP needs.

    Other Arguments:
        until: when it must be over, by the clock.
        limits: how long and how much.
        clock: seconds, of any origin.

    Raises:
        NoReplyError: when there is none in time, it is cut off, or it is too long.
    """
    parts = urllib.parse.urlsplit(url)
    connection = _connection(parts, min(limits.connect, until - clock()))
    try:
        try:
            connection.connect()
        except TimeoutError:
            raise NoReplyError("no connection in time") from None
        timed: Any = _Socket(connection.sock, until, limits.read, clock)
        wire, connection.sock = connection.sock, timed
        try:
            connection.request("POST", parts.path, body, {**headers, "Accept-Encoding": "identity"})
            response = connection.getresponse()
            data = response.read(limits.most + 1)
            if len(data) > limits.most:
                raise NoReplyError(f"more than {limits.most} bytes came")
            if response.length:
                raise NoReplyError("it was cut off")
            return Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, data)
        finally:
            wire.close()
    except NoReplyError:
        raise
    except TimeoutError:
        raise NoReplyError("too slow") from None
    except http.client.RemoteDisconnected:
        raise NoReplyError("it hung up without a reply") from None
    except http.client.IncompleteRead:
        raise NoReplyError("it was cut off") from None
    except ssl.SSLError:
        raise NoReplyError("no encrypted connection; is its certificate valid?") from None
    except (http.client.HTTPException, ValueError):
        raise NoReplyError("what came is not HTTP") from None
    except OSError as error:
        raise NoReplyError(error.strerror or "no connection") from None
    finally:
        connection.close()


class _Socket:
    """As much of a socket as `http.client` uses once it is connected. Each read ends at the deadline."""

    def __init__(self, wire: socket.socket, until: float, read: float, clock: Callable[[], float]):
        self._wire, self._until, self._read, self._clock = wire, until, read, clock

    def allow(self) -> socket.socket:
        left = self._until - self._clock()
        if left <= 0:
            raise TimeoutError
        self._wire.settimeout(min(self._read, left))
        return self._wire

    def sendall(self, data: Any) -> None:
        self.allow().sendall(data)

    def makefile(self, *_args: Any, **_how: Any) -> io.BufferedReader:
        return io.BufferedReader(_Timed(self))

    def close(self) -> None:
        # A reply is still read after `http.client` has closed; `post` closes the wire.
        pass


class _Timed(io.RawIOBase):
    def __init__(self, source: _Socket):
        super().__init__()
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._source.allow().recv_into(buffer)


def _connection(parts: urllib.parse.SplitResult, seconds: float) -> http.client.HTTPConnection:
    host, seconds = parts.hostname or "", max(seconds, 0.001)
    if parts.scheme == "http":
        return http.client.HTTPConnection(host, parts.port, timeout=seconds)
    context = ssl.create_default_context()
    proxy = urllib.request.getproxies().get("https", "")
    if proxy and not _is_here(host) and not urllib.request.proxy_bypass(host):
        through = urllib.parse.urlsplit(proxy if "//" in proxy else f"//{proxy}")
        connection = http.client.HTTPSConnection(through.hostname or "", through.port, timeout=seconds, context=context)
        connection.set_tunnel(host, parts.port)
        return connection
    return http.client.HTTPSConnection(host, parts.port, timeout=seconds, context=context)


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
