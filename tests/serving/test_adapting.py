"""The whole way, by the client over HTTP: a detector adapted to ten images a class, asked, spoken of, deleted."""

import json

import httpx
import pytest

from metaforge.screening import save_detector
from metaforge.screening.verdicts.identity import model_sha256
from metaforge.screening.verdicts.opening import screener
from metaforge.serving.client import Client, ServiceError
from metaforge.serving.options import Options
from tests.serving.conftest import Running
from tests.serving.detectors import adaptable, pictures

REAL, FAKE = pictures(10), pictures(10, seed=1, forged=True)
ASKED = [*pictures(3, seed=2), *pictures(3, seed=3, forged=True)]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A service of a detector that can be adapted, its folder, and a client."""
    folder = tmp_path_factory.mktemp("adapting")
    save_detector(folder / "base", adaptable())
    running = Running(Options(model=str(folder / "base"), state=str(folder / "state"), port=0, workers=1, image_mb=1))
    client = Client(running.url)
    yield client, folder, running.url
    client.close()
    running.stop()


@pytest.fixture(scope="module")
def adapter(served):
    """Ten images a class, one of which is damaged, so that it is left out under its sender's name."""
    client, _, _ = served
    # Forced, so that it is another detector than the first.
    return client.adapt([*REAL, REAL[0][:60]], FAKE, shots=4, name="corners", force=True, crops=True, every=0.1)


def test_verdicts_over_http_are_the_librarys(served, adapter):
    client, folder, _ = served
    assert (adapter.state, adapter.name, adapter.saved, adapter.error) == ("done", "corners", "adapted", None)
    own = folder / "state" / "adapters" / adapter.id
    expected = screener(str(own / "detector"), crops=True)
    first = screener(str(folder / "base"), crops=True)
    for data in ASKED:
        found = client.predict(data, model=adapter.id, crops=True).verdict
        said = expected.verdict(data)
        assert abs(found.p_fake - said.p_fake) <= 1e-6 + 1e-12
        assert found.model.sha256 == said.model.sha256
        assert found.model.name == adapter.id
        assert found.sha256 == said.sha256
        assert abs(found.p_fake - first.verdict(data).p_fake) > 1e-3
        assert abs(client.predict(data, crops=True).verdict.p_fake - first.verdict(data).p_fake) <= 1e-6 + 1e-12


def test_the_report_is_that_of_the_library_and_images_are_gone(served, adapter):
    _, folder, _ = served
    own = folder / "state" / "adapters" / adapter.id
    report = json.loads((own / "detector" / "report.json").read_text())
    assert adapter.decision == adapter.report["decision"] == report["decision"]
    assert {name: value for name, value in adapter.report.items() if name not in ("command", "skipped_files")} == {
        name: value for name, value in report.items() if name not in ("command", "skipped_files")
    }
    assert [each["path"] for each in adapter.report["skipped_files"]] == ["real/real10"]
    assert str(folder) not in json.dumps(adapter.report)
    assert {path.name for path in own.iterdir()} == {f"{model_sha256(own / 'detector')}.onnx", "detector"}


def test_an_adapter_is_a_model_like_the_first(served, adapter):
    client, _, url = served
    first, second = httpx.get(f"{url}/v1/models").json()["models"]
    assert (first["id"], second["id"], second["name"]) == ("default", adapter.id, "corners")
    assert second.keys() == first.keys() - {"spare"}
    assert second["image_size"] == 16
    found = client.predict_many({"a.png": ASKED[0], "b.png": b"<svg>", "c.png": ASKED[1]}, model=adapter.id, crops=True)
    assert isinstance(found["b.png"], ServiceError)
    assert found["b.png"].code == "unsupported_type"
    alone = client.predict(ASKED[1], name="c.png", model=adapter.id, crops=True).verdict
    assert found["c.png"]._replace(time="") == alone._replace(time="")


def test_a_verdict_is_spoken_of(served, adapter):
    client, _, url = served
    verdict = client.predict(ASKED[0], model=adapter.id, crops=True).verdict
    number = client.feedback(verdict, "fake", face=0, note="a corner is white")
    (row,) = httpx.get(f"{url}/v1/feedback").json()["feedback"]
    assert (row["id"], row["label"], row["sha256"]) == (number, "fake", verdict.sha256)
    assert row["model_sha256"] == verdict.model.sha256
    assert row["verdict"] == verdict.as_json()
    with pytest.raises(ServiceError) as caught:
        client.feedback(verdict, "fake", face=7)
    assert (caught.value.status, caught.value.code) == (422, "invalid")
    assert caught.value.request_id


def test_a_deleted_adapter_is_asked_no_more(served, adapter):
    client, folder, _ = served
    again = client.adapt(REAL, FAKE, crops=True, wait=False)
    assert client.remove(again.id) == "cancelled"
    assert client.adapter(again.id).state == "cancelled"
    assert client.remove(adapter.id) == "deleted"
    assert list((folder / "state" / "adapters").iterdir()) == []
    for ask in (client.adapter, client.remove, lambda name: client.predict(ASKED[0], model=name, crops=True)):
        with pytest.raises(ServiceError) as caught:
            ask(adapter.id)
        assert (caught.value.status, caught.value.code) == (404, "not_found")
