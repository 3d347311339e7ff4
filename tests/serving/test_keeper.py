"""A keeper outlives whatever its worker does: one that says nonsense, takes nothing, or cannot be started."""

import asyncio
import contextlib
import multiprocessing
import os
import socket
import threading

import pytest

from metaforge.serving import keeper as keeping
from metaforge.serving import messages
from metaforge.serving.errors import Problem
from metaforge.serving.keeper import TRIES, Keeper
from metaforge.serving.load import Load
from metaforge.serving.metrics import Metrics
from metaforge.serving.queue import Item, Queue
from metaforge.serving.scoring import Answer, Ask
from metaforge.serving.served import Served

SERVED = Served("default", "nowhere.onnx", "nowhere", "0" * 64)
GOOD = Answer({}, [], None, 0.0, 0.0)._asdict()


class Process:
    """A worker that is a thread, and ends when it is killed."""

    pid = 1

    def __init__(self, ends):
        self._ends, self._alive = ends, True

    def is_alive(self):
        return self._alive

    def kill(self):
        self._alive = False
        for end in self._ends:
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(end.fileno())) as bare:
                bare.shutdown(socket.SHUT_RDWR)

    def join(self):
        pass


class Scripted(Keeper):
    """A keeper of workers that do what a list of functions says, each its own."""

    def __init__(self, queue, *scripts, metrics=None):
        super().__init__("scripted", "fast", queue, {}, metrics or Metrics(), Load({"fast": 1}))
        self.scripts, self.begun = list(scripts), 0

    def _begin(self):
        self.begun += 1
        if self.begun > 1:  # only the first is to be found slow, however busy this machine is
            keeping.PATIENCE["fast"] = 60.0
        ours, theirs = multiprocessing.Pipe()
        self._process = Process([ours, theirs])
        self._warm = True
        script = self.scripts.pop(0)
        threading.Thread(target=_play, args=(script, theirs), daemon=True).start()
        return ours


def _play(script, theirs):
    with contextlib.suppress(EOFError, OSError):
        script(theirs)


def answers(theirs):
    """What a good worker does."""
    while True:
        said, _ = messages.receive(theirs)
        messages.send(theirs, {"answers": [GOOD for _ in said["asks"]]})


def says(text):
    def script(theirs):
        messages.receive(theirs)
        theirs.send_bytes(text)
        theirs.recv_bytes()  # and stays

    return script


def takes_nothing(theirs):
    threading.Event().wait(60)


@pytest.fixture
def loop():
    made = asyncio.new_event_loop()
    yield made
    made.close()


def asked(loop, queue, data=b"x"):
    item = Item(Ask("a", data, SERVED), "fast", loop.create_future(), loop, 0.0)
    assert queue.put(item)
    return item


def settled(loop, item):
    return loop.run_until_complete(asyncio.wait_for(item.future, 20))


@pytest.mark.parametrize(
    "text",
    [
        b'{"said": {"failed": "a detector is gone"}, "blobs": 0}',
        b'{"said": {"answers": []}, "blobs": 0}',
        b'{"said": {"answers": [{"no": "answer"}]}, "blobs": 0}',
        b'{"said": {"answers": null}, "blobs": 0}',
        b"[]",
        b'{"said": 1, "blobs": "many"}',
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_a_worker_that_says_no_answers_is_replaced(loop, text):
    queue = Queue(most=9, megabytes=1)
    item, keeper = asked(loop, queue), Scripted(queue, says(text), answers)
    keeper.start()
    assert settled(loop, item)[0].error == ""
    queue.close()
    keeper.join(10)
    assert not keeper.is_alive()
    assert keeper.begun == 2


def test_a_worker_that_takes_no_more_of_a_large_batch_is_replaced(loop, monkeypatch):
    monkeypatch.setitem(keeping.PATIENCE, "fast", 0.2)
    queue = Queue(most=9, megabytes=64)
    item, keeper = asked(loop, queue, bytes(2 << 20)), Scripted(queue, takes_nothing, answers)
    keeper.start()
    assert settled(loop, item)[0].error == ""
    queue.close()
    keeper.join(10)


def test_a_file_that_keeps_a_worker_busy_alone_is_not_tried_again(loop, monkeypatch):
    monkeypatch.setitem(keeping.PATIENCE, "fast", 0.2)
    queue = Queue(most=9, megabytes=1)

    def never(theirs):
        messages.receive(theirs)
        theirs.recv_bytes()

    item, keeper = asked(loop, queue), Scripted(queue, never, answers)
    keeper.start()
    with pytest.raises(Problem) as given_up:
        settled(loop, item)
    assert (given_up.value.status, given_up.value.code) == (422, "unreadable")
    after = asked(loop, queue)
    assert settled(loop, after)[0].error == ""
    queue.close()
    keeper.join(10)


@pytest.mark.parametrize("deaths", [1, TRIES - 1, TRIES])
def test_a_file_over_which_workers_die_again_and_again_is_given_up(loop, deaths):
    def dies(theirs):
        messages.receive(theirs)
        theirs.close()

    queue = Queue(most=9, megabytes=1)
    keeper = Scripted(queue, *[dies] * deaths, answers)
    fatal = asked(loop, queue)
    keeper.start()
    if deaths < TRIES:
        assert settled(loop, fatal)
    else:
        with pytest.raises(Problem) as given_up:
            settled(loop, fatal)
        assert (given_up.value.status, given_up.value.code) == (500, "failed")
    assert settled(loop, asked(loop, queue))  # and the next is judged
    queue.close()
    keeper.join(20)
    assert not keeper.is_alive()


def test_a_machine_that_has_no_process_left_is_waited_for(loop, monkeypatch):
    queue = Queue(most=9, megabytes=1)
    monkeypatch.setattr(queue, "wait_closed", lambda seconds: False)
    item = asked(loop, queue)
    keeper = Scripted(queue, answers)
    begin, tries = keeper._begin, []

    def cannot():
        if not tries:
            tries.append(1)
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return begin()

    keeper._begin = cannot
    keeper.start()
    assert settled(loop, item)[0].error == ""
    queue.close()
    keeper.join(10)


def test_what_a_worker_had_when_it_was_ended_by_the_stop_is_settled_and_no_other_is_begun(loop):
    queue = Queue(most=9, megabytes=1)
    here = threading.Event()

    def never(theirs):
        messages.receive(theirs)
        here.set()
        theirs.recv_bytes()

    item, keeper = asked(loop, queue), Scripted(queue, never)
    keeper.start()
    assert here.wait(10)
    queue.close()
    assert queue.leave() == []
    keeper.stop(0.0)
    with pytest.raises(Problem) as stopped:
        settled(loop, item)
    assert stopped.value.code == "shutting_down"
    keeper.join(10)
    assert not keeper.is_alive()
    assert keeper.begun == 1
