"""How long a backup of a service takes, and how long until a machine without its state answers as before.

    python -m experiments.serving.recovery --rounds=5

Makes a state as months leave it: the shipped detector, three adapters of its size, and --rows of feedback, each with
the record of a verdict. Then, --rounds times: a backup, a restore into an empty folder, and a service on it until it
gives the same verdict by the detector and by an adapter. What differs ends it with an error. The adapters are copies of
the detector, since only their size counts here.
"""

import contextlib
import dataclasses
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from experiments.serving.bodies import crops
from experiments.serving.servers import free_port
from metaforge.commands import launch, start
from metaforge.errors import InputError
from metaforge.settings import setting

ADAPTERS = 3


@dataclasses.dataclass(frozen=True)
class Options:
    """What is kept, and how often it is tried."""

    model: str = setting("docs/strong/detector", "The detector.", place="read")
    rows: int = setting(10_000, "Feedback that is kept.", least=1, most=1_000_000)
    rounds: int = setting(5, "How often.", least=1, most=100)


@contextlib.contextmanager
def serving(model: str, state: Path) -> Iterator[Any]:
    """A client of a service that is ready within the block."""
    from metaforge.serving.client import Client

    port = free_port()
    command = [sys.executable, "-m", "metaforge.cli", "serve", f"--model={model}", f"--state={state}", f"--port={port}"]
    with open(state.parent / "log", "ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        while process.poll() is None:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
                break
            time.sleep(0.05)
        else:
            said = (state.parent / "log").read_text(encoding="utf-8", errors="replace")
            raise InputError(f"recovery: the service ended. {said[-300:]}")
        yield Client(f"http://127.0.0.1:{port}")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def answers(client: Any, picture: bytes, adapter: str) -> list[dict[str, Any]]:
    """What the detector and an adapter say of a picture, without what differs from time to time."""
    found = [client.predict(picture, crops=True, model=model).verdict.as_json() for model in ("default", adapter)]
    return [{name: value for name, value in each.items() if name != "time"} for each in found]


def fill(state: Path, detector: str, verdict: dict[str, Any], rows: int) -> str:
    """Puts feedback and adapters into a state; the name of an adapter."""
    from metaforge.serving.databases import sqlite_url
    from metaforge.serving.rows import fill as put
    from metaforge.serving.storage import Storage, now
    from metaforge.serving.tables import FEEDBACK

    (network,) = (state / "models").glob("*.onnx")
    storage = Storage(sqlite_url(state / "service.sqlite"))
    usual = dict.fromkeys(FEEDBACK.c.keys())
    said = {"time": now(), "who": "ann", "sha256": verdict["sha256"], "label": "fake", "note": "No outline.",
            "verdict": verdict, "model_sha256": verdict["model"]["sha256"]}  # fmt: skip
    put(storage, (usual | said | {"id": number} for number in range(1, rows + 1)), [], last=rows)
    about = {"id": "", "name": "", "sha256": network.stem, "regions": False}
    for _ in range(ADAPTERS):
        name = storage.add_adapter(who="ann", name="phones", asked={"shots": 10, "force": False, "crops": True},
                                   images={"real": 40, "fake": 40, "unlabelled": 0})["id"]  # fmt: skip
        shutil.copytree(detector, state / "adapters" / name / "detector")
        shutil.copy(network, state / "adapters" / name)
        storage.change_adapter(name, state="done", ended=now(), sha256=network.stem, about=about | {"id": name},
                               report={"decision": {"saved": "adapted", "pays": True}})  # fmt: skip
    storage.close()
    return name


def kept(state: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """All feedback and adapters of a state."""
    from metaforge.serving.databases import sqlite_url
    from metaforge.serving.storage import Storage

    storage = Storage(sqlite_url(state / "service.sqlite"))
    found = storage.feedback(limit=10**9), storage.adapters()
    storage.close()
    return found


def run(options: Options) -> str:
    """Makes the state, and measures."""
    from metaforge.provenance import provenance
    from metaforge.serving.backup import making, restoring

    picture, times = crops(224, count=1)[0], []
    with tempfile.TemporaryDirectory(prefix="metaforge-") as folder:
        state = Path(folder, "state")
        with serving(options.model, state) as client:
            verdict = client.predict(picture, crops=True).verdict.as_json()
        adapter = fill(state, options.model, verdict, options.rows)
        with serving(options.model, state) as client:
            wanted = answers(client, picture, adapter)
        for number in range(options.rounds):
            tar, new = Path(folder, f"{number}.tar"), Path(folder, str(number), "state")
            new.parent.mkdir()
            begun = time.perf_counter()
            making.make(tar, state=state)
            made = time.perf_counter()
            restored = restoring.restore(tar, state=new)
            back = time.perf_counter()
            (model,) = [word[8:] for word in restored.command.split() if word.startswith("--model=")]
            with serving(model, new) as client:
                same = answers(client, picture, adapter) == wanted
                times.append((made - begun, back - made, time.perf_counter() - back))
            if not same or kept(new) != kept(state):
                raise InputError("recovery: the restored service says another thing, or has not all that was kept.")
            size = tar.stat().st_size
    names = ("backup", "restore", "start and two verdicts")
    found = {
        name: [round(each, 2) for each in some] for name, some in zip(names, zip(*times, strict=True), strict=True)
    }
    print(json.dumps({"seconds": found, "megabytes": round(size / 1e6, 1), "provenance": provenance()}, indent=1))
    return f"Restored {options.rounds} times; verdicts, adapters and feedback were the same."


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options) -> str:
        return run(options)

    return launch(argv, body, doc=__doc__ or "", options=Options())


def command() -> NoReturn:
    """The command as a program."""
    start(main)


if __name__ == "__main__":
    command()
