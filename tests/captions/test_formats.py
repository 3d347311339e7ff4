"""Captions in the forms of others: what is written is read again, and what a form cannot hold is known."""

import csv
import io
import json
import tracemalloc

import numpy as np
import pytest

from metaforge.captions import Thresholds
from metaforge.captions.annotation import Annotation
from metaforge.captions.formats import FORMATS, Captioned, captioned, read_captions, streams
from metaforge.captions.formats.captioned import MADE_OF, PARTS, REAL_SENTENCE, TEXTS
from metaforge.captions.formats.streams import entries
from metaforge.captions.records import failed_record, line_of, record_of
from metaforge.cli import captions as command
from metaforge.errors import InputError
from metaforge.face_regions import REGIONS


def record(number=0, **changes):
    cover = {"nose": 0.5, "mouth": 0.0, "eyes": 0.1, "brows": 0.3, "skin": 0.25}
    found = Annotation("forged", "", (0, 0), np.eye(8) > 0, None, 3.0, cover, ("nose",), {"colour": 5.0}, ("colour",),
                       Thresholds())  # fmt: skip
    made = record_of(found, fake=f"fake/größe/{number}.png", real=f"real/{number // 2}.png", size=(8, 8),
                     mask=f"masks/{number}.png")  # fmt: skip
    # Regions have rows only if they were measured; this one's threshold is the usual one.
    return made | changes


def test_records_become_images_with_texts():
    first, second, third = captioned([record(0), record(1)])
    assert (first.image, first.text) == ("real/0.png", REAL_SENTENCE)
    assert (second.image, second.text, second.mask) == (
        "fake/größe/0.png", "Forged: the nose, 12.5 % of the image; the colour differs.", "masks/0.png",
    )  # fmt: skip
    assert third.image == "fake/größe/1.png"  # its real image was there before
    assert second.parts["nose"] == "The nose is forged, 50 % by area."
    assert second.parts["eyebrows"] == "The eyebrows are forged, 30 % by area."
    # A quarter does not exceed a quarter.
    assert {second.parts[name] for name in ("skin", "eyes", "mouth")} == {
        f"No forgery found at the {name}." for name in ("skin", "eyes", "mouth")
    }


MESH = {name: 0.0 for name in (*REGIONS, "eyes", "brows", "cheeks", "jaw", "face", "skin")}
FINE = {f"No forgery found at the {name}." for name in PARTS}


@pytest.mark.parametrize(
    ("regions", "shares", "said"),
    [
        # The pair as a whole is below the threshold, and above it.
        (["left_eye"], {"left_eye": 0.4, "eyes": 0.2}, {"eyes": "The left eye is forged, 20 % of the eyes by area."}),
        (["right_eye"], {"right_eye": 0.9, "eyes": 0.45},
         {"eyes": "The right eye is forged, 45 % of the eyes by area."}),
        (["left_eye", "right_eye"], {"left_eye": 0.9, "right_eye": 0.7, "eyes": 0.8},
         {"eyes": "The eyes are forged, 80 % by area."}),
        (["left_brow"], {"left_brow": 0.4, "brows": 0.2},
         {"eyebrows": "The left brow is forged, 20 % of the eyebrows by area."}),
        # A cheek is of the skin, and not all of it.
        (["left_cheek"], {"left_cheek": 0.9, "cheeks": 0.45, "skin": 0.1},
         {"skin": "The left cheek is forged, 10 % of the skin by area."}),
        (["left_cheek", "right_cheek", "chin"], {"left_cheek": 1.0, "right_cheek": 1.0, "chin": 1.0, "skin": 0.5},
         {"skin": "The cheeks and the chin are forged, 50 % of the skin by area."}),
        ([*REGIONS], dict.fromkeys(MESH, 1.0),
         {"skin": "The skin is forged, 100 % by area.", "eyebrows": "The eyebrows are forged, 100 % by area.",
          "eyes": "The eyes are forged, 100 % by area.", "nose": "The nose is forged, 100 % by area.",
          "mouth": "The mouth is forged, 100 % by area."}),
        ([], {"skin": 0.1}, {}),
    ],
)  # fmt: skip
def test_an_answer_on_a_part_says_what_the_sentence_says_of_a_piece_of_it(regions, shares, said):
    found = Annotation("forged", "", (0, 0), np.eye(8) > 0, None, 3.0, MESH | shares, tuple(regions), {"colour": 5.0},
                       ("colour",), Thresholds())  # fmt: skip
    (made,) = captioned([record_of(found, fake="fake/a.png", real="real/a.png", size=(8, 8))], reals=False)
    assert {name: text for name, text in made.parts.items() if text not in FINE} == said
    assert set(made.parts) == set(PARTS)


def test_every_region_that_can_be_forged_is_asked_about_once():
    assert sorted(piece for pieces in MADE_OF.values() for piece in pieces) == sorted(REGIONS)


def test_the_text_may_be_the_refined_one_or_the_words_alone():
    good = {"text": "A refined nose.", "refiner": "template", "accepted": True, "why": ""}
    rows = [record(0, refined=good), record(1, refined=good | {"accepted": False})]
    texts = {name: [each.text for each in captioned(rows, text=name, reals=False)] for name in TEXTS}
    assert texts["refined"] == ["A refined nose.", rows[1]["sentence"]]
    assert texts["caption"] == ["the nose; the colour differs"] * 2
    assert texts["sentence"] == [row["sentence"] for row in rows]
    assert all(each.image.startswith("fake") for each in captioned(rows, text="caption"))


def test_pairs_that_were_not_compared_have_no_text():
    rows = [failed_record("missing", "No.", fake="a.png", real=None), record(answer="shifted"), record(answer="size")]
    assert list(captioned(rows)) == []


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_written_is_read_again_but_for_what_the_form_lacks(name, tmp_path):
    rows = [*captioned([record(0), record(1)]), Captioned("b_1", "b_1.png", 'She said "a,\tb"; 50 %.')]
    path = tmp_path / "a"
    with open(path, "w", encoding="utf-8", newline="") as file:
        FORMATS[name].write(iter(rows), file)
    again = list(read_captions(path, format=name))
    assert len(again) == len(rows)
    for each, one in zip(rows, again, strict=True):
        assert [getattr(one, field) for field in FORMATS[name].holds] == [
            getattr(each, field) for field in FORMATS[name].holds
        ]
        for field in FORMATS[name].lacks:  # what takes its place is the name of the image, or nothing
            assert getattr(one, field) in ("", None, {}, each.id)


def written(name):
    stream = io.StringIO()
    FORMATS[name].write(captioned([record(0)], reals=False), stream)
    return stream.getvalue()


def test_the_shapes_are_those_that_others_read():
    parts = len(PARTS)
    (entry,) = json.loads(written("llava"))
    assert set(entry) == {"id", "image", "conversations"}
    assert [turn["from"] for turn in entry["conversations"]] == ["human", "gpt"] * (1 + parts)
    assert [turn["value"].startswith("<image>\n") for turn in entry["conversations"]] == [True] + [False] * (
        1 + 2 * parts
    )
    ((key, questions),) = json.loads(written("dd_vqa")).items()
    assert key == "fake/größe/0"
    assert list(questions) == [str(number) for number in range(1 + parts)]
    assert all(set(each) == {"question", "answer"} and len(each["answer"]) == 1 for each in questions.values())
    asked = [each["question"] for each in questions.values()]
    assert all(part in question for part, question in zip(["image", *PARTS], asked, strict=True))
    lines = [json.loads(line) for line in written("m2f2_det").splitlines()]
    assert lines == [{f"{key}_{number}": each} for number, each in questions.items()]
    (entry,) = json.loads(written("fakeshield"))
    assert set(entry) == {"image", "query", "outputs", "mask"}
    assert list(csv.reader(io.StringIO(written("clip")), delimiter="\t")) == [
        ["filepath", "title"], ["fake/größe/0.png", record(0)["sentence"]],
    ]  # fmt: skip


def test_files_of_others_are_read_in_their_spelling(tmp_path):
    path = tmp_path / "a"
    asked = {"0": {"question": "Does this picture, as an image, look fake around the nose?", "answer": ["Yes.", "So."]},
             "1": {"question": "Do the person's EYES look odd?", "answer": ["No."]}}  # fmt: skip
    path.write_text(json.dumps({"0_1_2": asked}, indent=4))
    (found,) = read_captions(path, format="dd_vqa")
    assert found == Captioned("0_1_2", "", "Yes.\nSo.", None, {"eyes": "No."})
    path.write_text('{"0_1_2": {"0": {"question": "Is the nose odd?", "answer": "Yes."}}}')
    assert next(read_captions(path, format="dd_vqa")).parts == {"nose": "Yes."}
    path.write_text('title,filepath,more\n"a, b",x/y.jpg,1\n')
    assert list(read_captions(path, format="clip")) == [Captioned("x/y", "x/y.jpg", "a, b")]
    turns = [{"from": "human", "value": "What is it?\n<image>"}, {"from": "gpt", "value": "A face."}]
    other = [{"id": 7, "conversations": []}, {"id": 8, "image": "a.png", "conversations": turns}]
    path.write_text(json.dumps(other))
    assert list(read_captions(path, format="llava")) == [Captioned("8", "a.png", "A face.")]


NO_PATH = '[{"id": "a", "image": 5, "conversations": []}]'
ONE_TURN = '[{"id": "a", "image": "b", "conversations": [{"from": "human", "value": "a"}]}]'
BROKEN = {
    "llava": ['{"a": 1}', "[", '[{"id": 1}', '[{"id": "a", "image": "b"}]', ONE_TURN, "[1]", '["a"]', NO_PATH, "",
              "[1 2]", "[] []"],
    "dd_vqa": ["[]", '{"a": 1}', '{"a": {"0": {"question": "b"}}}', '{"a" {}}', '{1: {}}', '{"a": {}'],
    "m2f2_det": ["{}", '{"a": 1, "b": 2}', "[1]", '{"a_0": {"question": 1}}', '{"a_0"'],
    "fakeshield": ['[{"image": "a"}]', '[{"image": 1, "outputs": "b"}]', '[{"image": "a", "outputs": "b", "mask": 1}]',
                   "{}"],
    "clip": ["", "a\tb\n", "filepath\ttitle\na.png\n", 'filepath\ttitle\na.png\t"b\n', "filepath,title,title\na,b,c\n"],
}  # fmt: skip


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in BROKEN.items() for text in texts])
def test_a_file_of_another_shape_is_one_line(name, text, tmp_path):
    path = tmp_path / "a"
    path.write_text(text)
    with pytest.raises(InputError, match="captions: '") as error:
        list(read_captions(path, format=name))
    assert "\n" not in str(error.value)


def test_what_cannot_be_read_at_all_is_one_line(tmp_path):
    (tmp_path / "a").write_bytes(b"\xff\xff")
    for path, name, said in ((tmp_path / "a", "llava", "not text"), (tmp_path / "b", "llava", "cannot be read"),
                             (tmp_path / "a", "coco", "unknown 'coco'")):  # fmt: skip
        with pytest.raises(InputError, match=said):
            list(read_captions(path, format=name))


def test_a_path_that_a_csv_file_cannot_hold_is_said(tmp_path, capsys):
    path, out = tmp_path / "a.jsonl", tmp_path / "a.csv"
    path.write_text(line_of(record(fake="caf\udce9.png")), encoding="utf-8")
    assert run(f"--annotations={path}", "--format=clip", f"--out={out}") == 2
    assert "'caf\\udce9.png' is no text in UTF-8" in capsys.readouterr().err
    assert not out.exists()
    assert run(f"--annotations={path}", "--format=llava", f"--out={out}") == 0


class Slow(io.StringIO):
    """A file that gives a letter at a time, so that every value is cut somewhere."""

    def read(self, _size=-1):
        return super().read(1)


@pytest.mark.parametrize(
    "value", [[], {}, [1, 23], ["a]", "\\u00e9", 'q"'], [{"a": [1, {"b": None}]}], {"a": 12, "b": "c"}]
)
def test_json_is_read_entry_by_entry_wherever_it_is_cut(value):
    for text in (json.dumps(value), json.dumps(value, indent=3) + "\n"):
        found = list(entries(Slow(text), of=type(value)))
        assert found == (list(value.items()) if isinstance(value, dict) else value)


@pytest.mark.parametrize("name", FORMATS)
def test_memory_does_not_grow_with_the_captions(name, tmp_path, monkeypatch):
    """From records to a form and back, as a stream."""
    monkeypatch.setattr(streams, "_CHUNK", 1 << 12)
    row, most = record(0), {}
    for count in (100, 600):
        path = tmp_path / str(count)
        tracemalloc.start()
        try:
            with open(path, "w", encoding="utf-8") as file:
                FORMATS[name].write(captioned(row | {"id": f"{n}"} for n in range(count)), file)
            assert sum(1 for _ in read_captions(path, format=name)) == count + 1
            most[count] = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert most[600] - most[100] < 200_000  # what is said of 500 images would take twice as much


def run(*flags):
    return command.main(["captions", *flags])


def test_no_form_without_a_name_is_listed(capsys):
    assert run("--help") == 0
    assert "One of: llava, clip," in capsys.readouterr().out
    assert run("--annotations=a", "--format=coco") == 2
    assert "one of <llava|clip" in capsys.readouterr().err


def test_the_command_checks_and_writes(tmp_path, capsys):
    path, out = tmp_path / "a.jsonl", tmp_path / "a.json"
    missing = failed_record("missing", "No.", fake="c.png", real=None)
    path.write_text("".join(map(line_of, [record(0), record(2), missing])), encoding="utf-8")
    assert run(f"--annotations={path}") == 0
    assert "3 records of the form that is documented (forged 2, missing 1)." in capsys.readouterr().out
    assert run(f"--annotations={path}", "--format=llava", f"--out={out}") == 0
    said = capsys.readouterr().out
    assert "llava has no place for: mask." in said
    assert "4 images of 3 pairs" in said
    assert len(json.loads(out.read_text(encoding="utf-8"))) == 4
    before = out.read_bytes()
    for flags, said in (
        ((f"--out={out}", "--format=clip"), "exists already"),
        (("--format=clip",), "--format and --out belong together"),
    ):
        assert run(f"--annotations={path}", *flags) == 2
        assert said in capsys.readouterr().err
    assert out.read_bytes() == before
    path.write_text("nonsense\n")
    assert run(f"--annotations={path}", "--format=clip", f"--out={tmp_path}/b.csv") == 2
    assert "line 1: it is no JSON" in capsys.readouterr().err
    assert not (tmp_path / "b.csv").exists()
