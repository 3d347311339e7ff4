"""What waits to be judged: bounded in number and in bytes, what is breaking first, and several at a time."""

import asyncio
import collections
import contextlib
import threading
from collections.abc import Callable
from typing import Any, Literal

from metaforge.serving.buckets import SIZES
from metaforge.serving.errors import Problem, problem
from metaforge.serving.scoring import Ask

Lane = Literal["fast", "slow"]
LANES: tuple[Lane, ...] = ("fast", "slow")


def lane_of(ask: Ask) -> Lane:
    """The lane that a file waits in: what takes long holds up no picture."""
    return "slow" if ask.path or ask.map else "fast"


MOST: dict[Lane, int] = {"fast": SIZES[-1], "slow": 1}
"""How many files a worker takes at a time."""

_LOOK = 0.2
"""Seconds after which a keeper without work looks whether its worker still lives."""


class Item:
    """A file that waits, and whoever waits for its answer."""

    def __init__(
        self,
        ask: Ask,
        lane: Lane,
        future: "asyncio.Future[Any]",
        loop: asyncio.AbstractEventLoop,
        since: float,
        *,
        breaking: bool = False,
    ):
        """An item that no worker has taken yet."""
        self.ask, self.future, self.loop, self.since = ask, future, loop, since
        self.lane: Lane = lane
        self.breaking = breaking
        self.tries = 0

    def settle(self, found: Any) -> None:
        """Hands the answer over, from whatever thread; a `Problem` is raised there."""

        def done() -> None:
            if self.future.done():
                return  # whoever asked is gone
            if isinstance(found, Problem):
                self.future.set_exception(found)
            else:
                self.future.set_result(found)

        with contextlib.suppress(RuntimeError):  # the service has ended
            self.loop.call_soon_threadsafe(done)


class Queue:
    """The items that wait."""

    def __init__(self, *, most: int, megabytes: int):
        """An empty queue.

        Other Arguments:
            most: items of each lane; of those that are breaking as many beside.
            megabytes: of their files.
        """
        self._most, self._bytes = most, megabytes << 20
        self._held = 0
        self._items: dict[tuple[Lane, bool], collections.deque[Item]] = {
            (lane, breaking): collections.deque() for lane in LANES for breaking in (True, False)
        }
        self._changed = threading.Condition()
        self.closed = self._left = False

    def put(self, item: Item) -> bool:
        """Whether there was room for it."""
        with self._changed:
            size = len(item.ask.data)
            # What is breaking has room of its own, however many others wait.
            alike = self._items[item.lane, item.breaking]
            full = len(alike) >= self._most or (self._held and self._held + size > self._bytes)
            if full or self.closed:
                return False
            self._held += size
            self._items[item.lane, item.breaking].append(item)
            self._changed.notify_all()
            return True

    def again(self, item: Item) -> None:
        """What was taken by a worker that died goes to the front, and has been accepted whatever waits.

        When all have left, nobody would take it: whoever asked is told so.
        """
        with self._changed:
            if not self._left:
                self._held += len(item.ask.data)
                self._items[item.lane, item.breaking].appendleft(item)
                self._changed.notify_all()
                return
        item.settle(problem("shutting_down", "The service stopped before this was judged. Send it again."))

    def drop(self, item: Item) -> None:
        """Takes an item out, if no worker has it yet."""
        with self._changed:
            items = self._items[item.lane, item.breaking]
            if item in items:
                items.remove(item)
                self._held -= len(item.ask.data)

    def take(
        self, lane: Lane, *, alive: Callable[[], bool], wait: bool = True, fresh: bool = False, most: int = SIZES[-1]
    ) -> list[Item] | None:
        """The next items for a worker; `None` if its worker died, or the queue is closed and empty.

        An item over which a worker died comes alone, so that it takes no other with it again.

        Args:
            lane: which items.

        Other Arguments:
            alive: whether the worker lives.
            wait: whether to wait for an item; otherwise there may be none.
            fresh: whether to leave an item over which a worker died for another time.
            most: so many at a time, beside what the lane allows.
        """
        most = min(most, MOST[lane])
        with self._changed:
            while alive():
                waiting = [items for breaking in (True, False) if (items := self._items[lane, breaking])]
                if waiting and not (fresh and waiting[0][0].tries):
                    found = [waiting[0].popleft()]
                    for items in waiting:
                        while items and len(found) < most and not found[0].tries and not items[0].tries:
                            found.append(items.popleft())
                    self._held -= sum(len(item.ask.data) for item in found)
                    return found
                if not wait:
                    return []
                if self.closed:
                    return None
                self._changed.wait(_LOOK)
            return None

    def waiting(self) -> dict[Lane, int]:
        """How many wait in each lane."""
        with self._changed:
            return {lane: sum(len(self._items[lane, breaking]) for breaking in (True, False)) for lane in LANES}

    def waiting_by(self) -> dict[tuple[Lane, bool], int]:
        """The same, of what is breaking and of what is not."""
        with self._changed:
            return {key: len(items) for key, items in self._items.items()}

    @property
    def done(self) -> bool:
        """Whether nothing waits, and nothing more will."""
        with self._changed:
            return self.closed and not any(self._items.values())

    def leave(self) -> list[Item]:
        """All that waits, which nobody will take any more."""
        with self._changed:
            self._left = True
            left = [item for items in self._items.values() for item in items]
            for items in self._items.values():
                items.clear()
            return left

    def close(self) -> None:
        """Accepts nothing more; what waits can still be taken."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()

    def wait_closed(self, seconds: float) -> bool:
        """Waits so long, or until it is closed; whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: self.closed, seconds)
