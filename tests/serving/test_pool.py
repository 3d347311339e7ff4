"""Workers are replaced when they die, and what they had is judged; a service that stops answers what it accepted."""

import asyncio
import os
import signal

import pytest

from metaforge.serving.errors import Problem
from metaforge.serving.keeper import AHEAD
from metaforge.serving.metrics import Metrics
from metaforge.serving.options import Options
from metaforge.serving.pool import Pool
from metaforge.serving.scoring import Ask
from metaforge.serving.served import Served, served_of
from tests.serving.conftest import picture

OPTIONS = Options(model="", workers=1, queue=4)


@pytest.fixture(scope="module")
def pool(tiny_model, tmp_path_factory):
    metrics = Metrics()
    made = Pool(served_of(str(tiny_model), tmp_path_factory.mktemp("models")), OPTIONS, metrics)
    made.metrics = metrics
    made.start()
    asyncio.run(until(lambda: made.ready))
    yield made
    made.stop(grace=10)


async def until(holds, seconds=60.0):
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.01)


async def begun(asking):
    """A task that has put its file into the queue."""
    task = asyncio.ensure_future(asking)
    await asyncio.sleep(0)
    return task


async def taken(pool):
    """Tasks whose files a worker has that stands still: as many batches as it takes ahead."""
    tasks = []
    for _ in range(AHEAD["fast"]):
        tasks.append(await begun(pool.ask(ask(pool))))
        await until(lambda: pool.waiting()["fast"] == 0)
    return tasks


def ask(pool, **changes):
    return Ask("a.png", picture(0), pool.served, **changes)


@pytest.fixture(autouse=True)
def served(pool, tiny_model, tmp_path):
    pool.served = served_of(str(tiny_model), tmp_path)


def deaths(pool, lane):
    return pool.metrics.registry.get_sample_value("metaforge_worker_deaths_total", {"lane": lane}) or 0.0


def test_more_than_may_wait_is_refused_and_the_others_are_answered(pool):
    async def ask_many():
        # The worker stands still meanwhile, so that what is asked waits.
        os.kill(pool._keepers[0].pid, signal.SIGSTOP)
        try:
            first = await taken(pool)
            waiting = [await begun(pool.ask(ask(pool))) for _ in range(OPTIONS.queue)]
            await until(lambda: pool.waiting()["fast"] == OPTIONS.queue)
            with pytest.raises(Problem) as refused:
                await pool.ask(ask(pool))
        finally:
            os.kill(pool._keepers[0].pid, signal.SIGCONT)
        return refused.value, await asyncio.gather(*first, *waiting)

    refused, answers = asyncio.run(ask_many())
    assert (refused.status, refused.code) == (429, "too_many")
    assert refused.retry_after >= 1
    assert all(found.answer.record["decision"] for found in answers)


def test_who_goes_away_leaves_the_queue(pool):
    async def go_away():
        os.kill(pool._keepers[0].pid, signal.SIGSTOP)
        try:
            first = await taken(pool)
            gone = await begun(pool.ask(ask(pool)))
            await until(lambda: pool.waiting()["fast"] == 1)
            gone.cancel()
            await until(lambda: pool.waiting()["fast"] == 0)
        finally:
            os.kill(pool._keepers[0].pid, signal.SIGCONT)
        return await asyncio.gather(*first)

    assert all(found.answer.record["decision"] for found in asyncio.run(go_away()))


def test_an_idle_worker_that_dies_is_noticed_and_replaced_and_so_is_one_that_dies_while_it_starts(pool):
    (fast, slow), before = pool.processes, deaths(pool, "fast")
    os.kill(fast, signal.SIGKILL)

    async def wait():
        await until(lambda: pool._keepers[0].pid not in (None, fast))
        assert not pool.ready
        os.kill(pool._keepers[0].pid, signal.SIGKILL)
        await until(lambda: pool.ready)

    asyncio.run(wait())
    assert pool._keepers[1].pid == slow
    assert deaths(pool, "fast") == before + 2


def test_what_a_worker_had_when_it_was_killed_is_judged_by_the_next(pool):
    before = deaths(pool, "slow")

    async def kill():
        os.kill(pool._keepers[1].pid, signal.SIGSTOP)
        asked = await begun(pool.ask(ask(pool, map=True)))  # the slow lane
        await until(lambda: pool.waiting()["slow"] == 0)
        os.kill(pool._keepers[1].pid, signal.SIGKILL)
        return await asked

    assert len(asyncio.run(kill()).answer.maps) == 1
    assert deaths(pool, "slow") == before + 1


def test_a_detector_that_cannot_be_opened_harms_its_own_files_alone(pool):
    broken = Served("broken", "/nowhere/broken.onnx", "broken", "1" * 64)

    async def ask_both():
        return await asyncio.gather(pool.ask(ask(pool)), pool.ask(ask(pool)._replace(served=broken)))

    good, bad = asyncio.run(ask_both())
    assert good.answer.record["decision"]
    assert "broken.onnx" in bad.answer.error


def test_a_pool_that_stops_answers_what_it_accepted_and_nothing_new(tiny_model, tmp_path):
    pool = Pool(served_of(str(tiny_model), tmp_path), OPTIONS, Metrics())
    pool.served = served_of(str(tiny_model), tmp_path)

    async def stop_meanwhile():
        # Accepted before any worker can answer it.
        pool.start()
        asked = [await begun(pool.ask(ask(pool))) for _ in range(3)]
        await until(lambda: pool.waiting()["fast"] == 3)
        pool.close_to_new()
        with pytest.raises(Problem) as refused:
            await pool.ask(ask(pool))
        await asyncio.to_thread(pool.stop, grace=60)
        return refused.value, await asyncio.gather(*asked)

    refused, answers = asyncio.run(stop_meanwhile())
    assert (refused.status, refused.code) == (503, "shutting_down")
    assert [bool(found.answer.record["decision"]) for found in answers] == [True] * 3
    assert not pool.ready


def test_workers_that_cannot_start_say_why(tmp_path):
    pool = Pool(Served("default", str(tmp_path / "gone.onnx"), "gone", "0" * 64), OPTIONS, Metrics())
    pool.start()
    asyncio.run(until(lambda: pool.failed))
    assert "gone.onnx" in pool.failed
    assert not pool.ready
    pool.stop(grace=1)
