"""Where the service listens, for whom, and under which names."""

import contextlib
import ipaddress
import os
import re
import socket
from collections.abc import Iterator

from metaforge.errors import InputError, printable
from metaforge.serving.guarding.hosts import LOOPBACK
from metaforge.serving.options import Options

_NAME = re.compile(r"\*|[\w.-]+(:\d+)?|\[?[0-9A-Fa-f:.]+(%\w+)?(\](:\d+)?)?")


def names_of(options: Options) -> list[str]:
    """The names and addresses that requests may be meant for.

    Raises:
        InputError: for what is neither, such as the address of a page.

    Example:
        >>> names_of(Options(model="m", names="detector.example"))
        ['localhost', '127.0.0.1', '::1', 'detector.example']
    """
    more = [name.strip() for name in options.names.split(",") if name.strip()]
    if wrong := [name for name in more if not _NAME.fullmatch(name)]:
        raise InputError(f"names: '{printable(wrong[0])}' is no name or address of a host. Give names such as "
                         "detector.example, comma-separated.")  # fmt: skip
    here = [] if options.host in LOOPBACK or _is_unspecified(options.host) else [options.host]
    return [*LOOPBACK, *here, *more]


def refuse_open(options: Options) -> None:
    """Holds that only those with a token are answered where others than this machine can ask.

    Raises:
        InputError: for an address beyond this machine without tokens.

    Example:
        >>> refuse_open(Options(model="m", host="0.0.0.0"))
        Traceback (most recent call last):
        metaforge.errors.InputError: host: '0.0.0.0' is reached from other machines, and there are no tokens. ...
    """
    if options.tokens or is_loopback(options.host):
        return
    raise InputError(
        f"host: '{printable(options.host)}' is reached from other machines, and there are no tokens. Name a file of "
        "them with --tokens, or leave the address at 127.0.0.1."
    )


def _is_unspecified(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_unspecified
    return False


def is_loopback(host: str) -> bool:
    """Whether an address is one of this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextlib.contextmanager
def listening(options: Options) -> Iterator[socket.socket]:
    """The socket on which the service listens.

    Raises:
        InputError: if the address is not this machine's, or the port is taken.
    """
    with contextlib.ExitStack() as held:
        try:
            found = socket.getaddrinfo(options.host, options.port, type=socket.SOCK_STREAM)[0]
            family, kind, protocol, _, address = found
            # With its protocol said, asyncio sends small pieces at once. Else an answer waits 40 ms for the client to
            # acknowledge its head.
            listener = held.enter_context(socket.socket(family, kind, protocol))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except UnicodeError:  # a name that no host can have
            raise InputError(f"host: '{printable(options.host)}' is no name or address of a host. Choose another "
                             "--host.") from None  # fmt: skip
        except OSError as error:
            why = os.strerror(error.errno) if isinstance(error.errno, int) and error.errno > 0 else str(error.strerror)
            raise InputError(f"host: nothing can listen at '{printable(options.host)}', port {options.port} ({why}). "
                             "Choose another --port or --host.") from None  # fmt: skip
        yield listener
