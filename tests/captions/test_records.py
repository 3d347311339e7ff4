"""Records of pairs: their form, and that files of them are read with care and as a stream."""

import json
import tracemalloc
from typing import get_args

import numpy as np
import pytest

from metaforge.captions import Thresholds, annotate
from metaforge.captions.annotation import Annotation, Answer
from metaforge.captions.lines import drop_torn
from metaforge.captions.records import (
    NO_ANNOTATION,
    failed_record,
    line_of,
    read_records,
    record_of,
    schema,
    validate,
)
from metaforge.captions.schema import validator
from metaforge.errors import InputError


def forged(**changes):
    real = np.full((48, 48, 3), 90, np.uint8)
    fake = real.copy()
    fake[20:30, 20:30] += 40
    record = record_of(annotate(real, fake), fake="fake/swap/a.png", real="real/a.png", method="swap", size=(48, 48))
    return record | changes


def written(path, records):
    path.write_text("".join(map(line_of, records)), encoding="utf-8")
    return path


def test_a_record_says_what_the_annotation_does():
    record = forged()
    validate(record)
    assert record["share"] == pytest.approx(96 / 48**2, abs=1e-6)
    assert record["sentence"].startswith("Forged: a part of the image, 4.2 % of the image; ")
    rows = {row["name"]: row for row in record["derivation"] if row["step"] == "mask"}
    assert rows["share"]["value"] == record["share"]
    assert (rows["difference"]["unit"], rows["difference"]["threshold"]) == ("grey levels", record["noise"])
    assert rows["difference"]["value"] == 40.0
    assert set(record) >= set(schema()["required"])


def test_every_answer_and_every_field_of_an_annotation_has_its_place():
    assert {*get_args(Answer), *NO_ANNOTATION} == set(schema()["properties"]["answer"]["enum"])
    # The maps stay out of the record, and thresholds and the excess stand in the derivation.
    assert set(Annotation._fields) - {"soft", "thresholds", "excess"} <= set(schema()["properties"])


def cue(name, threshold):
    return {"step": "cue", "name": name, "value": 1.0, "unit": "", "threshold": threshold, "said": False}


def test_what_was_written_is_read_again(tmp_path):
    rows = [forged(), failed_record("missing", "No.", fake="fake/ü.png", real=None), forged(id="n\udce9")]
    assert list(read_records(written(tmp_path / "a.jsonl", rows))) == rows
    assert "ü" in (tmp_path / "a.jsonl").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"version": 2}, "version is 2, not 1"),
        ({"answer": "fake"}, "answer is 'fake', none of forged, noise"),
        ({"size": [48]}, "size has 1 entries, not 2"),
        ({"size": [48, 0]}, r"size\[1\] is 0, less than 1"),
        ({"size": [48, True]}, r"size\[1\] is True, not integer"),
        ({"coverage": {"nose": 1.5}}, "coverage.nose is 1.5, more than 1"),
        ({"noise": float("nan")}, "noise is not a finite number"),
        ({"regions": "nose"}, "regions is 'nose', not array"),
        ({"id": ""}, "id is empty"),
        ({"derivation": [{}]}, r"derivation\[0\].step is missing"),
        ({"refined": {"text": "A face."}}, "refined.refiner is missing"),
        ({"answer": "unreadable"}, "no words"),
        ({"mask": "a.png", "share": None}, "mask is there and share is not"),
        ({"real": None}, "answer is 'forged', and there is no real image"),
        ({"shift": [10**400, 0]}, r"shift\[0\] is not a finite number"),
        ({"regions": ["nose", "horns"]}, "regions has 'horns', none of "),
        ({"types": ["magic"]}, "types has 'magic', none of colour, "),
        ({"cues": {"magic": 1.0}}, "cues has 'magic', none of colour, "),
        ({"derivation": [cue("magic", 1.0)]}, r"derivation\[0\].name is 'magic', none of colour, "),
        ({"derivation": [cue("blur", None)]}, r"derivation\[0\].threshold is None, not above 0"),
    ],
)
def test_a_record_of_another_form_is_refused(changes, said):
    with pytest.raises(InputError, match=said):
        validate(forged(**changes))


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (b'{"version": 1, "id"', "line 3: it is no JSON; it was cut off"),
        (b"never\n", "line 3: it is no JSON. "),
        (b"[" * 100_000 + b"\n", "line 3: it is no JSON. "),
        (b"[]\n", r"line 3: it is \[\], not object"),
        (b"\xff\n", "not text in UTF-8"),
        (b'{"more": NaN}\n', "line 3: it is no JSON. "),
        (b'{"more": [1e999]}\n', "line 3: it is no JSON. "),
    ],
)
def test_a_line_that_is_no_record_is_named(tmp_path, bad, said):
    path = written(tmp_path / "a.jsonl", [forged()])
    path.write_bytes(path.read_bytes() + b"\n" + bad)
    with pytest.raises(InputError, match=said) as error:
        list(read_records(path))
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        list(read_records(tmp_path / "none.jsonl"))


@pytest.mark.parametrize("torn", [b"", b"{", b"x" * 200_000])
@pytest.mark.parametrize("lines", [b"", b"{}\n", b"{}\n" * 50_000])
def test_what_a_kill_left_of_a_line_is_dropped_and_nothing_else(tmp_path, lines, torn):
    path = tmp_path / "a.jsonl"
    path.write_bytes(lines + torn)
    assert bool(drop_torn(path)) == bool(torn)
    assert path.read_bytes() == lines


def test_a_schema_with_words_that_are_not_known_is_no_schema():
    with pytest.raises(AssertionError, match="oneOf"):
        validator({"oneOf": []})


def test_numbers_are_rounded_and_no_more():
    nothing = Annotation("forged", "", (0, 0), np.eye(3) > 0, None, 1 / 3, {"nose": 2 / 3}, (), {}, (), Thresholds())
    record = record_of(nothing, fake="a.png", real="b.png", size=(3, 3))
    assert (record["share"], record["noise"], record["coverage"]) == (0.333333, 0.333333, {"nose": 0.666667})


def test_memory_does_not_grow_with_the_file(tmp_path):
    line = line_of(forged())
    path = tmp_path / "many.jsonl"
    path.write_text(line * 5000, encoding="utf-8")
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_records(path)) == 5000
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 300_000 < path.stat().st_size
    assert json.loads(line) == forged()
