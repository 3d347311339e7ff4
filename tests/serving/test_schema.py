"""What /openapi.json says of every route holds for drawn requests, good and bad: status, type and form of answers."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

schemathesis = pytest.importorskip("schemathesis")

from hypothesis import HealthCheck, Phase, given, settings  # noqa: E402
from schemathesis.core.failures import FailureGroup  # noqa: E402
from schemathesis.specs.openapi.checks import positive_data_acceptance  # noqa: E402

from metaforge.serving import running  # noqa: E402
from metaforge.serving.adapters import Adapters  # noqa: E402
from metaforge.serving.app import create_app  # noqa: E402
from metaforge.serving.databases import sqlite_url  # noqa: E402
from metaforge.serving.guards import guarded  # noqa: E402
from metaforge.serving.metrics import Metrics  # noqa: E402
from metaforge.serving.options import Options  # noqa: E402
from metaforge.serving.pool import Judged  # noqa: E402
from metaforge.serving.scoring import answers  # noqa: E402
from metaforge.serving.served import Opened, served_of  # noqa: E402
from metaforge.serving.service import Service  # noqa: E402
from metaforge.serving.storage import Storage  # noqa: E402
from tests.serving.conftest import picture  # noqa: E402
from tests.serving.raw import code_of  # noqa: E402

DRAWN = 12
"""Requests that are drawn of each operation."""

# What fits the schema may still be refused: bytes that are drawn are no picture.
EXCLUDED = [positive_data_acceptance]


class Pool:
    """Judges in this process, as a worker does."""

    ready, failed = True, ""

    def __init__(self):
        self.opened, self.threads = Opened(frames=4, trust=""), ThreadPoolExecutor(1)

    async def ask(self, ask, *, breaking=False, own=0):
        (answer,) = await asyncio.to_thread(answers, self.opened, [ask], threads=self.threads)
        return Judged(answer, 0.0)

    def waiting(self):
        return {}

    def start(self):
        pass

    def stop(self, *, grace):
        pass


@pytest.fixture(scope="module")
def described(tiny_model, tmp_path_factory):
    """The schema of a service within its guards, which nothing but this test asks."""
    state = tmp_path_factory.mktemp("state")
    (state / "spool").mkdir()
    options = Options(model=str(tiny_model), state=str(state), image_mb=1, video_mb=1, batch_files=4)
    served = served_of(options.model, state / "models")
    storage = Storage(sqlite_url(state / "service.sqlite"))
    adapters = Adapters(storage, state / "adapters", model=options.model)
    service = Service(options, state, served, running.about_of(served), Pool(), Metrics(), storage, adapters)
    app = guarded(create_app(service), hosts=["*"], limits=running.bounds_of(options), log=lambda record: None)
    yield schemathesis.openapi.from_asgi("/openapi.json", app)
    storage.close()


def test_every_answer_is_one_that_openapi_names(described):
    held = settings(
        max_examples=DRAWN, derandomize=True, database=None, deadline=None, phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    wrong, labels = {}, []
    for found in described.get_all_operations():
        operation = found.ok()
        labels.append(operation.label)

        @held
        @given(case=operation.as_strategy())
        def ask(case):
            case.call_and_validate(excluded_checks=EXCLUDED)

        try:
            ask()
        except (Exception, FailureGroup) as error:  # noqa: BLE001 - all are asked before anything is said
            wrong[operation.label] = str(error)[:1500]
    assert not wrong, "\n\n".join(f"{label}: {error}" for label, error in wrong.items())
    assert {"POST /v1/predict", "POST /v1/adapt", "GET /v1/feedback", "POST /v2/models/{model}/infer"} <= {*labels}


def test_a_fault_inside_is_logged_once_and_says_nothing_of_what_was_sent(tiny_model, tmp_path):
    import httpx

    class Broken(Pool):
        async def ask(self, ask, *, breaking=False, own=0):
            raise RuntimeError("it broke")

    (tmp_path / "spool").mkdir()
    options = Options(model=str(tiny_model), state=str(tmp_path))
    service = Service(options, tmp_path, served_of(options.model, tmp_path), {}, Broken(), Metrics(), None, None)
    records = []
    app = guarded(create_app(service), hosts=["*"], log=records.append)

    async def asked():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
            return await client.post("/v1/predict", files={"file": ("secret.png", picture(0))})

    answer = asyncio.run(asked())
    assert (answer.status_code, code_of(answer.content)) == (500, "failed")
    failure, access = records
    assert failure["broke"] == "RuntimeError"
    assert failure["request_id"] == access["request_id"] == answer.headers["x-request-id"]
    assert access["route"] == "/v1/predict"
    assert "secret" not in str(records)
