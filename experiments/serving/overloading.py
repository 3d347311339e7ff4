"""Clients of a service that is asked for more than it can do, in a process of their own.

    python -m experiments.serving.overloading PLAN.json

Requests leave at random times of a given mean rate (a Poisson process), whatever the server does, and each waits from
the time at which it was due. They come from several addresses of this machine, as those of many people do. Each answer
is held against the library's verdict when it comes. What came back is written to the file that the plan names.
"""

import asyncio
import collections
import json
import random
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from experiments.serving.soaking import same

PATIENCE = 90.0
"""Seconds after which a client gives up."""

_KEPT = 10.0
"""Seconds for which a connection is kept that nobody uses."""


class Row(NamedTuple):
    """What became of a request.

    Attributes:
        due: when it should have been sent, in seconds after the start.
        done: when the whole answer was there.
        status: of HTTP, and 0 for none at all.
        breaking: whether it was to come before others.
        evidence: whether evidence was asked for.
        degraded: what the answer says was left out.
        retry: seconds of Retry-After; `None` if it was not said.
        wrong: what is wrong with the answer; "" if nothing.
    """

    due: float
    done: float
    status: int
    breaking: bool
    evidence: bool
    degraded: list[str]
    retry: int | None
    wrong: str


class Kind(NamedTuple):
    """A request that is sent again and again: its bytes, what it asks for, and the verdicts that may be said of it."""

    sent: bytes
    breaking: bool
    evidence: bool
    full: dict[str, Any]
    bare: dict[str, Any]
    spare: dict[str, Any] | None

    def wrong(self, said: dict[str, Any]) -> str:
        """What is wrong with an answer: its verdict must be that of what `degraded` says was left out."""
        left = said["degraded"]
        if self.breaking and left:
            return f"a breaking one was answered without {left}"
        if set(left) - {"evidence", "model"} or ("evidence" in left and not self.evidence):
            return f"{left} was left out, which was not asked for"
        light = self.spare if "model" in left else self.bare
        # Whoever is answered by the spare detector is answered without evidence.
        expected = light if left or not self.evidence else self.full
        if expected is None:
            return "a spare detector answered, and there is none"
        return "" if same(said["verdict"], expected) else f"a verdict is not the library's: {json.dumps(said)[:600]}"


class Lines:
    """Connections of one address that are kept, and used again."""

    def __init__(self, host: str, port: int, address: str):
        """None is open yet."""
        self._to, self._address = (host, port), address
        self._free: collections.deque[Any] = collections.deque()

    async def ask(self, sent: bytes) -> tuple[int, dict[str, str], bytes]:
        """The answer: status, headers and body."""
        while self._free:
            reader, writer, since = self._free.pop()
            # The service closes what nobody uses; a request that met that would be none that was lost.
            if not reader.at_eof() and time.perf_counter() - since < _KEPT:
                return await self._over(reader, writer, sent)
            writer.close()
        reader, writer = await asyncio.open_connection(*self._to, local_addr=(self._address, 0))
        return await self._over(reader, writer, sent)

    async def _over(self, reader: Any, writer: Any, sent: bytes) -> tuple[int, dict[str, str], bytes]:
        keep = False
        try:
            writer.write(sent)
            first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip().split("\r\n")
            pairs = (line.partition(":") for line in lines)
            headers = {name.lower(): value.strip() for name, _, value in pairs}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            keep = headers.get("connection", "").lower() != "close"
            return int(first.split()[1]), headers, body
        finally:
            if keep:
                self._free.append((reader, writer, time.perf_counter()))
            else:
                writer.close()


def request(url: str, path: str, body: bytes, kind: str) -> bytes:
    """A request's bytes."""
    head = f"POST {path} HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nContent-Type: {kind}\r\n"
    return head.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body


async def asked(lines: Lines, kind: Kind, due: float, began: float) -> Row:
    """Sends one, and judges what comes back."""
    status, headers, body, wrong = 0, {}, b"", ""
    try:
        async with asyncio.timeout(PATIENCE):
            status, headers, body = await lines.ask(kind.sent)
    except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
        wrong = f"no answer: {type(error).__name__}"
    done, degraded = time.perf_counter() - began, []
    retry = headers.get("retry-after", "")
    if status == 200:
        said = json.loads(body)
        degraded, wrong = said["degraded"], kind.wrong(said)
    elif status and (status != 429 or not retry.isdecimal()):
        wrong = f"answered {status}, Retry-After '{retry}': {body[:200].decode('utf-8', 'replace')}"
    elif status and kind.breaking:
        wrong = f"a breaking one was refused: {body[:200].decode('utf-8', 'replace')}"
    later = int(retry) if retry.isdecimal() else None
    return Row(due, done, status, kind.breaking, kind.evidence, degraded, later, wrong)


async def play(plan: dict[str, Any]) -> dict[str, Any]:
    """Plays a plan: `url`, `kinds`, `weights`, `addresses`, `seed`, `seconds`, and `rate`, or `flight` to ask closely.

    After an open loop, `light_seconds` at `light_rate` follow at once, while what was accepted is still being answered;
    of these every kind of `light` is asked in turn.
    """
    kinds = [Kind(Path(each.pop("body")).read_bytes(), **each) for each in plan["kinds"]]
    parts = urlsplit(plan["url"])
    addresses = [f"127.0.0.{2 + number}" for number in range(plan["addresses"])]
    lines = [Lines(str(parts.hostname), int(parts.port or 80), address) for address in addresses]
    rng, clock = random.Random(plan["seed"]), time.perf_counter
    rows: list[Row] = []
    light: list[Row] = []
    began, spent, since = clock(), time.process_time(), time.monotonic()
    chosen = lambda: rng.choices(kinds, plan["weights"])[0]

    async def one(number: int, kind: Kind, due: float, into: list[Row]) -> None:
        into.append(await asked(lines[number % len(lines)], kind, due, began))

    async def closely(number: int) -> None:
        while clock() - began < plan["seconds"]:
            await one(number, chosen(), clock() - began, rows)

    if plan.get("flight"):
        await asyncio.gather(*(closely(number) for number in range(plan["flight"])))
        wall = clock() - began
    else:
        under_way: set[asyncio.Task[None]] = set()
        due, number, end = 0.0, 0, plan["seconds"]
        last = end + plan["light_seconds"]
        while due < last:
            await asyncio.sleep(max(0.0, due - (clock() - began)))
            after = due >= end
            kind = kinds[plan["light"][number % len(plan["light"])]] if after else chosen()
            task = asyncio.create_task(one(number, kind, due, light if after else rows))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            number += 1
            due += 1 / plan["light_rate"] if after else rng.expovariate(plan["rate"])
            if not after and due >= end:
                due = end
        await asyncio.gather(*under_way)
        wall = end
    return {
        "began": since,
        "rows": rows,
        "light": light,
        "seconds": wall,
        "client_seconds": time.process_time() - spent,
    }


if __name__ == "__main__":
    told = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    Path(told["out"]).write_text(json.dumps(asyncio.run(play(told))), encoding="utf-8")
