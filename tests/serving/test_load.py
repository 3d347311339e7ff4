"""Before the queue grows too long, answers have less in them, and then there are none."""

import asyncio
import os
import signal

import pytest

from metaforge.serving.errors import Problem
from metaforge.serving.keeper import AHEAD
from metaforge.serving.load import Load
from metaforge.serving.metrics import Metrics
from metaforge.serving.options import Options
from metaforge.serving.pool import Pool
from metaforge.serving.scoring import Ask
from metaforge.serving.served import served_of
from tests.serving.conftest import picture
from tests.serving.test_pool import begun, taken, until


def test_the_mean_time_of_a_file_is_exponential():
    load = Load({"fast": 1, "slow": 1})
    assert load.wait("fast", 100) == 0  # nothing is known, and nobody refused
    load.took("fast", 10, 20.0)
    load.took("fast", 1, 7.0)
    assert load.wait("fast", 1) == pytest.approx(0.8 * 2 + 0.2 * 7)
    assert load.wait("slow", 1) == 0


@pytest.fixture(scope="module")
def served(tiny_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    default = served_of(str(tiny_model), folder)
    return default, default._replace(id="spare", name="small", sha256="5" * 64)


@pytest.fixture(scope="module")
def pool(served):
    options = Options(model="", workers=1, queue=8, degrade=5.0, refuse=15.0)
    made = Pool(served[0], options, Metrics(), spare=served[1])
    made.start()
    asyncio.run(until(lambda: made.ready))
    yield made
    made.stop(grace=10)


def meanwhile(pool, seconds, asking):
    """What comes of `asking` while one file waits for a worker that stands still, and another would wait so long."""

    async def stand_still():
        # It waits behind itself, and behind as many batches of one as a worker has.
        pool._load._seconds["fast"] = seconds / (1 + AHEAD["fast"])
        os.kill(pool._keepers[0].pid, signal.SIGSTOP)
        try:
            pool.served = SERVED[0]
            first = await taken(pool)
            assert pool.wait("fast") == 0  # what is under way keeps nobody waiting for long
            first.append(await begun(pool.ask(Ask("first", picture(0), SERVED[0]))))
            await until(lambda: pool.waiting()["fast"] == 1)
            return await asking(lambda: os.kill(pool._keepers[0].pid, signal.SIGCONT)), await asyncio.gather(*first)
        finally:
            os.kill(pool._keepers[0].pid, signal.SIGCONT)

    return asyncio.run(stand_still())


SERVED = []


@pytest.fixture(autouse=True)
def named(served):
    SERVED[:] = served


def of(record):
    return record["model"]["name"]


def test_under_load_a_smaller_detector_answers_without_evidence_and_says_so(pool):
    async def ask(go_on):
        asked = await begun(pool.ask(Ask("a", picture(1), SERVED[0], map=True)))
        other = await begun(pool.ask(Ask("a", picture(1), SERVED[0]._replace(id="adapter"), evidence=True)))
        go_on()
        return await asked, await other

    (light, adapter), _ = meanwhile(pool, 8.0, ask)
    # A map is asked of the other lane, which has nothing to do.
    assert (light.degraded, len(light.answer.maps), of(light.answer.record)) == ((), 1, "tiny.onnx")
    assert (adapter.degraded, of(adapter.answer.record)) == (("evidence",), "tiny.onnx")
    (plain, _), _ = meanwhile(pool, 8.0, lambda go_on: both(pool, go_on))
    assert (plain.degraded, of(plain.answer.record)) == (("evidence", "model"), "small")


def test_where_files_are_quick_less_is_said_before_the_queue_is_full(pool):
    async def ask(go_on):
        # One waits already; of eight that may wait, a third is what 5 seconds are of 15.
        asked = [await begun(pool.ask(Ask("a", picture(1), SERVED[0], evidence=True))) for _ in range(4)]
        go_on()
        return await asyncio.gather(*asked)

    found, _ = meanwhile(pool, 0.001, ask)
    assert [each.degraded for each in found] == [(), (), ("evidence", "model"), ("evidence", "model")]


async def both(pool, go_on):
    asked = await begun(pool.ask(Ask("a", picture(1), SERVED[0], evidence=True)))
    go_on()
    return await asked, None


def test_when_nothing_waits_all_is_answered_again(pool):
    found = asyncio.run(pool.ask(Ask("a", picture(1), SERVED[0], evidence=True)))
    assert (found.degraded, of(found.answer.record)) == ((), "tiny.onnx")


def test_what_would_wait_too_long_is_refused_at_once_but_what_is_breaking_goes_first(pool):
    order = []

    async def ask(go_on):
        with pytest.raises(Problem) as refused:
            await pool.ask(Ask("late", picture(1), SERVED[0]))
        breaking = await begun(pool.ask(Ask("now", picture(2), SERVED[0], evidence=True), breaking=True))
        breaking.add_done_callback(lambda done: order.append("breaking"))
        # Of a request whose own files are the two that wait.
        second = await begun(pool.ask(Ask("second", picture(3), SERVED[0], evidence=True), own=2))
        go_on()
        return refused.value, await breaking, await second

    (refused, breaking, second), first = meanwhile(pool, 20.0, ask)
    assert second.degraded == ()
    assert (refused.status, refused.code, refused.retry_after) == (429, "too_many", 13)  # 20 s less half of 15
    assert (breaking.degraded, of(breaking.answer.record)) == ((), "tiny.onnx")
    assert all(found.answer.record["decision"] for found in first)
