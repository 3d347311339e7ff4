"""The clients of a soak: good ones, hostile ones, those that leave, and those that kill workers and take memory."""

import asyncio
import base64
import collections
import json
import random
import re
import time
from typing import Any

from experiments.serving import bodies


class Seen:
    """What went right and wrong."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.counts: collections.Counter[str] = collections.Counter()
        self.wrong: list[str] = []
        self.ms: list[float] = []
        self.memory: list[tuple[float, float]] = []

    def check(self, right: bool, what: str) -> None:
        """Notes what is wrong."""
        if not right:
            self.wrong.append(re.sub(r'"request_id": ?"[^"]*"', "", what))  # the same fault is the same line


def same(mine: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """Whether two records say the same, but for the time and what the file and the model are called.

    Scores may lie 2e-6 apart, since faces are scored in batches of other sizes; what follows from them and is rounded
    to four digits, by one in the last.
    """
    named = {"time", "model", "file"}
    one, other = ({name: value for name, value in each.items() if name not in named} for each in (mine, theirs))
    return _near("", one, other) and mine["model"]["sha256"] == theirs["model"]["sha256"]


def _near(name: str, one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_near(key, one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(
            _near(name, mine, theirs) for mine, theirs in zip(one, other, strict=True)
        )
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= {"p_fake": 2e-6, "band": 1.01e-4, "familiarity": 1.01e-4}.get(name, 0.0)
    return one == other


async def good(client: Any, known: list[Any], seen: Seen, until: float, rng: random.Random) -> None:
    """Asks for verdicts, and compares them."""
    while time.monotonic() < until:
        way, begun = rng.choice(["form", "form", "json", "batch", "feedback"]), time.perf_counter()
        data, crops, record = rng.choice(known)
        said: list[dict[str, Any]] = []
        theirs = [record]
        if way == "batch":
            chosen = [each for each in known if each[1] == crops]
            chosen = [rng.choice(chosen) for _ in range(rng.randint(2, 12))]
            files = [each[0] for each in chosen]
            at = rng.randrange(len(files) + 1)
            files.insert(at, b"no picture")  # fails alone
            answer = await client.post("/v1/predict/batch", content=bodies.body(files, field="files", crops=crops),
                                       headers={"Content-Type": bodies.TYPE})  # fmt: skip
            if answer.status_code == 200:
                results = answer.json()["results"]
                seen.check(
                    results[at]["status"] == 415, f"the bad file of a batch was answered {results[at]['status']}"
                )
                said = [each.get("verdict", {}) for place, each in enumerate(results) if place != at]
            theirs = [each[2] for each in chosen]
        elif way == "feedback":
            told = {"sha256": record["sha256"], "label": rng.choice(["real", "fake", "skip"]), "verdict": record}
            answer = await client.post("/v1/feedback", json=told)
            seen.counts["feedback"] += answer.status_code == 201
            seen.check(answer.status_code == 201, f"feedback was answered {answer.status_code}: {answer.text[:200]}")
            continue
        else:
            told = {"content": base64.b64encode(data).decode(), "name": "0.jpg", "crops": crops == "true"}
            form = {"content": bodies.body([data], field="file", crops=crops), "headers": {"Content-Type": bodies.TYPE}}
            answer = await client.post("/v1/predict", **({"json": told} if way == "json" else form))
            said = [answer.json()["verdict"]] if answer.status_code == 200 else []
        seen.ms.append(1e3 * (time.perf_counter() - begun))
        seen.counts[f"good, {way}"] += 1
        seen.check(
            answer.status_code == 200, f"a good request ({way}) was answered {answer.status_code}: {answer.text[:200]}"
        )
        seen.check(answer.status_code != 200 or (len(said) == len(theirs) and all(map(same, said, theirs))),
                   f"a verdict ({way}) is not the library's: {json.dumps(said)[:300]}")  # fmt: skip


async def hostile(client: Any, cases: list[Any], seen: Seen, until: float, rng: random.Random) -> None:
    """Asks for what must be refused."""
    import httpx

    while time.monotonic() < until:
        case = rng.choice(cases)
        try:
            answer = await client.request(case.method, case.path, content=case.content, headers=case.headers)
        except httpx.HTTPError as error:
            # Who sends 30 MB to somebody who has refused already may find the connection closed.
            seen.check(len(case.content) > 1 << 20 or 431 in case.allowed, f"{case.name}: {type(error).__name__}")
            seen.counts["hostile, cut off"] += 1
            continue
        seen.counts["hostile"] += 1
        text = answer.text
        seen.check(answer.status_code in case.allowed, f"{case.name}: answered {answer.status_code}: {text[:200]}")
        seen.check("Traceback" not in text and "site-packages" not in text, f"{case.name}: a stack trace")
        code = answer.json().get("error", {}).get("code") if text.startswith("{") else None
        seen.check(bool(code), f"{case.name}: no code in {text[:200]}")
        await asyncio.sleep(0)


async def leaving(port: int, picture: bytes, seen: Seen, until: float) -> None:
    """Clients that send half and go, or a byte at a time."""
    sent = bodies.body([picture], field="file")
    head = f"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: {bodies.TYPE}\r\n"
    head += f"Content-Length: {len(sent)}\r\n\r\n"
    while time.monotonic() < until:
        for pieces, pause in (([head.encode() + sent[: len(sent) // 2]], 0.2), ([head.encode(), *[b"x"] * 20], 1.0)):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(pause)
            except ConnectionError:
                pass  # it may cut us off
            writer.close()
            seen.counts["clients that left"] += 1


async def killing(pid: int, kills: int, seen: Seen, seconds: float) -> None:
    """Kills a worker now and then."""
    import psutil

    for _ in range(kills):
        await asyncio.sleep(seconds / (kills + 1))
        workers = [each for each in psutil.Process(pid).children() if "spawn_main" in " ".join(each.cmdline())]
        if workers:
            random.choice(workers).kill()
            seen.counts["workers killed"] += 1


async def watching(pid: int, seen: Seen, until: float) -> None:
    """Takes the memory of the service."""
    from experiments.serving.servers import resident_mb

    while time.monotonic() < until:
        seen.memory.append((time.monotonic(), await asyncio.to_thread(resident_mb, pid)))
        await asyncio.sleep(max(0.2, (until - seen.memory[0][0]) / 100))
