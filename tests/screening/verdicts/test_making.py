"""Verdicts on files and on bytes: the scores are those of predict, and no file stops the others."""

import datetime
import hashlib
import itertools
import subprocess

import numpy as np
import pytest
from PIL import Image

from metaforge.data.following import face_tracks
from metaforge.errors import InputError
from metaforge.evaluation.calibration import Bands, Calibration, Judge, Spread
from metaforge.screening import save_detector
from metaforge.screening.predicting import screen
from metaforge.screening.verdicts import FaceVerdict, FileVerdict, screener
from metaforge.screening.verdicts.identity import model_sha256
from metaforge.screening.verdicts.making import suspicion
from metaforge.screening.verdicts.record import Provenance
from tests.data.clips import face_clip
from tests.screening.test_raw_pictures import detector, photographs  # noqa: F401 - a fixture

BANDS = Bands(0.4, 0.6, {"allowed": {"fpr": 0.05, "fnr": 0.1}, "groups": {"one": {}, "two": {}}})


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "small"
    made = detector()
    judge = Judge(Calibration(), BANDS, None)
    save_detector(folder, made._replace(about=made.about | {"calibration": judge.as_json()}))
    return folder


def test_verdicts_are_those_of_predict_with_what_makes_them_checkable(model, photographs):  # noqa: F811
    made = screener(str(model))._replace(now=lambda: datetime.datetime(2026, 1, 2, 3, 4, 5, 6, datetime.UTC))
    files = sorted(photographs.iterdir())
    found = list(made.verdicts(files, root=photographs))
    assert [each.file for each in found] == [file.name for file in files]
    for each, file in zip(found, files, strict=True):
        assert each.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
        assert each.bytes == file.stat().st_size
        assert (each.time, each.kind, each.model) == ("2026-01-02T03:04:05Z", "image", found[0].model)
        assert FileVerdict.from_json(each.as_json()) == each
    rows = [row for row in screen(made.detector, photographs, crop="ffpp") if row.verdict]
    faces = [(each.file, face) for each in found for face in each.faces]
    for row, (name, face) in zip(rows, faces, strict=True):
        assert (name, face.number, face.decision) == (row.file, row.face, row.verdict.decision)
        assert face.p_fake == pytest.approx(row.p_fake, abs=1e-6)
        np.testing.assert_allclose(face.box, row.box, atol=0.051)
        assert ", ".join(face.quality) == row.note
    assert found[0].size == (512, 512)
    assert [each.quality for each in found] == [(), ("several faces",), ("no face",), (), (), ()]
    nobody, unread = found[2], found[5]
    assert (nobody.p_fake, nobody.decision, nobody.reason, nobody.error) == (
        None, "cannot tell", "no face was found", None)  # fmt: skip
    assert (unread.error.code, unread.size, unread.faces) == ("unreadable", None, ())
    assert unread.reason == unread.error.message
    assert "not an image" in unread.reason
    assert found[0].model.fitted_on == found[0].thresholds.fitted_on == "one, two"
    assert (found[0].thresholds.fpr, found[0].thresholds.fnr, found[0].thresholds.fake_above) == (0.05, 0.1, 0.6)
    assert "one, two" in found[0].limits


def test_bytes_are_judged_as_their_file_is(model, photographs):  # noqa: F811
    made = screener(str(model))._replace(now=lambda: datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC))
    files = [photographs / name for name in ("2.png", "3.png", "6.jpg")]
    for file, listed in zip(files, made.verdicts(files, root=photographs), strict=True):
        alone = made.verdict(file.read_bytes(), name=file.name)
        rounded = lambda each: [face._replace(p_fake=round(face.p_fake, 4)) for face in each.faces]
        assert rounded(alone) == rounded(listed)
        assert alone._replace(faces=(), p_fake=None) == listed._replace(faces=(), p_fake=None)


def test_names_that_are_too_long_and_none_at_all_stop_nothing(model, tmp_path):
    (found,) = screener(str(model)).verdicts([tmp_path / ("a" * 5000 + ".png")], root=tmp_path)
    assert (found.error.code, found.sha256) == ("missing", None)
    film = b"\0\0\0\x18ftypisom" + bytes(40)
    assert screener(str(model)).verdict(film, name="").kind == "video"


def test_a_band_holds_the_probability_as_it_is_written(model, photographs):  # noqa: F811
    made = screener(str(model))
    judge = made.detector.judge._replace(spread=Spread((0.0, 1.0), (0.0, 1.0), 0.95, 3))
    about = made.detector.about | {"calibration": judge.as_json()}
    found = made._replace(detector=made.detector._replace(about=about)).verdict((photographs / "2.png").read_bytes())
    for face in found.faces:
        assert face.band[0] <= face.p_fake <= face.band[1]
        assert 0 < face.band[1] - face.band[0] < 1.001e-4
    assert found.faces


def test_the_file_goes_by_its_most_suspicious_face():
    face = lambda decision, p: FaceVerdict(1, None, (), p, None, None, decision, "")
    order = [face("real", None), face("real", 0.9), face("cannot tell", 0.2), face("cannot tell", 0.99),
             face("fake", 0.7), face("fake", 0.8)]  # fmt: skip
    assert all(suspicion(one) < suspicion(other) for one, other in itertools.pairwise(order))


def test_a_video_is_judged_from_the_disk_and_from_bytes(model, tmp_path):
    file = tmp_path / "a.mp4"
    face_clip(file, frames=3, size=64)
    made = screener(str(model))._replace(now=lambda: datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC))
    (found,) = made.verdicts([file], root=tmp_path)
    track = face_tracks(file, size=16)[0]
    assert (found.kind, found.size, found.sha256) == ("video", None, hashlib.sha256(file.read_bytes()).hexdigest())
    assert found.faces[0].frames == tuple(track.frames.tolist())
    assert found.faces[0].quality == ()
    assert made.verdict(file.read_bytes(), name="a.mp4") == found
    assert made.verdict(file.read_bytes(), name="upload") == found._replace(file="upload")
    assert made.verdict(b"nothing", name="b.mp4").error.code == "unreadable"


def test_no_file_stops_the_others(model, tmp_path, monkeypatch):
    good, closed, folder = tmp_path / "good.png", tmp_path / "broken.png", tmp_path / "folder.png"
    Image.new("RGB", (16, 16)).save(good)
    Image.new("RGB", (17, 16)).save(closed)
    folder.mkdir()
    from metaforge.screening import looking

    def breaks(picture, size):
        if picture.shape[1] == 17:
            raise MemoryError("no room\nat all")
        return picture

    monkeypatch.setattr(looking, "square", breaks)
    made = screener(str(model), crops=True)
    found = list(made.verdicts([tmp_path / "nowhere.png", closed, folder, good], root=tmp_path / "else"))
    assert [each.error and each.error.code for each in found] == ["missing", "failed", "unreadable", None]
    assert found[1].error.message == "a fault of this program: MemoryError: no room at all"
    assert found[1].sha256 == hashlib.sha256(closed.read_bytes()).hexdigest()
    assert found[3].faces[0].box is None
    assert found[3].file == good.as_posix()  # it is not below the root
    assert found[0].file == (tmp_path / "nowhere.png").as_posix()


def test_a_video_that_is_written_to_meanwhile_is_not_judged(model, tmp_path, monkeypatch):
    file = tmp_path / "a.mp4"
    face_clip(file, frames=2, size=64)
    from metaforge.screening.verdicts import reading

    def writes(path, **how):
        with path.open("ab") as stream:
            stream.write(b"more")
        return look(path, **how)

    look = reading.look
    monkeypatch.setattr(reading, "look", writes)
    (found,) = screener(str(model)).verdicts([file], root=tmp_path)
    assert (found.error.code, found.sha256, found.faces) == ("changed", None, ())


def test_files_without_a_face_do_not_wait_for_one(model, tmp_path):
    made, asked = screener(str(model), crops=True), []

    def files():
        for number in range(3 * made.detector.batch):
            asked.append(number)
            yield tmp_path / f"{number}.png"

    next(made.verdicts(files(), root=tmp_path, workers=1))
    assert len(asked) <= 2 * made.detector.batch + 2


def test_the_sum_of_a_detector_is_that_of_its_list(model):
    listed = subprocess.check_output("LC_ALL=C sort -k2 SHA256SUMS | sha256sum", shell=True, cwd=model, text=True)
    assert model_sha256(model) == listed.split()[0]
    assert screener(str(model)).model[:2] == ("small", model_sha256(model))
    alone = model / "config.json"
    assert model_sha256(alone) == hashlib.sha256(alone.read_bytes()).hexdigest()


def test_a_detector_that_is_not_calibrated_says_so(tmp_path):
    save_detector(tmp_path / "plain", detector())
    found = screener(str(tmp_path / "plain"), crops=True).verdict(b"no image", name="a.png")
    assert found.thresholds == (0.5, 0.5, None, None, "")
    assert "not calibrated" in found.limits


def test_a_model_that_is_none_is_refused():
    with pytest.raises(InputError, match=r"model: no config\.json"):
        screener("nowhere")


def test_what_a_file_says_of_its_origin_changes_no_decision(model, tmp_path, monkeypatch):
    from metaforge.screening.verdicts import reading

    said = Provenance("valid", "trainedAlgorithmicMedia", "somebody", "")
    plain = screener(str(model), crops=True)
    image = Image.new("RGB", (16, 16))
    image.save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    before = plain.verdict(data, name="a.png")
    asked = []
    monkeypatch.setattr(reading, "read_provenance", lambda asset, *, trust: asked.append((asset, trust)) or said)
    after = plain._replace(trust="a list").verdict(data, name="a.png")
    assert asked == [(data, "a list")]
    assert after._replace(time="", provenance=before.provenance) == before._replace(time="")
    assert after.provenance == said
    (missing,) = plain.verdicts([tmp_path / "nowhere.png"], root=tmp_path)
    assert missing.provenance.state == "not available"


def test_a_trust_list_that_is_none_is_refused_before_the_work(model):
    with pytest.raises(InputError, match=r"trust: 'nowhere\.pem'"):
        screener(str(model), trust="nowhere.pem")


def test_what_is_over_compressed_is_not_called_real(tmp_path):
    made = detector()
    for name, logit, expected in (("low", -9.0, "cannot tell"), ("high", 9.0, "fake")):
        head = {"kernel": made.params["head"]["kernel"] * 0, "bias": np.array([0.0, logit], np.float32)}
        judge = Judge(Calibration(), BANDS, None).as_json()
        about = made.about | {"calibration": judge}
        save_detector(tmp_path / name, made._replace(params={**made.params, "head": head}, about=about))
        image = Image.effect_noise((64, 64), 60).convert("RGB")
        for quality in (20, 90):
            image.save(tmp_path / f"{quality}.jpg", quality=quality)
        strong, weak = (
            screener(str(tmp_path / name), crops=True).verdict((tmp_path / f"{each}.jpg").read_bytes(), name="a.jpg")
            for each in (20, 90)
        )
        assert (strong.quality, strong.decision) == (("over-compressed",), expected)
        assert (weak.quality, weak.decision) == ((), "real" if logit < 0 else "fake")
        assert strong.p_fake == pytest.approx(weak.p_fake)
    assert "over-compressed" not in strong.reason  # it is called fake for its score


def test_thresholds_of_no_named_collection_are_still_a_calibration(tmp_path):
    made, judge = detector(), Judge(Calibration(), Bands(0.4, 0.6, {}), None)
    save_detector(tmp_path / "own", made._replace(about=made.about | {"calibration": judge.as_json()}))
    limits = screener(str(tmp_path / "own"), crops=True).limits
    assert limits.startswith("No proof: the numbers were fitted on images of which it is not said where")
