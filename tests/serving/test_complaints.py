"""What users of another server, LitServe, complained about, asked of this one; each test names the thread.

- #340: an error that one request of a batch meets is answered to all of the batch.
- #532 (and #664): the server says that it is healthy while its worker is dead, or has not registered yet.
- #339: metrics that workers set are not tracked, and compressed answers break the scrape of /metrics.
"""

import concurrent.futures
import os
import signal

import pytest
from prometheus_client.parser import text_string_to_metric_families

from metaforge.serving import running as starting
from metaforge.serving.keeper import AHEAD
from metaforge.serving.options import Options
from metaforge.serving.queue import MOST
from tests.serving.attacks import hostile
from tests.serving.conftest import held, picture


def samples(text):
    """The numbers of a scrape, by name and labels."""
    found = [each for family in text_string_to_metric_families(text) for each in family.samples]
    return {(each.name, *sorted(each.labels.items())): each.value for each in found}


def test_litserve_340_one_bad_request_of_a_batch_fails_no_other(running, monkeypatch):
    good = [picture(seed) for seed in range(7)]
    bad = [hostile.BROKEN["a PNG with a text bomb"], good[0][:100]]
    alone = [ask(running, data).json()["verdict"]["p_fake"] for data in good]
    queue, came = running.service.pool._queue, []
    # As if files were quick: that the worker stands still below must not make its batches small.
    monkeypatch.setattr(running.service.pool._load, "batch", MOST.__getitem__)
    put = queue.put
    monkeypatch.setattr(queue, "put", lambda item: [put(item), came.append(item)][0])
    files, before = [*good[:3], *bad, *good[3:]], samples(running.get("/metrics").text)
    with concurrent.futures.ThreadPoolExecutor(len(files) + AHEAD["fast"]) as threads:
        with held(running.service.pool.processes):
            # As many as a worker has at a time, each taken alone.
            first = []
            for count in range(1, AHEAD["fast"] + 1):
                first.append(threads.submit(ask, running, picture(99)))
                running.until(lambda count=count: len(came) == count and queue.waiting()["fast"] == 0)
            rest = [threads.submit(ask, running, data) for data in files]
            running.until(lambda: queue.waiting()["fast"] == len(files))
        answers = [each.result() for each in rest]
        assert all(each.result().status_code == 200 for each in first)
    now = samples(running.get("/metrics").text)
    key = ("metaforge_batch_files_count", ("lane", "fast"))
    assert now[key] - before[key] == 1 + len(first)  # the worker took the others together, good and bad
    assert [answer.status_code for answer in answers] == [200] * 3 + [422] * 2 + [200] * 4
    found = [answer.json()["verdict"]["p_fake"] for answer in answers if answer.status_code == 200]
    assert found == pytest.approx(alone, abs=1e-6)


def ask(running, data):
    return running.post("/v1/predict", files={"file": ("a.png", data)})


@pytest.mark.parametrize("lane", ["fast", "slow"])
def test_litserve_532_a_service_with_a_dead_worker_is_not_ready(running, lane):
    dead = [each.pid for each in running.service.pool._keepers if each.name.startswith(lane)]
    assert dead
    for process in dead:
        os.kill(process, signal.SIGKILL)
    running.until(lambda: running.get("/readyz").status_code == 503)
    answer = running.get("/readyz")
    if answer.status_code == 503:  # else it has been replaced already
        assert answer.json()["error"]["code"] == "not_ready"
        assert int(answer.headers["retry-after"]) >= 1
    assert running.get("/healthz").status_code == 200  # the front itself need not be restarted
    running.until(lambda: running.get("/readyz").status_code == 200)
    assert ask(running, picture(0)).status_code == 200
    deaths = samples(running.get("/metrics").text)
    assert not {*dead} & {*running.service.pool.processes}
    assert deaths["metaforge_ready",] == 1


def test_litserve_664_a_service_whose_workers_have_not_come_yet_is_not_ready(tiny_model, tmp_path):
    service = starting.service_of(Options(model=str(tiny_model), state=str(tmp_path), workers=2))
    assert not service.pool.ready


def test_litserve_339_a_scrape_that_accepts_gzip_is_plain_and_counts_what_workers_did(running):
    before = samples(running.get("/metrics").text)
    assert ask(running, picture(1)).status_code == 200
    assert ask(running, b"<svg>").status_code == 415
    answer = running.get("/metrics", headers={"Accept-Encoding": "gzip, deflate, br, zstd"})
    assert "content-encoding" not in answer.headers
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert answer.content.startswith(b"# HELP ")
    now = samples(answer.text)
    grown = {key for key, value in now.items() if value > before.get(key, 0.0)}
    for stage in ("read", "score"):  # times that only a worker knows
        assert ("metaforge_stage_seconds_count", ("stage", stage)) in grown
    route = ("route", "/v1/predict")
    for status in ("200", "415"):
        assert ("metaforge_requests_total", ("method", "POST"), route, ("status", status)) in grown
    assert ("metaforge_batch_files_count", ("lane", "fast")) in grown
