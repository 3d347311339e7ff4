"""One question to an endpoint: asked again while that is worth it, and what came back read with care."""

import email.utils
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from metaforge.captions.refining.posting import NoReplyError, Reply

_AGAIN = {408, 409, 425, 429, 500, 502, 503, 504, 529}
"""Statuses that may be others a moment later."""

_LONGEST = 5000


class Patience(NamedTuple):
    """How long a question is asked again.

    Attributes:
        tries: how often it is asked at most.
        deadline: seconds for all of them together.
        first: seconds before the second, which double from one to the next; each is drawn from the upper half.
        most: seconds that no wait exceeds, unless the endpoint asks for more.
        failures: questions in a row without a reply after which no other is asked.
    """

    tries: int = 5
    deadline: float = 300.0
    first: float = 1.0
    most: float = 30.0
    failures: int = 10


class Time(NamedTuple):
    """What time it is, and how to wait.

    Attributes:
        now: seconds, of any origin.
        wait: for so many seconds; it may raise `NoReplyError` where nobody wants the reply any more.
        draw: a random number in [0, 1).
    """

    now: Callable[[], float]
    wait: Callable[[float], None]
    draw: Callable[[], float]


class Read(NamedTuple):
    """What a reply says.

    Attributes:
        text: the sentence; `None` if there is none.
        failure: why there is none.
        usage: tokens by name.
        again: whether it is no answer of a model at all, but of something between.
    """

    text: str | None
    failure: str
    usage: dict[str, int]
    again: bool = False


def ask(
    send: Callable[[float], Reply],
    *,
    patience: Patience,
    time: Time,
    wait_until: Callable[[float], float],
    redact: Callable[[str], str] = str,
) -> Reply | str:
    """Sends a question until there is a reply that will not become another one.

    Args:
        send: sends it; the argument is by when the reply must be there.

    Other Arguments:
        patience: how long.
        time: the clock.
        wait_until: is told until when the endpoint wants to be left alone, and says until when it does, since others
            are told that too; 0 asks only.
        redact: takes the key out of what the endpoint says of a failure, before that is cut.

    Returns:
        The reply with status 200, or why there is none, in one line.
    """
    until = time.now() + patience.deadline
    why, number, pause = "", 0, 0.0
    while True:
        pause = max(pause, wait_until(0.0) - time.now())
        if time.now() + pause >= until:
            return f"{why or 'it wants to be left alone'}; no more time"
        reply = None
        try:
            if pause > 0:
                time.wait(pause)
            reply = send(until)
        except NoReplyError as error:
            why = str(error)
        if reply is not None:
            if reply.status == 200:
                return reply
            why = _said(reply, redact)
            if reply.status not in _AGAIN:
                return why
        number += 1
        if number >= patience.tries:
            return f"{why}; asked {number} times" if number > 1 else why
        pause = min(patience.most, patience.first * 2.0 ** (number - 1)) * (0.5 + 0.5 * time.draw())
        if reply is not None and (asked := _retry_after(reply)) is not None:
            wait_until(time.now() + asked)  # ourselves too, at the next turn


def read(reply: Reply, redact: Callable[[str], str] = str) -> Read:
    """The sentence in a reply with status 200, whatever that may be.

    Args:
        reply: what came.
        redact: takes the key out of what is shown of an answer of another form, before that is cut.

    Example:
        >>> message = {"content": '{"sentence": "The mouth is blurred."}'}
        >>> body = json.dumps({"choices": [{"message": message, "finish_reason": "stop"}]}).encode()
        >>> read(Reply(200, {}, body)).text
        'The mouth is blurred.'
    """
    found = _json(reply.body.decode("utf-8", "replace"))
    if not isinstance(found, dict):
        return Read(None, "the reply is not JSON", {}, True)
    usage = _usage(found.get("usage"))
    try:
        choice = found["choices"][0]
        content, end = choice["message"].get("content"), choice.get("finish_reason")
    except (KeyError, IndexError, TypeError, AttributeError):
        return Read(None, "the reply is no chat completion", usage, True)
    if end == "length":
        return Read(None, "the answer was cut off at its most tokens", usage)
    if end == "content_filter" or not isinstance(content, str):
        return Read(None, "the model did not answer", usage)
    # Some models think aloud first, and some set JSON in a fence.
    content = re.sub(r"\A\s*<think>.*?</think>", "", content, count=1, flags=re.DOTALL)
    answer = _json(re.sub(r"\A\s*```(?:json)?\s*(.*?)\s*```\s*\Z", r"\1", content, flags=re.DOTALL))
    if not isinstance(answer, dict) or set(answer) != {"sentence"} or not isinstance(answer["sentence"], str):
        asked = '{"sentence": "..."}'
        # Reasons are counted without what stands between single quotes (`refined.counted`).
        came = _line(content, redact, most=100).replace("'", '"')
        return Read(None, f"the answer has not the form that was asked for, {asked}, but is '{came}'", usage)
    if len(answer["sentence"]) > _LONGEST:
        return Read(None, f"the answer has more than {_LONGEST} letters", usage)
    return Read(answer["sentence"].strip(), "", usage)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _usage(found: Any) -> dict[str, int]:
    names = "prompt_tokens", "completion_tokens"
    known = found if isinstance(found, Mapping) else {}
    return {name: known[name] for name in names if type(known.get(name)) is int and 0 <= known[name] < 1 << 40}


def _said(reply: Reply, redact: Callable[[str], str]) -> str:
    """The status, and what the endpoint says of it, on one line."""
    if 300 <= reply.status < 400:
        return f"status {reply.status}: it sends elsewhere, where no key is taken. Give that address as `base_url`"
    found = _json(reply.body.decode("utf-8", "replace"))
    error = found.get("error") if isinstance(found, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    text = _line(message, redact, most=200) if isinstance(message, str) else ""
    return f"status {reply.status}" + (f": {text}" if text else "")


def _line(text: str, redact: Callable[[str], str], *, most: int) -> str:
    """The beginning of a text that came, on one line and without the key."""
    text = " ".join(text.split())
    text = redact("".join(letter for letter in text[:_LONGEST] if letter.isprintable()))
    return text if len(text) <= most else f"{text[:most]}..."


def _retry_after(reply: Reply) -> float | None:
    """Seconds that the endpoint asks to wait: a number, or a date."""
    given = reply.headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,6}(\.\d+)?", given):
        return float(given)
    try:
        # By its own clock, which may be another than ours.
        dates = [email.utils.parsedate_to_datetime(text) for text in (reply.headers.get("date", ""), given)]
        return max(0.0, (dates[1] - dates[0]).total_seconds())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
