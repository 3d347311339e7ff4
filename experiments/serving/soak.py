"""Loads the service for minutes with good and hostile requests at once: no wrong answer, none lost, memory flat.

    python -m experiments.serving.soak --minutes=5

Good requests are pictures whose verdict the library has said before, alone, in batches and as base64; each answer must
be that verdict, its score to 2e-6. Hostile ones (`experiments/serving/hostile.py`) must be refused with the right
status, and none may be answered by a stack trace. Beside them clients leave in the middle, and send their bodies a byte
at a time; and workers are killed, which must not lose a request. At the end the service must be ready, have counted as
many deaths as there were, hold all the feedback that it accepted, and end by itself when it is asked to. Its memory
over the last third must not be above that over the second by more than a tenth. It exits with 1 if any of this fails.
"""

import asyncio
import collections
import dataclasses
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from experiments.serving import bodies, soaking
from experiments.serving.soaking import Seen
from metaforge.commands import launch, start
from metaforge.settings import setting


@dataclasses.dataclass(frozen=True)
class Options:
    """What is loaded, how long and how much."""

    model: str = setting("docs/strong/detector", "The detector to serve.", place="read")
    minutes: float = setting(5.0, "How long.", least=0.05, most=10_000)
    good: int = setting(3, "Clients that ask for verdicts, each one after another.", least=1, most=32)
    hostile: int = setting(2, "Clients that ask for what must be refused.", most=32)
    kills: int = setting(2, "Workers that are killed meanwhile.", most=1000)
    seed: int = setting(0, "Of the order of requests.")


def expected(model: str) -> list[tuple[bytes, str, dict[str, Any]]]:
    """Pictures, whether they are face crops, and what the library says of them."""
    from metaforge.screening.verdicts import screener

    judge = screener(model, engine="onnx")
    size = judge.detector.image_size
    asked = [(data, "true") for data in bodies.crops(size, count=12)]
    asked += [(data, "false") for width in (320, 640) for data in bodies.photographs(width)]
    return [
        (data, crops, judge._replace(crops=crops == "true").verdict(data, name="0.jpg").as_json())
        for data, crops in asked
    ]


async def load(url: str, pid: int, known: list[Any], options: Options) -> Seen:
    """Runs all of them beside each other."""
    import httpx

    from experiments.serving.hostile import cases

    seen, rng = Seen(), random.Random(options.seed)
    made, picture = cases(known[0][0]), known[0][0]
    seconds = 60 * options.minutes
    until = time.monotonic() + seconds
    timeout = httpx.Timeout(120)
    async with httpx.AsyncClient(base_url=url, timeout=timeout, trust_env=False) as client:
        await asyncio.gather(
            *(soaking.good(client, known, seen, until, random.Random(rng.random())) for _ in range(options.good)),
            *(soaking.hostile(client, made, seen, until, random.Random(rng.random())) for _ in range(options.hostile)),
            soaking.leaving(int(url.rpartition(":")[2]), picture, seen, until),
            soaking.killing(pid, options.kills, seen, seconds),
            soaking.watching(pid, seen, until),
        )
        await _after(client, seen)
    return seen


async def _after(client: Any, seen: Seen) -> None:
    for _ in range(240):  # a killed worker is being replaced
        ready = (await client.get("/readyz")).status_code
        if ready == 200:
            break
        await asyncio.sleep(0.5)
    seen.check(ready == 200, f"/readyz answers {ready} at the end")
    metrics = (await client.get("/metrics")).text
    deaths = sum(
        float(line.split()[-1]) for line in metrics.splitlines() if line.startswith("metaforge_worker_deaths_total")
    )
    killed = seen.counts["workers killed"]
    seen.check(deaths == killed, f"of {killed} deaths of workers {deaths:.0f} were counted")
    kept, after = 0, 0
    while after is not None:
        page = (await client.get("/v1/feedback", params={"after": after, "limit": 1000})).json()
        kept, after = kept + len(page.get("feedback", [])), page.get("next")
    seen.check(kept == seen.counts["feedback"], f"of {seen.counts['feedback']} labels {kept} were kept")
    times = np.array([at for at, _ in seen.memory])
    share = (times - times[0]) / max(1e-9, times[-1] - times[0])
    values = np.array([mb for _, mb in seen.memory])
    before, last = (float(np.median(values[(share >= low) & (share <= low + 1 / 3)])) for low in (1 / 3, 2 / 3))
    seen.counts["MB in the second third"], seen.counts["MB in the last"] = round(before), round(last)
    seen.check(last <= 1.1 * before + 16, f"memory grew from {before:.0f} to {last:.0f} MB")


def run(options: Options) -> Seen:
    """Serves, loads, and ends the service."""
    from experiments.serving.servers import serving

    known = expected(options.model)
    with tempfile.TemporaryDirectory() as folder:
        with serving("metaforge", Path(options.model), Path(folder)) as server:
            seen = asyncio.run(load(server.url, server.pid, known, options))
        log = Path(folder, "metaforge.log").read_text(encoding="utf-8", errors="replace")
        seen.check(
            log.rstrip().endswith("Stopped: what was accepted is answered."), f"it did not end well: {log[-300:]}"
        )
        seen.check("Traceback" not in log, "there is a stack trace in the log: " + log[log.find("Traceback") :][:1500])
    return seen


def main(argv: list[str]) -> int:
    """The command."""
    failed = False

    def body(options: Options) -> str:
        nonlocal failed
        seen = run(options)
        for name, count in sorted(seen.counts.items()):
            print(f"{name}: {count}")
        print(
            "ms of a good request: p50 {:.0f}, p95 {:.0f}, most {:.0f}".format(*np.percentile(seen.ms, [50, 95, 100]))
        )
        for line, count in collections.Counter(seen.wrong).most_common(20):
            print(f"WRONG, {count} times: {line}")
        failed = bool(seen.wrong)
        return f"{len(seen.wrong)} things are wrong." if failed else "Nothing is wrong."

    return launch(argv, body, doc=__doc__ or "", options=Options()) or int(failed)


if __name__ == "__main__":
    start(main)
