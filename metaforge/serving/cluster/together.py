"""Takes together what waits when there is time for it.

`ray.serve.batch` closes a batch when its first file has come (or some time later), not when the replica is free. So a
replica that is busy is left with many small batches: of 40 files that came while one was judged, at most 9 were taken
together.
"""

import asyncio
import collections
from collections.abc import Awaitable, Callable
from typing import Any


class Together:
    """Calls a function with as many items as wait, as soon as the call before has ended.

    Example:
        >>> async def doubled(items):
        ...     await asyncio.sleep(0)
        ...     return [(2 * item, len(items)) for item in items]
        >>> async def main():
        ...     together = Together(doubled, most=3)
        ...     return await asyncio.gather(*(together(item) for item in range(5)))
        >>> asyncio.run(main())
        [(0, 3), (2, 3), (4, 3), (6, 2), (8, 2)]
    """

    def __init__(self, handle: Callable[[list[Any]], Awaitable[list[Any]]], *, most: int):
        """Nothing waits.

        Args:
            handle: from items to an answer for each.

        Other Arguments:
            most: items of a call.
        """
        self._handle, self._most = handle, most
        self._waiting: collections.deque[tuple[Any, asyncio.Future]] = collections.deque()
        self._work: asyncio.Task | None = None

    async def __call__(self, item: Any) -> Any:
        """The answer to an item; whoever is cancelled takes nobody with it, nor waits any more."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._work is None:
            self._work = asyncio.create_task(self._all())
        return await future

    async def _all(self) -> None:
        await asyncio.sleep(0)  # what came at once is taken at once
        while self._waiting:
            taken = []
            while self._waiting and len(taken) < self._most:
                item, future = self._waiting.popleft()
                if not future.done():
                    taken.append((item, future))
            try:
                found = await self._handle([item for item, _ in taken]) if taken else []
            except Exception as error:  # noqa: BLE001 - whatever it is, each who waits is told
                found = [error] * len(taken)
            for (_, future), each in zip(taken, found, strict=True):
                if future.done():
                    continue  # whoever asked is gone
                if isinstance(each, Exception):
                    future.set_exception(each)
                else:
                    future.set_result(each)
        self._work = None
