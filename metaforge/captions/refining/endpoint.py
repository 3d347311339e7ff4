"""A refiner that asks a model behind any endpoint of OpenAI's form."""

import functools
import hashlib
import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from metaforge.captions.refining.answers import Answer, Refiner, kept_answers
from metaforge.captions.refining.asking import Patience, Time, ask, read
from metaforge.captions.refining.keys import checked_key, redactor
from metaforge.captions.refining.posting import Limits, NoReplyError, Reply, checked_url, post
from metaforge.captions.refining.prompt import Prompt, messages
from metaforge.errors import InputError
from metaforge.workers import in_order

Images = Callable[[Prompt], tuple[bytes, bytes]]
"""The real and the forged image of a prompt as PNG."""

_OURS = {"model", "messages", "stream", "n"}


def body_of(prompt: Prompt, *, model: str, more: Mapping[str, Any], images: Images | None = None) -> dict[str, Any]:
    """The request that asks for a prompt.

    Args:
        prompt: what to ask.

    Other Arguments:
        model: who is asked.
        more: fields laid over the request; `None` takes one out.
        images: where images come from; without, none is in the request.

    Raises:
        InputError: when `more` has a field that is ours, or an image cannot be read.

    Example:
        >>> from metaforge.captions.refining.prompt import SCHEMA, Guide, Pair
        >>> prompt = Prompt("a", Pair("r.png", "f.png", None), Guide("forged", (), (), 0.1, "", ()), "Say it.", SCHEMA)
        >>> sorted(body_of(prompt, model="small", more={"seed": 1, "response_format": None}))
        ['max_tokens', 'messages', 'model', 'seed']
    """
    if wrong := sorted(_OURS & set(more)):
        raise InputError(f"body: '{wrong[0]}' is set by the command. Leave it out.")
    form = {"name": "refined", "strict": True, "schema": dict(prompt.schema)}
    body = {
        "model": model,
        "messages": messages(prompt, images=None if images is None else images(prompt)),
        "max_tokens": 300,
        "response_format": {"type": "json_schema", "json_schema": form},
        **more,
    }
    return {name: value for name, value in body.items() if value is not None}


def request_name(prompt: Prompt, *, model: str, more: Mapping[str, Any], sends_images: bool) -> str:
    """What a question is called: equal for equal ids, words, models, fields and, if they are sent, names of images.

    Example:
        >>> from metaforge.captions.refining.prompt import SCHEMA, Guide, Pair
        >>> prompt = Prompt("a", Pair("r.png", "f.png", None), Guide("forged", (), (), 0.1, "", ()), "Say it.", SCHEMA)
        >>> names = {request_name(prompt, model=name, more={}, sends_images=False) for name in ("small", "large")}
        >>> len(names)
        2
    """
    asked = [prompt.id, body_of(prompt, model=model, more=more), list(prompt.pair) if sends_images else None]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode("ascii")).hexdigest()


def endpoint(
    *,
    base_url: str,
    model: str,
    key: str = "",
    images: Images | None = None,
    answers: str | os.PathLike | None = None,
    more: Mapping[str, Any] | None = None,
    workers: int = 4,
    patience: Patience = Patience(),  # noqa: B008 - immutable
    limits: Limits = Limits(),  # noqa: B008 - immutable
    clock: Time | None = None,
) -> Refiner:
    """A refiner that asks a model over HTTP, several questions at a time, and gives the answers in order.

    Nothing that the endpoint does is an error: where there is no answer, the `Answer` says why. Redirects are not
    followed, so that the key goes nowhere else. After many questions in a row without any reply no other is asked.

    Other Arguments:
        base_url: such as "https://example.org/v1".
        model: as the endpoint calls it.
        key: of the endpoint; "" sends none. It is taken out of every text that comes back.
        images: where images come from. Without, none leaves this machine.
        answers: file in which every answer is recorded as it comes. What it has is not asked again, but for questions
            that had no reply.
        more: fields laid over the request, such as {"temperature": 0}; `None` takes one out.
        workers: how many questions are asked at a time.
        patience: how often a question is asked again, and for how long.
        limits: of one request.
        clock: for tests.

    Raises:
        InputError: for an address where no key may go, no key, no model, or a file of answers that cannot be used.

    Example:
        >>> endpoint(base_url="http://127.0.0.1:8000/v1", model="small").name
        'endpoint, small'
    """
    url = checked_url(base_url, has_key=bool(checked_key(key))) + "/chat/completions"
    if not model:
        raise InputError("model: name one, as the endpoint calls it.")
    name, more = f"endpoint, {model}", dict(more or {})
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    redact = redactor(key)

    def refine(prompts: Iterable[Prompt]) -> Iterator[Answer]:
        stopped = threading.Event()

        def wait(seconds: float) -> None:
            if stopped.wait(seconds):
                raise NoReplyError("interrupted")

        times = clock or Time(time.monotonic, wait, random.random)
        kept = None if answers is None else kept_answers(answers)
        alone, row = _LeaveAlone(), _Row(patience.failures)

        def send(body: bytes, until: float) -> Reply:
            return post(url, body, headers, until=until, limits=limits, clock=times.now)

        def work(prompt: Prompt) -> Answer:
            called = request_name(prompt, model=model, more=more, sends_images=images is not None)
            found = kept.find(called) if kept else None
            if found is not None and not found.again:
                return found
            if stopped.is_set() or row.is_full():
                why = f"not asked, after {patience.failures} in a row without a reply ({row.last})"
                return Answer(prompt.id, None, why, {}, name, True)
            try:
                body = json.dumps(body_of(prompt, model=model, more=more, images=images)).encode("ascii")
            except InputError as error:  # an image
                return Answer(prompt.id, None, str(error), {}, name, True)
            reply = ask(functools.partial(send, body), patience=patience, time=times, wait_until=alone, redact=redact)
            if isinstance(reply, str):
                row.add(reply)
                answer = Answer(prompt.id, None, reply, {}, name, True)
            else:
                said = read(reply, redact)
                row.add(said.failure if said.again else "")
                text = None if said.text is None else redact(said.text)
                if text != said.text:
                    text, said = None, said._replace(failure="the answer has the key in it")
                answer = Answer(prompt.id, text, said.failure, said.usage, name, said.again)
            if kept:
                kept.add(called, answer)
            return answer

        try:
            yield from in_order(work, prompts, workers=workers, stop=stopped.set)
        finally:
            if kept:
                kept.close()

    return Refiner(name, refine)


class _LeaveAlone:
    """Until when the endpoint wants no question of anybody."""

    def __init__(self) -> None:
        self._lock, self._until = threading.Lock(), 0.0

    def __call__(self, until: float) -> float:
        with self._lock:
            self._until = max(self._until, until)
            return self._until


class _Row:
    """How many questions in a row had no reply, and why the last had none."""

    def __init__(self, most: int):
        self._lock, self._most, self._count, self.last = threading.Lock(), most, 0, ""

    def add(self, failure: str) -> None:
        with self._lock:
            # Once it was given up it stays so: questions under way would make it a matter of chance.
            if self._count < self._most:
                self._count, self.last = (self._count + 1, failure) if failure else (0, "")

    def is_full(self) -> bool:
        return self._count >= self._most
