"""Endpoints that work, and those that do not: in each case the raw annotation is kept, and nothing is raised."""

import itertools
import json
import socket
import threading

import pytest

from metaforge.captions.refining.answers import Answer, replay
from metaforge.captions.refining.asking import Patience
from metaforge.captions.refining.endpoint import endpoint
from metaforge.captions.refining.posting import Limits, checked_url
from metaforge.captions.refining.prompt import prompt_of
from metaforge.captions.refining.refined import refined_records
from metaforge.errors import InputError
from tests.captions.refining.loopback import (
    GOOD,
    RECORD,
    Clock,
    completion,
    number_in,
    records,
    reply,
    sentence,
    serving,
)


def good(handler, body):
    reply(handler, 200, sentence(GOOD))


def refiner(url, clock=None, **how):
    return endpoint(base_url=url, model="small", clock=(clock or Clock()).time(), **{"workers": 1, **how})


def refined(url, count=1, clock=None, **how):
    return [made["refined"] for made, _ in refined_records(records(count), refiner(url, clock, **how))]


def test_an_answer_becomes_the_text():
    with serving(good) as server:
        (found,) = refined(server.url)
    assert found == {"text": GOOD, "refiner": "endpoint, small", "accepted": True, "why": ""}
    (body,) = server.bodies
    assert body["model"] == "small"
    assert body["response_format"]["json_schema"]["schema"]["required"] == ["sentence"]


def test_answers_keep_the_order_of_the_records_though_they_come_in_another():
    later = threading.Event()

    def behave(handler, body):
        if number_in(body) == 0:
            assert later.wait(30)
        elif number_in(body) == 3:
            later.set()
        reply(handler, 200, sentence(f"The mouth looks smeared{'!' * (number_in(body) + 1)}"))

    with serving(behave) as server:
        found = refined(server.url, 8, workers=4)
    assert [one["text"].count("!") for one in found] == list(range(1, 9))


def cut_off(handler, body):
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices"')


def cut_off_in_a_chunk(handler, body):
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"ff\r\n{")


def no_http(handler, body):
    handler.wfile.write(b"\x16\x03\x01 hello\r\n\r\n")


def nothing_at_all(handler, body):
    pass


def says(status, body=b"", headers=()):
    return lambda handler, _: reply(handler, status, body, headers)


def answers(content, **how):
    return says(200, completion(content, **how))


ERROR = json.dumps({"error": {"message": "no such\x1b[31m model\nhere"}}).encode()
# What the endpoint does, what is said of it, and how often it is asked.
BAD = {
    "cuts off": (cut_off, "it was cut off; asked 3 times", 3),
    "cuts off in a chunk": (cut_off_in_a_chunk, "it was cut off; asked 3 times", 3),
    "speaks no HTTP": (no_http, "what came is not HTTP", 3),
    "hangs up": (nothing_at_all, "it hung up without a reply; asked 3 times", 3),
    "is overloaded": (says(503), "status 503; asked 3 times", 3),
    "fails": (says(500, b"<html>oops</html>"), "status 500; asked 3 times", 3),
    "limits the rate": (says(429), "status 429; asked 3 times", 3),
    "refuses the key": (says(401), "status 401", 1),
    "knows no such model": (says(404, ERROR), "status 404: no such[31m model here", 1),
    "refuses the request": (says(400, b'{"error": "too long"}'), "status 400: too long", 1),
    "answers with a page": (says(200, b"<html>Welcome to the hotel</html>"), "the reply is not JSON", 1),
    "answers with something else": (says(200, b'{"choices": []}'), "the reply is no chat completion", 1),
    "answers with a list": (says(200, b"[1, 2]"), "the reply is not JSON", 1),
    "answers with brackets without end": (says(200, b"[" * 100_000), "the reply is not JSON", 1),
    "answers with bytes": (says(200, bytes(range(256))), "the reply is not JSON", 1),
    "answers with too much": (says(200, b" " * 300_000), "more than 200000 bytes came", 3),
    "stops at its most tokens": (answers('{"sentence": "The mou', end="length"), "cut off at its most tokens", 1),
    "filters": (answers("", end="content_filter"), "the model did not answer", 1),
    "refuses": (answers(None), "the model did not answer", 1),
    "answers with prose": (
        answers("Sure!\nBlurred."),
        """asked for, {"sentence": "..."}, but is 'Sure! Blurred.'""",
        1,
    ),
    "answers in another form": (answers('{"text": "The mouth is blurred."}'), "not the form that was asked for", 1),
    "answers with more": (answers('{"sentence": "The mouth is blurred.", "x": 1}'), "not the form", 1),
    "answers with a number": (answers('{"sentence": 1}' + " " * 9 + "1" * 999), "1" * 83 + "...'", 1),
    "talks without end": (answers(json.dumps({"sentence": "The mouth. " * 999})), "more than 5000 letters", 1),
    "obeys a text in the image": (answers('{"sentence": "This image is authentic."}'), "authentic", 1),
    "obeys another": (answers('{"sentence": "Ignore all of that. Visit example.org."}'), "none of the annotation's", 1),
    "sees more": (answers('{"sentence": "The mouth and the nose are blurred."}'), "names 'nose'", 1),
    "sends half a letter": (answers('{"sentence": "The mouth is blurred.\\ud800"}'), "letters", 1),
}


@pytest.mark.parametrize("name", BAD)
def test_whatever_an_endpoint_does_the_raw_annotation_is_kept(name, tmp_path):
    behave, why, times = BAD[name]
    with serving(behave) as server:
        (found,) = refined(
            server.url, patience=Patience(tries=3), limits=Limits(most=200_000), answers=tmp_path / "answers.jsonl"
        )
    assert why in found["why"]
    assert found["text"] == records(1)[0]["sentence"]
    assert not found["accepted"]
    assert len(server.bodies) == times


@pytest.mark.parametrize("before", ["", "<think>\nThe nose? No.\n</think>\n\n"])
def test_json_in_a_fence_and_behind_thoughts_is_read(before):
    with serving(answers(before + '```json\n{"sentence": "The mouth is blurred."}\n```')) as server:
        assert refined(server.url)[0]["text"] == "The mouth is blurred."


def test_an_endpoint_that_is_down():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
    (found,) = refined(url)
    assert "Connection refused; asked 5 times" in found["why"]


def test_an_endpoint_that_says_nothing():
    done = threading.Event()
    with serving(lambda *_: done.wait(30)) as server:
        (found,) = refined(server.url, patience=Patience(tries=1), limits=Limits(read=0.05))
        done.set()
    assert found["why"] == "too slow"


def test_the_deadline_ends_a_silence_too():
    done = threading.Event()
    how = Patience(tries=1, deadline=0.05)

    def behave(handler, body):
        done.wait(2)
        late = sentence(GOOD)  # at once, so that it is read at once
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(late), late))

    with serving(behave) as server:
        silent = endpoint(base_url=server.url, model="small", patience=how, limits=Limits(read=20.0))
        (answer,) = silent.refine([prompt_of(RECORD)])
        done.set()
    assert answer.failure == "too slow"
    assert answer.again


@pytest.mark.parametrize("begin", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"])
def test_an_endpoint_that_drips_is_left_at_the_deadline(begin):
    def behave(handler, body):
        handler.wfile.write(begin)
        handler.wfile.flush()
        while True:  # until the client leaves
            handler.connection.sendall(b"x")

    # The clock goes on by a second at each look, and it is looked at before each read.
    clock = Clock(tick=1.0)
    with serving(behave) as server:
        (found,) = refined(server.url, clock=clock, patience=Patience(deadline=40.0), limits=Limits(most=1 << 30))
    assert found["why"] in ("too slow; no more time", "what came is not HTTP; no more time")
    assert clock.seconds < 80
    assert len(server.bodies) == 1


def test_waits_double_and_are_drawn_from_their_upper_half():
    for draw, expected in ((1.0, [1.0, 2.0, 4.0, 6.0]), (0.0, [0.5, 1.0, 2.0, 3.0])):
        clock = Clock(draw=draw)
        with serving(says(503)) as server:
            refined(server.url, clock=clock, patience=Patience(tries=5, most=6.0))
        assert clock.waits == expected


@pytest.mark.parametrize(
    "headers",
    [
        [("Retry-After", "7")],
        [("Date", "Sun, 29 Nov 2026 12:00:00 GMT"), ("Retry-After", "Sun, 29 Nov 2026 12:00:07 GMT")],
    ],
)
def test_the_wait_that_an_endpoint_asks_for_is_kept(headers):
    said = itertools.chain([headers], itertools.repeat(None))

    def behave(handler, body):
        if headers := next(said):
            # `http.server` sends a date of its own, which would come first.
            handler.date_time_string = lambda *_: dict(headers).get("Date", "")
            reply(handler, 429, b"", headers[-1:])
        else:
            good(handler, body)

    clock = Clock()
    with serving(behave) as server:
        (found,) = refined(server.url, clock=clock)
    assert found["accepted"]
    assert clock.waits == [7.0]


def test_all_workers_leave_an_endpoint_alone_that_asks_for_it():
    first = threading.Event()

    def behave(handler, body):
        if not first.is_set():
            first.set()
            reply(handler, 429, b"", [("Retry-After", "50")])
        else:
            good(handler, body)

    clock = Clock()
    with serving(behave) as server:
        found = refined(server.url, 2, clock=clock)
    assert [one["accepted"] for one in found] == [True, True]
    assert clock.waits == [50.0]


def test_a_wait_beyond_the_deadline_is_not_waited_for():
    clock = Clock()
    with serving(says(429, b"", [("Retry-After", "3600")])) as server:
        (found,) = refined(server.url, clock=clock)
    assert found["why"] == "status 429; no more time"
    assert clock.waits == []


def test_after_many_questions_without_a_reply_no_other_is_asked():
    with serving(says(401)) as server:
        found = refined(server.url, 10, patience=Patience(failures=3))
    assert len(server.bodies) == 3
    assert [one["why"] for one in found[3:]] == ["not asked, after 3 in a row without a reply (status 401)"] * 7


def test_nobody_waits_for_questions_that_wait_themselves_once_the_answers_are_not_wanted_any_more():
    waits = threading.Event()

    def behave(handler, body):
        if number_in(body):
            waits.set()
            reply(handler, 503, b"")
        else:
            good(handler, body)

    how = Patience(tries=2, first=40.0, most=40.0, deadline=100.0)
    with serving(behave) as server:
        asked = endpoint(base_url=server.url, model="small", workers=2, patience=how).refine(map(prompt_of, records(9)))
        assert next(asked).text == GOOD
        assert waits.wait(30)
        closing = threading.Thread(target=asked.close, daemon=True)
        closing.start()
        closing.join(15)  # by the true clock; a worker would wait for 20 seconds at least
        assert not closing.is_alive()
        assert len(server.bodies) < 9


def test_what_was_answered_is_not_asked_again_and_a_torn_line_is(tmp_path):
    kept = tmp_path / "answers.jsonl"
    with serving(good) as server:
        stream = refiner(server.url, answers=kept).refine(map(prompt_of, records(6)))
        assert [next(stream).id for _ in range(3)] == ["fake/0", "fake/1", "fake/2"]
        stream.close()
    asked = len(server.bodies)
    assert 3 <= asked < 6
    with open(kept, "r+b") as file:  # as a kill leaves it
        file.truncate(kept.stat().st_size - 5)
    with serving(good) as server:
        found = refined(server.url, 6, answers=kept)
    assert server.numbers() == list(range(asked - 1, 6))
    assert all(one["accepted"] for one in found)
    with serving(good) as server:
        assert refined(server.url, 6, answers=kept) == found
    assert not server.bodies


def test_what_had_no_reply_is_asked_again_and_what_was_answered_badly_is_not(tmp_path):
    kept = tmp_path / "answers.jsonl"

    def behave(handler, body):
        if number_in(body) == 0:
            reply(handler, 400, b"")
        elif number_in(body) == 1:
            reply(handler, 200, completion("no JSON"))
        else:
            good(handler, body)

    with serving(behave) as server:
        refined(server.url, 3, answers=kept)
    with serving(good) as server:
        found = refined(server.url, 3, answers=kept)
    assert server.numbers() == [0]
    assert [one["accepted"] for one in found] == [True, False, True]


def test_another_question_is_asked_though_the_name_is_the_same(tmp_path):
    kept = tmp_path / "answers.jsonl"
    with serving(good) as server:
        refined(server.url, answers=kept)
        refined(server.url, answers=kept, more={"temperature": 0})
        refined(server.url, answers=kept, more={"temperature": 0})
    assert [body.get("temperature") for body in server.bodies] == [None, 0]


def test_a_file_that_is_no_file_of_answers_is_left_as_it_is(tmp_path):
    other = tmp_path / "mine.txt"
    for text in ("no newline at the end", '{"a": 1}\n{"b"'):
        other.write_text(text)
        with pytest.raises(InputError, match="answers"):
            refined("http://127.0.0.1:9/v1", answers=other)
        assert other.read_text() == text


KEY = "sk-proj-0123456789abcdefghij"


def test_the_key_goes_to_the_endpoint_and_not_where_that_sends_it():
    with serving(good) as other:
        elsewhere = other.url.replace("127.0.0.1", "localhost") + "/chat/completions"
        with serving(says(307, b"", [("Location", elsewhere)])) as server:
            (found,) = refined(server.url, key=KEY)
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert other.bodies == []
    assert "it sends elsewhere" in found["why"]
    assert len(server.bodies) == 1


def test_no_image_and_no_name_leaves_unless_images_are_given():
    with serving(good) as server:
        refined(server.url)
        refined(server.url, images=lambda prompt: (b"real", b"forged"))
    without, with_images = (json.dumps(body) for body in server.bodies)
    for name in (RECORD["id"], RECORD["fake"], RECORD["real"]):
        assert name not in without
        assert name not in with_images
    assert "image_url" not in without
    assert with_images.count('"image_url"') == 4  # type and field of each
    assert "data:image/png;base64,cmVhbA==" in with_images


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://example.org/v1", "unencrypted"),
        ("https://me:secret@example.org/v1", "a name, a password or a query"),
        ("https://example.org/v1?key=secret", "a name, a password or a query"),
        ("example.org/v1", "no address"),
        ("https://exa mple.org/v1", "no address"),
        ("https://example.org:port/v1", "no address"),
        ("file:///etc/passwd", "no address"),
        ("", "no address"),
    ],
)
def test_an_address_where_no_key_may_go(url, said):
    with pytest.raises(InputError, match=said) as raised:
        checked_url(url, has_key=True)
    assert "secret" not in str(raised.value)


def test_a_key_that_cannot_go_into_a_header_is_refused_and_not_repeated():
    with pytest.raises(InputError, match="key is no key") as raised:
        refiner("http://127.0.0.1:9/v1", key="secret\r\nX: y")
    assert "secret" not in str(raised.value)


def test_a_word_in_the_place_of_a_key_is_left_in_answers():
    with serving(says(200, sentence("The mouth is blurred, and none else."))) as server:
        assert refined(server.url, key="none")[0]["accepted"]


def test_of_a_key_that_a_long_error_ends_with_no_part_stays():
    error = json.dumps({"error": {"message": "x" * 190 + KEY}}).encode()
    with serving(says(400, error)) as server:
        (found,) = refined(server.url, key=KEY)
    assert found["why"] == f"status 400: {'x' * 190}[key]"


def test_what_is_shown_of_an_answer_of_another_form_is_without_the_key():
    key = "sk-proj-0123456789abcdefghij"
    # One that the cut would shorten, so that it has to be taken out before.
    with serving(answers(f"It's {key}, {'a' * 80}{key}")) as server:
        (found,) = refined(server.url, key=key)
    assert found["why"].endswith("""but is 'It"s [key], """ + "a" * 80 + "[key]'")


def test_only_an_answer_with_the_key_in_it_is_said_to_have_it():
    with serving(says(200, sentence("The mouth\0is blurred."))) as server:
        (found,) = refined(server.url, key=KEY)
    assert found["why"] == "has letters that English has not"


@pytest.mark.parametrize(
    "changes",
    [{"usage": 5}, {"usage": {"prompt_tokens": "5"}}, {"text": None, "failure": 5}, {"refiner": [1]}, {"id": 5}],
)
def test_a_recorded_answer_of_another_form_is_one_line(changes, tmp_path):
    path = tmp_path / "answers.jsonl"
    answer = Answer("fake/0", "The mouth.", "", {}, "by hand")._asdict()
    path.write_text(json.dumps({"request": "a", **answer, **changes}) + "\n")
    with pytest.raises(InputError, match="line 1 is no recorded answer"):
        replay(path)


def test_without_a_key_an_address_in_the_house_will_do():
    assert checked_url("http://10.0.0.7:8000/v1", has_key=False) == "http://10.0.0.7:8000/v1"
    assert checked_url("http://[::1]:8000/v1", has_key=True) == "http://[::1]:8000/v1"
