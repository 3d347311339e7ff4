"""The keeper of a worker: a thread that starts it, hands it what waits, and replaces it when it dies or hangs."""

import collections
import contextlib
import logging
import multiprocessing
import signal
import threading
import time
from collections.abc import Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any

from metaforge.errors import InputError
from metaforge.serving import messages, worker
from metaforge.serving.errors import problem
from metaforge.serving.load import Load
from metaforge.serving.metrics import Metrics
from metaforge.serving.queue import Item, Lane, Queue
from metaforge.serving.scoring import Answer

_LOG = logging.getLogger(__name__)

TRIES = 3
"""How many workers may die over a file before nothing more is tried with it."""

STARTING = 120.0
"""Seconds that a worker may take until it has scored its first picture."""

AHEAD: dict[Lane, int] = {"fast": 2, "slow": 1}
"""Batches that a worker has at a time: one is read while the other is scored."""

_TURN = 0.004
"""Seconds after which a keeper that could hand over another batch looks whether any waits."""

_LOOK = 0.5
"""Seconds after which a keeper whose worker is starting looks whether all is to end."""

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
        self.lane: Lane = lane
        self._queue, self._setup, self._metrics, self._load = queue, setup, metrics, load
        self._process: Any = None
        self._warm = False
        self._stopped = threading.Event()
        self.failed = ""
        self.under_way = 0
        """Files that the worker has, or had when it died and that are not queued again yet."""

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
        self._stopped.set()
        self._end()

    def run(self) -> None:
        """Starts a worker, and another one when it has ended, until nothing is left to do."""
        while not self._queue.done and not self._stopped.is_set():
            try:
                connection = self._begin()
            except (InputError, OSError) as error:  # such as of a machine that has no process left
                said = str(error) if isinstance(error, InputError) else f"a worker cannot start: {error.strerror}"
                if said != self.failed and not self._queue.done:  # else it was ended while it started, by a stop
                    _LOG.error(said, extra={"worker": self.name})
                self._metrics.started(self.lane, ready=False)
                self.failed = said
                self._end()
                if self._queue.wait_closed(2.0):  # a fault that stays must not become a storm of starts
                    return
                continue
            self.failed = ""
            self._metrics.started(self.lane, ready=True)
            self._work(connection)
            connection.close()
            self._end()

    def _begin(self) -> Connection:
        context = multiprocessing.get_context("spawn")  # threads do not survive a fork
        ours, theirs = context.Pipe()
        self._process = context.Process(target=worker.run, args=(theirs, self._setup), name=self.name, daemon=True)
        if hasattr(signal, "pthread_sigmask"):  # Ctrl-C is the front's, from a worker's first moment on
            resource_tracker.ensure_running()  # which would undo it
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        self._process.start()
        theirs.close()
        said: dict[str, Any] = {}
        with contextlib.suppress(EOFError, OSError, ValueError):
            until = time.monotonic() + STARTING
            while not (self._stopped.is_set() or self._queue.done) and (left := until - time.monotonic()) > 0:
                if ours.poll(min(left, _LOOK)):
                    said = messages.receive(ours)[0]
                    break
        if not said and not self._stopped.is_set():
            self._metrics.died(self.lane)
        if "ready" not in said:
            raise InputError(f"a worker cannot start: {said.get('failed', 'it died or took too long')}")
        self._warm = True
        return ours

    def _work(self, connection: Connection) -> None:
        """Until the worker dies, or all is done. A batch is handed over while the one before it is scored."""
        under_way: collections.deque[tuple[list[Item], float]] = collections.deque()
        answered, hung = 0.0, False
        while True:
            # What a worker has died over is under way alone.
            more = len(under_way) < AHEAD[self.lane] and not (under_way and under_way[0][0][0].tries)
            if more:
                items = self._queue.take(
                    self.lane, alive=self._process.is_alive, wait=not under_way, fresh=bool(under_way),
                    most=self._load.batch(self.lane),
                )  # fmt: skip
                if items is None and not under_way:
                    if not self._queue.done:  # it died while it had nothing to do
                        self._died([])
                    return
                if items:
                    under_way.append((items, time.monotonic()))
                    self.under_way += len(items)
                    until = PATIENCE[self.lane] + max(under_way[0][1], answered)
                    with self._killed_at(until) as late:
                        took = self._hand_over(connection, items)
                    if not took:
                        hung = late.is_set() and len(under_way) > 1  # else it had nothing to do
                        break
            items, taken = under_way[0]
            until = PATIENCE[self.lane] + max(taken, answered)
            left = until - time.monotonic()
            try:
                if not connection.poll(min(_TURN, left) if more else left):
                    if left > _TURN:
                        continue
                    hung = True
                    break
                with self._killed_at(until):
                    found = _answers(connection, len(items))
            except (EOFError, OSError, ValueError):
                break
            under_way.popleft()
            self.under_way -= len(items)
            begun, answered = max(taken, answered), time.monotonic()
            self._metrics.batch(self.lane, len(items))
            self._load.took(self.lane, len(items), answered - begun)
            for item, answer in zip(items, found, strict=True):
                item.settle((answer, taken - item.since))
        self._died([item for items, _ in under_way for item in items])
        if hung and len(under_way[0][0]) == 1:  # it would keep the next worker as long
            (item,) = under_way.popleft()[0]
            text = f"Judging this file took more than {PATIENCE[self.lane]:.0f} seconds. Send a smaller or shorter one."
            item.settle(problem("unreadable", text))
        self._again([item for items, _ in under_way for item in items])

    @contextlib.contextmanager
    def _killed_at(self, until: float) -> Iterator[threading.Event]:
        """A time in which the worker is killed if it takes too long, for what waits on a pipe cannot look at a clock.

        A worker that stands still takes no more than the pipe holds, and one may stop amid what it says.
        """
        process, late = self._process, threading.Event()

        def kill() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(max(0.0, until - time.monotonic()), kill)
        timer.daemon = True
        timer.start()
        try:
            yield late
        finally:
            timer.cancel()

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

    def _died(self, items: list[Item]) -> None:
        self._metrics.died(self.lane)
        ids = [item.ask.request_id for item in items]
        _LOG.error("A worker died or hung, and is replaced.", extra={"worker": self.name, "request_ids": ids})

    def _again(self, items: list[Item]) -> None:
        """Queues again what a worker had when it died, in its order."""
        self.under_way = 0
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


def _answers(connection: Connection, count: int) -> list[Answer]:
    """What a worker answers to so many files.

    Raises:
        ValueError: if it says something else; it is then as good as dead.
    """
    said, _ = messages.receive(connection)
    try:
        found = [Answer(**each) for each in said["answers"]]
    except (KeyError, TypeError):
        raise ValueError("these are no answers") from None
    if len(found) != count:
        raise ValueError("there are not as many answers as files")
    return found
