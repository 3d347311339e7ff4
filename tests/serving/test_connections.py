"""What strangers do to a socket, done to a real server around a tiny application."""

import contextlib
import threading

import pytest

from metaforge.serving.guards import guarded
from metaforge.serving.limits import Limits
from tests.serving.raw import ask, code_of, connected, read_answers, serving

LIMITS = Limits(
    body=1000, head=0.4, head_bytes=4096, head_lines=20, keep_alive=0.4, grace=0.4, least_rate=1e6, linger=0.4,
    per_client=8, connections=50,
)  # fmt: skip
RECORDS = []


async def echo(scope, receive, send):
    """Answers with the body that it was sent; knows nothing of limits."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body, more = body + message.get("body", b""), message.get("more_body", False)
    if scope["path"] == "/raises":
        raise RuntimeError(body.decode())
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def port():
    with serving(guarded(echo, limits=LIMITS, log=RECORDS.append), LIMITS) as number:
        yield number


def post(body=b"", *headers, path="/v1/predict", length=None):
    length = len(body) if length is None else length
    said = "".join(f"{line}\r\n" for line in headers)
    return f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n{said}\r\n".encode() + body


def test_pipelined_requests_are_answered_in_order(port):
    answers = ask(port, post(b"one") + post(b"two") + post(b"three", "Connection: close"))
    assert [(status, body) for status, _, body in answers] == [(200, b"one"), (200, b"two"), (200, b"three")]


def test_a_connection_without_a_next_request_is_closed(port):
    assert [body for _, _, body in ask(port, post(b"one"))] == [b"one"]


@pytest.mark.parametrize("at", [-1, -20])
def test_the_beginning_of_a_next_request_does_not_keep_a_connection_for_ever(port, at):
    sent = post(b"one") + b"GET /x HTTP/1.1\r\n"  # in one piece, or after an answer
    (_, _, body), (status, headers, said) = ask(port, sent[:at], sent[at:])
    assert (body, status, code_of(said), headers["connection"]) == (b"one", 408, "too_slow", "close")


@pytest.mark.parametrize("piece", [b"", b"G", b"GET / HTTP/1.1\r\nHost: localhost\r\n", b"GET / HTTP/1.1\r\nX: 1"])
def test_a_head_that_does_not_end_is_given_up(port, piece):
    answers = ask(port, piece)
    assert [(status, code_of(body)) for status, _, body in answers] == [(408, "too_slow")] * bool(piece)


FLOODS = {
    "one long line": b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100_000,
    "a long line that ends": b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 30_000 + b"\r\n\r\n",
    "many lines": b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: 1\r\n" * 25 + b"\r\n",
    "lines without an end": b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: 1\r\n" * 20_000,
    "a long path": b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_a_flood_of_headers_is_refused(port, flood):
    ((status, headers, body),) = ask(port, flood)
    assert (status, code_of(body), headers["connection"]) == (431, "headers_too_large", "close")


TWO_WAYS = {
    "length and pieces": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n"
    b"\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n12345G",
    "a list of lengths": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5, 6\r\n\r\n12345G",
    "a length with a sign": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: +5\r\n\r\n12345",
    "pieces in HTTP/1.0": b"POST / HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "an unknown coding": b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "two codings": b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a space before the colon": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length : 5\r\n\r\n12345",
    "two hosts": b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "a piece of no length": b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    "another protocol": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": bytes.fromhex("16030100c8010000c40303") + bytes(range(200)) + b"\r\n\r\n",
    "no target": b"GET\r\n\r\n",
    "a name with NUL": b"GET / HTTP/1.1\r\nHost: localhost\r\nX\0: 1\r\n\r\n",
    "a target that is no path": b"GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
}


@pytest.mark.parametrize("sent", TWO_WAYS.values(), ids=TWO_WAYS)
def test_what_is_not_http_in_one_way_is_refused(port, sent):
    ((status, headers, body),) = ask(port, sent)
    assert (status, code_of(body), headers["connection"]) == (400, "bad_request", "close")
    assert b"Traceback" not in body


def test_a_body_of_the_most_bytes_is_read(port):
    ((status, _, body),) = ask(port, post(b"a" * 1000, "Connection: close"))
    assert (status, len(body)) == (200, 1000)


@pytest.mark.parametrize("length", [1001, 10**12, 10**18])
def test_a_body_that_says_it_is_too_large_is_not_read(port, length):
    # Nothing of the body is sent: the answer cannot have waited for it, and no 100 (Continue) asks for it.
    ((status, headers, body),) = ask(port, post(b"", "Expect: 100-continue", length=length))
    assert (status, code_of(body), headers["connection"]) == (413, "too_large", "close")


LONG = {413: post(b"a" * 20_000_000), 431: b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000_000}


@pytest.mark.parametrize(("expected", "sent"), LONG.items(), ids=LONG)
def test_who_is_sending_too_much_may_finish_and_read_why(port, expected, sent):
    with connected(port) as connection:
        connection.sendall(sent)  # more than buffers hold: fails if the server has hung up
        ((status, _, body),) = read_answers(connection)
    assert (status, code_of(body) in ("too_large", "headers_too_large")) == (expected, True)


CHUNKED = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_a_body_in_pieces_is_counted_while_it_comes(port):
    piece = b"fa\r\n" + b"a" * 250 + b"\r\n"
    ((status, _, body),) = ask(port, CHUNKED, *[piece] * 4, b"0\r\n\r\n")
    assert (status, len(body)) == (200, 1000)
    ((status, headers, body),) = ask(port, CHUNKED, *[piece] * 4, b"1\r\na\r\n")  # and no end
    assert (status, code_of(body), headers["connection"]) == (413, "too_large", "close")


def test_a_body_of_tiny_pieces_is_refused():
    limits = LIMITS._replace(body=10**6)
    with serving(guarded(echo, limits=limits, log=RECORDS.append), limits) as number:
        ((status, _, body),) = ask(number, CHUNKED, b"1\r\na\r\n" * 5000)
    assert (status, code_of(body)) == (400, "bad_request")


@pytest.mark.parametrize("sent", [post(b"", length=10), post(b"12345", length=10), CHUNKED + b"5\r\n123"])
def test_a_body_that_does_not_come_is_given_up(port, sent):
    ((status, headers, body),) = ask(port, sent)
    assert (status, code_of(body), headers["connection"]) == (408, "too_slow", "close")


def test_an_answer_that_did_not_wait_for_the_body_ends_the_connection(port):
    # What follows would else be read as the next request.
    sent = (
        post(b"", "Origin: https://elsewhere.example", length=60) + b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
    )
    ((status, headers, body),) = ask(port, sent)
    assert (status, code_of(body), headers["connection"]) == (403, "cross_site", "close")


def test_one_address_has_so_many_connections_and_then_may_come_again():
    with serving(guarded(echo, limits=LIMITS, log=RECORDS.append), LIMITS) as number:
        with contextlib.ExitStack() as stack:
            held = [stack.enter_context(connected(number)) for _ in range(8)]
            for one in held:
                one.sendall(post(b"a"))
                received = b""
                while not received.endswith(b"\r\n\r\na"):
                    received += one.recv(1000) or pytest.fail("it was closed")
                assert received.startswith(b"HTTP/1.1 200")
            ((status, headers, body),) = ask(number, post(b"a"))
            assert (status, code_of(body), headers["retry-after"]) == (429, "too_many", "1")
            for one in held:
                assert not one.recv(1000)  # until the server has closed it: it has no next request
        assert ask(number, post(b"again", "Connection: close"))[0][2] == b"again"


def test_who_does_not_read_is_cut_off():
    ended = threading.Event()

    async def endless(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(1000):  # 1 GB, which no buffer takes
            await send({"type": "http.response.body", "body": bytes(1 << 20), "more_body": True})
        ended.set()

    limits = LIMITS._replace(unread=0.2)
    with serving(endless, limits) as number, connected(number) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert ended.wait(20)


def test_no_request_writes_a_line_of_its_own_in_the_log(port):
    RECORDS.clear()
    ask(port, post(b"secret\nbody", "X-Request-ID: a%0ab", "Connection: close", path="/raises?name=secret"))
    failure, access = RECORDS
    assert access["status"] == 500
    assert failure["request_id"] == access["request_id"] != "a%0ab"
    assert failure["broke"] == "RuntimeError"
    assert "secret" not in str(failure)
    assert set(access) == {"time", "request_id", "method", "route", "status", "ms", "bytes", "token", "code"}
    assert "secret" not in str(access)


def test_the_server_answers_as_ever(port):
    with connected(port) as connection:
        connection.sendall(post(b"as ever", "Connection: close"))
        ((status, headers, body),) = read_answers(connection)
    assert (status, body, headers["x-content-type-options"]) == (200, b"as ever", "nosniff")
    assert "server" not in headers
