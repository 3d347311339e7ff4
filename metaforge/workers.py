"""The same work on many items, in processes beside each other."""

import collections
import concurrent.futures
import multiprocessing
import multiprocessing.connection
import os
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from metaforge.errors import InputError


def mapped(work: Callable[[Any], Any], items: Collection[Any], *, workers: int) -> Iterator[Any]:
    """What `work` gives for each item, in the order in which they are done; `workers=1` is this process itself.

    Raises:
        InputError: when the system killed a worker.
    """
    if workers == 1:
        yield from map(work, items)
        return
    with _processes(min(workers, max(len(items), 1))) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            for future in concurrent.futures.as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            raise _killed(workers) from error
        finally:
            for future in futures:
                future.cancel()


def in_order(
    work: Callable[[Any], Any],
    items: Iterable[Any],
    *,
    workers: int,
    processes: bool = False,
    stop: Callable[[], None] = lambda: None,
) -> Iterator[Any]:
    """What `work` gives for each item, in their order, by threads or processes that run ahead of whoever takes it.

    Memory stays flat: no more than twice as many items as workers are in the making or waiting to be taken.

    Args:
        work: what is done with an item; of threads, it should spend its time outside of Python.
        items: any number; they are asked for as they are needed.

    Other Arguments:
        workers: threads or processes, at least 1.
        processes: whether they are processes, and a single one is this process itself.
        stop: is called when nothing more will be taken, before work under way is waited for.

    Raises:
        InputError: when the system killed a process.

    Example:
        >>> list(in_order(lambda x: x * x, range(5), workers=2))
        [0, 1, 4, 9, 16]
    """
    if processes and workers == 1:
        yield from map(work, items)
        return
    waiting: collections.deque[concurrent.futures.Future] = collections.deque()
    with _processes(workers) if processes else concurrent.futures.ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) >= 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise _killed(workers) from error
        finally:
            stop()
            for future in waiting:
                future.cancel()


def _processes(workers: int) -> concurrent.futures.ProcessPoolExecutor:
    # Spawned, not forked: JAX's threads do not survive a fork. Each worker's arithmetic stays in one thread.
    context = multiprocessing.get_context("spawn")
    return concurrent.futures.ProcessPoolExecutor(workers, mp_context=context, initializer=_calm)


def _killed(workers: int) -> InputError:
    return InputError(
        "workers: one was killed, probably for memory, or crashed over a file. What is done is kept: call again with "
        f"fewer --workers (now {workers})."
    )


def _calm() -> None:
    threading.Thread(target=end_with_parent, daemon=True).start()
    os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_cpu_multi_thread_eigen=false"
    os.environ["JAX_PLATFORMS"] = "cpu"


def end_with_parent() -> None:
    """Ends this process when its parent is gone: a parent that was killed tells nobody.

    Its workers would go on, and write where it goes on when called again. This blocks, so it belongs in a thread.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
