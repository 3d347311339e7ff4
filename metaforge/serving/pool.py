"""The workers of a service: what they are asked goes through a queue, and each has a keeper."""

import asyncio
import time
from typing import NamedTuple

from metaforge.processor import cores
from metaforge.serving.errors import Problem, problem
from metaforge.serving.keeper import Keeper
from metaforge.serving.load import Load, full, lightened, policies
from metaforge.serving.metrics import Metrics
from metaforge.serving.options import Options
from metaforge.serving.queue import Item, Lane, Queue, lane_of
from metaforge.serving.scoring import Answer, Ask
from metaforge.serving.served import Served


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
        self._spare, self._most = spare, options.queue
        self._policies = policies(options.degrade, options.refuse)
        self._metrics = metrics
        self._queue = Queue(most=options.queue, megabytes=8 * max(options.image_mb, 64))
        fast = options.workers or max(1, cores() // 4)
        self._load = Load({"fast": fast, "slow": 1})
        opened = [served.as_json()] + ([] if spare is None else [spare.as_json()])
        setup = {"served": opened, "frames": options.frames, "trust": options.trust}
        threads = max(2, cores() // fast)
        keeper = lambda name, lane, **more: Keeper(name, lane, self._queue, {**setup, **more}, metrics, self._load)
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

    async def ask(self, ask: Ask, *, breaking: bool = False, own: int = 0) -> Judged:
        """Has a file judged.

        Args:
            ask: the file, and what is asked.

        Other Arguments:
            breaking: whether it comes before all that are not, and is neither refused nor answered with less for want
                of time.
            own: how many files of the same request come before it: no request is refused, or answered with less,
                because of what it brings itself.

        Raises:
            Problem: if too much waits, the service is stopping, or workers died over the file.
        """
        if self._closing:
            raise problem("shutting_down", "The service is stopping. Ask another, or come again.", retry_after=5)
        degraded: tuple[str, ...] = ()
        if not breaking:
            ask, degraded = self._lighter(ask, own)
        lane, loop = lane_of(ask), asyncio.get_running_loop()
        wait = 0.0 if breaking else self.wait(lane, own=own)
        try:
            self._policies[lane].check(wait)
        except Problem:
            self._metrics.refused("load")
            raise
        item = Item(ask, lane, asyncio.Future(loop=loop), loop, time.monotonic(), breaking=breaking)
        if not self._queue.put(item):
            self._metrics.refused("full")
            raise full(wait)
        try:
            answer, queued = await item.future
            return Judged(answer, queued, degraded)
        except asyncio.CancelledError:
            self._queue.drop(item)  # whoever asked is gone
            raise

    def _lighter(self, ask: Ask, own: int) -> tuple[Ask, tuple[str, ...]]:
        """What can be answered of an ask now, and what is left out of it."""
        lane = lane_of(ask)
        waiting = max(0, self._queue.waiting()[lane] - own)
        # Where files are quick, the queue is full before the wait is long: less is said before anybody is refused.
        if not self._policies[lane].lighter(self.wait(lane, own=own), waiting / self._most):
            return ask, ()
        return lightened(ask, self._spare)

    def wait(self, lane: Lane, *, own: int = 0) -> float:
        """Seconds that a file would wait now, behind those that wait and those that workers have; 0 if none waits.

        Args:
            lane: its.

        Other Arguments:
            own: so many of those that wait do not count.
        """
        waiting = max(0, self._queue.waiting()[lane] - own)
        under_way = sum(keeper.under_way for keeper in self._keepers if keeper.lane == lane)
        return self._load.wait(lane, waiting + under_way) if waiting else 0.0

    def waiting(self) -> dict[Lane, int]:
        """How many files wait in each lane."""
        return self._queue.waiting()

    def waiting_by(self) -> dict[tuple[Lane, bool], int]:
        """The same, of what is breaking and of what is not."""
        return self._queue.waiting_by()

    @property
    def workers(self) -> dict[str, int]:
        """The numbers of the processes of those workers that can work, by name."""
        ready = {keeper.name: keeper.pid for keeper in self._keepers if keeper.ready}
        return {name: number for name, number in ready.items() if number is not None}

    def stop(self, *, grace: float) -> None:
        """Ends the workers when they have answered what they were given, and after so many seconds in any case."""
        self._closing = True
        self._queue.close()
        until = time.monotonic() + grace
        for keeper in self._keepers:
            keeper.stop(until)
        for item in self._queue.leave():
            item.settle(problem("shutting_down", "The service stopped before this was judged. Send it again."))
