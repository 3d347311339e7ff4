"""The record of a file: what is written is read again, and nothing else is."""

import json
from typing import get_args

import pytest

from metaforge.errors import InputError
from metaforge.evaluation.calibration.bands import Decision
from metaforge.screening.verdicts.record import (
    Evidence,
    FaceVerdict,
    Failure,
    FileVerdict,
    Kind,
    Model,
    Provenance,
    State,
    Tag,
    Thresholds,
    schema,
)

SEEN = Evidence("noise", 2.5, 0.7, 0.64, "derived", "The noise of the face is not that of its surround.")
FACE = FaceVerdict(1, (1.0, 2.0, 30.5, 40.0), (0, 5), 0.9, (0.8, 0.95), 0.4, "fake", "above", ("blurred",), (SEEN,))
FILE = FileVerdict(
    "a/ü.png", "00" * 32, 7, "image", (48, 64), "2026-01-02T03:04:05Z", Model("detector", "11" * 32, "a, b"), 0.9,
    "fake", "above", (FACE, FACE._replace(box=None, band=None, p_fake=None)), ("several faces",),
    Provenance("valid", "digitalCapture", "somebody", ""), Thresholds(0.3, 0.7, 0.05, None, "a, b"), "No proof.",
)  # fmt: skip
UNREAD = FILE._replace(file="n\udce9", sha256=None, bytes=None, size=None, p_fake=None, faces=(), quality=(),
                       error=Failure("missing", "there is no such file."))  # fmt: skip


@pytest.mark.parametrize("verdict", [FILE, UNREAD])
def test_what_is_written_is_read_again(verdict):
    line = json.dumps(verdict.as_json())
    assert FileVerdict.from_json(json.loads(line)) == verdict
    assert "\n" not in line
    assert json.loads(line)["version"] == 1


def test_a_record_may_say_more():
    found = FILE.as_json() | {"later": 1}
    found["model"] = found["model"] | {"later": 1}
    assert FileVerdict.from_json(found) == FILE


@pytest.mark.parametrize(("change", "said"), [
    ({"version": 2}, "version is 2, not 1"),
    ({"p_fake": 1.5}, "p_fake is 1.5, more than 1"),
    ({"decision": "maybe"}, "decision is 'maybe'"),
    ({"faces": [{}]}, "faces[0].number is missing"),
    ({"error": {"code": "odd", "message": "x"}}, "error.code is 'odd'"),
    ({"size": [1]}, "size has 1 entries"),
])  # fmt: skip
def test_anything_else_is_refused_in_one_line(change, said):
    with pytest.raises(InputError) as caught:
        FileVerdict.from_json(FILE.as_json() | change)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("found", [None, [], "text", {}, {"version": 1}])
def test_what_is_no_record_is_refused(found):
    with pytest.raises(InputError, match="verdict: "):
        FileVerdict.from_json(found)


def test_every_field_and_every_word_has_its_place_in_the_schema():
    top = schema()["properties"]
    assert set(top) == {"version", *FileVerdict._fields} == set(schema()["required"])
    inner = {"faces": FaceVerdict, "model": Model, "provenance": Provenance, "thresholds": Thresholds, "error": Failure}
    for name, kind in inner.items():
        form = top[name].get("items", top[name])
        assert set(form["properties"]) == set(form["required"]) == set(kind._fields), name
    face = top["faces"]["items"]["properties"]
    assert set(face["evidence"]["items"]["required"]) == set(Evidence._fields)
    assert top["decision"]["enum"] == face["decision"]["enum"] == list(get_args(Decision))
    assert top["kind"]["enum"] == list(get_args(Kind))
    assert face["evidence"]["items"]["properties"]["tag"]["enum"] == list(get_args(Tag))
    assert top["provenance"]["properties"]["state"]["enum"] == list(get_args(State))
    assert top["error"]["properties"]["code"]["enum"] == list(get_args(Failure.__annotations__["code"]))
