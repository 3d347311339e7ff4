"""A batch in a worker: every file has its own answer, and a fault of one is none of the others."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from metaforge.screening.explaining import explanation, files
from metaforge.screening.explaining.explanation import Explanation
from metaforge.screening.verdicts import screener
from metaforge.serving.buckets import Bucketed
from metaforge.serving.scoring import Ask, answers
from metaforge.serving.served import KEPT, Opened, served_of
from tests.serving.conftest import picture


@pytest.fixture
def served(tiny_model, tmp_path):
    return served_of(str(tiny_model), tmp_path)


@pytest.fixture
def opened():
    return Opened(frames=4, trust="")


@pytest.fixture
def judge(opened):
    with ThreadPoolExecutor(2) as threads:
        yield lambda *asks: answers(opened, asks, threads=threads)


def test_each_has_the_verdict_that_it_has_alone(judge, served, tiny_model):
    library, data = screener(str(tiny_model)), [picture(seed, size=20 + seed) for seed in range(20)]
    found = judge(*(Ask(f"{place}", each, served) for place, each in enumerate(data)))
    for place, (answer, each) in enumerate(zip(found, data, strict=True)):
        expected = library.verdict(each, name=f"{place}")
        assert (answer.record["file"], answer.record["sha256"]) == (expected.file, expected.sha256)
        assert answer.record["p_fake"] == pytest.approx(expected.p_fake, abs=1e-6)


def test_a_file_in_onnx_has_its_weights_in_it_wherever_those_of_its_detector_are(judge, served):
    (answer,) = judge(Ask("one", picture(1), served._replace(weights="moved/network.safetensors")))
    assert answer.record["error"] is None
    assert 0 < answer.record["p_fake"] < 1


def test_a_name_says_nothing_of_what_a_file_is(judge, served):
    (answer,) = judge(Ask("portrait.mp4", picture(0), served))
    assert (answer.record["kind"], answer.record["error"]) == ("image", None)


def test_a_file_that_breaks_the_network_breaks_its_own_answer_alone(judge, served, opened, monkeypatch):
    bad = picture(3)
    whole = Bucketed.examine
    shown = opened.screener(served).look_at(bad, kind="image").crops[0][0]

    def breaks(self, images, *, batch=0):
        if any((image == shown).all() for image in images):
            raise MemoryError("too much\nof it")
        return whole(self, images, batch=batch)

    monkeypatch.setattr(Bucketed, "examine", breaks)
    monkeypatch.setattr(Bucketed, "__call__", lambda self, images, batch=0: breaks(self, images)[0])
    found = judge(Ask("a", picture(1), served), Ask("bad", bad, served), Ask("b", picture(2), served))
    assert [bool(answer.error) for answer in found] == [False, True, False]
    assert found[1].error == "a fault of this program: MemoryError: too much of it"
    assert found[2].record["decision"]


def test_detectors_of_one_batch_score_their_own_files(judge, served):
    gone = served._replace(id="gone", path="/nowhere.onnx", sha256="1" * 64)
    found = judge(Ask("a", picture(1), gone), Ask("b", picture(1), served), Ask("c", picture(1), gone))
    assert [answer.record.get("file") for answer in found] == [None, "b", None]
    assert "/nowhere.onnx" in found[0].error


def test_a_worker_keeps_a_few_detectors_open(opened, served, tiny_model):
    first = opened.screener(served)
    for number in range(KEPT - 1):
        opened.screener(served._replace(sha256=str(number)))
    assert opened.screener(served) is first
    for number in range(KEPT, 2 * KEPT):
        opened.screener(served._replace(sha256=str(number)))
    assert opened.screener(served) is not first


def test_a_standing_detector_is_never_closed(served):
    opened = Opened(frames=4, trust="", standing=[served])
    first = opened.screener(served)
    for number in range(2 * KEPT):
        opened.screener(served._replace(sha256=str(number)))
    assert opened.screener(served) is first
    assert len(opened._open) == KEPT + 1


def test_records_bear_the_name_of_the_detector_and_not_of_the_file_that_is_opened(judge, served):
    (answer,) = judge(Ask("a", picture(1), served._replace(name="studio", sha256="f" * 64)))
    assert (answer.record["model"]["name"], answer.record["model"]["sha256"]) == ("studio", "f" * 64)


def test_regions_are_those_of_the_detector_that_names_them(judge, served, monkeypatch):
    def explain(detector, image, *, crop):
        assert (detector, image.shape, crop) == ("a detector of /explains", (40, 40, 3), "whole")
        return Explanation(
            0.9, {"nose": 0.81234, "mouth": 0.1}, ("nose",), "The nose.", np.zeros((40, 40)), ("A limit.",)
        )

    monkeypatch.setattr(files, "loaded", lambda path, weights: f"a detector of {path}")
    monkeypatch.setattr(explanation, "explain", explain)
    told, not_asked = judge(
        Ask("a", picture(1), served._replace(regions="/explains"), crops=True, map=True),
        Ask("a", picture(1), served._replace(regions="/explains"), crops=True),
    )
    nose, mouth = {"name": "nose", "p": 0.8123, "named": True}, {"name": "mouth", "p": 0.1, "named": False}
    assert told.regions == {"regions": [nose, mouth], "sentence": "The nose.", "limits": ["A limit."]}
    assert not_asked.regions is None


def test_a_map_falls_where_the_score_comes_from(judge, served, monkeypatch):
    # A detector of brightness alone, so that the map is a closed form.
    monkeypatch.setattr(Bucketed, "examine", lambda self, images, *, batch=0: (images.mean(axis=(1, 2, 3)), None))
    (answer,) = judge(Ask("a", picture(1, size=16), served, crops=True, map=True))
    falls = np.array(answer.maps[0]["falls"])
    assert falls.shape == (8, 8)
    assert abs(falls.mean()) < 0.05  # the mean colour laid over every cell in turn changes nothing in all


def test_regions_that_cannot_be_had_are_a_fault_of_their_file_alone(judge, served):
    gone = served._replace(regions="/nowhere/detector")
    found = judge(Ask("a", picture(1), gone), Ask("b", picture(2), gone, map=True))
    assert [bool(answer.error) for answer in found] == [False, True]
    assert found[0].record["decision"]
