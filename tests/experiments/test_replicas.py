"""How much replicas of Ray Serve answer: whose processor time is whose, and what each step brought."""

import types

import psutil
import pytest

from experiments.serving import replicas, scraping
from experiments.serving.panels import queries
from experiments.serving.replicas_table import markdown


def process(line, seconds):
    """One that has taken so much."""
    times = types.SimpleNamespace(user=seconds, system=1.0)
    return types.SimpleNamespace(cmdline=lambda: line.split(), cpu_times=lambda: times)


def gone():
    raise psutil.NoSuchProcess(1)


def test_processor_time_is_counted_by_part():
    found = replicas.spent_by([
        process("ray::ProxyActor", 2), process("ray::SERVE_REPLICA::metaforge#Front#a1", 3),
        process("ray::SERVE_REPLICA::metaforge#Judge#a2", 4),
        process("ray::SERVE_REPLICA::metaforge#Judge#a3:ServeReplica:metaforge:Judge.judge", 5),
        process("ray::SERVE_REPLICA::metaforge#Slow#a4", 6), process("/x/ray/core/src/ray/raylet/raylet --a", 7),
        process("python -m experiments.serving.overloading", 8), types.SimpleNamespace(cmdline=gone),
    ])  # fmt: skip
    assert found == {"proxy": 3, "front": 4, "replicas": 5 + 6, "rest of Ray": 7 + 8, "": 9}


def test_the_config_is_that_of_deploy_with_so_many_replicas(tmp_path):
    found = replicas.deployed("a/model", tmp_path, 8001, 4)
    (app,) = found["applications"]
    judge = next(each for each in app["deployments"] if each["name"] == "Judge")
    assert (judge["num_replicas"], "autoscaling_config" in judge, found["http_options"]["port"]) == (4, False, 8001)
    assert app["args"]["model"] == "a/model"


@pytest.mark.parametrize("text", ["", "0", "1,,2", "one", "1,65", "-1"])
def test_numbers_of_replicas_are_checked(text, tmp_path, capsys):
    assert replicas.main(["replicas", f"--replicas={text}", f"--out={tmp_path / 'a.json'}"]) == 2
    assert "replicas" in capsys.readouterr().err


def test_the_table_says_what_each_step_brought():
    def row(rate):
        around = {"value": rate, "low": rate - 1, "high": rate + 1}
        parts = {"proxy": 0.1, "front": 0.2, "replicas": 0.5, "clients": 0.05}
        return {"answers_a_second": around, "ms_p50": around, "processors": parts, "server_processors": 0.8}

    report = {
        "command": "c", "machine": {"processor": "p", "cores": 2, "ray": "2"},
        "provenance": {"commit": "a", "date": "d"},
        "config": {"photographs": 0.0, "flight": 8, "rounds": 3},
        "replicas": {"1": row(50.0), "2": row(80.0), "4": row(120.0)},
        "alone": row(90.0) | {"processors": {"clients": 0.1}},
    }  # fmt: skip
    one, two, four, alone = markdown(report).splitlines()[-4:]
    assert [each.split(" | ")[2:4] for each in (one, two, four, alone)] == [
        ["1.00", "-"], ["0.80", "1.60 times by 2 times as many"], ["0.60", "1.50 times by 2 times as many"], ["-", "-"],
    ]  # fmt: skip
    assert two.endswith("| 0.10 | 0.20 | 0.50 | - | 0.05 | 0.85 |")


def test_every_query_of_a_dashboard_is_found_also_in_closed_rows():
    target = lambda number: {"expr": f'a{{instance=~"$instance"}}{number}'}
    panel = lambda title, *numbers: {"title": title, "targets": [target(number) for number in numbers]}
    rows = [panel("one", "1", "2"), {"type": "row", "panels": [panel("two", "3")]}]
    assert list(queries(rows)) == [("one", f'a{{instance=~".*"}}{each}') for each in (1, 2)] + [
        ("two", 'a{instance=~".*"}3')
    ]


def test_a_prometheus_that_does_not_answer_gives_nothing(tmp_path, monkeypatch):
    class Idle:
        def __init__(self, *_, **__): ...

        def __enter__(self):
            return self

        def __exit__(self, *_): ...

        def terminate(self): ...

    monkeypatch.setattr(scraping.subprocess, "Popen", Idle)
    with scraping.prometheus(tmp_path, {"one": 1}, rules="groups: []", token="t") as ask:
        assert ask("alerts") is None
    assert "alerts.yaml" in (tmp_path / "prometheus.yaml").read_text()
