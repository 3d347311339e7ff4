"""Asks the service for twice what it can do, for minutes, and kills what scores meanwhile.

    python -m experiments.serving.overload --minutes=10 --kill=10 --out=overload.json

The rate at which it answers as fast as it is asked is measured first, and how long it takes when little is asked. Then
so many times that rate is offered in an open loop, of face crops and photographs from many addresses; a share of the
requests is breaking, and a share asks for evidence. Then little is asked again. With `--kill` all of that follows once
more, for as many minutes, while a process that scores is killed by SIGKILL every so many seconds; and one is killed
while little is asked.

It has recovered when answers are as before: eight in a row are right, have nothing left out and take at most twice the
usual p95 (or 100 ms more), and /readyz says 200. That is timed from the end of the overload, and from the one kill.

What must hold: each answer is the library's verdict, without what it says was left out; whatever is not answered so is
429 with Retry-After, and never what is breaking; breaking ones wait less than half as long as others (p95); memory is
flat; as much is answered as at the rate that was measured (9 tenths at least; without kills); afterwards it takes 5
seconds at most until it has recovered; as many deaths are counted as there were, and it is ready again after each.
It exits with 1 if any of this fails, and writes the report in any case.
"""

import dataclasses
import shlex
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.serving import overload_table, overloaded
from experiments.serving.asking import Asking, ended, expected
from experiments.serving.client import spent
from experiments.serving.servers import Server, serving
from experiments.serving.watching import Watch, deaths
from metaforge.commands import flags_of, launch, start
from metaforge.errors import InputError
from metaforge.settings import setting
from metaforge.whole import refuse_used

CALM = 3.0
"""Seconds of light load before the one kill in it."""


@dataclasses.dataclass(frozen=True)
class Config:
    """What is served, how much is asked, and for how long."""

    model: str = setting("docs/strong/detector", "The detector to serve.", place="read")
    spare: str = setting("", "A smaller detector, which answers under load.", place="read")
    serve: str = setting("", "More flags of `metaforge serve`, in one string.")
    minutes: float = setting(10.0, "How long too much is asked.", above=0, most=10_000)
    kill: float = setting(0.0, "Seconds after which a process that scores is killed, again and again; 0 for never.")
    times: float = setting(2.0, "How many times the rate that it can answer.", above=0, most=100)
    seconds: float = setting(20.0, "How long that rate is measured.", above=0, most=3600)
    light: float = setting(15.0, "Seconds of light load before and after.", least=1, most=3600)
    breaking: float = setting(0.05, "Share of requests that are breaking.", most=1)
    evidence: float = setting(0.2, "Share of requests that ask for evidence.", most=1)
    photographs: float = setting(0.3, "Share of requests with a photograph of 640 pixels; the others have a face crop.",
                                 most=1)  # fmt: skip
    seed: int = setting(0, "Of the order of requests.")


@dataclasses.dataclass(frozen=True)
class Options:
    """Where to."""

    out: str = setting("overload.json", "JSON file to write.", place="file")


def _flooded(server: Server, asking: Asking, config: Config, rate: float, *, kill: float) -> dict[str, Any]:
    """What happened while too much was asked, and afterwards."""
    import psutil

    seconds, front = 60 * config.minutes, psutil.Process(server.pid)
    before, began = sum(front.cpu_times()[:2]), time.perf_counter()
    all_before = spent(server.pid)
    watch = Watch(server, kill=kill, until=seconds)
    with asking.begun(rate=rate, seconds=seconds, light_seconds=config.light) as (process, out):
        watch.start()
        found = ended(process, out)
    watch.ended.set()
    watch.join()
    wall = time.perf_counter() - began
    later = found["began"] - watch.began  # the clients need a moment to begin
    return found | {
        "memory": [(at - later, *more) for at, *more in watch.memory], "health": watch.health,
        "ready": [(at - later, ready) for at, ready in watch.ready], "killed": [at - later for at in watch.killed],
        "missed": watch.missed, "front": (sum(front.cpu_times()[:2]) - before) / wall,
        "processor": (spent(server.pid) - all_before) / wall, "deaths": deaths(server.url), "offered": rate,
    }  # fmt: skip


def _calmly_killed(server: Server, asking: Asking, config: Config, report: dict[str, Any]) -> dict[str, Any]:
    """What happened when a process that scores was killed while little was asked."""
    watch = Watch(server, kill=CALM, until=2 * CALM)
    with asking.begun(rate=1.0, seconds=0.0, light_seconds=CALM + config.light) as (process, out):
        watch.start()
        found = ended(process, out)
    watch.ended.set()
    watch.join()
    later = found["began"] - watch.began
    ready = [[at - later, is_ready] for at, is_ready in watch.ready]
    return overloaded.calm(found["light"], ready, [at - later for at in watch.killed], report)


def run(config: Config, out: str) -> dict[str, Any]:
    """Measures, and writes the report."""
    from metaforge import processor
    from metaforge.provenance import provenance
    from metaforge.runs import write_json

    more = [*([f"--spare={config.spare}"] if config.spare else []), *_flags(config.serve)]
    pictures = expected(config)
    report: dict[str, Any] = {
        "command": " ".join(["python -m experiments.serving.overload", *flags_of(config, Config())]),
        "machine": {"processor": processor.name(), "cores": processor.cores()},
        "config": dataclasses.asdict(config),
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with serving("metaforge", Path(config.model), folder, more=more) as server:
            asking = Asking(server, config, pictures, folder)
            asking.seen(flight=16, seconds=min(3.0, config.seconds))  # nothing is cold any more
            close = asking.seen(flight=40, seconds=config.seconds)
            light = asking.seen(rate=1.0, seconds=0.0, light_seconds=config.light)
            report |= overloaded.before(close, light)
            phases = {"overload": 0.0} | ({"kills": config.kill} if config.kill else {})
            report["phases"] = {}
            for phase, kill in phases.items():
                found = _flooded(server, asking, config, config.times * report["capacity"], kill=kill)
                report["phases"][phase] = overloaded.phase(found, report, counted=deaths_before(report))
            if config.kill:
                report["calm"] = _calmly_killed(server, asking, config, report)
        log = (folder / "metaforge.log").read_text(encoding="utf-8", errors="replace")
    report["held"] = overloaded.held(report) | {
        "it ended by itself when it was asked to": log.rstrip().endswith("Stopped: what was accepted is answered."),
        "no stack trace is in its log": "Traceback" not in log and '"trace"' not in log,
    }
    report["provenance"] = provenance()
    write_json(out, report)
    return report


def deaths_before(report: dict[str, Any]) -> int:
    """Counted in earlier phases."""
    return sum(phase["deaths"] for phase in report["phases"].values())


def _flags(text: str) -> Sequence[str]:
    try:
        return shlex.split(text)
    except ValueError:
        raise InputError(f"--serve={text}: a quote is not closed.") from None


def main(argv: list[str]) -> int:
    """The command."""
    failed = False

    def body(options: Options, config: Config) -> str:
        nonlocal failed
        refuse_used(options.out)
        report = run(config, options.out)
        print(overload_table.markdown(report))
        failed = not all(report["held"].values())
        return f"Wrote {options.out}. {'Not all of it holds.' if failed else 'All of it holds.'}"

    return launch(argv, body, doc=__doc__ or "", options=Options(), config=Config()) or int(failed)


if __name__ == "__main__":
    start(main)
