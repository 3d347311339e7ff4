"""What `experiments.serving.alerting` does to services so that each alert has something to tell."""

import contextlib
import io
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

from experiments.serving import bodies
from experiments.serving.client import tree
from experiments.serving.servers import ROOT, free_port
from metaforge.serving.client import Client, ServiceError


class Watched:
    """A service of this machine."""

    def __init__(self, name: str, model: str, folder: Path, *, environment: dict[str, str], flags: tuple[str, ...]):
        """It is started, and not ready yet."""
        self.name, self.port, self.folder = name, free_port(), folder
        self.url = f"http://127.0.0.1:{self.port}"
        flags = (f"--model={model}", f"--port={self.port}", f"--state={folder / 'state'}", *flags)
        self._log = (folder / "log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "metaforge.cli", "serve", *flags], cwd=ROOT, stdout=self._log, stderr=self._log,
            env=os.environ | environment, start_new_session=True,
        )  # fmt: skip

    def client(self) -> Client:
        """One of its clients, for a thread."""
        return Client(self.url, seconds=120)

    def get(self, path: str) -> tuple[int, str]:
        """A request."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, ""
        except OSError:
            return 0, ""

    def workers(self) -> list[int]:
        """The processes of its workers of pictures; that of videos stands back."""
        found, (front, *below) = [], tree(self.process.pid)
        for each in below:
            with contextlib.suppress(psutil.Error):
                if "spawn_main" in " ".join(each.cmdline()) and each.nice() == front.nice():
                    found.append(each.pid)
        return found

    def stop(self) -> None:
        """Ends it and all below it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)
        self._log.close()


def _crops(count: int, *, strange: bool = False) -> list[bytes]:
    if not strange:
        some = bodies.crops(224, count=12)
        return [some[place % len(some)] for place in range(count)]
    found = []
    for seed in range(count):
        held = io.BytesIO()
        Image.fromarray(np.random.default_rng(seed).integers(0, 256, (224, 224, 3), np.uint8)).save(held, "PNG")
        found.append(held.getvalue())
    return found


def _ask(service: Watched, data: bytes) -> None:
    with contextlib.suppress(ServiceError, OSError, HTTPException):
        service.client().predict(data, crops=True, evidence=True)


def _kills(services: dict[str, Watched], cluster: Any) -> None:
    for _ in range(6):
        for process in services["kills"].workers():
            os.kill(process, signal.SIGKILL)
        time.sleep(3)
        while services["kills"].get("/readyz")[0] != 200:
            time.sleep(0.1)


def _stopped(services: dict[str, Watched], cluster: Any) -> None:
    _stand_still(services["stopped"], times=10)


def _lighter(services: dict[str, Watched], cluster: Any) -> None:
    _ask(services["lighter"], _crops(1)[0])  # so that it knows how long one takes
    _stand_still(services["lighter"], times=2)


def _stand_still(service: Watched, *, times: int) -> None:
    """Its worker does nothing for a while, again and again, and what is asked meanwhile waits."""
    data = _crops(1)[0]
    for _ in range(times):
        (process,) = service.workers()
        os.kill(process, signal.SIGSTOP)
        for _ in range(12):
            threading.Thread(target=_ask, args=(service, data), daemon=True).start()
            time.sleep(0.05)
        time.sleep(4)
        os.kill(process, signal.SIGCONT)
        time.sleep(1)


def _busy(services: dict[str, Watched], cluster: Any) -> None:
    data = _crops(1)[0]

    def again() -> None:
        for _ in range(400):
            _ask(services["busy"], data)

    for _ in range(24):
        threading.Thread(target=again, daemon=True).start()


def _database(services: dict[str, Watched], cluster: Any) -> None:
    cluster.stop()
    body = json.dumps({"sha256": "0" * 64, "label": "real"}).encode()
    for _ in range(60):
        with contextlib.suppress(OSError):
            asked = urllib.request.Request(
                services["database"].url + "/v1/feedback", body, {"content-type": "application/json"}
            )
            urllib.request.urlopen(asked, timeout=30)
        time.sleep(0.5)


def _disk(services: dict[str, Watched], cluster: Any) -> None:
    place = services["disk"].folder / "state" / "ballast"
    free = shutil.disk_usage(place.parent).free
    place.write_bytes(bytes(max(0, free - (1 << 19))))


def _strange(services: dict[str, Watched], cluster: Any) -> None:
    for data in (_crops(1010), _crops(1000, strange=True)):
        for place in range(0, len(data), 48):
            files = {f"{number}.png": each for number, each in enumerate(data[place : place + 48])}
            with contextlib.suppress(ServiceError, OSError, HTTPException):
                services["strange"].client().predict_many(files, crops=True)


def _tokens(services: dict[str, Watched], cluster: Any) -> None:
    for _ in range(200):
        services["tokens"].get("/v1/models")
        time.sleep(0.2)


def _files(services: dict[str, Watched], cluster: Any) -> None:
    process = services["files"].process.pid
    opened = len(os.listdir(f"/proc/{process}/fd"))
    resource.prlimit(
        process, resource.RLIMIT_NOFILE, (opened + 4, resource.prlimit(process, resource.RLIMIT_NOFILE)[1])
    )


def _memory(services: dict[str, Watched], cluster: Any) -> None:
    service, size = services["memory"], 1_060_000_000
    with socket.create_connection(("127.0.0.1", service.port)) as sent:
        head = (
            f"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {size}"
        )
        sent.sendall(f"{head}\r\n\r\n".encode())
        piece = b"a" * 1_000_000
        for _ in range(size // len(piece) - 1):
            sent.sendall(piece)
        time.sleep(60)


def _down(services: dict[str, Watched], cluster: Any) -> None:
    services["down"].stop()


HARMS = (_kills, _stopped, _lighter, _busy, _database, _disk, _strange, _tokens, _files, _memory, _down)
"""What is done, all at once; each is told the services and the database's cluster."""
