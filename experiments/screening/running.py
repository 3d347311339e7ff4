"""Makes the links, runs the screens one after the other, kills some of them, and compares what they wrote."""

import dataclasses
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from experiments.screening.config import Config, Options
from experiments.screening.one import asked_of
from metaforge.commands.parsing import flags_of
from metaforge.errors import InputError
from metaforge.provenance import provenance
from metaforge.runs import write_json
from metaforge.screening.batches.options import Options as Screen
from metaforge.screening.batches.walking import count, walk


def run(options: Options, config: Config) -> dict[str, Any]:
    """All of it; the report is written and returned."""
    workdir = Path(options.workdir)
    workdir.mkdir(parents=True, exist_ok=True)
    given = dataclasses.replace(options, **{name: _short(value) for name, value in vars(options).items()})
    report: dict[str, Any] = {
        "command": " ".join(["python -m experiments.screening", *flags_of(given, Options()),
                             *flags_of(config, Config())]),
        "config": dataclasses.asdict(config),
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 1),
    }  # fmt: skip
    sources = [os.path.join(options.faces, name) for name in walk(options.faces)]
    if config.sizes:
        report |= _reads(options, config, sources)
    if config.real:
        report |= _network(options, config, sources)
    report |= {"load_after": round(os.getloadavg()[0], 1), "provenance": provenance()}
    write_json(options.out, report, new=True)
    return report


def _reads(options: Options, config: Config, sources: list[str]) -> dict[str, Any]:
    sizes, rows = [int(size) for size in config.sizes.split(",")], []
    if config.killed not in sizes:
        raise InputError(f"--killed: no screen of {config.killed} files is made. Give one of --sizes.")
    for size in sizes:
        linked(Path(options.workdir, f"links-{size}"), sources, size)
        rows.append({"files": size} | one(screen_of(options, size, "whole", page=True), reads=True))
        print(rows[-1], file=sys.stderr)
    return {"reads": rows, "killed": killed(options, config.killed, config)}


def _network(options: Options, config: Config, sources: list[str]) -> dict[str, Any]:
    linked(Path(options.workdir, f"links-{config.real}"), sources, config.real)
    rows, called = [], []
    for kind, workers in [("threads", int(each)) for each in config.workers.split(",")] + [
        ("Ray Data", 2)
    ] * config.ray:
        called.append(f"{kind.split()[0]}-{workers}")
        asked = screen_of(options, config.real, called[-1], workers=workers, ray=kind != "threads")
        rows.append({"by": kind, "workers": workers} | one(asked, reads=False))
        print(rows[-1], file=sys.stderr)
    first, *others = [results_of(options, config.real, name) for name in called]
    return {"network": rows, "equal": [compared(first, other) for other in others]}


def screen_of(options: Options, size: int, called: str, **changes: Any) -> Screen:
    """The options of a screen of so many files."""
    out, table = (str(Path(options.workdir, f"{called}-{size}.{ending}")) for ending in ("jsonl", "csv"))
    images = str(Path(options.workdir, f"links-{size}"))
    return Screen(model=options.model, images=images, out=out, triage=table, **changes)


def one(screen: Screen, *, reads: bool) -> dict[str, Any]:
    """A screen in a process of its own."""
    command = [sys.executable, "-m", "experiments.screening.one", asked_of(screen, reads=reads)]
    found = subprocess.run(command, stdout=subprocess.PIPE, check=True, encoding="utf-8")
    told = json.loads(found.stdout.splitlines()[-1])
    listing = time.monotonic()
    count(screen.images)
    return told | {"count_seconds": round(time.monotonic() - listing, 2)}


def killed(options: Options, size: int, config: Config) -> dict[str, Any]:
    """The same screen with kills at drawn moments; whether it ends as the whole one did."""
    screen = screen_of(options, size, "killed")
    whole = Path(options.workdir, f"whole-{size}.jsonl")
    draws = random.Random(config.seed)
    points = sorted(draws.uniform(0.02, 0.98) for _ in range(config.kills))
    at = []
    for point in points:
        command = [sys.executable, "-m", "experiments.screening.one", asked_of(screen, reads=True)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while process.poll() is None and _bytes(screen.out) < point * whole.stat().st_size:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        at.append(_lines(screen.out))
    last = one(screen, reads=True)
    equal, records = 0, 0
    for ours, theirs in zip(_records(Path(screen.out)), _records(whole), strict=True):
        records += 1
        equal += ours == theirs
    return {"killed_after_records": at, "last": last, "records": records, "equal_and_in_order": equal}


def compared(first: dict[str, dict], other: dict[str, dict]) -> dict[str, Any]:
    """Two screens of the same files, whatever the order."""
    same = first.keys() == other.keys()
    apart = [
        abs(first[name]["p_fake"] - other[name]["p_fake"])
        for name in first.keys() & other.keys()
        if first[name]["p_fake"] is not None and other[name]["p_fake"] is not None
    ]
    bare = lambda record: {**record, "p_fake": None, "faces": [{**face, "p_fake": None} for face in record["faces"]]}
    return {
        "same_files": same,
        "identical": sum(first[name] == other[name] for name in first.keys() & other.keys()),
        "identical_but_for_p_fake": sum(bare(first[name]) == bare(other[name]) for name in first.keys() & other.keys()),
        "largest_difference_of_p_fake": max(apart, default=0.0),
    }


def results_of(options: Options, size: int, called: str) -> dict[str, dict]:
    """The records of a screen by file, but for the time."""
    return {record["file"]: record for record in _records(Path(screen_of(options, size, called).out))}


def linked(folder: Path, sources: list[str], size: int) -> None:
    """A folder of so many links to some files, all beside each other."""
    if folder.is_dir() and sum(1 for _ in os.scandir(folder)) == size:
        return
    folder.mkdir(parents=True)
    for number in range(size):
        source = sources[number % len(sources)]
        os.link(source, folder / f"{number:07d}{Path(source).suffix}")


def _records(path: Path) -> Iterator[dict]:
    with open(path, encoding="utf-8") as file:
        for line in file:
            yield {**json.loads(line), "time": ""}


def _lines(path: str) -> int:
    with open(path, "rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))


def _bytes(path: str) -> int:
    return os.stat(path).st_size if os.path.exists(path) else 0


def _short(place: str) -> str:
    return place if not os.path.isabs(place) else Path(place).name
