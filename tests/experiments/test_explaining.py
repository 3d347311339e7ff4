"""The study of single images: what is left out, what guesses score, and what the report says."""

import json

import numpy as np
import pytest

from experiments.explaining import __main__ as command
from experiments.explaining import running
from experiments.explaining.cases import CALIBRATE, COLLECTION, FAMILIES, FIT, PEOPLE, family_of, roles
from experiments.explaining.config import Config
from experiments.explaining.features import FIELDS, Table
from experiments.explaining.heads import CANDIDATES, Heads, material
from experiments.explaining.judging import best_cam, constant, f1, guesses, named, probabilities, scored
from metaforge.evaluation.regions import region_score
from metaforge.forgeries.base import Face
from metaforge.forgeries.parts import STRENGTHS
from metaforge.forgeries.synthesis import FORGERIES
from metaforge.screening.explaining.detail import CHANNELS
from metaforge.screening.explaining.region_head import region_logits

NETWORK = 3
"""Channels of the one map of the network."""


@pytest.fixture(scope="module")
def seen():
    """Forged regions are brighter in the first number of fine detail, by every family; Grad-CAM sees it in level 1."""
    rng, rows = np.random.default_rng(0), []
    size = 2 * CHANNELS + 2 * NETWORK
    features, true, cams = [], [], []
    for person in range(40):
        role = (FIT, FIT, CALIBRATE, PEOPLE, COLLECTION)[person % 5]
        for name, methods in [("", ("",)), *FAMILIES.items()]:
            part = "mouth" if methods[0].startswith("part: ") else ""
            forged = np.zeros(12, bool)
            if name:
                forged[rng.choice(12, 2, replace=False) if part else np.arange(10)] = True
            values = rng.normal(size=(12, size)) + rng.normal(size=size)  # every image has a level of its own
            values[:, 0] += 9 * forged
            features.append(values.astype(np.float16))
            true.append(forged)
            cams.append([np.ones(12), 1 + forged + 0.1 * rng.random(12), np.ones(12)])
            collection = "elsewhere" if role == COLLECTION else "here"
            rows.append((methods[0], part, collection, str(person), str(person), role, 50 + person))
    about = {name: np.array(column) for name, column in zip(FIELDS, zip(*rows, strict=True), strict=True)}
    count = len(rows)
    nothing = np.zeros((0, 8, 8))
    return Table(np.array(features), np.ones(count, bool), np.array(true), np.array(cams), np.zeros(count),
                 np.zeros(count), about, nothing, nothing, np.zeros(0, int))  # fmt: skip


@pytest.fixture(scope="module")
def made(seen):
    return material(seen, [NETWORK])


@pytest.fixture(scope="module")
def few():
    return [one for one in CANDIDATES if one.shrinkage == 0.3]


def test_families_hold_every_method_once():
    every = [method for methods in FAMILIES.values() for method in methods]
    assert sorted(every) == sorted([*FORGERIES, *(f"part: {change}" for change in STRENGTHS)])
    assert family_of("part: splice") == family_of("swap") == "another face"
    assert family_of("") == ""


def test_nobody_serves_for_two_things_and_the_judged_collection_for_one():
    blank = np.zeros((8, 8, 3), np.uint8)
    faces = {name: [Face(blank, None, f"{name}/{number}", f"{name}{number}") for number in range(20)] for name in "ab"}
    found = roles(Config(judged="b"), faces)
    assert len(found) == 40
    assert {found[f"b{number}"] for number in range(20)} == {COLLECTION}
    counts = [
        sum(role == one for person, role in found.items() if person[0] == "a") for one in (FIT, CALIBRATE, PEOPLE)
    ]
    assert counts == [12, 4, 4]


def test_a_head_is_fitted_to_no_method_of_the_family_that_it_is_judged_on(made, few):
    heads = Heads(made)
    head, chosen, _ = heads.fitted(few, frozenset({"noise"}))
    other = made.table._replace(features=made.table.features.copy())
    other.features[made.family == "noise"] = 1e3
    again, same, _ = Heads(material(other, [NETWORK])).fitted(few, frozenset({"noise"}))
    assert chosen == same
    for name in ("mean", "scale", "contrast", "calibration", "threshold"):
        np.testing.assert_array_equal(getattr(head, name), getattr(again, name))


def test_judged_people_change_no_head(made, few):
    head, _, _ = Heads(made).fitted(few, frozenset())
    other = made.table._replace(features=made.table.features.copy())
    other.features[made.role(PEOPLE, COLLECTION)] = -1e3
    again, _, _ = Heads(material(other, [NETWORK])).fitted(few, frozenset())
    np.testing.assert_array_equal(head.contrast, again.contrast)
    np.testing.assert_array_equal(head.threshold, again.threshold)


def test_the_weights_of_some_numbers_stand_in_the_place_of_these_numbers(made, few):
    heads = Heads(made)
    for candidate in few[::4]:
        head = heads.fitted([candidate], frozenset())[0]
        rows = np.flatnonzero(made.role(CALIBRATE))
        logits = region_logits(head, made.table.features[rows], made.there[rows])
        np.testing.assert_allclose(logits, heads.logits(candidate, frozenset())[rows], rtol=1e-3, atol=1e-2)


def test_what_shows_in_every_family_is_found_where_a_family_was_left_out(made, few):
    heads = Heads(made)
    each = {name: heads.fitted(few, frozenset({name}))[0] for name in FAMILIES}
    rows = np.flatnonzero(made.role(PEOPLE, COLLECTION) & (made.family != ""))
    found = probabilities(made, each, rows)
    said = named(made, each, rows, found)
    parts, true = made.parts()[rows], made.table.true[rows]
    assert region_score(true[parts], said[parts]).f1 > 0.9
    ways, cam = guesses(made, rows, said)
    assert {one["level"] for one in cam["chosen"].values()} == {1}
    assert region_score(true[parts], ways["Grad-CAM, best map"][parts]).f1 > 0.95
    assert (ways["as many regions, drawn"].sum(1) == said.sum(1)).all()
    report = scored(made, rows, {"the region head": said, **ways}, head="the region head", resamples=20)
    assert set(report["rows"]) == {
        f"{kind}, {role}" for kind in ("parts", "whole faces") for role in (PEOPLE, COLLECTION)
    }
    part = report["rows"][f"parts, {COLLECTION}"]["ways"]
    mine, guess = part["the region head"], part["the best constant set"]
    assert mine["above"]["value"] == pytest.approx(mine["f1"]["value"] - guess["f1"]["value"])
    assert guess["above"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert part["all regions"]["recall"] == 1.0


def test_the_constant_set_is_the_best_of_all_sets():
    true = np.random.default_rng(0).random((40, 5)) < [0.6, 0.1, 0.5, 0.05, 0.2]
    scores = {}
    for number in range(1, 32):
        one = np.array([number >> place & 1 for place in range(5)], bool)
        scores[number] = region_score(true, np.tile(one, (40, 1))).f1
    chosen = constant(true)
    assert region_score(true, np.tile(chosen, (40, 1))).f1 == pytest.approx(max(scores.values()))


def test_grad_cam_gets_the_level_and_the_cut_that_part_the_regions():
    true = np.random.default_rng(0).random((30, 12)) < 0.3
    cams = np.stack([np.ones(true.shape), 1 + 3 * true], axis=1)
    level, _, score = best_cam(cams, true)
    assert (level, score) == (1, 1.0)


def test_the_difference_to_oneself_is_none_and_one_person_has_no_width():
    true, said = np.array([[True, False], [True, True]]), np.array([[True, True], [False, True]])
    assert f1(true, said, np.array(["a", "b"]), resamples=10, beside=said)["high"] == 0
    value = region_score(true, said).f1
    assert f1(true, said, np.array(["a", "a"]), resamples=10) == {"value": value, "low": value, "high": value}


def test_a_finished_run_is_not_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr(running, "load_detector", lambda path: type("D", (), {"spec": None}))
    monkeypatch.setattr(running, "maps_of", lambda spec: None)
    (tmp_path / "report.json").write_text(json.dumps({"done": 1}))
    assert running.run(command.Options(workdir=str(tmp_path)), Config(faces="nowhere"), quiet=True) == {"done": 1}
