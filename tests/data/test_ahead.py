"""Working ahead changes neither items nor errors, and ends with its reader."""

import threading

import pytest

from metaforge.data.ahead import ahead


def counted(number, made, *, closed=None, fails=None):
    try:
        for item in range(number):
            if item == fails:
                raise KeyError("here")
            made.append(item)
            yield item
    finally:
        if closed is not None:
            closed.append(threading.current_thread())


@pytest.mark.parametrize("number", [0, 1, 7])
@pytest.mark.parametrize("most", [1, 3, 20])
def test_the_items_come_in_order(number, most):
    assert list(ahead(counted(number, []), most=most)) == list(range(number))


def test_what_is_raised_comes_in_its_place():
    items = ahead(counted(9, [], fails=3), most=2)
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(KeyError, match="here"):
        next(items)


@pytest.mark.parametrize("read", [1, 4])
def test_whoever_reads_no_further_ends_the_work(read):
    made, closed, before = [], [], threading.active_count()
    items = ahead(counted(1000, made, closed=closed), most=2)
    for _ in range(read):
        next(items)
    items.close()
    assert len(closed) == 1
    assert threading.active_count() == before
    assert len(made) < 20  # what was read, what waited, and what was let through while it ended


def test_the_work_is_done_elsewhere():
    threads = []

    def where():
        threads.append(threading.current_thread())
        yield 1

    assert list(ahead(where(), most=1)) == [1]
    assert threads != [threading.current_thread()]
