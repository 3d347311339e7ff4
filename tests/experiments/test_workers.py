"""Processes beside each other: what they give, and that none outlives the one that started it."""

import multiprocessing
import os
import select
import sys
import threading
from multiprocessing.connection import Connection

import pytest

from metaforge.workers import mapped


def square(number: int) -> int:
    return number**2


def wait_for_ever(connection: Connection) -> None:
    connection.send(os.getpid())
    threading.Event().wait()


def parent(connections: list[Connection]) -> None:
    list(mapped(wait_for_ever, connections, workers=len(connections)))


@pytest.mark.parametrize("workers", [1, 2])
def test_every_item_is_worked_on_once(workers):
    assert sorted(mapped(square, range(5), workers=workers)) == [0, 1, 4, 9, 16]


@pytest.mark.skipif(sys.platform != "linux", reason="waits for processes that are not its children by pidfd")
def test_workers_end_with_the_process_that_started_them():
    context = multiprocessing.get_context("spawn")
    ends = [context.Pipe() for _ in range(2)]
    process = context.Process(target=parent, args=([theirs for _, theirs in ends],))
    process.start()
    alive = [os.pidfd_open(ours.recv()) for ours, _ in ends]
    process.kill()
    process.join()
    poll = select.poll()
    for descriptor in alive:
        poll.register(descriptor, select.POLLIN)
    while alive:
        ended = [descriptor for descriptor, _ in poll.poll(60_000)]
        assert ended, "a worker outlived its parent by a minute"
        for descriptor in ended:
            poll.unregister(descriptor)
            os.close(descriptor)
            alive.remove(descriptor)
