"""What watches the service: numbers right over all processes, and rules and a dashboard that name what there is."""

import concurrent.futures
import json
import re
import resource
import subprocess
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
import yaml

from metaforge.serving.errors import CODES
from metaforge.serving.keeper import AHEAD
from metaforge.serving.metrics import Metrics
from metaforge.serving.resources import taken
from tests.programs import program
from tests.serving.conftest import picture
from tests.serving.test_complaints import held, samples

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
RULES = yaml.safe_load((DEPLOY / "alerts.yaml").read_text())["groups"][0]["rules"]
TESTS = yaml.safe_load((DEPLOY / "alerts_test.yaml").read_text())["tests"]
DASHBOARD = json.loads((DEPLOY / "grafana.json").read_text())
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
HISTOGRAMS = ("metaforge_request_seconds", "metaforge_stage_seconds", "metaforge_batch_files", "metaforge_p_fake")
ENDS = ("count", "sum", "created")


def now(running):
    return samples(running.get("/metrics").text)


def ask(running, data, **fields):
    return running.post("/v1/predict", files={"file": ("a.png", data)}, data=fields)


def test_what_guards_and_connections_refuse_is_counted_too(running):
    before = now(running)
    assert running.get("/v1/models", headers={"Host": "evil.example"}).status_code == 421
    assert running.post("/v1/predict", headers={"Origin": "https://evil.example"}).status_code == 403
    assert running.get("/nothing").status_code == 404
    assert running.get("/healthz", headers={"X": "a" * 20_000}).status_code == 431  # no guard ever sees it
    assert httpx.request("FOO", running.url + "/v1/models", timeout=60).status_code == 405
    after = now(running)
    for code in ("wrong_host", "cross_site", "not_found", "headers_too_large", "method_not_allowed"):
        assert after["metaforge_errors_total", ("code", code)] - before["metaforge_errors_total", ("code", code)] == 1
    key = lambda method, status, route="-": (
        "metaforge_requests_total", ("method", method), ("route", route), ("status", status)
    )  # fmt: skip
    for method, status in (("GET", "421"), ("POST", "403"), ("GET", "404")):
        assert after[key(method, status)] - before.get(key(method, status), 0) == 1
    assert after[key("other", "405", "/v1/models")] - before.get(key("other", "405", "/v1/models"), 0) == 1


def test_what_waits_is_told_by_lane_and_urgency_and_how_long(running, monkeypatch):
    pool, came = running.service.pool, []
    waiting, put = lambda: pool.waiting()["fast"], pool._queue.put
    monkeypatch.setattr(pool._queue, "put", lambda item: [put(item), came.append(item)][0])
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        with held(pool.processes):
            first = []
            for seed in range(AHEAD["fast"]):  # the worker takes these
                first.append(threads.submit(ask, running, picture(seed)))
                running.until(lambda count=seed + 1: len(came) == count and waiting() == 0)
            pool._load._seconds["fast"] = 0.5
            urgent = ["true", "false", "false", "false"]
            rest = [threads.submit(ask, running, picture(9), breaking=each) for each in urgent]
            running.until(lambda: waiting() == 4)
            found = now(running)
        assert [each.result().status_code for each in first + rest] == [200] * 6
    assert found["metaforge_waiting_files", ("lane", "fast")] == 4
    assert found["metaforge_queued_files", ("breaking", "true"), ("lane", "fast")] == 1
    assert found["metaforge_queued_files", ("breaking", "false"), ("lane", "fast")] == 3
    assert (
        found["metaforge_expected_wait_seconds", ("lane", "fast")] == (4 + AHEAD["fast"]) / 2
    )  # half a second each, with those that the worker has
    assert now(running)["metaforge_waiting_files", ("lane", "fast")] == 0


def test_processes_are_seen_with_what_they_take(running):
    found = now(running)
    names = {key[1][1] for key in found if key[0] == "metaforge_resident_memory_bytes"}
    assert names == {"front", "fast-0", "slow-0"}
    for name in names:
        assert found["metaforge_resident_memory_bytes", ("process", name)] > 10e6
        assert found["metaforge_processor_seconds_total", ("process", name)] > 0
        assert found["metaforge_open_files", ("process", name)] >= 3
    psutil = pytest.importorskip("psutil")
    other = psutil.Process(running.service.pool.workers["fast-0"])
    own = taken(other.pid)
    assert own.memory == pytest.approx(other.memory_info().rss, rel=0.05)
    times = other.cpu_times()
    assert own.seconds == pytest.approx(times.user + times.system, abs=0.5)
    assert own.files == other.num_fds()
    assert found["metaforge_open_files_allowed",] == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert found["metaforge_state_free_bytes",] <= found["metaforge_state_size_bytes",]


def test_a_version_and_a_model_are_named(running):
    (build,) = [dict(key[1:]) for key in now(running) if key[0] == "metaforge_build_info"]
    assert build["model_sha256"] == running.get("/v1/models").json()["models"][0]["sha256"]


def test_feedback_and_the_state_of_the_database_are_told(running):
    before = now(running)
    record = {"sha256": "0" * 64, "label": "real"}
    assert running.post("/v1/feedback", json=record).status_code == 201
    after = now(running)
    assert after["metaforge_feedback_rows",] - before["metaforge_feedback_rows",] == 1
    assert (after["metaforge_database_up",], after["metaforge_database_errors_total",]) == (1, 0)
    assert {dict(key[1:])["state"] for key in after if key[0] == "metaforge_adapters"} == {
        "queued", "running", "done", "failed", "cancelled",
    }  # fmt: skip


def test_a_database_that_is_gone_is_told_and_the_other_numbers_stay(running, monkeypatch):
    storage = running.service.storage
    monkeypatch.setattr(storage, "counts", lambda: storage._rows(sa.text("SELECT * FROM gone")))
    before = now(running)
    assert before["metaforge_database_up",] == 0
    assert ("metaforge_feedback_rows",) not in before
    assert before["metaforge_ready",] == 1
    assert now(running)["metaforge_database_errors_total",] - before["metaforge_database_errors_total",] == 1


def test_verdicts_of_the_services_own_detector_tell_drift(running):
    drift, record = running.service.metrics.drift, ask(running, picture(0)).json()["verdict"]
    assert ("metaforge_decision_share", ("decision", "real")) not in now(running)  # of too few nothing is said
    before = drift.verdicts
    running.service.metrics.verdict(record, own=False)
    assert drift.verdicts == before
    for _ in range(100):
        running.service.metrics.verdict(record)
    found = now(running)
    assert found["metaforge_drift_verdicts",] == before + 100
    assert found["metaforge_decision_share", ("decision", record["decision"])] > 0.5
    assert ("metaforge_unfamiliar_share", ("bound", "low")) not in found  # this detector knows no familiarity
    for face in record["faces"]:
        face["familiarity"] = 0.01
    for _ in range(100):
        running.service.metrics.verdict(record, degraded=["evidence", "model"])
    found = now(running)
    assert found["metaforge_unfamiliar_share", ("bound", "value")] == 1
    assert found["metaforge_familiarity_distance", ("bound", "low")] > 0.7
    assert found["metaforge_degraded_total", ("left_out", "model")] == 100


@pytest.mark.parametrize("name", ["check", "test"])
def test_promtool_takes_the_rules_and_their_tests_pass(name):
    command = [program("promtool"), name, "rules", DEPLOY / {"check": "alerts.yaml", "test": "alerts_test.yaml"}[name]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_level_a_summary_what_to_do_and_both_tests():
    tried = {(each["name"].split()[0], bool(rule["exp_alerts"])) for each in TESTS for rule in each["alert_rule_test"]}
    names = [rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names)
    assert tried == {(name, fires) for name in names for fires in (True, False)}
    for rule in RULES:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"].endswith(".")
        assert rule["annotations"]["action"].endswith(f"docs/operations.md#{rule['alert'].lower()}")
    said = re.findall(r"^#### (Metaforge\w+)$", PAGE, re.MULTILINE)
    assert said == names


def expressions():
    for rule in RULES:
        yield rule["alert"], rule["expr"]
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


def test_promtool_parses_every_expression_of_the_dashboard(tmp_path):
    plain = lambda text: text.replace("$instance", "a.*")
    rules = [{"record": f"metaforge:{number}", "expr": plain(text)} for number, (_, text) in enumerate(expressions())]
    (tmp_path / "rules.yaml").write_text(json.dumps({"groups": [{"name": "all", "rules": rules}]}))
    command = [program("promtool"), "check", "rules", tmp_path / "rules.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules)} rules found" in done.stdout


def test_rules_and_dashboard_ask_for_what_there_is_by_labels_that_it_has(running):
    running.service.metrics.started("fast", ready=False)
    record = ask(running, picture(1)).json()["verdict"]
    record["faces"][0]["familiarity"] = 0.5
    for _ in range(2100):  # so that all that can be said of drift is said
        running.service.metrics.verdict(record)
    about = running.service.about["thresholds"]
    about |= {"fpr": 0.05, "fnr": 0.1}  # as a calibrated detector says
    labels = {}
    for name, *pairs in now(running):
        if not name.endswith("_created"):
            labels.setdefault(name, set()).update(label for label, _ in pairs)
    for title, text in expressions():
        names = re.findall(r"\bmetaforge_\w+", text)
        assert names or "up{" in text, title
        for name in names:
            assert name in labels, (title, name)
        for name, inside in re.findall(r"\b(metaforge_\w+)\{([^}]*)\}", text):
            asked = set(re.findall(r"(\w+)=~?\"", inside)) - {"job", "instance"}
            assert asked <= labels[name], (title, name, asked)
    told = {name.removesuffix("_bucket") for name in labels} - {f"{each}_{end}" for each in HISTOGRAMS for end in ENDS}
    named = set(re.findall(r"^\| `(metaforge_\w+)` \|", (ROOT / "docs" / "serving.md").read_text(), re.MULTILINE))
    assert named == told  # docs/serving.md has a line for each
    for code in re.findall(r'code="(\w+)"', str(RULES) + str(DASHBOARD)):
        assert code in CODES


def test_the_dashboard_is_one_of_grafanas_with_a_choice_of_source():
    assert DASHBOARD["schemaVersion"] >= 36
    first, second = DASHBOARD["templating"]["list"]
    assert (first["type"], first["query"], second["name"]) == ("datasource", "prometheus", "instance")
    shown = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    for panel in shown:
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
    taken_up = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in DASHBOARD["panels"]]
    assert len(set(taken_up)) == len(taken_up)
    text = str(DASHBOARD)
    told = {f"{each.name}{'_total' if each.type == 'counter' else ''}" for each in Metrics().registry.collect()}
    assert {name for name in told if name not in text} == set()


def test_a_client_that_leaves_is_counted_as_gone():
    records, metrics = [], Metrics()
    log = metrics.counted(records.append)
    log({"route": "-", "method": "GET", "status": None, "ms": 1.0, "code": None})
    log({"request_id": "r", "level": "error", "error": "x"})  # a fault, which is no request
    labels = {"route": "-", "method": "GET", "status": "gone"}
    assert metrics.registry.get_sample_value("metaforge_requests_total", labels) == 1
    assert len(records) == 2
