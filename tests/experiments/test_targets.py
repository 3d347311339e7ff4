"""The detector held against goals: drawn features of which it is known what is easy and what is strange."""

import json

import numpy as np
import pytest

from experiments.strangers import targets
from experiments.strangers.features import Table
from experiments.strangers.targets import KNOWN, STRANGE, Options, measured, parts_of, table_of

KINDS = ("a", "b", "c", "d")


def table(people=40):
    """Three collections. The methods c and d shift another number than a and b do."""
    rng, rows = np.random.default_rng(0), []
    for place in "xyz":
        for number in range(people):
            for kind in KINDS:
                for label in (0, 1):
                    seen = rng.normal(size=4)
                    seen[0 if kind in "ab" else 1] += 6 * label
                    rows.append((seen, label, kind, place, f"{place}{number:02}", f"{place}{number:02}{kind}"))
    features, label, kind, place, person, pair = zip(*rows, strict=True)
    pairs = np.unique(pair, return_inverse=True)[1]
    kind, place, person = map(np.array, (kind, place, person))
    return Table(np.array(features, np.float32), np.array(label), kind, place, person, pairs)


@pytest.fixture(scope="module")
def report():
    return measured(Options(half="a,b"), table())


def test_what_is_known_meets_the_goals_and_what_is_strange_does_not(report):
    said = {name: {(g["measure"], g["way"]): g["answer"] for g in found["goals"]} for name, found in
            report["domains"].items()}  # fmt: skip
    assert said[KNOWN]["auc", "at 0.5"] == "met"
    # The other half's shift is noise to a head that was fitted to this one.
    assert said[STRANGE]["auc", "at 0.5"] == "not met"
    assert said[STRANGE]["accuracy", "at 0.5"] == "not met"
    assert report["domains"][STRANGE]["auc"]["value"] < 0.7


def test_both_judge_all_images_and_nothing_is_pooled(report):
    assert set(report["domains"]) == {KNOWN, STRANGE}
    for found in report["domains"].values():
        assert {kind: sum(counts.values()) for kind, counts in found["matrix"].items()} == {"real": 480, "fake": 480}
    assert [row["name"] for row in report["kinds"]] == list(KINDS)
    assert table_of(report).count("| right, 95% or more |") == 2


def test_nobody_is_on_both_sides_and_parts_are_of_a_size():
    made = table()
    parts = parts_of(made.person, made.collection, 5, 0)
    for part in range(5):
        people = set(made.person[parts == part])
        assert not people & set(made.person[parts != part])
        assert {place: sum(name[0] == place for name in people) for place in "xyz"} == dict.fromkeys("xyz", 8)


def test_thresholds_are_of_the_source_alone(monkeypatch):
    made, seen = table(8), []
    real_fit = targets.fit

    def spy(features, *given, **more):
        seen.append(features)
        return real_fit(features, *given, **more)

    monkeypatch.setattr(targets, "fit", spy)
    for judged in (targets.on_known, targets.on_strange):
        seen.clear()
        folds = judged(Options(half="a,b", people=2), made)
        assert len(folds) == len(seen)
        for fold, features in zip(folds, seen, strict=True):
            theirs = {row.tobytes() for row in made.features[fold.rows]}
            assert not theirs & {row.tobytes() for row in features}


def test_a_run_that_is_not_finished_or_methods_that_are_not_there_are_refused(tmp_path, monkeypatch, capsys):
    assert targets.main(["targets", f"--workdir={tmp_path}", f"--out={tmp_path / 'a.json'}"]) == 2
    assert "no finished run" in capsys.readouterr().err
    monkeypatch.setattr(targets, "kept", lambda workdir: table(8))
    for half, said in (("a,e", "unknown method 'e'"), ("a,b,c", "3 methods and 1 others")):
        assert targets.main(["targets", f"--workdir={tmp_path}", f"--out={tmp_path / 'a.json'}", f"--half={half}"]) == 2
        assert said in capsys.readouterr().err


def test_the_report_is_written_whole(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(targets, "kept", lambda workdir: table(8))
    flags = ["--workdir=.", f"--out={tmp_path / 'a.json'}", "--half=a,b", "--people=2"]
    assert targets.main(["targets", *flags]) == 0
    found = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert table_of(found) in capsys.readouterr().out
    assert found["command"].endswith("--workdir=. --people=2 --half=a,b --seed=0")
