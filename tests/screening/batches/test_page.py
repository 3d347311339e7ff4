"""The summary page and the table for triage: what they count, in which order, and that names do no harm in them."""

import csv
import hashlib
import html.parser
import json

import numpy as np
import pytest
from PIL import Image

from metaforge.screening.batches import page, spilling, summary, thumbnails, triage
from metaforge.screening.batches.results import line_of
from tests.screening.batches.stub import record

RECORDS = [
    record("a.jpg", 0.95),
    record("b.jpg", 0.5),
    record("c.jpg", 0.1),
    record("<script>alert(1)</script>.jpg", 0.99),
    record("none.jpg", None),
    record("=1+1.jpg", error=("unreadable", "it is empty. Copy it again.")),
    record("film.mp4", 0.72, kind="video"),
    record("gone.jpg", error=("missing", "there is no such file.")),
    record("lost.jpg", error=("missing", "there is none of this name.")),
    record("edge.jpg", 1.0),
]
ORDER = ["edge.jpg", "<script>alert(1)</script>.jpg", "a.jpg", "film.mp4", "b.jpg", "none.jpg", "=1+1.jpg", "gone.jpg",
         "lost.jpg", "c.jpg"]  # fmt: skip

EMPTY = ("meta", "img", "br", "line", "rect", "link", "input")


class Tree(html.parser.HTMLParser):
    """Holds that each element is closed in its turn, and keeps what was opened with its attributes."""

    def __init__(self, text):
        super().__init__()
        self.open, self.found, self.words = [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


def shown(records=RECORDS, *, worst=4, picture=lambda record: "data:image/jpeg;base64,AAAA"):
    found = summary.summarise([json.loads(line_of(each)) for each in records], worst=worst)
    text = page.page_of(found, picture=picture, called="r.jsonl")
    return found, text, Tree(text)


def test_a_summary_counts_each_file_once():
    found, _, _ = shown()
    assert found.files == 10
    assert found.kinds == {"image": 9, "video": 1}
    assert found.decisions == {"fake": 4, "cannot tell": 2, "real": 1, "error": 3}
    assert sum(found.bins) == 6
    assert {place: count for place, count in enumerate(found.bins) if count} == {2: 1, 10: 1, 14: 1, 19: 3}
    assert found.quality == {"blurred": 6, "no face": 1}
    assert found.errors["missing"] == (2, "gone.jpg", "there is no such file.")
    assert [each["file"] for each in found.worst] == ORDER[:4]


def test_the_page_stands_alone_and_harms_nobody():
    _, text, tree = shown()
    assert "http://" not in text.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert "https://" not in text
    assert not tree.all("script") + tree.all("link") + tree.all("iframe")
    assert all(each["src"].startswith("data:") for each in tree.all("img"))
    assert not [name for _, attributes in tree.found for name in attributes if name.startswith("on")]
    assert "<script>alert(1)</script>.jpg" in "".join(tree.words)  # as words


def test_the_page_can_be_read_aloud():
    _, _, tree = shown()
    assert tree.all("html") == [{"lang": "en"}]
    tags = [tag for tag, _ in tree.found]
    assert tags.count("main") == tags.count("h1") == tags.count("title") == 1
    assert tags.count("h2") == 6
    assert tags.count("table") == tags.count("caption") == tags.count("thead") == 5
    assert {each["scope"] for each in tree.all("th")} == {"col", "row"}
    assert [each["alt"] for each in tree.all("img")] == [f"face 1 of {name}" for name in ORDER[:4]]
    (drawing,) = tree.all("svg")
    assert drawing["role"] == "img"
    assert "of 6 files; the highest bar has 3" in drawing["aria-label"]
    # A decision is a word wherever it is a colour.
    words = "".join(tree.words)
    for name in ("fake", "cannot tell", "real", "not judged"):
        assert name in words


def test_numbers_stand_on_the_page_as_words():
    _, _, tree = shown()
    words = " ".join("".join(tree.words).split())
    for said in ("Screening of 10 files", "9 images and 1 video", "40.0 %", "0.300, fake above 0.700", "0.10 to 0.90",
                 "Names say nothing of files.", "5 % of the reals may be called fake", "ab" * 32,
                 "2026-01-02 03:04:05", "there is no such file."):  # fmt: skip
        assert said in words


def test_a_page_without_pictures_counts_all_the_same():
    found, text, _ = shown(worst=0)
    assert (found.files, found.worst) == (len(RECORDS), [])
    assert f"Screening of {len(RECORDS)} files" in text


def test_flags_of_a_file_stand_beside_those_of_its_face():
    _, text, _ = shown([record("a.jpg", 0.9, quality=("re-compressed",))])
    assert "<td>re-compressed, blurred</td>" in text


@pytest.mark.parametrize("records", [[], [record("a", error=("missing", "gone"))], [record("a", None)]])
def test_a_page_of_nothing_says_so(records):
    found, _, tree = shown(records)
    assert found.worst == []
    assert "No file shows a face." in "".join(tree.words)
    assert "No file has a score." in "".join(tree.words)


def test_a_face_is_cut_out_with_what_is_around_it(tmp_path):
    picture = np.zeros((200, 300, 3), np.uint8)
    picture[60:100, 100:140] = (255, 0, 0)
    Image.fromarray(picture).save(tmp_path / "a.png")
    around = thumbnails.cut(picture, [100.0, 60.0, 140.0, 100.0])
    assert around.shape == (80, 80, 3)  # half of 40 on each side
    assert (around[20:60, 20:60] == (255, 0, 0)).all()
    assert thumbnails.cut(picture, [-50.0, -50.0, 0.0, 0.0]).size
    judged = hashlib.sha256((tmp_path / "a.png").read_bytes()).hexdigest()
    found = json.loads(line_of(record("a.png", 0.9, sha256=judged)))
    assert thumbnails.thumbnail(found, str(tmp_path)).startswith("data:image/jpeg;base64,")
    assert thumbnails.thumbnail(found | {"sha256": "0" * 64}, str(tmp_path)) == ""  # it was replaced since
    assert thumbnails.thumbnail(found, str(tmp_path / "moved")) == ""
    _, _, tree = shown(picture=lambda record: "")
    assert "no picture: the file is not there as it was judged" in "".join(tree.words)


@pytest.mark.parametrize("run", [50_000, 3])
def test_the_table_has_the_most_suspicious_first_and_no_formula(tmp_path, monkeypatch, run):
    monkeypatch.setattr(spilling.sorted_on_disk, "__kwdefaults__", {"run": run})
    (tmp_path / "r.jsonl").write_text("".join(map(line_of, RECORDS)), encoding="ascii")
    triage.write_triage(tmp_path / "r.jsonl", str(tmp_path / "t.csv"))
    triage.refuse_other(str(tmp_path / "t.csv"))
    with open(tmp_path / "t.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"].removeprefix("'") for row in rows] == ORDER
    assert rows[6]["file"] == "'=1+1.jpg"
    assert [rows[0][name] for name in ("decision", "p_fake", "band")] == ["fake", "1.000000", "0.1000 to 0.9000"]
    assert [rows[7][name] for name in ("decision", "p_fake", "reason")] == ["not judged", "", "there is no such file."]
    for mark in "=+-@＝":
        assert triage.harmless(f"{mark}x") == f"'{mark}x"
    assert triage.harmless("a=b") == "a=b"
