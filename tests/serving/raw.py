"""A server in a thread for an ASGI application, and what a client that is not polite sends to it."""

import contextlib
import json
import socket
import threading

import uvicorn

from metaforge.serving.connections import uvicorn_settings


@contextlib.contextmanager
def serving(app, limits):
    """Serves an application on a port of its own; gives the port."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", **uvicorn_settings(limits)))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


def read_answers(connection):
    """All that a server sends until it closes: a list of (status, headers, body)."""
    with contextlib.suppress(ConnectionError):
        received = b""
        while some := connection.recv(1 << 16):
            received += some
    answers = []
    while received:
        head, _, received = received.partition(b"\r\n\r\n")
        start, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", 0))
        answers.append((int(start.split()[1]), headers, received[:length]))
        received = received[length:]
    return answers


def connected(port):
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def ask(port, *pieces):
    """Sends pieces of bytes, one after the other, and reads until the server closes."""
    with connected(port) as connection:
        for piece in pieces:
            try:
                connection.sendall(piece)
            except ConnectionError:
                break
        return read_answers(connection)


def code_of(body):
    """The code of an error; the test fails if the body is not exactly one of the documented form."""
    error = json.loads(body)["error"]
    assert set(error) == {"code", "message", "request_id"}
    assert error["message"].endswith(".")
    return error["code"]
