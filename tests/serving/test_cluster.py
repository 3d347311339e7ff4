"""The service on a cluster of Ray: what it answers, and what it goes on answering while replicas and nodes die.

Two tests are complaints of users of other servers, by their threads:

- Ray #46702: health checks of replicas fail under load, and so replicas that work are killed.
- KServe #1805: the first request after a start from zero fails.
"""

import concurrent.futures
import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.programs import reason

pytest.importorskip("ray.serve", reason=reason("ray"))

from metaforge.screening.portable import save_onnx
from metaforge.serving.cluster.adapters import ELSEWHERE
from metaforge.serving.scoring import Ask, answers
from metaforge.serving.served import Opened, served_of
from tests.serving.clusters import QUEUE, Asking, config_of, deployment, nodes, until
from tests.serving.conftest import held, picture, tiny_detector

# Ray starts its processes from this one, in which JAX has threads; nothing of JAX goes on in them.
pytestmark = pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")

PICTURES = [picture(seed) for seed in range(3)]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Two detectors of other weights, each with what it says of the pictures: by SHA-256."""
    folder = tmp_path_factory.mktemp("models")
    first = tiny_detector()
    second = first._replace(params={**first.params, **{
        name: {key: -np.asarray(leaf) for key, leaf in part.items()} if name == "head" else part
        for name, part in first.params.items()
    }})  # fmt: skip
    found = {}
    for name, detector in (("first", first), ("second", second)):
        path = folder / f"{name}.onnx"
        save_onnx(path, detector)
        served = served_of(str(path), folder)
        with ThreadPoolExecutor(1) as threads:
            said = answers(Opened(frames=4, trust=""), [Ask("a", each, served) for each in PICTURES], threads=threads)
        found[name] = path, served.sha256, [each.record["p_fake"] for each in said]
    apart = np.abs(np.subtract(found["first"][2], found["second"][2]))
    assert apart.min() > 1e-3
    return found


@pytest.fixture(scope="module")
def port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture(scope="module")
def config(models, port, tmp_path_factory):
    """deploy/ray.yaml with the first detector."""
    state = tmp_path_factory.mktemp("state")
    return config_of(port=port, model=str(models["first"][0]), state=str(state), image_mb=1, video_mb=1)


@pytest.fixture(scope="module")
def cluster(config, port):
    """Two nodes on which the service runs."""
    with nodes(port) as made:
        made.second = made.add()
        made.deploy(config)
        until(lambda: made.settled() and made.get("/readyz").status_code == 200)
        yield made


def good(asking, models, *names, full=False):
    """Holds that every answer is 200, names one of these detectors, and has that one's numbers.

    Where the queue may be `full`, some may be refused before they were taken, and most must not be.
    """
    expected = {models[name][1]: models[name][2] for name in names}
    seen = set()
    assert asking.answers
    answers = [
        each for each in asking.answers if not (full and each[1] == 429 and each[2]["error"]["code"] == "too_many")
    ]
    assert 2 * len(answers) > len(asking.answers)
    for number, status, said in answers:
        assert status == 200, said
        sha = said["verdict"]["model"]["sha256"]
        seen.add(sha)
        assert said["verdict"]["p_fake"] == pytest.approx(expected[sha][number % len(PICTURES)], abs=1e-5)
    return {name for name in names if models[name][1] in seen}


def test_it_answers_as_one_machine_does(cluster, models):
    with Asking(cluster, PICTURES) as asking:
        asking.more(6)
    good(asking, models, "first")
    ask = lambda data, **fields: cluster.post("/v1/predict", files={"file": ("a.png", data)}, data=fields)
    answer = ask(PICTURES[0], map="true")
    assert (answer.status_code, len(answer.json()["maps"])) == (200, 1)
    named = cluster.post("/v1/predict", files={"file": ("a.png", PICTURES[0])}, headers={"X-Request-ID": "mine-0001"})
    assert named.headers.get_list("x-request-id") == ["mine-0001"]
    assert named.json()["request_id"] == "mine-0001"
    refused = {
        "unsupported_type": ask(b"<svg>"), "unreadable": ask(PICTURES[0][:100]), "too_large": ask(bytes(3 << 20)),
        "wrong_host": cluster.get("/v1/models", headers={"Host": "evil.example"}),
        "not_found": ask(PICTURES[0], model="0123456789abcdef"),
    }  # fmt: skip
    assert {answer.json()["error"]["code"] for answer in refused.values()} == {*refused}
    assert [answer.status_code for answer in refused.values()] == [415, 422, 413, 421, 404]
    (about,) = cluster.get("/v1/models").json()["models"]
    assert about["sha256"] == models["first"][1]


def test_feedback_is_kept_and_adapting_is_refused_with_the_reason(cluster):
    sha = "0" * 64
    assert cluster.post("/v1/feedback", json={"sha256": sha, "label": "fake"}).status_code == 201
    assert [row["sha256"] for row in cluster.get("/v1/feedback").json()["feedback"]] == [sha]
    answer = cluster.post("/v1/adapt", files=[("real", ("a.png", PICTURES[0]))])
    assert (answer.status_code, answer.json()["error"]["message"]) == (409, ELSEWHERE)
    assert cluster.get("/v1/adapters").json() == {"adapters": []}


def test_a_replica_killed_is_replaced_while_answers_go_on(cluster, models):
    before = cluster.processes("Judge")
    assert len(before) == 2
    with Asking(cluster, PICTURES) as asking:
        asking.more(6)
        with ThreadPoolExecutor(16) as threads:
            os.kill(min(before), signal.SIGSTOP)  # so that it surely has some when it is killed
            more = [threads.submit(asking.once, number) for number in range(16)]
            _, had = concurrent.futures.wait(more, timeout=2.0)
            assert had
            os.kill(min(before), signal.SIGKILL)
        asking.more(6)
        until(lambda: len(now := cluster.processes("Judge")) == 2 and min(before) not in now)
        until(cluster.settled)
        asking.more(6)
    # The one that is left has room for as many as a queue holds, and what finds none is told so at once.
    good(asking, models, "first", full=True)


def test_what_finds_the_queue_full_is_told_to_come_again_and_the_rest_is_answered(cluster, models):
    ask = lambda number, **fields: cluster.post(
        "/v1/predict", files={"file": ("a.png", PICTURES[number % 3])}, data=fields
    )
    room = 2 * 32 + QUEUE  # what two replicas take, and what may wait for them
    with ThreadPoolExecutor(room + 9) as threads:
        with held(cluster.processes("Judge")):
            first = [threads.submit(ask, number) for number in range(room + 8)]
            until(lambda: sum(each.done() for each in first) >= 8)
            breaking = threads.submit(ask, 0, breaking="true")
            concurrent.futures.wait([breaking], timeout=0.5)
        said = [each.result() for each in first]
    assert {each.status_code for each in said} == {200, 429}
    for each in said:
        if each.status_code == 429:
            assert each.json()["error"]["code"] == "too_many"
            assert int(each.headers["retry-after"]) >= 1
    assert breaking.result().status_code == 200  # it has a queue of its own


def test_a_model_is_rolled_over_under_load_and_no_request_is_lost(cluster, models, config):
    args = config["applications"][0]["args"]
    with Asking(cluster, PICTURES) as asking:
        asking.more(6)
        cluster.deploy(config | {"applications": [config["applications"][0] | {"args": args | {
            "model": str(models["second"][0])}}]})  # fmt: skip
        new = lambda: asking.answers[-1][2]["verdict"]["model"]["sha256"] == models["second"][1]
        until(lambda: cluster.settled() and new())
        asking.more(6)
    assert good(asking, models, "first", "second") == {"first", "second"}
    (about,) = cluster.get("/v1/models").json()["models"]
    assert about["sha256"] == models["second"][1]
    with Asking(cluster, PICTURES) as after:
        after.more(9)
    assert good(after, models, "second") == {"second"}
    args["model"] = str(models["second"][0])


def test_the_loss_of_a_node_loses_no_request(cluster, models):
    before = cluster.processes("Judge")
    with Asking(cluster, PICTURES) as asking:
        asking.more(6)
        cluster.lose(cluster.second)
        asking.more(6)
        until(lambda: len(before & cluster.processes("Judge")) == 1)
        asking.more(20)
        assert cluster.get("/readyz").status_code == 200
        cluster.second = cluster.add()  # a machine in its place
        until(lambda: cluster.settled() and len(cluster.processes("Judge")) == 2)
        asking.more(6)
    good(asking, models, "second")


def test_ray_46702_health_checks_are_answered_while_a_replica_scores(cluster, models, tmp_path):
    from ray import serve

    counts, release = tmp_path / "checks", tmp_path / "release"
    served = served_of(str(models["first"][0]), tmp_path)
    setup = {"served": [served.as_json()], "frames": 4, "trust": "", "lane": "fast", "patience": 600.0, "threads": 1,
             "nice": 0}  # fmt: skip
    deployment = serve.deployment(
        holding(counts, release), name="Holding", max_ongoing_requests=64, health_check_period_s=0.2,
        health_check_timeout_s=3, ray_actor_options={"num_cpus": 0, "resources": {"head": 0.1}},
    )  # fmt: skip
    handle = serve.run(deployment.bind(setup), name="holding", route_prefix=None)
    said = {"name": "a.png", "served": "default", "path": "", "crops": False, "evidence": False, "map": False}
    asked = [handle.judge.remote(said, PICTURES[0]) for _ in range(40)]  # more than two batches
    until((tmp_path / "checks.held").exists)
    begun = lines(counts)
    until(lambda: len(lines(counts)) >= len(begun) + 10)
    release.touch()
    found = [each.result(timeout_s=60) for each in asked]
    assert {each["process"] for each in found} == {*lines(counts)}  # which was not replaced
    assert len(lines(counts, distinct=True)) == 1
    assert sorted(each["files"] for each in found if each["place"] == 0)[-2:] == [16, 16]
    serve.delete("holding")


def lines(path, *, distinct=False):
    found = [int(line) for line in path.read_text().split()] if path.exists() else []
    return sorted({*found}) if distinct else found


def holding(counts, release):
    """A replica whose scoring waits for a file, and which writes down each check of its health."""
    import time

    from metaforge.serving.cluster.judge import Judge

    class Holding(Judge):
        def _answers(self, asked):
            Path(f"{counts}.held").touch()
            while not release.exists():
                time.sleep(0.02)
            return super()._answers(asked)

        async def check_health(self):
            await super().check_health()
            with counts.open("a") as file:
                file.write(f"{os.getpid()}\n")

    return Holding


def test_kserve_1805_the_first_request_after_a_start_from_zero_is_answered(cluster, models, config):
    judge = deployment(config, "Judge")
    del judge["num_replicas"]
    judge["autoscaling_config"] = {
        "min_replicas": 0, "max_replicas": 1, "initial_replicas": 0, "target_ongoing_requests": 1,
        "downscale_delay_s": 0, "downscale_to_zero_delay_s": 0, "upscale_delay_s": 0,
        "look_back_period_s": 0.5, "metrics_interval_s": 0.2,
    }  # fmt: skip
    cluster.deploy(config)
    until(lambda: cluster.settled() and not cluster.processes("Judge") and not cluster.running("Judge"))
    until(lambda: cluster.get("/readyz").status_code == 200)  # it will be started when somebody asks
    assert not cluster.processes("Judge")
    answer = cluster.post("/v1/predict", files={"file": ("a.png", PICTURES[1])})
    assert answer.status_code == 200, answer.text
    said = answer.json()["verdict"]
    (expected,) = [numbers[1] for _, sha, numbers in models.values() if sha == said["model"]["sha256"]]
    assert said["p_fake"] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("deaths", "status"), [(2, 200), (3, 500)])
def test_a_file_that_a_replica_had_taken_is_judged_by_another_and_the_last_time_alone(deaths, status):
    import asyncio

    from ray.exceptions import ActorDiedError

    from metaforge.serving.cluster.asking import Replicas
    from metaforge.serving.errors import Problem
    from metaforge.serving.metrics import Metrics
    from metaforge.serving.options import Options
    from metaforge.serving.served import Served

    asked = []

    class Handle:
        def __init__(self, name):
            self.name, self.judge = name, self

        async def remote(self, said, data):
            asked.append(self.name)
            if len(asked) <= deaths:
                raise ActorDiedError()
            answer = {"record": {}, "maps": [], "regions": None, "read": 0.0, "score": 0.0, "error": ""}
            return {"answer": answer, "queued": 0.0, "files": 1, "took": 0.1, "place": 0, "process": 1}

    replicas = Replicas({"fast": Handle("fast"), "slow": Handle("slow")}, Options(model="m"), Metrics(), app="a")
    ask = Ask("a.png", b"data", Served("default", "p", "n", "s"))
    if status == 200:
        assert asyncio.run(replicas.ask(ask)).answer.error == ""
    else:
        with pytest.raises(Problem) as found:
            asyncio.run(replicas.ask(ask))
        assert found.value.status == status
    assert asked == ["fast", "fast", "slow"]
    assert replicas.waiting() == {"fast": 0, "slow": 0}
