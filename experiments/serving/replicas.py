"""How much the service answers on Ray Serve with one, two and four replicas, and what bounds it.

    python -m experiments.serving.replicas --out=replicas.json

Starts a Ray of its own on this machine, and deploys `deploy/ray.yaml` with so many replicas that judge pictures, one
number after another. Each is asked as fast as it answers, --rounds times, by --flight clients; every answer is held
against the library's verdict. Beside what it answers stands the processor time of each part: the proxy and the front,
which speak HTTP, the replicas, the rest of Ray, and the clients, which are on the same machine. `metaforge serve` with
one worker is asked the same, for comparison. It takes the extras `ray`, `serve`, `faces` and `dev`.
"""

import contextlib
import dataclasses
import importlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from experiments.serving.asking import Asking, expected
from experiments.serving.overload import Config as Asked
from experiments.serving.replicas_table import markdown
from experiments.serving.servers import ROOT, Server, free_port, serving
from metaforge.commands import flags_of, launch, start
from metaforge.errors import InputError
from metaforge.evaluation.interval import Interval
from metaforge.settings import setting
from metaforge.whole import refuse_used

PATIENCE = 120.0
"""Seconds that a deployment may take."""

PARTS = {
    "proxy": ("ray::ProxyActor",), "front": ("metaforge#Front#", "metaforge:Front"),
    "replicas": ("metaforge#Judge#", "metaforge:Judge"),
    "rest of Ray": ("ray::", "raylet", "gcs_server", "/ray/"),
}  # fmt: skip
"""By what their command lines hold; the first that fits counts."""


@dataclasses.dataclass(frozen=True)
class Config:
    """What is deployed, and how it is asked."""

    model: str = setting("docs/strong/detector", "The detector.", place="read")
    replicas: str = setting("1,2,4", "How many replicas, one number after another.")
    flight: int = setting(64, "Requests under way at a time.", least=1, most=512)
    seconds: float = setting(8.0, "How long a round takes.", above=0, most=3600)
    rounds: int = setting(3, "How often each is asked.", least=1, most=100)
    photographs: float = setting(0.0, "Share of photographs of 640 pixels; the others are face crops.", most=1)


@dataclasses.dataclass(frozen=True)
class Options:
    """Where to."""

    out: str = setting("replicas.json", "JSON file to write.", place="file")


@contextlib.contextmanager
def _ray(folder: Path) -> Iterator[str]:
    """The address of a Ray that has ended behind the block. It believes in cores enough for all replicas."""
    ray: Any = importlib.import_module("ray")
    before = dict(os.environ)
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_SERVE_LOG_TO_STDERR": "0", "PYTHONPATH": str(ROOT),
                   "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}  # fmt: skip
    os.environ.pop("RAY_ADDRESS", None)
    try:
        found = ray.init("local", num_cpus=64, include_dashboard=False, log_to_driver=False, _temp_dir=str(folder),
                         object_store_memory=200 << 20, logging_level="ERROR")  # fmt: skip
        yield found.address_info["gcs_address"]
    finally:
        ray.shutdown()
        os.environ.clear()
        os.environ |= before


def deployed(model: str, state: Path, port: int, replicas: int) -> dict[str, Any]:
    """`deploy/ray.yaml` with so many replicas from the start."""
    import yaml

    found = yaml.safe_load((ROOT / "deploy" / "ray.yaml").read_text(encoding="utf-8"))
    found["http_options"]["port"] = port
    (app,) = found["applications"]
    app["args"] |= {"model": model, "state": str(state)}
    for each in app["deployments"]:
        if each["name"] == "Judge":
            del each["autoscaling_config"]
            each["num_replicas"] = replicas
    return found


def _deploy(address: str, folder: Path, config: dict[str, Any]) -> None:
    """`serve run`, and a wait until all its replicas can judge."""
    serve: Any = importlib.import_module("ray.serve")
    path = folder / "ray.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")
    command = [sys.executable, "-m", "ray.serve.scripts", "run", "--address", address, "--non-blocking", str(path)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, cwd=ROOT, timeout=PATIENCE)
    if done.returncode:
        raise InputError(f"replicas: `serve run` failed: {done.stderr.strip().splitlines()[-1]}")
    (app,) = config["applications"]
    wanted = next(each["num_replicas"] for each in app["deployments"] if each["name"] == "Judge")
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        found = serve.status().applications["metaforge"].deployments
        running = found["Judge"].replica_states.get("RUNNING", 0) if "Judge" in found else 0
        if running == wanted and all(each.status == "HEALTHY" for each in found.values()):
            return
        time.sleep(0.2)
    raise InputError(f"replicas: {wanted} did not start in {PATIENCE:.0f} seconds.")


def spent_by(processes: list[Any]) -> dict[str, float]:
    """Processor seconds of each part, by command lines."""
    import psutil

    found: Counter[str] = Counter()
    for process in processes:
        with contextlib.suppress(psutil.Error):
            line, times = " ".join(process.cmdline()), process.cpu_times()
            part = next((name for name, marks in PARTS.items() if any(mark in line for mark in marks)), "")
            found[part] += times.user + times.system
    return dict(found)


def _asked(asking: Asking, config: Config) -> dict[str, Any]:
    """Rounds: answers a second, and processors by part."""
    import psutil

    asking.seen(flight=config.flight, seconds=min(2.0, config.seconds))  # nothing is cold any more
    rounds = []
    for _ in range(config.rounds):
        ours = psutil.Process().children(recursive=True)
        before = spent_by(ours)
        seen = asking.seen(flight=config.flight, seconds=config.seconds)
        after, wall = spent_by(ours), seen["seconds"]
        rows = seen["rows"]
        wrong = [row for row in rows if row[2] != 200 or row[7]]
        if wrong:
            raise InputError(f"replicas: {len(wrong)} of {len(rows)} were not answered, or wrongly: {wrong[0]}")
        used = {part: (after[part] - before.get(part, 0.0)) / wall for part in after}
        ms = [1e3 * (row[1] - row[0]) for row in rows]
        rounds.append({"rate": len(rows) / wall, "p50": float(np.median(ms)), "clients": seen["client_seconds"] / wall,
                       "used": used})  # fmt: skip
    of = lambda values: Interval(*np.percentile(values, [50, 0, 100]).tolist()).as_json()
    parts = sorted({part for each in rounds for part in each["used"] if part})
    return {
        "answers_a_second": of([each["rate"] for each in rounds]),
        "ms_p50": of([each["p50"] for each in rounds]),
        "processors": {part: float(np.median([each["used"].get(part, 0.0) for each in rounds])) for part in parts}
        | {"clients": float(np.median([each["clients"] for each in rounds]))},
        "server_processors": float(np.median([sum(each["used"].values()) for each in rounds])),
    }


def run(config: Config, out: str) -> dict[str, Any]:
    """Measures, and writes the report."""
    from metaforge import processor
    from metaforge.provenance import provenance
    from metaforge.runs import write_json

    counts = _counts(config.replicas)
    asked = Asked(model=config.model, photographs=config.photographs, evidence=0.0, breaking=0.0)
    pictures, found = expected(asked), {}
    with tempfile.TemporaryDirectory(prefix="mf", dir="/tmp", ignore_cleanup_errors=True) as name:
        folder = Path(name)  # short, since sockets lie in it
        for each in ("alone", "cluster"):
            (folder / each).mkdir()
        with serving("metaforge", Path(config.model), folder, more=["--refuse=60", "--workers=1"]) as server:
            alone = _asked(Asking(server, asked, pictures, folder / "alone"), config)
        with _ray(folder / "ray") as address:
            port = free_port()
            server = Server("ray", f"http://127.0.0.1:{port}", os.getpid(), 0.0)
            asking = Asking(server, asked, pictures, folder / "cluster")
            for count in counts:
                state = deployed(str(Path(config.model).resolve()), folder / "state", port, count)
                state["applications"][0]["args"]["refuse"] = 60.0
                _deploy(address, folder, state)
                found[str(count)] = _asked(asking, config)
    report = {
        "command": " ".join(["python -m experiments.serving.replicas", *flags_of(config, Config())]),
        "machine": {"processor": processor.name(), "cores": processor.cores(), "ray": _version()},
        "config": dataclasses.asdict(config), "alone": alone, "replicas": found, "provenance": provenance(),
    }  # fmt: skip
    write_json(out, report)
    return report


def _counts(text: str) -> list[int]:
    found = [int(part) for part in text.split(",") if part.isascii() and part.isdigit()]
    if not found or len(found) < len(text.split(",")) or not all(1 <= count <= 64 for count in found):
        raise InputError(f"replicas: give numbers from 1 to 64 with commas, such as 1,2,4, instead of '{text}'.")
    return found


def _version() -> str:
    return importlib.import_module("ray").__version__


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options, config: Config) -> str:
        refuse_used(options.out)
        print(markdown(run(config, options.out)))
        return f"Wrote {options.out}."

    return launch(argv, body, doc=__doc__ or "", options=Options(), config=Config())


if __name__ == "__main__":
    start(main)
