"""Stated shares on a collection left out: folds that are drawn, of which it is known what must come out."""

import json

import numpy as np
import pytest

from experiments.strangers import decisions
from experiments.strangers.decisions import Cell, Options, intervals, markdown, measured


def cell(name, *, people=40, shift=0.0, seed=0):
    """Scores of a left-out collection that lie as the source's do, but for a shift; three source collections."""
    rng = np.random.default_rng(seed)

    def drawn(count):
        label = np.tile([0, 1], count)
        return label, 1 / (1 + np.exp(-rng.normal(3 * label - 1.5, 1.0)))

    label, told = drawn(people)
    source_label, source = drawn(120)
    told = 1 / (1 + np.exp(-(np.log(told / (1 - told)) + shift)))
    groups = np.repeat(["x", "y", "z"], 80)
    return Cell(
        name, told, label, np.array([f"{row // 2:03}" for row in range(2 * people)]), source, source_label, groups
    )


def test_own_thresholds_keep_what_is_stated_and_those_of_the_source_do_not():
    cells = [cell(name, shift=2.5, seed=seed) for name in ("a", "b") for seed in range(2)]
    report = measured(Options(workdir="", out="", halves=10, resamples=20), cells)
    rows = [row for row in report["stated"] if (row["fpr"], row["fnr"]) == (0.1, 0.1)]
    assert [row["collection"] for row in rows] == ["a", "b"]
    for row in rows:
        assert row["people"] == 40
        assert row["source"]["fpr"]["value"] > 0.3  # all are pushed towards fake
        # On average over halves of 20 reals: 19 of 21 lie below, and a tenth above at most.
        assert row["own"]["fpr"]["value"] == pytest.approx(2 / 21, abs=0.07)
        for whose in ("source", "own"):
            assert row[whose]["fpr"]["value"] + row[whose]["real_open"]["value"] <= 1
            assert row[whose]["fpr"]["low"] <= row[whose]["fpr"]["value"] <= row[whose]["fpr"]["high"]
    text = markdown(report)
    assert text.count("its own people") == 2 * len(decisions.STATED)
    assert "Venn-Abers over all images" in text


def test_the_interval_for_the_next_collection_is_the_widest_and_holds_most():
    rows = {row["way"].split(" ")[0]: row for row in intervals([cell("a", shift=0.3)], ["a"])}
    assert rows["Venn-Abers"]["width"] < rows["from"]["width"] < rows["the"]["width"]
    assert rows["Venn-Abers"]["inside"] <= rows["the"]["inside"]


def test_a_run_that_is_not_finished_is_refused(tmp_path, capsys):
    (tmp_path / "run").mkdir()
    flags = [f"--workdir={tmp_path / 'run'}", f"--out={tmp_path / 'a.json'}"]
    assert decisions.main(["decisions", *flags]) == 2
    assert "no finished run" in capsys.readouterr().err
    assert not (tmp_path / "a.json").exists()


def test_the_report_is_written_whole(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(decisions, "cells_of", lambda workdir: iter([cell("a")]))
    assert decisions.main(["decisions", "--workdir=run", f"--out={tmp_path / 'a.json'}", "--halves=1",
                           "--resamples=10"]) == 0  # fmt: skip
    report = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert markdown(report) in capsys.readouterr().out
    assert report["command"].endswith("--workdir=run --halves=1 --resamples=10 --seed=0")
