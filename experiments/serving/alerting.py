"""Fires every alert of deploy/alerts.yaml on purpose: real services in a bad state each, watched by a real Prometheus.

    python -m experiments.serving.alerting

It takes the programs `prometheus` and PostgreSQL (Debian's `prometheus`, `postgresql`), and root: one small disk is
filled up. Prometheus scrapes and evaluates every second the rules as they are, but for `for:`, which is 2 seconds.
Each service is an instance of its own, so it is seen which one an alert names; one more is left in peace, and must
raise none. What is done to the others:

- `kills`: its worker of pictures is killed as soon as it is ready, six times.
- `stopped`: its worker of pictures stands still, while more files are sent than may wait.
- `lighter`: the same with a short `--degrade`, and room for all.
- `busy`: a short `--refuse`, and more files than it can judge.
- `database`: its PostgreSQL is ended, and feedback is sent all the same.
- `disk`: its state is on a disk of 64 MB, which is filled.
- `strange`: a thousand face crops, and then a thousand pictures of noise.
- `tokens`: it is asked without a right one.
- `files`: its limit of open files is lowered to what is open.
- `memory`: a body of a gigabyte is sent to it, and not ended.
- `down`: it is ended.

It exits with 1 if an alert did not fire, or one did for the service that was left in peace.
"""

import contextlib
import dataclasses
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from experiments.serving.harming import HARMS, Watched
from experiments.serving.scraping import prometheus
from experiments.serving.servers import ROOT
from metaforge.commands import launch, start
from metaforge.errors import InputError
from metaforge.settings import setting

FLAGS: dict[str, tuple[str, ...]] = {
    "peace": (), "kills": ("--workers=1",), "stopped": ("--queue=2", "--workers=1"),
    "busy": ("--refuse=0.03", "--workers=1"), "lighter": ("--degrade=0.001", "--workers=1"),
    "database": (), "disk": (), "strange": (),
    "tokens": ("--tokens={folder}/tokens",), "files": (), "memory": ("--image_mb=1024",), "down": (),
}  # fmt: skip
"""The services, and what each is started with."""

TOKEN = "a-token-of-this-measurement"

EXPECTED = {
    "MetaforgeDown": "down", "MetaforgeNotReady": "kills", "MetaforgeFails": "database",
    "MetaforgeWorkersDieAgainAndAgain": "kills", "MetaforgeWorkerDied": "kills", "MetaforgeQueueFull": "stopped",
    "MetaforgeRefuses": "busy", "MetaforgeDegraded": "lighter", "MetaforgeSlow": "stopped",
    "MetaforgeDatabaseGone": "database", "MetaforgeDatabaseErrors": "database", "MetaforgeDiskFull": "disk",
    "MetaforgeDiskFills": "disk", "MetaforgeMemoryGrows": "memory", "MetaforgeFilesOpen": "files",
    "MetaforgeTokensTried": "tokens", "MetaforgeUnfamiliar": "strange", "MetaforgeScoresShift": "strange",
}  # fmt: skip
"""Each alert, and the service for which it must fire."""


@dataclasses.dataclass(frozen=True)
class Options:
    """What is watched."""

    model: str = setting("docs/strong/detector", "One that knows familiarity; the others are tiny.", place="read")
    seconds: int = setting(240, "How long alerts are waited for.", least=5, most=3600)


def rules() -> str:
    """The rules, with a short `for:`."""
    return re.sub(r"for: \w+", "for: 2s", (ROOT / "deploy" / "alerts.yaml").read_text(encoding="utf-8"))


def firing(ask: Callable[[str], Any]) -> set[tuple[str, str]]:
    """Which alerts fire, each with its service, as Prometheus says."""
    found = (ask("alerts") or {"alerts": []})["alerts"]
    return {(each["labels"]["alertname"], each["labels"]["instance"]) for each in found if each["state"] == "firing"}


def run(options: Options, *, say: Callable[[str], None] = print) -> list[str]:
    """Starts all, does the harm, and says what did not go as it should."""
    missing = [name for name in ("prometheus", "mount") if shutil.which(name) is None]
    if missing or os.geteuid():
        raise InputError(f"alerting: it takes root and {', '.join(missing) or 'no more'}. Install prometheus; be root.")
    from metaforge.screening.portable import save_onnx
    from tests.serving.conftest import tiny_detector
    from tests.serving.postgres import running as postgres

    with contextlib.ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory()))
        tiny = folder / "tiny.onnx"
        save_onnx(tiny, tiny_detector())
        cluster = held.enter_context(postgres())
        services: dict[str, Watched] = {}
        for name, flags in FLAGS.items():
            place = folder / name
            place.mkdir()
            if name == "tokens":
                (place / "tokens").write_text(f"ann {TOKEN}\n", encoding="utf-8")
                (place / "tokens").chmod(0o600)
            if name == "disk":
                (place / "state").mkdir()
                subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", place / "state"], check=True)
                held.callback(subprocess.run, ["umount", "-l", place / "state"], check=False)
            environment = {"METAFORGE_DATABASE": cluster.url()} if name == "database" else {}
            flags = tuple(flag.format(folder=place) for flag in flags)
            model = options.model if name == "strange" else str(tiny)
            services[name] = Watched(name, model, place, environment=environment, flags=flags)
            held.callback(services[name].stop)
        for each in services.values():
            _until(lambda each=each: each.get("/readyz")[0] == 200, 300, f"{each.name} is ready")
        say(f"{len(services)} services are ready.")
        ports = {name: each.port for name, each in services.items()}
        ask = held.enter_context(prometheus(folder, ports, rules=rules(), token=TOKEN))
        time.sleep(8)  # of peace, as what rises is seen against it
        before = firing(ask)
        harms = [threading.Thread(target=harm, args=(services, cluster), daemon=True) for harm in HARMS]
        begun, seen = time.monotonic(), {}
        for harm in harms:
            harm.start()
        while time.monotonic() - begun < options.seconds and set(EXPECTED.items()) - set(seen):
            for each in firing(ask) - set(seen):
                seen[each] = time.monotonic() - begun
            time.sleep(0.5)
        amiss = [f"{alert} fired before anything was done to {name}" for alert, name in sorted(before)]
        for alert, name in EXPECTED.items():
            when = seen.get((alert, name))
            say(f"{alert:34} {name:9} " + (f"fires after {when:5.1f} s" if when is not None else "DOES NOT FIRE"))
            amiss += [f"{alert} did not fire for {name}"] * (when is None)
        amiss += [f"{alert} fired for {name}, which was left in peace" for alert, name in seen if name == "peace"]
        others = sorted({f"{alert} ({name})" for alert, name in seen if EXPECTED.get(alert) != name})
        say(f"Fired beside them: {', '.join(others) or 'none'}.")
        return amiss


def _until(holds: Callable[[], bool], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise InputError(f"alerting: {what} did not come to hold in {seconds:.0f} s. See the log of the service.")
        time.sleep(0.1)


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options) -> str:
        amiss = run(options)
        if amiss:
            raise InputError("alerting: " + "; ".join(amiss) + ".")
        return f"All {len(EXPECTED)} alerts fired on purpose, and none for the service that was left in peace."

    return launch(argv, body, doc=__doc__ or "", options=Options())


if __name__ == "__main__":
    start(main)
