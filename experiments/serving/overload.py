"""Asks the service for twice what it can do, for minutes, and kills what scores meanwhile.

    python -m experiments.serving.overload --minutes=10 --kill=10 --out=overload.json

The rate at which it answers as fast as it is asked is measured first, and how long it takes when little is asked. Then
so many times that rate is offered in an open loop, of face crops and photographs from many addresses; a share of the
requests is breaking, and a share asks for evidence. Then little is asked again. With `--kill` all of that follows once
more, for as many minutes, while a process that scores is killed by SIGKILL every so many seconds.

What must hold: each answer is the library's verdict, without what it says was left out; whatever is not answered so is
429 with Retry-After, and never what is breaking; breaking ones wait less than half as long as others (p95); memory is
flat; as much is answered as at the rate that was measured (9 tenths at least; without kills); afterwards it takes 5
seconds at most until it answers as before; as many deaths are counted as there were, and it is ready again after each.
It exits with 1 if any of this fails, and writes the report in any case.
"""

import contextlib
import dataclasses
import json
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from experiments.serving import bodies, overloaded
from experiments.serving.client import spent
from experiments.serving.overloading import request
from experiments.serving.servers import ROOT, Server, serving
from experiments.serving.watching import Watch, deaths
from metaforge.commands import flags_of, launch, start
from metaforge.errors import InputError
from metaforge.settings import setting
from metaforge.whole import refuse_used

ADDRESSES = 16
"""From so many the clients ask; the service lets each have 64 connections."""

KINDS = ((False, False), (False, True), (True, False), (True, True))
"""Of each picture there are requests that are breaking or not, and ask for evidence or not."""


@dataclasses.dataclass(frozen=True)
class Config:
    """What is served, how much is asked, and for how long."""

    model: str = setting("docs/strong/detector", "The detector to serve.", place="read")
    spare: str = setting("", "A smaller detector, which answers under load.", place="read")
    serve: str = setting("--degrade=1 --refuse=3", "More flags of `metaforge serve`, in one string.")
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


def expected(config: Config) -> list[dict[str, Any]]:
    """Pictures as `data`, `crops`, and what the library says of each: `full`, `bare` and, with a spare, `spare`."""
    from metaforge.screening.evidence.showing import evidence
    from metaforge.screening.verdicts import screener

    judge = screener(config.model, engine="onnx")
    spare = screener(config.spare, engine="onnx") if config.spare else None
    pictures = [(data, True) for data in bodies.crops(judge.detector.image_size, count=12)]
    pictures += [(data, False) for data in bodies.photographs(640)] if config.photographs else []
    measure, found = evidence() if config.evidence else None, []
    said = lambda by, data, **more: by._replace(**more).verdict(data, name="0.jpg").as_json()
    for data, crops in pictures:
        known = {"bare": said(judge, data, crops=crops), "full": said(judge, data, crops=crops, measure=measure)}
        known["spare"] = said(spare, data, crops=crops) if spare else None
        found.append({"data": data, "crops": crops, **known})
    return found


class Asking:
    """What is asked of a server: plans for `experiments.serving.overloading`."""

    def __init__(self, server: Server, config: Config, pictures: list[dict[str, Any]], folder: Path):
        """Writes the bodies of all requests."""
        self._config, self._folder, self._url = config, folder, server.url
        self._kinds, self._weights, self._number = [], [], 0
        photographs = sum(not each["crops"] for each in pictures)
        for each in pictures:
            alike = (1 - config.photographs, len(pictures) - photographs) if each["crops"] else (
                config.photographs, photographs)  # fmt: skip
            share = alike[0] / alike[1]
            for breaking, evidence in KINDS:
                texts = {"crops": each["crops"], "breaking": breaking, "evidence": evidence}
                form = bodies.body([each["data"]], field="file", **{k: str(v).lower() for k, v in texts.items()})
                path = folder / f"body-{len(self._kinds)}"
                path.write_bytes(request(server.url, "/v1/predict", form, bodies.TYPE))
                known = {name: each[name] for name in ("full", "bare", "spare")}
                self._kinds.append({"body": str(path), "breaking": breaking, "evidence": evidence, **known})
                of = config.breaking if breaking else 1 - config.breaking
                self._weights.append(share * of * (config.evidence if evidence else 1 - config.evidence))
        self._light = [
            number for number, kind in enumerate(self._kinds)
            if not kind["breaking"] and kind["evidence"] == bool(config.evidence)
        ]  # fmt: skip

    @contextlib.contextmanager
    def begun(self, **plan: Any) -> Iterator[tuple[subprocess.Popen[str], Path]]:
        """A client that is asking, and the file with what it saw when it has ended."""
        self._number += 1
        file, out = (self._folder / f"{name}-{self._number}.json" for name in ("plan", "seen"))
        whole = {"url": self._url, "kinds": self._kinds, "weights": self._weights, "addresses": ADDRESSES,
                 "seed": self._config.seed + self._number, "light": self._light, "light_rate": 4.0,
                 "light_seconds": 0.0, "out": str(out), **plan}  # fmt: skip
        file.write_text(json.dumps(whole), encoding="utf-8")
        command = [sys.executable, "-m", "experiments.serving.overloading", str(file)]
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, encoding="utf-8")
        try:
            yield process, out
        finally:
            process.kill()
            process.wait()

    def seen(self, **plan: Any) -> dict[str, Any]:
        """What a client saw."""
        with self.begun(**plan) as (process, out):
            return _ended(process, out)


def _ended(process: subprocess.Popen[str], out: Path) -> dict[str, Any]:
    _, said = process.communicate()
    if process.returncode:
        raise InputError(f"client: it failed: {(said.strip().splitlines() or ['it says nothing'])[-1]}")
    return json.loads(out.read_text(encoding="utf-8"))


def _flooded(server: Server, asking: Asking, config: Config, rate: float, *, kill: float) -> dict[str, Any]:
    """What happened while too much was asked, and afterwards."""
    import psutil

    seconds, front = 60 * config.minutes, psutil.Process(server.pid)
    before, began = sum(front.cpu_times()[:2]), time.perf_counter()
    all_before = spent(server.pid)
    watch = Watch(server, kill=kill, until=seconds)
    with asking.begun(rate=rate, seconds=seconds, light_seconds=config.light) as (process, out):
        watch.start()
        found = _ended(process, out)
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
        log = (folder / "metaforge.log").read_text(encoding="utf-8", errors="replace")
    report["held"] = overloaded.held(report) | {
        "it ended by itself when it was asked to": log.rstrip().endswith("Stopped: what was accepted is answered."),
        "no stack trace is in its log": "Traceback" not in log and '"trace"' not in log,
    }
    report["provenance"] = provenance()
    write_json(out, report)
    return report


def deaths_before(report: dict[str, Any]) -> int:
    """Deaths that earlier phases counted."""
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
        print(overloaded.markdown(report))
        failed = not all(report["held"].values())
        return f"Wrote {options.out}. {'Not all of it holds.' if failed else 'All of it holds.'}"

    return launch(argv, body, doc=__doc__ or "", options=Options(), config=Config()) or int(failed)


if __name__ == "__main__":
    start(main)
