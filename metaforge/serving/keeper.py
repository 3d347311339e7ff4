"""The keeper of a worker: a thread that starts it, hands it what waits, and replaces it when it dies or hangs."""

import multiprocessing
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

from metaforge.errors import InputError
from metaforge.serving import messages, worker
from metaforge.serving.errors import problem
from metaforge.serving.load import Load
from metaforge.serving.metrics import Metrics
from metaforge.serving.queue import Item, Lane, Queue
from metaforge.serving.scoring import Answer

TRIES = 3
"""How many workers may die over a file before nothing more is tried with it."""

STARTING = 120.0
"""Seconds that a worker may take until it has scored its first picture."""

PATIENCE: dict[Lane, float] = {"fast": 60.0, "slow": 900.0}
"""Seconds that a batch may take; a worker that takes longer hangs, and is replaced."""


class Keeper(threading.Thread):
    """What looks after one worker."""

    def __init__(self, name: str, lane: Lane, queue: Queue, setup: dict[str, Any], metrics: Metrics, load: Load):
        """A worker that is not started yet.

        Args:
            name: of its thread and process.
            lane: that it takes from.
            queue: what waits.
            setup: what the worker is told (`metaforge.serving.worker.run`).
            metrics: what is counted.
            load: is told how long batches take.
        """
        super().__init__(name=name, daemon=True)
        self._lane: Lane = lane
        self._queue, self._setup, self._metrics, self._load = queue, setup, metrics, load
        self._process: Any = None
        self._warm = False
        self.failed = ""

    @property
    def ready(self) -> bool:
        """Whether the worker lives, and has scored a picture."""
        return self._warm and self._process is not None and self._process.is_alive()

    @property
    def pid(self) -> int | None:
        """The number of its process; `None` before the first."""
        return None if self._process is None else self._process.pid

    def stop(self, until: float) -> None:
        """Waits until it has answered all that it will, or for the time `until`, and ends it."""
        self.join(max(0.0, until - time.monotonic()))
        self._end()

    def run(self) -> None:
        """Starts a worker, and another one when it has ended, until nothing is left to do."""
        while not self._queue.done:
            try:
                connection = self._begin()
            except InputError as error:
                self.failed = str(error)
                self._end()
                if self._queue.wait_closed(2.0):  # a fault that stays must not become a storm of starts
                    return
                continue
            self.failed = ""
            self._work(connection)
            connection.close()
            self._end()

    def _begin(self) -> Connection:
        context = multiprocessing.get_context("spawn")  # threads do not survive a fork
        ours, theirs = context.Pipe()
        self._process = context.Process(target=worker.run, args=(theirs, self._setup), name=self.name, daemon=True)
        self._process.start()
        theirs.close()
        said = self._hear(ours, STARTING)
        if said is None or "ready" not in said:
            raise InputError(f"a worker cannot start: {(said or {}).get('failed', 'it died or took too long')}")
        self._warm = True
        return ours

    def _work(self, connection: Connection) -> None:
        """Until the worker dies, or all is done."""
        while True:
            items = self._queue.take(self._lane, alive=self._process.is_alive)
            if items is None:
                if not self._queue.done:  # it died while it had nothing to do
                    self._metrics.died(self._lane)
                return
            taken = time.monotonic()
            asks = [item.ask for item in items]
            try:
                texts = [{**ask._asdict(), "served": ask.served.as_json()} for ask in asks]
                for text in texts:
                    del text["data"]
                messages.send(connection, {"asks": texts}, [ask.data for ask in asks])
                said = self._hear(connection, PATIENCE[self._lane])
            except OSError:
                said = None
            if said is None:
                self._metrics.died(self._lane)
                self._again(items)
                return
            self._metrics.batch(self._lane, len(items))
            self._load.took(self._lane, len(items), time.monotonic() - taken)
            for item, found in zip(items, said["answers"], strict=True):
                item.settle((Answer(**found), taken - item.since))

    def _hear(self, connection: Connection, seconds: float) -> dict[str, Any] | None:
        """What the worker says; `None` if it died, or says nothing for so long."""
        try:
            return messages.receive(connection)[0] if connection.poll(seconds) else None
        except (EOFError, OSError, ValueError):
            return None

    def _again(self, items: list[Item]) -> None:
        for item in items:
            item.tries += 1
            if item.tries < TRIES:
                self._queue.again(item)
            else:
                item.settle(
                    problem("failed", "Our workers ended while they judged this file. Convert it, and send it again.")
                )

    def _end(self) -> None:
        self._warm = False
        if self._process is not None and self._process.is_alive():
            self._process.kill()
        if self._process is not None:
            self._process.join()
