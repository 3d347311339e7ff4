"""Asks a server, in a process of its own, and prints what it saw as JSON.

    python -m experiments.serving.client PLANS.json

Requests of a plan with a rate leave at fixed times, whatever the server does, and each waits from the time at which it
was due: a server that hangs for a second has kept everybody waiting who came in that second, not one request. (The
other way, in which the next request waits politely, is called coordinated omission.) A plan without a rate asks as fast
as answers come, with many requests under way at once. Connections are open before the clock starts. Answers are read
after it has stopped, so that the client takes as little of the processor as it can; what it took stands in the result.
"""

import asyncio
import collections
import contextlib
import gc
import json
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple


class Answer(NamedTuple):
    """What came back.

    Attributes:
        due: when it should have been sent, in seconds after the start.
        sent: when it was.
        done: when the whole answer was there.
        status: of HTTP, and 0 for none at all.
        body: what was said.
    """

    due: float
    sent: float
    done: float
    status: int
    body: bytes


def tree(pid: int) -> list[Any]:
    """A process and all below it."""
    import psutil

    first = psutil.Process(pid)
    return [first, *first.children(recursive=True)]


def spent(pid: int) -> float:
    """Processor seconds that a process and all below it have taken; those of one that ended are its parent's."""
    import psutil

    total = 0.0
    for process in tree(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += sum(process.cpu_times()[:4])
    return total


async def play(plan: dict[str, Any]) -> dict[str, Any]:
    """Sends what a plan says: `url`, `bodies` (files), `type`, `count`, `warm`, `flight`, and `rate` or `None`."""
    import httpx

    bodies = [Path(name).read_bytes() for name in plan["bodies"]]
    rate, clock = plan["rate"], time.perf_counter
    limits = httpx.Limits(max_connections=plan["flight"], max_keepalive_connections=plan["flight"])
    answers: list[Answer] = []
    async with httpx.AsyncClient(limits=limits, timeout=httpx.Timeout(60, pool=None), trust_env=False) as client:

        async def ask(number: int, due: float) -> Answer:
            sent = clock() - began
            try:
                found = await client.post(
                    plan["url"], content=bodies[number % len(bodies)], headers={"Content-Type": plan["type"]}
                )
                return Answer(due, sent, clock() - began, found.status_code, found.content)
            except httpx.HTTPError as error:
                return Answer(due, sent, clock() - began, 0, str(error).encode())

        async def at(number: int, due: float) -> None:
            await asyncio.sleep(due - (clock() - began))
            answers.append(await ask(number, due))

        async def after_another() -> None:
            while numbers:
                number = numbers.popleft()
                answers.append(await ask(number, clock() - began))

        began = clock()
        for _ in range(0, plan["warm"], plan["flight"]):
            await asyncio.gather(*(ask(number, 0.0) for number in range(min(plan["warm"], plan["flight"]))))
        gc.collect()
        gc.disable()
        server, client_spent, began = spent(plan["pid"]), time.process_time(), clock()
        if rate:
            # Not in step with whatever the server does at round times.
            await asyncio.gather(*(at(number, number / rate) for number in range(plan["count"])))
            await asyncio.sleep(max(0.0, plan["count"] / rate - (clock() - began)))
        else:
            numbers = collections.deque(range(plan["count"]))
            await asyncio.gather(*(after_another() for _ in range(plan["flight"])))
        wall = clock() - began
        gc.enable()
        return seen(answers) | {
            "seconds": wall,
            "server_seconds": spent(plan["pid"]) - server,
            "client_seconds": time.process_time() - client_spent,
        }


def seen(answers: list[Answer]) -> dict[str, Any]:
    """What answers say: milliseconds, scores in the order of sending, failures by status, and stages' means."""
    answers = sorted(answers, key=lambda answer: answer.sent)
    scores, failed, stages = [], collections.Counter(), collections.defaultdict(list)
    for answer in answers:
        said = json.loads(answer.body) if answer.status == 200 else {}
        failed.update([str(answer.status)] if answer.status != 200 else [])
        for one in said.get("results", [said] if said else []):
            if one.get("status", 200) != 200:
                failed.update([str(one["status"])])
            else:
                scores.append(one.get("verdict", one)["p_fake"])
        for stage, ms in said.get("timing_ms", {}).items():
            stages[stage].append(ms)
    return {
        "ms": [1e3 * (answer.done - answer.due) for answer in answers],
        "late_ms": max((1e3 * (answer.sent - answer.due) for answer in answers), default=0.0),
        "scores": scores,
        "failed": dict(failed),
        "stages": {stage: sum(found) / len(found) for stage, found in stages.items()},
    }


if __name__ == "__main__":
    plans = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    print(json.dumps({name: asyncio.run(play(plan)) for name, plan in plans.items()}))
