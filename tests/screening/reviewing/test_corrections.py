"""Corrections of reviewers: read, held against results, refused where they cannot be, and adapted on."""

import csv
import hashlib
import json

import numpy as np
import pytest
from PIL import Image

from metaforge.cli import adapt, corrections, predict, screen
from metaforge.screening.batches.results import line_of
from metaforge.screening.reviewing.corrections import SHEET, read_corrections
from metaforge.screening.reviewing.support import places_of
from metaforge.screening.target_images import read_target
from tests.screening.batches.stub import record

CALLED = {"a.jpg": 0.9, "b.jpg": 0.1, "c.jpg": 0.5, "=d.jpg": 0.9}


def digest(name):
    return hashlib.sha256(name.encode()).hexdigest()


def results(tmp_path, *more):
    path = tmp_path / "results.jsonl"
    own = [record(name, score, sha256=digest(name)) for name, score in CALLED.items()]
    path.write_text("".join(map(line_of, [*own, *more])), encoding="utf-8")
    return str(path)


def table(tmp_path, *rows, columns=("file", "sha256", "decision", "correction", "person", "pair")):
    path = tmp_path / "c.csv"
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return str(path)


def line(name, decision, correction, *more, sha256=""):
    return [name, sha256 or digest(name), decision, correction, *more, *[""] * (2 - len(more))]


def test_a_correction_says_what_a_file_is_by_what_it_was_called(tmp_path):
    said = table(tmp_path, line("a.jpg", "fake", "False positive"), line("b.jpg", "real", "false negative"),
                 line("c.jpg", "cannot tell", "real"), line("=d.jpg", "fake", "confirmed", "ann"),
                 line("a.jpg", "fake", ""))  # fmt: skip
    read = read_corrections(said, results(tmp_path))
    assert {one.record["file"]: one.truth for one in read.kept} == {
        "a.jpg": "real", "b.jpg": "fake", "c.jpg": "real", "=d.jpg": "fake",
    }  # fmt: skip
    assert (read.left, read.kept[-1].person) == ([], "ann")


def test_the_same_as_records(tmp_path):
    path = tmp_path / "c.jsonl"
    said = {"file": "a.jpg", "sha256": digest("a.jpg"), "decision": "fake", "correction": "false positive",
            "note": "a mask", "time": "2026-01-02T03:04:05Z"}  # fmt: skip
    path.write_text(json.dumps(said) + "\n\n", encoding="utf-8")
    (one,) = read_corrections(str(path), results(tmp_path)).kept
    assert (one.truth, one.note, one.time) == ("real", "a mask", "2026-01-02T03:04:05Z")
    path.write_text("[1]\n", encoding="utf-8")
    with pytest.raises(Exception, match="has no JSON object in line 1"):
        read_corrections(str(path), results(tmp_path))


def test_two_who_disagree_are_named_and_left_out_and_copies_count_once(tmp_path):
    copy = record("copy.jpg", 0.1, sha256=digest("b.jpg"))
    said = table(tmp_path, line("a.jpg", "fake", "confirmed"), line("a.jpg", "fake", "false positive"),
                 line("b.jpg", "real", "confirmed"),
                 line("copy.jpg", "real", "confirmed", sha256=digest("b.jpg")))  # fmt: skip
    read = read_corrections(said, results(tmp_path, copy))
    assert [one.truth for one in read.kept] == ["real"]
    ((name, why),) = read.left
    assert name == "a.jpg"
    assert "fake in line 2 and real in line 3" in why


def test_what_adapt_cannot_take_is_left_out_with_the_reason(tmp_path):
    face = record("x").faces[0]
    more = [record("film.mp4", 0.9, kind="video"), record("none.jpg", None),
            record("two.jpg", 0.9, faces=(face._replace(decision="real", p_fake=0.1),
                                          face._replace(number=2, decision="fake", p_fake=0.9)))]  # fmt: skip
    more = [one._replace(sha256=digest(one.file)) for one in more]
    said = table(tmp_path, *(line(one.file, one.decision, "fake") for one in more))
    assert [why.split(",")[0] for _, why in read_corrections(said, results(tmp_path, *more)).left] == [
        "is a video", "has no face", "was judged by face 2",
    ]  # fmt: skip


@pytest.mark.parametrize(("row", "said"), [
    (line("z.jpg", "fake", "confirmed"), "line 2: 'z.jpg' is not in"),
    (line("a.jpg", "fake", "confirmed", sha256="0" * 64), "is not that of the results"),
    (line("a.jpg", "real", "confirmed"), "'a.jpg' was called fake and not 'real'"),
    (line("a.jpg", "fake", "false negative"), "'a.jpg' was called fake: that is not 'false negative'"),
    (line("c.jpg", "cannot tell", "confirmed"), "called neither real nor fake: that is not 'confirmed'"),
    (line("a.jpg", "fake", "perhaps"), "'perhaps' is none of false positive"),
    (line("a.jpg", "fake", ""), "has no correction"),
    (["", "", "", "fake"], "no file is named"),
    (line("a.jpg", "fake", "confirmed", "", "", "", ""), "values for 6 columns"),
    (line("a.jpg", "fake", "fake", "", "b.jpg"), "'b.jpg' is the pair of 'a.jpg', but a pair is"),
    (line("a.jpg", "fake", "fake"), "0 real and 1 fake pictures of 1 people, pairs or files are too few"),
])  # fmt: skip
def test_what_does_not_fit_is_refused_in_one_line(tmp_path, capsys, row, said):
    flags = [f"--results={results(tmp_path)}", f"--corrections={table(tmp_path, row)}", f"--out={tmp_path / 'out'}"]
    assert corrections.main(["corrections", *flags]) == 2
    error = capsys.readouterr().err.strip()
    assert said in error
    assert "\n" not in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("flags", "said"), [
    ([], "or --sheet for one to fill in"),
    (["--sheet=s.csv", "--out=o"], "a sheet does not"),
    (["--corrections=c.csv"], "--out"),
])  # fmt: skip
def test_flags_that_do_not_go_together_are_refused(tmp_path, monkeypatch, capsys, flags, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.csv").touch()
    assert corrections.main(["corrections", f"--results={results(tmp_path)}", *flags]) == 2
    assert said in capsys.readouterr().err


def test_people_and_pairs_stand_where_adapt_keeps_them_together(tmp_path):
    more = [record(f"{n}.jpg", 0.9, sha256=digest(f"{n}.jpg")) for n in range(6)]
    said = table(
        tmp_path, line("0.jpg", "fake", "real", "ann"), line("1.jpg", "fake", "fake", "", "0.jpg"),
        line("2.jpg", "fake", "fake", "ann"), line("3.jpg", "fake", "real"), line("4.jpg", "fake", "fake", "", "3.jpg"),
        line("5.jpg", "fake", "fake", "", "3.jpg"), line("b.jpg", "real", "confirmed"),
    )  # fmt: skip
    places = {
        one: path.with_suffix("")
        for one, path in places_of(read_corrections(said, results(tmp_path, *more)).kept).items()
    }
    at = lambda name: places[digest(name)].parts
    assert at("0.jpg")[1:] == at("1.jpg")[1:]  # a pair, in ann's folder
    assert at("2.jpg")[1] == at("0.jpg")[1] != at("3.jpg")[1]
    assert at("3.jpg")[1:] == at("4.jpg")[1:]
    assert (at("5.jpg")[1], at("5.jpg")[2]) == (at("3.jpg")[1], digest("5.jpg")[:16])
    assert at("b.jpg") == ("real", digest("b.jpg")[:16])
    assert len(set(places.values())) == 7


def test_a_picture_that_has_changed_is_not_taken(tmp_path, capsys):
    for number in range(7):
        Image.new("RGB", (8, 8), (number,) * 3).save(tmp_path / f"{number}.png")
    of = lambda number: hashlib.sha256((tmp_path / f"{number}.png").read_bytes()).hexdigest()
    more = [record(f"{number}.png", 0.1, sha256=of(number)) for number in range(7)]
    rows = [line(one.file, "real", "confirmed", sha256=one.sha256 or "") for one in more]
    flags = [f"--results={results(tmp_path, *more)}", f"--corrections={table(tmp_path, *rows)}", "--shots=3",
             f"--images={tmp_path}"]  # fmt: skip
    Image.new("RGB", (8, 8), (99,) * 3).save(tmp_path / "3.png")
    assert corrections.main(["corrections", *flags, f"--out={tmp_path / 'out'}"]) == 2
    assert "is another file than was judged" in capsys.readouterr().err
    (tmp_path / "3.png").unlink()
    assert corrections.main(["corrections", *flags, f"--out={tmp_path / 'out'}"]) == 2
    assert "cannot be read" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_from_a_screen_over_a_sheet_to_an_adapted_detector_and_its_scores(run, target, tmp_path, capsys):
    model, out, sheet = run / "detector", tmp_path / "r.jsonl", tmp_path / "sheet.csv"
    assert screen.main(["screen", f"--model={model}", f"--images={target}", f"--out={out}", "--crops"]) == 0
    assert corrections.main(["corrections", f"--results={out}", f"--sheet={sheet}"]) == 0
    with open(sheet, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert (tuple(rows[0]), len(rows)) == (SHEET, 54)
    pictures = {}
    for row in rows:
        kind, _, name = row["file"].partition("/")
        if kind != "more":
            row["correction"] = kind  # what the reviewer sees
            row["pair"] = f"real/{name}" if kind == "fake" else ""
            pictures[row["sha256"]] = np.asarray(Image.open(target / row["file"]))
    with open(sheet, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    made = tmp_path / "corrected"
    flags = [f"--results={out}", f"--corrections={sheet}", f"--images={target}", f"--out={made}", "--shots=3"]
    capsys.readouterr()
    assert corrections.main(["corrections", *flags]) == 0
    said = capsys.readouterr().out
    assert "24 real and 24 fake pictures" in said
    assert "--shots=3 --crops --out=NEW" in said
    _, labels, groups, *_, stems = read_target(str(made), size=16)
    assert np.bincount(labels).tolist() == [24, 24]
    assert len(set(groups)) == len(set(stems)) == 24  # pairs
    with open(made / "corrections.csv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            np.testing.assert_array_equal(np.asarray(Image.open(made / row["path"])), pictures[row["sha256"]])
            assert row["path"].split("/")[0] == row["truth"] == row["file"].split("/")[0]
    flags = [f"--run={model}", f"--target={made}", "--shots=3", "--draws=2", "--crops", "--force"]
    assert adapt.main(["adapt", *flags, f"--out={tmp_path / 'new'}"]) == 0
    report = json.loads((tmp_path / "new" / "report.json").read_text(encoding="utf-8"))
    assert (report["pairs"], report["decision"]["saved"]) == (12, "adapted")
    capsys.readouterr()
    assert predict.main(["predict", f"--model={tmp_path / 'new'}", f"--images={target / 'more'}", "--crops"]) == 0
    assert len(capsys.readouterr().out.strip().splitlines()) == 7
