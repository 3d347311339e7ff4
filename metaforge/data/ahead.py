"""An iterator that works ahead of its reader in a thread: decoding goes on while faces are found."""

import queue
import threading
from collections.abc import Generator
from typing import TypeVar

Item = TypeVar("Item")


def ahead(items: Generator[Item], *, most: int) -> Generator[Item]:
    """The same items in the same order, made beforehand, at most so many. What is raised there is raised here.

    Whoever reads no further closes the iterator, and with it `items`.

    Args:
        items: what is read in the other thread.

    Other Arguments:
        most: how many may wait, at least 1.

    Example:
        >>> list(ahead((number * number for number in range(5)), most=2))
        [0, 1, 4, 9, 16]
    """
    waiting: queue.Queue[tuple[bool, Item | BaseException | None]] = queue.Queue(most)
    enough = threading.Event()

    def work() -> None:
        try:
            for item in items:
                waiting.put((True, item))
                if enough.is_set():
                    return
            waiting.put((False, None))
        except BaseException as error:  # noqa: BLE001 (the reader raises it)
            waiting.put((False, error))
        finally:
            items.close()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            more, item = waiting.get()
            if more:
                yield item  # type: ignore[misc]
            elif isinstance(item, BaseException):
                raise item
            else:
                return
    finally:
        enough.set()
        while thread.is_alive():  # it may stand before a full queue
            try:
                waiting.get(timeout=0.02)
            except queue.Empty:
                thread.join(timeout=0.02)
