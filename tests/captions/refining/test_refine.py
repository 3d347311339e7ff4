"""`metaforge refine`: from file to file, whoever refines; and that a key is nowhere."""

import base64
import json
import sys

import numpy as np
import pytest

from metaforge.captions import annotate, derivation
from metaforge.captions.records import failed_record, line_of, read_records, record_of
from metaforge.captions.refining.agreement import agreement, overlap
from metaforge.captions.refining.guard import judge
from metaforge.captions.refining.prompt import prompt_of
from metaforge.captions.refining.refined import NOT_COMPARED, refined_records
from metaforge.captions.refining.templates import template
from metaforge.cli.refine import main
from metaforge.data.embedded_faces import embedded_faces
from metaforge.errors import InputError
from metaforge.forgeries.parts import STRENGTHS, forge_part
from tests.captions.refining.loopback import GOOD, completion, records, reply, sentence, serving

KEY = "sk-proj-0123456789abcdefghij"


@pytest.fixture(autouse=True)
def _without_an_environment(monkeypatch):
    for name in ("METAFORGE_BASE_URL", "OPENAI_BASE_URL", "METAFORGE_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def write(path, rows):
    path.write_text("".join(map(line_of, rows)), encoding="utf-8")


def read(path):
    return list(read_records(path))


def good(handler, body):
    reply(handler, 200, sentence(GOOD))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    missing = failed_record("missing", "There is no real image.", fake="fake/z.png", real=None)
    first, *others = records(4)
    write(tmp_path / "a.jsonl", [missing, first, missing | {"id": "fake/y"}, *others, missing | {"id": "fake/x"}])
    return tmp_path


def refine(*words):
    return main(["refine", "--annotations=a.jsonl", *words])


def asked(server, *words):
    return refine("--refiner=endpoint", f"--base_url={server.url}", "--model=small", "--workers=1", *words)


def test_forged_faces_are_annotated_refined_and_read_again(tmp_path):
    faces = embedded_faces("london", size=96)[:8]
    rows = []
    for number, (face, change) in enumerate(zip(faces, [*STRENGTHS] * 2, strict=False)):
        part = ["mouth", "nose", "left_eye", "eyes"][number % 4]
        forged = forge_part(np.random.default_rng(number), face, part, change, donor=faces[number - 1])
        found = annotate(forged.real, forged.fake, np.asarray(face.landmarks))
        rows.append(record_of(found, fake=f"fake/{number}.png", real=f"real/{number}.png", size=(96, 96)))
        assert prompt_of(rows[-1]).annotation.sentence == rows[-1]["sentence"]
        assert len(prompt_of(rows[-1]).annotation.derivation) == len(derivation(found))
    write(tmp_path / "a.jsonl", rows)
    out, again = tmp_path / "out.jsonl", tmp_path / "again.jsonl"
    for place in (out, again):
        assert main(["refine", f"--annotations={tmp_path / 'a.jsonl'}", f"--out={place}"]) == 0
    assert out.read_bytes() == again.read_bytes()
    for raw, made in zip(rows, read(out), strict=True):
        assert {name: made[name] for name in raw} == json.loads(line_of(raw))
        assert made["refined"]["accepted"], made["refined"]
        assert made["refined"]["text"] != raw["sentence"]
        assert judge(made["refined"]["text"], raw).accepted


def test_records_keep_their_order_and_pairs_that_were_not_compared_their_place(folder, capsys):
    assert refine("--out=b.jsonl") == 0
    assert "Wrote b.jsonl: 7 records: 4 accepted, 0 rejected, 0 failed, 3 not compared." in capsys.readouterr().out
    made = read(folder / "b.jsonl")
    assert [one["id"] for one in made] == [one["id"] for one in read(folder / "a.jsonl")]
    assert [one["refined"]["why"] == NOT_COMPARED for one in made] == [True, False, True, False, False, False, True]


def test_the_summary_says_why_texts_were_rejected_and_questions_failed(folder, capsys):
    texts = ["The nose is blurred.", "The chin is blurred.", "This is authentic."]

    def behave(handler, body):
        if texts:
            reply(handler, 200, sentence(texts.pop()))
        else:
            reply(handler, 200, completion("nonsense"))

    with serving(behave) as server:
        assert asked(server, "--out=b.jsonl", "--report=r.json", "--price_in=1000", "--price_out=2000") == 0
    said = capsys.readouterr()
    line = next(line for line in said.out.splitlines() if line.startswith("Wrote "))
    assert line == (
        "Wrote b.jsonl: 7 records: 0 accepted, 3 rejected (mostly: names '...', which the annotation does not), "
        '1 failed (mostly such as: the answer has not the form that was asked for, {"sentence": "..."}, but is '
        "'nonsense'), 3 not compared."
    )
    assert "asking small 4 questions (no image is sent): about " in said.err
    assert ": 400 asked and 80 answered, 0.56 at the given prices" in said.out
    report = json.loads((folder / "r.json").read_text())
    assert report["agreement"]["all texts"]["regions"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0}
    assert report["agreement"]["accepted texts"]["texts"] == 0
    assert report["command"].startswith("metaforge refine --annotations=a.jsonl --out=b.jsonl --refiner=endpoint")
    assert {"commit", "date"} <= set(report["provenance"])


def test_a_mask_is_found_from_wherever_the_refined_records_are(tmp_path, monkeypatch):
    """Its path is relative to the file that it stands in."""
    monkeypatch.chdir(tmp_path)
    first, second, third = records(3)
    apart = str(tmp_path / "elsewhere.png")
    (tmp_path / "raw").mkdir()
    write(tmp_path / "raw" / "a.jsonl", [first | {"mask": "masks/ö/0.png"}, second, third | {"mask": apart}])
    for out, mask in (("raw/b.jsonl", "masks/ö/0.png"), ("b.jsonl", "raw/masks/ö/0.png"),
                      ("new/deep/b.jsonl", "../../raw/masks/ö/0.png")):  # fmt: skip
        assert main(["refine", "--annotations=raw/a.jsonl", f"--out={out}"]) == 0
        assert [one["mask"] for one in read(tmp_path / out)] == [mask, None, apart]


def test_recorded_answers_give_the_same_file_without_an_endpoint(folder):
    with serving(good) as server:
        assert asked(server, "--out=b.jsonl") == 0
    assert refine("--refiner=replay", "--answers=b.answers.jsonl", "--out=c.jsonl") == 0
    texts = [[one["refined"]["text"] for one in read(folder / name)] for name in ("b.jsonl", "c.jsonl")]
    assert texts[0] == texts[1]
    assert texts[0].count(GOOD) == 4


def test_what_an_interrupted_call_has_is_not_asked_again(folder, capsys):
    with serving(good) as server:
        assert asked(server, "--out=b.jsonl") == 0
        (folder / "b.jsonl").unlink()  # as an interruption leaves it
        lines = (folder / "b.answers.jsonl").read_text().splitlines(keepends=True)
        (folder / "b.answers.jsonl").write_text("".join(lines[:2]) + lines[2][:20])
        capsys.readouterr()
        assert asked(server, "--out=b.jsonl") == 0
    assert server.numbers() == [0, 1, 2, 3, 2, 3]
    assert "asking small 2 questions" in capsys.readouterr().err


@pytest.mark.parametrize("way", ["METAFORGE_API_KEY", "OPENAI_API_KEY", "file"])
def test_the_key_is_nowhere_though_the_endpoint_repeats_it(way, folder, capsys, monkeypatch, tmp_path_factory):
    coded = base64.b64encode(KEY.encode()).decode()
    said = [
        lambda handler: reply(handler, 400, json.dumps({"error": {"message": f"Incorrect key {KEY}."}}).encode()),
        lambda handler: reply(handler, 200, sentence(f"The mouth is blurred, {KEY}.")),
        lambda handler: reply(
            handler, 200, sentence(f"The mouth is blurred {base64.b64encode(KEY.encode()).decode()}")
        ),
        lambda handler: reply(handler, 401, json.dumps({"error": f"{KEY[:15]} {KEY[3:]}"}).encode(), [("X-Key", KEY)]),
    ]
    number = iter(range(4))
    words = []
    if way == "file":
        place = tmp_path_factory.mktemp("keys") / "key"
        place.write_text(f"{KEY}\n")
        words = [f"--key_file={place}"]
    else:
        monkeypatch.setenv(way, KEY)
    with serving(lambda handler, _: said[next(number)](handler)) as server:
        assert asked(server, "--out=b.jsonl", "--report=r.json", *words) == 0
    assert [headers["Authorization"] for headers in server.headers] == [f"Bearer {KEY}"] * 4
    printed = capsys.readouterr()
    texts = [printed.out, printed.err, *(path.read_text() for path in folder.rglob("*") if path.is_file())]
    assert len(texts) == 6
    for text in texts:
        for secret in (KEY, KEY[:12], KEY[-12:], coded[:16]):
            assert secret not in text
    failures = [one["refined"]["why"] for one in read(folder / "b.jsonl") if one["refined"]["why"] != NOT_COMPARED]
    assert failures[0] == "status 400: Incorrect key [key]."
    assert failures[1] == failures[2] == "the answer has the key in it"


def test_a_key_is_no_flag_and_is_not_repeated(folder, capsys):
    assert refine("--out=b.jsonl", f"--key={KEY}") == 2
    assert KEY not in capsys.readouterr().err
    (folder / "key").write_text(f"{KEY} and more")
    assert refine("--out=b.jsonl", "--refiner=endpoint", "--model=a", "--base_url=http://[::1]/", "--key_file=key") == 2
    error = capsys.readouterr().err
    assert "key_file: 'key' is no key" in error
    assert KEY not in error


def test_images_are_sent_if_asked_for_and_none_from_outside_of_the_folder(folder):
    from PIL import Image

    for name in ("pairs/real", "pairs/fake"):
        (folder / name).mkdir(parents=True)
        for number in range(4):
            Image.new("RGB", (8, 6), (number, 0, 0)).save(folder / name / f"{number}.png")
    Image.new("RGB", (8, 6)).save(folder / "secret.png")
    rows = [one | {"crop": [1, 1, 4]} for one in records(4)]
    rows[2]["fake"] = "../secret.png"
    write(folder / "a.jsonl", rows)
    with serving(good) as server:
        assert asked(server, "--out=b.jsonl", "--send_images", "--pairs=pairs") == 0
    assert server.numbers() == [0, 1, 3]
    url = server.bodies[1]["messages"][1]["content"][2]["image_url"]["url"]
    (folder / "sent.png").write_bytes(base64.b64decode(url.removeprefix("data:image/png;base64,")))
    sent = Image.open(folder / "sent.png")
    assert (sent.size, sent.getpixel((0, 0))) == ((4, 4), (1, 0, 0))
    why = [one["refined"]["why"] for one in read(folder / "b.jsonl")]
    assert "outside of the folder" in why[2]
    assert why[0] == why[1] == why[3] == ""


def test_the_path_of_an_image_may_be_any_text(folder):
    (folder / "pairs").mkdir()
    write(folder / "a.jsonl", [records(1)[0] | {"fake": "a\0.png", "real": "a\0.png"}])
    with serving(good) as server:
        assert asked(server, "--out=b.jsonl", "--send_images", "--pairs=pairs") == 0
    assert "zero byte" in read(folder / "b.jsonl")[0]["refined"]["why"]
    assert not server.bodies


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out=a.jsonl"], "'a.jsonl' exists already"),
        (["--out=b.jsonl", "--report=a.jsonl"], "'a.jsonl' exists already"),
        (["--out=b.jsonl", "--report=b.jsonl"], "the same file"),
        (["--out=b.jsonl", "--model=x"], "model: it is for --refiner=endpoint"),
        (["--out=b.jsonl", "--answers=x"], "the template records none"),
        (["--out=b.jsonl", "--overlap"], "it goes into a report"),
        (["--out=b.jsonl", "--refiner=replay"], "name the file of the recorded answers"),
        (["--out=b.jsonl", "--refiner=replay", "--answers=none"], "'none' cannot be read"),
        (["--out=b.jsonl", "--refiner=replay", "--answers=a.jsonl"], "the same file"),
        (["--out=b.jsonl", "--refiner=endpoint"], "name the endpoint"),
        (["--out=b.jsonl", "--refiner=endpoint", "--base_url=http://[::1]/"], "model: name one"),
        (["--out=b.jsonl", "--refiner=endpoint", "--send_images"], "the folder of the images is needed"),
        (["--out=b.jsonl", "--refiner=endpoint", "--send_images", "--pairs=none"], "'none' is no folder"),
        (["--out=b.jsonl", "--refiner=endpoint", "--report=b.answers.jsonl"], "the same file"),
        (["--out=b.jsonl", "--refiner=endpoint", "--body=[1]"], "it is no JSON object"),
        (["--out=b.jsonl", "--refiner=endpoint", "--model=x", "--base_url=http://[::1]/", '--body={"top_p": NaN}'],
         "it is no JSON object"),
        (["--out=b.jsonl", "--refiner=endpoint", "--model=x", "--base_url=http://[::1]/", '--body={"n": 2}'],
         "'n' is set by the command"),
        (["--out=b.jsonl", "--annotations=none.jsonl"], "'none.jsonl' cannot be read"),
        (["--out=b.jsonl", "--annotations=empty.jsonl"], "has no record"),
        (["--out=b.jsonl", "--annotations=torn.jsonl"], "line 2"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_one_line_and_nothing_is_written(words, said, folder, capsys):
    (folder / "empty.jsonl").touch()
    (folder / "torn.jsonl").write_text(line_of(records(1)[0]) + '{"version"')
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert refine(*words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    after = {path: path.read_bytes() for path in folder.iterdir() if path.suffixes != [".answers", ".jsonl"]}
    assert after == before


def test_texts_and_annotations_agree_as_counted_by_hand():
    both = {"regions": ["mouth", "nose"], "types": ["blur"]}
    texts = ["The mouth and the chin are blurred.", "The nose, not the eyes, has a seam.", "A face with ears."]
    found = agreement((text, both) for text in texts)
    # Named: mouth and chin, nose, nothing; of 6 that are in the annotations. Types: blur, boundary, nothing, of 3.
    assert found.regions[:2] == (2 / 3, 2 / 6)
    assert found.types[:2] == (1 / 2, 1 / 3)


def test_word_overlap_is_that_of_its_definition():
    pytest.importorskip("sacrebleu", reason="the extra `text` is not installed")
    pytest.importorskip("rouge_score", reason="the extra `text` is not installed")
    same = overlap(["the mouth is blurred a lot"], ["the mouth is blurred a lot"])
    assert (same.bleu, same.rouge_l) == (pytest.approx(100), 1)
    # Longest common subsequence: "the mouth"; of 2 words and of 4.
    assert overlap(["the mouth"], ["the mouth is blurred"]).rouge_l == pytest.approx(2 * 1 * 0.5 / 1.5)
    with pytest.raises(InputError, match="1 texts and 2 references"):
        overlap(["a"], ["a", "b"])


def test_word_overlap_says_which_extra_it_needs(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics", None)
    monkeypatch.setitem(sys.modules, "rouge_score.rouge_scorer", None)
    assert refine("--out=b.jsonl", "--report=r.json", "--overlap") == 2
    assert "Install the extra `text`." in capsys.readouterr().err
    assert not (folder / "b.jsonl").exists()


def test_a_refiner_of_ones_own_may_be_any_function():
    from metaforge.captions.refining import Answer, Refiner

    def shout(prompts):
        for prompt in prompts:
            yield Answer(prompt.id, prompt.annotation.sentence.upper(), "", {}, "shout")

    (made, _), *_ = refined_records(records(1), Refiner("shout", shout))
    assert made["refined"]["accepted"] is False  # it says "number 0", which the annotation does not
    assert made["refined"]["rejected"] == made["sentence"].upper()


def test_records_are_read_as_they_are_asked_for():
    taken = []

    def endless():
        number = 0
        while True:
            taken.append(number)
            yield records(1)[0] | {"id": str(number)}
            number += 1

    stream = refined_records(endless(), template())
    assert [next(stream)[0]["id"] for _ in range(3)] == ["0", "1", "2"]
    assert len(taken) <= 4
