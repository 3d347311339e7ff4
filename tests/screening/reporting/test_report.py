"""A report of one file: it says what the record says, needs nothing else, and stands hostile files, too."""

import html.parser
import json
import re

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from metaforge.cli import report as command
from metaforge.evaluation.calibration import Bands, Calibration, Judge
from metaforge.screening import save_detector
from metaforge.screening.evidence.heat import occlusion_map
from metaforge.screening.reporting.looking import shown_of
from metaforge.screening.reporting.page import page_of
from metaforge.screening.reporting.pictures import Pictures, heat_picture
from metaforge.screening.verdicts import FileVerdict, screener
from metaforge.screening.verdicts.record import Evidence
from tests.data.clips import face_clip
from tests.screening.test_raw_pictures import detector

NASTY = "<script>alert(1)</script> & 'a'.png".replace("/", "")


class Read(html.parser.HTMLParser):
    """The tags, the addresses and the words of a page."""

    def __init__(self):
        super().__init__()
        self.tags, self.addresses, self.words, self.alts = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        named = dict(attrs)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]
        self.alts += [named.get("alt")] if tag == "img" else []

    def handle_data(self, data):
        self.words.append(data)


def read(text):
    page = Read()
    page.feed(text)
    return page, " ".join(" ".join(page.words).split())


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "small"
    made = detector()
    bands = Bands(0.4, 0.6, {"allowed": {"fpr": 0.05, "fnr": 0.1}, "groups": {"one": {}, "two": {}}})
    save_detector(
        folder, made._replace(about=made.about | {"calibration": Judge(Calibration(), bands, None).as_json()})
    )
    return folder


def call(model, file, out, *flags):
    return command.main(["report", f"--model={model}", f"--image={file}", f"--out={out}", *flags])


def test_a_report_says_what_the_record_says_and_stands_alone(model, tmp_path, capsys):
    file = tmp_path / NASTY
    Image.fromarray(astronaut()).save(file)
    assert call(model, file, tmp_path / "report.html") == 0
    assert "Wrote" in capsys.readouterr().out
    kept = json.loads((tmp_path / "report.json").read_text())
    record = FileVerdict.from_json(kept)
    text = (tmp_path / "report.html").read_text()
    page, words = read(text)
    assert "script" not in page.tags
    assert not {"link", "iframe", "object", "form"} & {*page.tags}
    assert all(address.startswith("data:image/jpeg;base64,") for address in page.addresses)
    assert not re.findall(r"url\(|@import", text)
    assert all(page.alts)
    (face,) = record.faces
    for said in (NASTY, record.sha256, record.model.sha256, face.reason, f"{face.p_fake:.3f}", record.limits, "C2PA",
                 "one, two", "5 % of the reals", face.decision):  # fmt: skip
        assert said in words, said
    # The map is that of the crop that was scored.
    made = screener(str(model))
    shown = shown_of(made, file, file.read_bytes(), record, crop="ffpp")
    wanted = occlusion_map(
        lambda crops: made.detector.examine(crops, batch=made.detector.batch)[0], shown.faces[1].crop
    )
    np.testing.assert_allclose(kept["maps"][0]["falls"], wanted, atol=1e-3)


def test_evidence_is_told_with_its_worth_and_its_kind(model, tmp_path):
    file = tmp_path / "a.png"
    Image.fromarray(astronaut()).save(file)
    made = screener(str(model))
    found = Evidence("noise", 1.5, 0.61, 0.66, "derived", "noise is <b>1.5</b> times as strong")
    (record,) = made._replace(measure=lambda picture, face: (found,)).verdicts([file], root=tmp_path)
    shown = shown_of(made, file, file.read_bytes(), record, crop="ffpp")
    _, words = read(page_of(record, shown, tried=True))
    for said in ("noise is <b>1.5</b> times as strong", "0.61", "0.66", "derived: computed from the pixels"):
        assert said in words
    _, without = read(page_of(record._replace(faces=(record.faces[0]._replace(evidence=()),)), shown, tried=False))
    assert "Evidence" not in without


def test_two_faces_are_told_apart_and_a_crop_has_no_box(model, tmp_path):
    two = Image.new("RGB", (700, 512), (60, 90, 120))
    two.paste(Image.fromarray(astronaut()))
    two.paste(Image.fromarray(astronaut()).resize((250, 250)), (440, 200))
    two.save(tmp_path / "two.png")
    assert call(model, tmp_path / "two.png", tmp_path / "two.html", "--evidence=false") == 0
    _, words = read((tmp_path / "two.html").read_text())
    assert "Face 1:" in words
    assert "Face 2:" in words
    assert [each["face"] for each in json.loads((tmp_path / "two.json").read_text())["maps"]] == [1, 2]
    Image.fromarray(astronaut()[:200, 130:330]).save(tmp_path / "crop.png")
    assert call(model, tmp_path / "crop.png", tmp_path / "crop.html", "--crops", "--evidence=false") == 0
    _, words = read((tmp_path / "crop.html").read_text())
    assert "The face:" in words


def test_a_video_has_a_report_of_one_frame(model, tmp_path):
    face_clip(tmp_path / "a.mp4", frames=4)
    assert call(model, tmp_path / "a.mp4", tmp_path / "a.html", "--frames=2") == 0
    _, words = read((tmp_path / "a.html").read_text())
    assert "of the video" in words
    assert "measured in pictures alone" in words


def test_a_file_that_cannot_be_read_has_a_report_that_says_why(model, tmp_path, capsys):
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    assert call(model, tmp_path / "broken.jpg", tmp_path / "broken.html") == command.UNJUDGED
    _, words = read((tmp_path / "broken.html").read_text())
    assert "Not judged" in words
    assert "not an image" in words
    assert "not judged" in capsys.readouterr().out


def test_nothing_is_overwritten_and_what_cannot_work_is_said_before(model, tmp_path, capsys):
    (tmp_path / "used.json").write_text("{}")
    for out, said in (("used.html", "used.json"), ("a.txt", "no .html")):
        assert call("nowhere", tmp_path / "a.png", tmp_path / out) == 2
        assert said in capsys.readouterr().err
    assert call(model, tmp_path, tmp_path / "a.html") == 2
    assert "is a folder" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["used.json"]


def test_a_map_is_red_where_covering_lowers_the_score_and_blue_where_it_raises_it():
    import base64
    import io

    heat = np.zeros((8, 8))
    heat[1:3, 1:3], heat[5:7, 5:7] = 1.0, -1.0
    shown = heat_picture(Pictures(np.full((32, 32, 3), 128, np.uint8), heat))
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(shown.split(",")[1]))), int)
    red, blue, grey = pixels[56, 56], pixels[168, 168], pixels[56, 168]
    assert red[0] > red[2] + 40
    assert blue[2] > blue[0] + 40
    assert np.ptp(grey) < 12
