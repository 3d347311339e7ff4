"""The command evaluate: records and labels joined, counted by hand, and what is refused."""

import json

import numpy as np
import pytest
from PIL import Image

from metaforge.cli import evaluate
from metaforge.screening import save_detector
from metaforge.screening.batches.results import line_of
from tests.screening.batches.stub import record
from tests.screening.test_raw_pictures import detector


def written(tmp_path, records):
    path = tmp_path / "results.jsonl"
    # Each file has contents of its own, unless it says otherwise.
    own = [one if one.sha256 != "0" * 64 else one._replace(sha256=f"{n:064x}") for n, one in enumerate(records, 1)]
    path.write_text("".join(map(line_of, own)), encoding="utf-8")
    return f"--results={path}"


def labelled(tmp_path, *lines, header="file,label"):
    path = tmp_path / "labels.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return f"--labels={path}"


def call(*flags):
    return evaluate.main(["evaluate", *flags])


def report_of(tmp_path, *flags):
    assert call(*flags, f"--out={tmp_path / 'e.json'}") == 0
    return json.loads((tmp_path / "e.json").read_text(encoding="utf-8"))


def test_what_was_said_is_counted_by_what_is_known(tmp_path, capsys):
    results = written(tmp_path, [
        record("a.jpg", 0.1), record("b.jpg", 0.9), record("c.jpg", 0.5), record("d.jpg", 0.9), record("e.jpg", None),
        record("f.jpg", error=("unreadable", "broken")), record("more.jpg", 0.2),
    ])  # fmt: skip
    labels = labelled(
        tmp_path, "a.jpg,real", "b.jpg,0", "c.jpg,REAL", "d.jpg, fake", "e.jpg,1", "f.jpg,fake", "g.jpg,1"
    )
    report = report_of(tmp_path, results, labels)
    (found,) = report["domains"].values()
    assert found["matrix"] == {
        "real": {"real": 1, "cannot tell": 1, "fake": 1, "not judged": 0},
        "fake": {"real": 0, "cannot tell": 1, "fake": 1, "not judged": 1},
    }
    assert (report["without_label"], report["without_record"]) == (1, 1)
    assert found["auc"]["value"] == pytest.approx((2 + 0.5) / 3)
    text = (tmp_path / "e.md").read_text(encoding="utf-8")
    assert text in capsys.readouterr().out
    assert "1 file of the table without a record" in text
    assert "add a column `person`" in text


def test_domains_have_tables_of_their_own_and_people_are_named(tmp_path):
    results = written(tmp_path, [record(f"{number}.jpg", number / 8) for number in range(8)])
    lines = [f"{n}.jpg,{'real' if n < 4 else 'fake'},p{n // 2},{'ab'[n % 2]}" for n in range(8)]
    report = report_of(tmp_path, results, labelled(tmp_path, *lines, header="file,label,person,domain"))
    assert {name: (one["files"], one["people"]) for name, one in report["domains"].items()} == {
        "a": (4, 4),
        "b": (4, 4),
    }
    assert "## a: 4 files, 4 people" in (tmp_path / "e.md").read_text(encoding="utf-8")


def test_copies_count_once_and_folders_are_labels(tmp_path):
    results = written(tmp_path, [
        record("real/ann/1.jpg", 0.1, sha256="a" * 64), record("real/ann/2.jpg", 0.1, sha256="a" * 64),
        record("fake/ann/1.jpg", 0.9), record("other/1.jpg", 0.9),
    ])  # fmt: skip
    report = report_of(tmp_path, results)
    (found,) = report["domains"].values()
    assert (found["files"], found["people"], report["copies"], report["without_label"]) == (2, 1, 1, 1)


@pytest.mark.parametrize(("records", "lines", "said"), [
    ([record("a.jpg")], ["b.jpg,real"], "called as 'a.jpg', and in the table as 'b.jpg'"),
    ([record("a.jpg")], ["a.jpg,real", "a.jpg,fake"], "line 3: 'a.jpg' is there with another label"),
    ([record("a.jpg")], ["a.jpg,maybe"], "line 2: label 'maybe' is not real, fake, 0 or 1"),
    ([record("a.jpg")], [], "has no line but its first"),
    ([record("a.jpg"), record("a.jpg")], ["a.jpg,real"], "'a.jpg' has two records"),
    ([record("a.jpg"), record("b.jpg", model=record("").model._replace(sha256="c" * 64))], ["a.jpg,real"],
     "judged by another detector"),
    ([record("a.jpg", sha256="a" * 64), record("b.jpg", sha256="a" * 64)], ["a.jpg,real", "b.jpg,fake"],
     "are one picture, and one is labelled real"),
    ([], ["a.jpg,real"], "there is no record"),
])  # fmt: skip
def test_what_cannot_be_counted_is_refused_in_one_line(tmp_path, capsys, records, lines, said):
    assert call(written(tmp_path, records), labelled(tmp_path, *lines), f"--out={tmp_path / 'e.json'}") == 2
    error = capsys.readouterr().err.strip()
    assert said in error
    assert "\n" not in error
    assert not (tmp_path / "e.json").exists()


@pytest.mark.parametrize(("flags", "said"), [
    ([], "give the results of metaforge screen, or --model and --target"),
    (["--model=m"], "Give both"),
    (["--model=m", "--target=t", "--labels=l"], "Leave the table out"),
    (["--results=r", "--out=e.txt"], "is no .json"),
    (["--model=m", "--target=t"], "has no folder 'real'"),
])  # fmt: skip
def test_flags_that_do_not_go_together_are_refused(tmp_path, monkeypatch, capsys, flags, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t").mkdir()
    for name in "mrl":
        (tmp_path / name).touch()
    assert call(*flags) == 2
    assert said in capsys.readouterr().err


def test_a_model_is_evaluated_on_a_folder(tmp_path):
    rng = np.random.default_rng(0)
    save_detector(tmp_path / "model", detector())
    for kind in ("real", "fake"):
        (tmp_path / "t" / kind).mkdir(parents=True)
        for number in range(4):
            picture = Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8))
            picture.save(tmp_path / "t" / kind / f"{number}.png")
    (tmp_path / "t" / "real" / "broken.png").write_bytes(b"no picture")
    report = report_of(tmp_path, f"--model={tmp_path / 'model'}", f"--target={tmp_path / 't'}", "--crops")
    (found,) = report["domains"].values()
    assert (found["files"], found["people"]) == (9, 5)  # a real and a fake of one name are one person's
    assert found["matrix"]["real"]["not judged"] == 1
    # An uncalibrated detector decides at 0.5 and leaves nothing open.
    assert found["rates"]["as decided"] == found["rates"]["at 0.5"]
