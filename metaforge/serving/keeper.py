"""The keeper of a worker: a thread that starts it, hands it what waits, and replaces it when it dies or hangs."""

import collections
import contextlib
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

AHEAD: dict[Lane, int] = {"fast": 2, "slow": 1}
"""Batches that a worker has at a time: one is read while the other is scored."""

_TURN = 0.004
"""Seconds after which a keeper that could hand over another batch looks whether any waits."""

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
        said: dict[str, Any] = {}
        with contextlib.suppress(EOFError, OSError, ValueError):
            said = messages.receive(ours)[0] if ours.poll(STARTING) else {}
        if "ready" not in said:
            raise InputError(f"a worker cannot start: {said.get('failed', 'it died or took too long')}")
        self._warm = True
        return ours

    def _work(self, connection: Connection) -> None:
        """Until the worker dies, or all is done. A batch is handed over while the one before it is scored."""
        under_way: collections.deque[tuple[list[Item], float]] = collections.deque()
        answered = 0.0
        while True:
            # What a worker has died over is under way alone.
            more = len(under_way) < AHEAD[self._lane] and not (under_way and under_way[0][0][0].tries)
            if more:
                items = self._queue.take(
                    self._lane, alive=self._process.is_alive, wait=not under_way, fresh=bool(under_way)
                )
                if items is None and not under_way:
                    if not self._queue.done:  # it died while it had nothing to do
                        self._metrics.died(self._lane)
                    return
                if items:
                    under_way.append((items, time.monotonic()))
                    if not self._hand_over(connection, items):
                        break
            items, taken = under_way[0]
            left = PATIENCE[self._lane] - (time.monotonic() - max(taken, answered))
            try:
                if not connection.poll(min(_TURN, left) if more else left):
                    if left > _TURN:
                        continue
                    break
                said, _ = messages.receive(connection)
            except (EOFError, OSError, ValueError):
                break
            under_way.popleft()
            begun, answered = max(taken, answered), time.monotonic()
            self._metrics.batch(self._lane, len(items))
            self._load.took(self._lane, len(items), answered - begun)
            for item, found in zip(items, said["answers"], strict=True):
                item.settle((Answer(**found), taken - item.since))
        self._metrics.died(self._lane)
        self._again([item for items, _ in under_way for item in items])

    def _hand_over(self, connection: Connection, items: list[Item]) -> bool:
        """Whether the worker took them."""
        asks = [item.ask for item in items]
        texts = [{**ask._asdict(), "served": ask.served.as_json()} for ask in asks]
        for text in texts:
            del text["data"]
        try:
            messages.send(connection, {"asks": texts}, [ask.data for ask in asks])
        except OSError:
            return False
        return True

    def _again(self, items: list[Item]) -> None:
        """Queues again what a worker had when it died, in its order."""
        for item in reversed(items):
            item.tries += 1
            if item.tries < TRIES:
                self._queue.again(item)
            else:
                text = "Our workers ended while they judged this file. Convert it, and send it again."
                item.settle(problem("failed", text))

    def _end(self) -> None:
        self._warm = False
        if self._process is not None and self._process.is_alive():
            self._process.kill()
        if self._process is not None:
            self._process.join()
