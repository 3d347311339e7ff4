"""Each guard by itself, asked as a server asks: an application around one that tells what it was asked."""

import asyncio
import io
import json

import pytest

from metaforge.serving.errors import CODES
from metaforge.serving.guarding.access import json_lines
from metaforge.serving.guarding.bearers import CLOSED
from metaforge.serving.guarding.headers import POLICY
from metaforge.serving.guards import guarded
from metaforge.serving.limits import Limits
from metaforge.serving.rates import Rates
from metaforge.serving.tokens import Tokens
from tests.serving.raw import code_of

ANN, BOB = "a" * 30, "b" * 30
TOKENS = Tokens([("ann", ANN), ("bob", BOB)])


class Tiny:
    """An application that remembers what reached it; it answers with 200, or as it is told to."""

    def __init__(self, answer=None):
        self.asked, self.answer = [], answer

    async def __call__(self, scope, receive, send):
        self.asked.append(scope)
        if self.answer is not None:
            await self.answer(scope, receive, send)
        else:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"fine"})


def ask(app, path="/v1/models", *, method="GET", host="localhost:8000", client=("127.0.0.1", 5), **headers):
    """Status, headers and body of an answer."""
    said = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    said = [(b"host", host.encode()), *said] if host is not None else said
    scope = {"type": "http", "method": method, "path": path, "headers": said, "client": client, "root_path": ""}
    sent = []

    async def receive():
        raise AssertionError("the body was asked for")

    async def send(message):
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    start, *rest = sent
    head = {name.decode(): value.decode() for name, value in start["headers"]}
    assert len(head) == len(start["headers"])  # none is said twice
    return start["status"], head, b"".join(message["body"] for message in rest)


def quiet(app, **options):
    return guarded(app, log=lambda record: None, **options)


# Ids.


@pytest.mark.parametrize("given", ["job-2026", "A_z-0189", "x" * 64])
def test_a_harmless_id_of_the_client_is_kept(given):
    app = Tiny()
    assert ask(quiet(app), x_request_id=given)[1]["x-request-id"] == given
    assert app.asked[0]["state"]["request_id"] == given


@pytest.mark.parametrize(
    "given",
    [
        "",
        "short",
        "x" * 65,
        "a b c d e f",
        "id\nSet-Cookie: a=b",
        "id<script>",
        "éééééééé",
        "١١١١١١١١".encode().decode("latin-1"),
    ],
)
def test_any_other_id_is_replaced(given):
    named = [ask(quiet(Tiny()), x_request_id=given)[1]["x-request-id"] for _ in range(2)]
    assert given not in named
    assert named[0] != named[1]
    assert all(8 <= len(name) <= 64 for name in named)


# Hosts.


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "LOCALHOST:1", "127.0.0.1:8000", "[::1]:8000", "[::1]", "localhost."]
)
def test_a_service_goes_by_the_names_of_its_machine(host):
    assert ask(quiet(Tiny()), host=host)[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "0.0.0.0",
        "",
        None,
        "localhost@evil.example",
        "[::1].evil.example:1",
        "::1]",
        "localhost:8000:9",
    ],
)
def test_under_any_other_name_it_is_not_reached(host):
    app = Tiny()
    for path in ("/", "/v1/predict", "/metrics", "/openapi.json", "/static/page.js"):
        status, _, body = ask(quiet(app), path, host=host)
        assert (status, code_of(body)) == (421, "wrong_host")
    assert not app.asked
    assert ask(quiet(app), "/healthz", host=host)[0] == 200  # a probe asks by address


def test_other_names_can_be_given():
    app = quiet(Tiny(), hosts=["faces.example", "10.0.0.7"])
    assert [ask(app, host=host)[0] for host in ("Faces.Example:443", "10.0.0.7:80", "localhost")] == [200, 200, 421]
    assert ask(quiet(Tiny(), hosts=["*"]), host="any.example")[0] == 200


# Sites.

CROSS = [
    {"sec_fetch_site": "cross-site"},
    {"sec_fetch_site": "same-site"},  # another port of this machine, or another name of this domain
    {"sec_fetch_site": "something new"},
    {"sec_fetch_site": "cross-site", "origin": "http://localhost:8000"},
    {"origin": "https://evil.example"},
    {"origin": "http://localhost:8001"},
    {"origin": "http://localhost"},
    {"origin": "null"},
    {"origin": ""},
    {"origin": "http://localhost:8000.evil.example"},
    {"origin": "http://localhost:8000@evil.example"},
    {"origin": "http://[::1"},
]
OWN = [
    {},
    {"sec_fetch_site": "same-origin"},
    {"sec_fetch_site": "none"},
    {"origin": "http://localhost:8000"},
    {"origin": "https://LOCALHOST:8000"},  # behind a proxy that speaks TLS
    {"sec_fetch_site": "same-origin", "origin": "https://public.example"},
]


@pytest.mark.parametrize("headers", CROSS, ids=str)
@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT", "FOO"])
def test_another_site_makes_nobody_compute_or_change_anything(headers, method):
    app = Tiny()
    status, _, body = ask(quiet(app), method=method, **headers)
    assert (status, code_of(body), app.asked) == (403, "cross_site", [])
    assert ask(quiet(app), method="GET", **headers)[0] == 200


@pytest.mark.parametrize("host", ["", None])
@pytest.mark.parametrize("origin", ["null", "", "file://"])
def test_a_page_without_a_host_is_no_page_of_a_service_without_a_name(host, origin):
    assert ask(quiet(Tiny(), hosts=["*"]), method="POST", host=host, origin=origin)[0] == 403


@pytest.mark.parametrize("headers", OWN, ids=str)
def test_its_own_page_and_programs_do(headers):
    assert ask(quiet(Tiny()), method="POST", **headers)[0] == 200


# Tokens.


def test_who_holds_a_token_is_let_in_under_their_name():
    app = Tiny()
    for token in (ANN, BOB):
        assert ask(quiet(app, tokens=TOKENS), authorization=f"Bearer {token}")[0] == 200
    assert ask(quiet(app, tokens=TOKENS), authorization=f"bearer   {ANN} ")[0] == 200
    assert [scope["state"]["token"] for scope in app.asked] == ["ann", "bob", "ann"]


@pytest.mark.parametrize(
    "given",
    [
        "Bearer",
        "Bearer ",
        f"Bearer {ANN[:-1]}",
        f"Basic {ANN}",
        ANN,
        f"Bearer {ANN},{BOB}",
        f"Bearer\t{ANN}",
        "Bearer é",
    ],
)
@pytest.mark.parametrize(
    "path", ["/v1/predict", "/v2", "/metrics", "/v1", "/v2/models/default/infer", "/v1/../openapi.json"]
)
def test_without_a_right_one_nothing_is_read(given, path):
    app = Tiny()
    for method in ("GET", "POST"):
        status, headers, body = ask(quiet(app, tokens=TOKENS), path, method=method, authorization=given)
        assert status == 401
        if path.startswith("/v2"):  # whose protocol says what an error is
            assert list(json.loads(body)) == ["error"]
            assert json.loads(body)["error"].startswith("This needs a token")
        else:
            assert code_of(body) == "unauthorized"
        assert headers["www-authenticate"].startswith("Bearer ")
    assert not app.asked


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/openapi.json", "/static/page.js", "/v10", "/metricsx"])
def test_what_is_open_needs_none(path):
    assert not any(path == place for place in CLOSED)
    assert ask(quiet(Tiny(), tokens=TOKENS), path)[0] == 200


# Rates.


def test_each_token_has_its_own_count_and_strangers_have_one_for_each_address():
    app = Tiny()
    service = quiet(app, tokens=TOKENS, rates=Rates(2))
    ann, wrong = {"authorization": f"Bearer {ANN}"}, {"authorization": "Bearer of-what-is-none"}
    assert [ask(service, **ann)[0] for _ in range(3)] == [200, 200, 429]
    assert [ask(service, **wrong)[0] for _ in range(3)] == [401, 401, 429]
    assert [ask(service, client=("10.0.0.1", 1), **wrong)[0] for _ in range(3)] == [401, 401, 429]
    assert [ask(service, client=("2001:db8::1", 1), **wrong)[0] for _ in range(2)] == [401, 401]
    assert ask(service, client=("2001:db8::2", 1), **wrong)[0] == 429  # the same household
    # Who guesses at the door that is not counted is counted.
    assert [ask(service, "/metrics", client=("10.0.0.2", 1), **wrong)[0] for _ in range(3)] == [401, 401, 429]
    assert ask(service, authorization=f"Bearer {BOB}")[0] == 200
    status, headers, body = ask(service, **ann)
    assert (status, code_of(body)) == (429, "too_many")
    assert 1 <= int(headers["retry-after"]) <= 120
    assert f"in {headers['retry-after']} s." in json.loads(body)["error"]["message"]
    assert [ask(service, "/metrics", **ann)[0] for _ in range(3)] == [200] * 3  # who watches is not counted
    assert [ask(service, "/healthz")[0] for _ in range(3)] == [200] * 3


# Answers.


def test_browsers_are_told_what_the_page_may_do():
    for path in ("/", "/v1/models", "/static/page.js"):
        for status, headers, _ in (ask(quiet(Tiny()), path), ask(quiet(Tiny()), path, host="evil.example")):
            assert status in (200, 421)
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["content-security-policy"] == POLICY
            assert headers.get("cache-control") == ("no-store" if path.startswith("/v1") else None)
    assert "unsafe" not in POLICY
    assert "http" not in POLICY
    assert "*" not in POLICY


async def raising(scope, receive, send):
    secret = "hunter2"
    raise ValueError(f"cannot read {secret!r}\nGET /evil")


async def plainly(scope, receive, send):
    await send({"type": "http.response.start", "status": 500, "headers": [(b"Content-Type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"Traceback: Internal Server Error", "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
    await raising(scope, receive, send)


@pytest.mark.parametrize("fault", [raising, plainly])
def test_a_fault_is_told_to_the_log_and_not_to_the_client(fault):
    stream = io.StringIO()
    status, headers, body = ask(guarded(Tiny(fault), log=json_lines(stream)), "/v1/models")
    assert (status, code_of(body)) == (500, "failed")
    assert b"hunter2" not in body
    assert b"Traceback" not in body
    failure, access = map(json.loads, stream.getvalue().splitlines())
    assert failure["request_id"] == access["request_id"] == headers["x-request-id"]
    assert json.loads(body)["error"]["request_id"] == headers["x-request-id"]
    assert any("test_guards.py" in place and place.endswith("raising") for place in failure["trace"])
    assert "hunter2" not in str(failure)  # places, and no source and no words of it
    assert (access["status"], access["bytes"]) == (500, len(body))


def test_an_answer_in_json_that_says_500_is_left_as_it_is():
    async def said(scope, receive, send):
        await send({"type": "http.response.start", "status": 500, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": b"{}"})
        raise ValueError

    assert ask(quiet(Tiny(said)))[0::2] == (500, b"{}")


# Bodies.


def test_all_bodies_together_have_a_bound_and_make_room_again_when_they_are_answered():
    reading, statuses = asyncio.Event(), {}

    async def whole(scope, receive, send):
        while (message := await receive()).get("more_body"):
            pass
        if message["type"] != "http.disconnect":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body"})

    service = quiet(whole, limits=Limits(body=100, held=150))

    async def call(name, *, wait=None):
        pieces = [{"type": "http.request", "body": b"a" * 100, "more_body": True}, {"type": "http.request"}]

        async def receive():
            if len(pieces) == 1 and wait is not None:
                reading.set()
                await wait.wait()
            return pieces.pop(0)

        async def send(message):
            if message["type"] == "http.response.start":
                statuses[name] = message["status"]

        headers = [(b"host", b"localhost"), (b"content-length", b"100")]
        await service({"type": "http", "method": "POST", "path": "/", "headers": headers}, receive, send)

    async def all_of_them():
        wait = asyncio.Event()
        first = asyncio.ensure_future(call("first", wait=wait))
        await reading.wait()
        await call("second")
        wait.set()
        await first
        await call("third")

    asyncio.run(all_of_them())
    assert statuses == {"first": 200, "second": 429, "third": 200}


# The log.


def test_a_line_of_the_log_holds_nothing_that_was_sent():
    stream = io.StringIO()
    service = guarded(Tiny(), tokens=TOKENS, log=json_lines(stream))
    path = '/v1/predict/secret.jpg\n{"status": 200}\u2028'
    ask(service, path, method="FOO\u2028BAR", authorization=f"Bearer {ANN}", cookie="secret")
    ask(service, path, authorization="Bearer secret")
    lines = stream.getvalue().split("\n")
    assert len(lines) == 3
    assert lines[2] == ""
    assert stream.getvalue().isascii()
    assert "secret" not in stream.getvalue()
    assert ANN not in stream.getvalue()
    first, second = map(json.loads, lines[:2])
    assert (first["status"], first["route"], first["token"], first["bytes"]) == (200, "-", "ann", 4)
    assert (second["status"], second["token"], second["code"]) == (401, None, "unauthorized")
    assert set(first) == {"time", "request_id", "method", "route", "status", "ms", "bytes", "token", "code"}


def test_the_log_names_the_pattern_of_the_route():
    fastapi = pytest.importorskip("fastapi")
    from starlette.staticfiles import StaticFiles

    app = fastapi.FastAPI()
    inner = fastapi.APIRouter()
    inner.get("/v1/adapters/{number}")(lambda number: number)
    app.include_router(inner)
    app.mount("/static", StaticFiles(directory="."))
    records = []

    def served(path):
        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "headers": [(b"host", b"localhost")],
            "query_string": b"",
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 2),
            "scheme": "http",
            "root_path": "",
            "asgi": {},
        }

        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            pass

        asyncio.run(guarded(app, log=records.append)(scope, receive, send))
        return records[-1]["route"], records[-1]["status"]

    assert served("/v1/adapters/secret") == ("/v1/adapters/{number}", 200)
    assert served("/static/secret.js") == ("/static/*", 404)
    assert served("/secret") == ("-", 404)


# The rest.


def test_sockets_of_the_web_are_closed_and_life_goes_to_the_application():
    app, sent = Tiny(lambda scope, receive, send: asyncio.sleep(0)), []

    async def send(message):
        sent.append(message)

    asyncio.run(quiet(app)({"type": "websocket"}, None, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]
    asyncio.run(quiet(app)({"type": "lifespan"}, None, None))
    assert [scope["type"] for scope in app.asked] == ["lifespan"]


def test_every_refusal_is_of_the_documented_codes():
    for code, status in CODES.items():
        assert 400 <= status < 600
        assert code == code.lower()
