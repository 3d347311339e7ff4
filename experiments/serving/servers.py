"""Starts a server as a process of its own, waits until it answers, and asks what it takes."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from experiments.serving.client import tree
from metaforge.errors import InputError

ROOT = Path(__file__).parents[2]

COMMANDS = {
    "metaforge": ("metaforge.cli", "serve", "--model={model}", "--state={state}", "--port={port}"),
    "plain": ("experiments.serving.plain_server", "{model}", "{port}"),
    "litserve": ("experiments.serving.litserve_server", "{model}", "{port}"),
}
READY = {"metaforge": "/readyz", "plain": "/openapi.json", "litserve": "/health"}


class Server(NamedTuple):
    """A server that answers.

    Attributes:
        name: which.
        url: where it listens.
        pid: of its first process; the others are below it.
        started: seconds from its start to its first "ready".
    """

    name: str
    url: str
    pid: int
    started: float


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextlib.contextmanager
def serving(
    name: str, model: Path, folder: Path, *, patience: float = 120, more: Sequence[str] = ()
) -> Iterator[Server]:
    """A server that is up within the block.

    Args:
        name: one of `COMMANDS`.
        model: a detector in ONNX.
        folder: where it may write; its log is there too.

    Other Arguments:
        patience: seconds until it must answer.
        more: flags of its command.

    Raises:
        InputError: if it ends, or does not answer in time; with the last line that it wrote.
    """
    port, log = free_port(), folder / f"{name}.log"
    given = {"model": model, "state": folder / f"{name}-state", "port": port}
    command = [sys.executable, "-m", *(part.format(**given) for part in COMMANDS[name]), *more]
    environment = os.environ | {"ORT_DISABLE_TELEMETRY": "1"}  # none of them tells ONNX Runtime's makers what is run
    began = time.perf_counter()
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, cwd=ROOT, start_new_session=True, env=environment)
    try:
        while not _answers(f"http://127.0.0.1:{port}{READY[name]}"):
            if process.poll() is not None or time.perf_counter() - began > patience:
                said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
                raise InputError(f"servers: '{name}' does not start: {said[-1] if said else 'it says nothing'}")
            time.sleep(0.05)
        yield Server(name, f"http://127.0.0.1:{port}", process.pid, time.perf_counter() - began)
    finally:
        _end(process)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except (OSError, urllib.error.URLError):
        return False


def _end(process: subprocess.Popen) -> None:
    """Asks it to end, as a service manager does, and ends what is left of its session."""
    process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(20)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def resident_mb(pid: int) -> float:
    """Memory of a process and all below it; what several share counts once."""
    import psutil

    total = 0
    for process in tree(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            seen = process.memory_full_info()
            total += getattr(seen, "pss", seen.uss)
    return total / 2**20


def asked(plans: dict[str, dict[str, Any]], folder: Path) -> dict[str, Any]:
    """Has plans played, one after another, by a client in a process of its own."""
    file = folder / "plans.json"
    file.write_text(json.dumps(plans), encoding="utf-8")
    command = [sys.executable, "-m", "experiments.serving.client", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        raise InputError(f"client: it failed: {(done.stderr.strip().splitlines() or ['it says nothing'])[-1]}")
    return json.loads(done.stdout)
