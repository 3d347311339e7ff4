"""The workers of a service: each has a keeper, a thread that starts it, hands it what waits, and replaces it."""

import asyncio
import multiprocessing
import threading
import time
from math import ceil
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from metaforge.errors import InputError
from metaforge.processor import cores
from metaforge.serving import messages, worker
from metaforge.serving.errors import problem
from metaforge.serving.load import Load, Policy
from metaforge.serving.metrics import Metrics
from metaforge.serving.options import Options
from metaforge.serving.queue import Item, Lane, Queue
from metaforge.serving.scoring import Answer, Ask
from metaforge.serving.served import Served

TRIES = 2
"""How many workers may die over a file before nothing more is tried with it."""

STARTING = 120.0
"""Seconds that a worker may take until it has scored its first picture."""

PATIENCE: dict[Lane, float] = {"fast": 60.0, "slow": 900.0}
"""Seconds that a batch may take; a worker that takes longer hangs, and is replaced."""


class Judged(NamedTuple):
    """An answer, how long its file waited, in seconds, and what of it was left out for want of time."""

    answer: Answer
    queued: float
    degraded: tuple[str, ...] = ()


class Pool:
    """Workers of two lanes: "fast" judges pictures, as many together as wait; "slow" videos, maps and regions."""

    def __init__(self, served: Served, options: Options, metrics: Metrics, *, spare: Served | None = None):
        """Nothing is started yet.

        Args:
            served: the detector that every worker opens at its start.
            options: how many workers, and how much may wait.
            metrics: what is counted.

        Other Arguments:
            spare: a smaller detector that answers in place of that one under load.
        """
        self._spare, self._policy = spare, Policy(options.degrade, options.refuse)
        self._metrics = metrics
        self._queue = Queue(most=options.queue, megabytes=8 * max(options.image_mb, 64))
        fast = options.workers or max(1, cores() // 4)
        self._load = Load({"fast": fast, "slow": 1})
        opened = [served.as_json()] + ([] if spare is None else [spare.as_json()])
        setup = {"served": opened, "frames": options.frames, "trust": options.trust}
        threads = max(2, cores() // fast)
        keeper = lambda name, lane, **more: _Keeper(name, lane, self._queue, {**setup, **more}, metrics, self._load)
        self._keepers = [keeper(f"fast-{number}", "fast", threads=threads, nice=0) for number in range(fast)]
        self._keepers.append(keeper("slow-0", "slow", threads=1, nice=10))
        self._closing = False

    def start(self) -> None:
        """Starts the workers; `ready` says when they can work."""
        for keeper in self._keepers:
            keeper.start()

    @property
    def ready(self) -> bool:
        """Whether every worker lives, and has scored a picture."""
        return not self._closing and all(keeper.ready for keeper in self._keepers)

    @property
    def failed(self) -> str:
        """Why workers cannot start; "" if nothing is amiss."""
        return next((keeper.failed for keeper in self._keepers if keeper.failed), "")

    @property
    def processes(self) -> list[int]:
        """The numbers of the workers' processes."""
        return [number for keeper in self._keepers if (number := keeper.pid) is not None]

    def close_to_new(self) -> None:
        """From now on nothing new is accepted; what was accepted is finished."""
        self._closing = True

    async def ask(self, ask: Ask, *, breaking: bool = False) -> Judged:
        """Has a file judged.

        Args:
            ask: the file, and what is asked.

        Other Arguments:
            breaking: whether it comes before all that are not, and is neither refused nor answered with less for want
                of time.

        Raises:
            Problem: if too much waits, the service is stopping, or workers died over the file.
        """
        if self._closing:
            raise problem("shutting_down", "The service is stopping. Ask another, or come again.", retry_after=5)
        degraded: tuple[str, ...] = ()
        if not breaking:
            ask, degraded = self._lighter(ask)
        lane, loop = _lane(ask), asyncio.get_running_loop()
        wait = 0.0 if breaking else self.wait(lane)
        if wait > self._policy.refuse:
            self._metrics.refused("load")
            text = f"Files wait for {wait:.0f} seconds already. Come again later."
            raise problem("too_many", text, retry_after=ceil(wait - self._policy.refuse / 2))
        item = Item(ask, lane, asyncio.Future(loop=loop), loop, time.monotonic(), breaking=breaking)
        if not self._queue.put(item):
            self._metrics.refused("full")
            text = "Too many files wait already. Come again in a moment."
            raise problem("too_many", text, retry_after=max(1, ceil(wait / 2)))
        try:
            answer, queued = await item.future
            return Judged(answer, queued, degraded)
        except asyncio.CancelledError:
            self._queue.drop(item)  # whoever asked is gone
            raise

    def _lighter(self, ask: Ask) -> tuple[Ask, tuple[str, ...]]:
        """What can be answered of an ask now, and what is left out of it."""
        if self.wait(_lane(ask)) <= self._policy.degrade:
            return ask, ()
        left = [name for name in ("evidence", "map") if getattr(ask, name)]
        lighter = ask._replace(evidence=False, map=False)
        if self._spare is not None and ask.served.id == "default":
            lighter, left = lighter._replace(served=self._spare), [*left, "model"]
        return lighter, tuple(left)

    def wait(self, lane: Lane) -> float:
        """Seconds that a file would wait now."""
        return self._load.wait(lane, self._queue.waiting()[lane])

    def waiting(self) -> dict[Lane, int]:
        """How many files wait in each lane."""
        return self._queue.waiting()

    def stop(self, *, grace: float) -> None:
        """Ends the workers when they have answered what they were given, and after so many seconds in any case."""
        self._closing = True
        self._queue.close()
        until = time.monotonic() + grace
        for keeper in self._keepers:
            keeper.stop(until)
        for item in self._queue.leave():
            item.settle(problem("shutting_down", "The service stopped before this was judged. Send it again."))


def _lane(ask: Ask) -> Lane:
    return "slow" if ask.path or ask.map else "fast"


class _Keeper(threading.Thread):
    def __init__(self, name: str, lane: Lane, queue: Queue, setup: dict[str, Any], metrics: Metrics, load: Load):
        super().__init__(name=name, daemon=True)
        self._lane: Lane = lane
        self._queue, self._setup, self._metrics, self._load = queue, setup, metrics, load
        self._process: Any = None
        self._warm = False
        self.failed = ""

    @property
    def ready(self) -> bool:
        return self._warm and self._process is not None and self._process.is_alive()

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def stop(self, until: float) -> None:
        self.join(max(0.0, until - time.monotonic()))
        self._end()

    def run(self) -> None:
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
                    problem("failed", "Judging this file ended our worker twice. Convert it, and send it again.")
                )

    def _end(self) -> None:
        self._warm = False
        if self._process is not None and self._process.is_alive():
            self._process.kill()
        if self._process is not None:
            self._process.join()
