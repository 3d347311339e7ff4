"""What waits is bounded, taken in order and together, and given back when a worker died over it."""

import asyncio
import threading

import pytest

from metaforge.serving.queue import MOST, Item, Queue
from metaforge.serving.scoring import Ask
from metaforge.serving.served import Served

SERVED = Served("default", "nowhere.onnx", "nowhere", "0" * 64)


@pytest.fixture
def loop():
    made = asyncio.new_event_loop()
    yield made
    made.close()


def item(loop, name="a", *, lane="fast", data=b"x", breaking=False):
    return Item(Ask(name, data, SERVED), lane, loop.create_future(), loop, 0.0, breaking=breaking)


def names(items):
    return [one.ask.name for one in items]


def alive():
    return True


def test_it_is_taken_in_order_as_many_as_fit_a_batch(loop):
    queue = Queue(most=100, megabytes=1)
    for number in range(20):
        assert queue.put(item(loop, str(number)))
    assert names(queue.take("fast", alive=alive)) == [str(number) for number in range(MOST["fast"])]
    assert names(queue.take("fast", alive=alive)) == ["16", "17", "18", "19"]


def test_lanes_do_not_wait_for_each_other(loop):
    queue = Queue(most=100, megabytes=1)
    for number in range(3):
        queue.put(item(loop, f"film {number}", lane="slow"))
    queue.put(item(loop, "picture"))
    assert names(queue.take("fast", alive=alive)) == ["picture"]
    assert names(queue.take("slow", alive=alive)) == ["film 0"]


def test_what_is_breaking_is_taken_first_and_has_room_of_its_own(loop):
    queue = Queue(most=2, megabytes=1)
    assert [queue.put(item(loop, f"old {number}")) for number in range(3)] == [True, True, False]
    assert [queue.put(item(loop, f"new {number}", breaking=True)) for number in range(3)] == [True, True, False]
    assert queue.waiting()["fast"] == 4
    assert names(queue.take("fast", alive=alive)) == ["new 0", "new 1", "old 0", "old 1"]


def test_it_is_full_by_number_and_by_bytes_and_has_room_again(loop):
    queue = Queue(most=2, megabytes=1)
    assert [queue.put(item(loop)) for _ in range(3)] == [True, True, False]
    queue.take("fast", alive=alive)
    assert queue.put(item(loop))
    queue = Queue(most=9, megabytes=1)
    half = bytes(600 << 10)
    assert [queue.put(item(loop, data=half)) for _ in range(2)] == [True, False]
    queue.take("fast", alive=alive)
    assert queue.put(item(loop, data=half))


def test_a_lane_that_is_full_leaves_room_in_the_other(loop):
    queue = Queue(most=1, megabytes=1)
    assert [queue.put(item(loop, lane="slow")) for _ in range(2)] == [True, False]
    assert queue.put(item(loop))


def test_one_file_larger_than_all_that_may_wait_is_taken_alone(loop):
    assert Queue(most=9, megabytes=1).put(item(loop, data=bytes(2 << 20)))


def test_what_is_dropped_makes_room_and_is_not_taken(loop):
    queue = Queue(most=1, megabytes=1)
    gone = item(loop, "gone", data=bytes(900 << 10))
    queue.put(gone)
    queue.drop(gone)
    assert queue.put(item(loop, "next", data=bytes(900 << 10)))
    assert names(queue.take("fast", alive=alive)) == ["next"]
    queue.drop(gone)  # once more is nothing


def test_a_file_over_which_a_worker_died_comes_first_and_alone(loop):
    queue = Queue(most=1, megabytes=1)
    died = [item(loop, "first"), item(loop, "second")]
    queue.put(item(loop, "later"))
    for one in reversed(died):
        one.tries = 1
        queue.again(one)  # there is room for whatever was accepted
    assert [names(queue.take("fast", alive=alive)) for _ in range(3)] == [["first"], ["second"], ["later"]]


def test_a_keeper_whose_worker_died_takes_nothing(loop):
    queue = Queue(most=9, megabytes=1)
    assert queue.take("fast", alive=lambda: False) is None
    queue.put(item(loop))
    assert queue.take("fast", alive=lambda: False) is None
    assert queue.waiting() == {"fast": 1, "slow": 0}


def test_closed_it_gives_out_what_waits_and_then_ends(loop):
    queue = Queue(most=9, megabytes=1)
    queue.put(item(loop, "accepted"))
    queue.close()
    assert not queue.put(item(loop))
    assert not queue.done
    assert names(queue.take("fast", alive=alive)) == ["accepted"]
    assert queue.take("fast", alive=alive) is None
    assert queue.done


def test_closing_wakes_a_keeper_that_waits(loop):
    queue, found = Queue(most=9, megabytes=1), []
    keeper = threading.Thread(target=lambda: found.append(queue.take("fast", alive=alive)))
    keeper.start()
    queue.close()
    keeper.join(10)
    assert found == [None]
