"""The states in which a model is judged: each once, and each called by a threshold of its own."""

import dataclasses

import numpy as np
import pytest

from experiments.demo import running as demo
from experiments.protocol import thresholds as fitted_thresholds
from experiments.study import methods as study_methods
from metaforge.backbones.spec import BackboneSpec
from metaforge.data.domains import TestSplit
from metaforge.data.records import Records
from metaforge.errors import InputError
from metaforge.screening import Detector, from_run
from metaforge.settings import change
from metaforge.training import meta_test
from metaforge.training.config import Config

IMAGES = np.zeros((32, 16, 16, 3), np.uint8)
LABELS = np.tile([0, 1], 16)
# Sixteen videos of two frames each, real and fake in turn.
RECORDS = Records.from_columns(image=IMAGES, label=np.tile([0, 0, 1, 1], 8),
                               video=[f"v{row // 2:02d}" for row in range(32)])  # fmt: skip


def of(normalisation):
    config = change(
        Config(),
        {"learner.name": "erm", "model.image_size": 16, "model.width": 4, "model.normalisation": normalisation},
    )
    return from_run.FinishedRun(config, {}, {"optimizer": "sgd", "rate": 1.0, "steps": 1}, IMAGES)


@pytest.mark.parametrize(
    ("normalisation", "known"),
    [("support", 3), *((name, 2) for name in ("episode", "group", "none", "frozen"))],
)
def test_no_state_is_another_one_under_a_second_name(normalisation, known, monkeypatch):
    scored = []
    monkeypatch.setattr(
        from_run, "detector", lambda _, support=None, **__: Detector({}, IMAGES, BackboneSpec(), {"adapted": support})
    )
    monkeypatch.setattr(from_run, "scores", lambda *_: scored.append(0) or np.zeros(32))
    test = TestSplit(RECORDS)
    found = from_run.scores_over_draws(of(normalisation), (IMAGES, LABELS), test, shots=1, draws=3, seed=0)
    assert list(found) == ["not adapted", "support statistics", "adapted"][:: 1 if known == 3 else 2]
    assert {state: len(values) for state, values in found.items()} == {"not adapted": 1} | dict.fromkeys(
        list(found)[1:], 3
    )
    assert len(scored) == 1 + 3 * (known - 1)


@pytest.mark.parametrize("states", [("not adapted", "support statistics", "adapted"), ("not adapted", "adapted")])
def test_the_demo_s_table_has_a_column_for_each_state_that_there_is(states):
    interval = {"value": 0.5, "low": 0.4, "high": 0.6}
    names = [f"{learner}, {state}" for learner in demo.LEARNERS for state in states]
    gains = {f"{learner}, adapted minus {learner}, not adapted": interval for learner in demo.LEARNERS}
    header, *rest = demo.table({"auc": dict.fromkeys(names, interval), "differences": gains}).splitlines()
    assert header == f"| learner | {' | '.join(('no adaptation', *states[1:]))} | gain |"
    assert {line.count("|") for line in rest} == {header.count("|")}


FRAMES = {0: (0.0, 0.5), 1: (0.4, 1.0)}
"""Scores of the two frames of a real and of a fake video: means of 0.25 and 0.7, and frames that overlap."""


def scripted(monkeypatch, *, moved):
    """A model whose scores are known, and `moved` further up where it is adapted."""
    of_test = lambda test: np.array([FRAMES[label][row % 2] for row, label in enumerate(test.label.tolist())])
    monkeypatch.setattr(from_run, "detector", lambda *_, **__: None)
    monkeypatch.setattr(from_run, "scores", lambda _, __, test: of_test(test) / 2)
    worth = lambda _, __, test, **___: {"adapted": np.stack([of_test(test) / 2 + moved] * 2)}
    monkeypatch.setattr(from_run, "scores_over_draws", worth)


@pytest.mark.parametrize(("level", "expected"), [("frame", (0.25 + 0.5) / 2), ("video", (0.125 + 0.35) / 2)])
def test_every_state_has_a_threshold_of_what_is_judged(level, expected, monkeypatch):
    # Above the higher frame of a real video no real is accused, and half of the fakes are caught, as many as are lost
    # below: of equals the highest.
    scripted(monkeypatch, moved=0.3)
    how = {"shots": 2, "draws": 9, "seed": 0, "rate": 1.0, "steps": 1}
    found = fitted_thresholds.fit(of("none"), RECORDS, level=level, **how)
    assert found.lacking == {}
    assert found.fitted == pytest.approx({"not adapted": expected, "adapted": expected + 0.3})


def test_what_no_threshold_can_be_fitted_for_has_none_and_says_why(monkeypatch):
    scripted(monkeypatch, moved=0.3)
    how = {"level": "frame", "draws": 9, "seed": 0, "rate": 1.0, "steps": 1}
    found = fitted_thresholds.fit(of("none"), RECORDS, shots=12, **how)
    assert set(found.fitted) == {"not adapted"}
    assert "too small to set 12 labelled images a class aside" in found.lacking["adapted"]
    scripted(monkeypatch, moved=np.nan)  # an adaptation that diverges
    found = fitted_thresholds.fit(of("none"), RECORDS, shots=2, **how)
    assert "source validation gives none" in found.lacking["adapted"]


def test_what_goes_wrong_while_a_threshold_is_fitted_is_not_called_too_few_images(monkeypatch):
    def gone(*_, **__):
        raise InputError("images: 'a.png' is gone.")

    scripted(monkeypatch, moved=0.3)
    monkeypatch.setattr(from_run, "scores_over_draws", gone)
    how = {"level": "frame", "draws": 9, "seed": 0, "rate": 1.0, "steps": 1}
    with pytest.raises(InputError, match=r"'a\.png' is gone"):
        fitted_thresholds.fit(of("none"), RECORDS, shots=2, **how)


def test_a_study_has_no_row_that_is_erm_under_another_name():
    every = study_methods.STUDIES["leave_one_out"]
    rows = lambda kind: {*study_methods.chosen("all", every, kind)}
    assert rows("support") - rows("episode") == {"erm+bn", "erm+bn_query"}
    assert rows("frozen") == rows("group") == rows("none") == rows("episode")
    with pytest.raises(InputError, match=r"--methods: with --model.normalisation=none .* 'erm.bn' is 'erm' under"):
        study_methods.chosen("erm,erm+bn", every, "none")


RULE = {"optimizer": "sgd", "rate": 1.0, "steps": 1, "tried": [
    {"rate": 0.1, "steps": 1, "auc": 0.6}, {"rate": 1.0, "steps": 1, "auc": 0.9}, {"rate": 1.0, "steps": 5, "auc": 0.0},
    {"rate": 0.1, "steps": 10, "auc": 0.8}, {"rate": 1.0, "steps": 10, "auc": 0.7},
]}  # fmt: skip


@pytest.mark.parametrize(("steps", "rate"), [(0, 1.0), (1, 1.0), (10, 0.1), (20, 1.0), (5, 1.0)])
def test_a_rate_is_that_of_the_steps_that_are_taken(steps, rate, monkeypatch):
    taken = []
    monkeypatch.setattr(meta_test, "adapt_params", lambda _, __, *how, **___: taken.append(how))
    monkeypatch.setattr(from_run.trainable, "whole", lambda *_: {})
    run = dataclasses.replace(of("none"), rule=RULE)
    from_run.detector(run, support=IMAGES[:2], labels=LABELS[:2], steps=steps)
    from_run.detector(run, support=IMAGES[:2], labels=LABELS[:2], steps=steps, rate=7.0)
    assert taken == [(rate, steps or 1), (7.0, steps or 1)]
    assert meta_test.rate_at(RULE, steps) == (rate, steps in (0, 1, 10))
