"""How the front and its workers talk: a text in JSON and raw bytes, nothing that would have to be unpickled.

A worker reads files from strangers. Should one of them ever take it over, what it then sends is still only data.
"""

import json
from multiprocessing.connection import Connection
from typing import Any

MOST = 1 << 31
"""Bytes of one message at most."""


def send(connection: Connection, said: dict[str, Any], blobs: list[bytes] | None = None) -> None:
    """Sends a text and any number of blobs.

    Example:
        >>> from multiprocessing import Pipe
        >>> one, other = Pipe()
        >>> send(one, {"a": 1}, [b"xy"])
        >>> receive(other)
        ({'a': 1}, [b'xy'])
    """
    blobs = blobs or []
    connection.send_bytes(json.dumps({"said": said, "blobs": len(blobs)}).encode())
    for blob in blobs:
        connection.send_bytes(blob)


def receive(connection: Connection) -> tuple[dict[str, Any], list[bytes]]:
    """What `send` sent; blocks until it comes.

    Raises:
        EOFError: when the other end is gone.
        ValueError: for what is no message.
    """
    try:
        found = json.loads(connection.recv_bytes(MOST))
        said, count = found["said"], found["blobs"]
    except (KeyError, TypeError, RecursionError):
        raise ValueError("this is no message") from None
    if not isinstance(said, dict) or not isinstance(count, int):
        raise ValueError("this is no message")  # noqa: TRY004 - whatever comes, callers are to catch one thing
    return said, [connection.recv_bytes(MOST) for _ in range(count)]
