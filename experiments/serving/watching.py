"""Watches a service while it is loaded: its memory, whether it is alive and ready; and kills what scores in it."""

import contextlib
import threading
import time
import urllib.error
import urllib.request
from typing import Any

from experiments.serving.servers import Server


class Watch(threading.Thread):
    """Takes memory, asks /healthz and /readyz four times a second, and kills what scores now and then."""

    def __init__(self, server: Server, *, kill: float, until: float):
        """Not begun yet.

        Args:
            server: which is watched.

        Other Arguments:
            kill: seconds between kills; 0 for none.
            until: seconds after which none is killed.
        """
        super().__init__(daemon=True)
        self._server, self._kill, self._until = server, kill, until
        self.ended = threading.Event()
        self.began = time.monotonic()
        self.memory: list[tuple[float, float, float]] = []  # seconds, MB of the front, MB of all below it
        self.health: list[float] = []
        self.ready: list[tuple[float, bool]] = []
        self.killed: list[float] = []
        self.missed = 0

    def run(self) -> None:
        """Until it has ended."""
        self.began, next_kill = time.monotonic(), self._kill
        while not self.ended.wait(0.25):
            asked = time.perf_counter()
            _asked(f"{self._server.url}/healthz")
            self.health.append(time.perf_counter() - asked)
            ready = _asked(f"{self._server.url}/readyz") == 200
            now = time.monotonic() - self.began
            self.ready.append((now, ready))
            if not self.memory or now - self.memory[-1][0] >= 1:
                self.memory.append((now, *_megabytes(self._server.pid)))
            if self._kill and now >= next_kill and next_kill < self._until:
                next_kill += self._kill
                scoring = _scoring(self._server.pid)
                if scoring:
                    scoring[0].kill()
                    self.killed.append(now)
                else:
                    self.missed += 1


def _asked(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def _megabytes(pid: int) -> tuple[float, float]:
    import psutil

    front, below = psutil.Process(pid), 0
    for process in front.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            below += process.memory_full_info().uss
    return front.memory_full_info().uss / 2**20, below / 2**20


def _scoring(pid: int) -> list[Any]:
    """The processes that judge pictures, the one that has lived longest first; those of videos stand back."""
    import psutil

    found = []
    for process in psutil.Process(pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if "spawn_main" in " ".join(process.cmdline()) and process.nice() == psutil.Process(pid).nice():
                found.append(process)
    return sorted(found, key=lambda process: process.create_time())


def deaths(url: str) -> int:
    """Workers that died, as the service counts."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    return round(sum(float(each.split()[-1]) for each in lines if each.startswith("metaforge_worker_deaths_total")))
