"""`metaforge annotate`: pairs of all kinds in, a record for each out, the same bytes however they were made."""

import csv
import dataclasses
import errno
import functools
import json
import os
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from metaforge.captions.annotating import looking, running
from metaforge.captions.annotating.options import Config, Limits, Options, thresholds_of
from metaforge.captions.annotating.pairs import find_pairs
from metaforge.captions.records import read_records
from metaforge.cli import annotate
from metaforge.data.crop_folder import mark
from metaforge.data.embedded_faces import embedded_faces
from metaforge.data.manifest import write_manifest
from metaforge.errors import InputError

SIZE = 64


def photograph(seed=0, size=SIZE):
    """Smooth, so that a square that is pasted on it stands out, and no two are alike."""
    y, x = np.mgrid[:size, :size] / size
    phases = np.random.default_rng(seed).uniform(0, 6, (3, 2))
    waves = [np.sin(9 * x + a) + np.sin(7 * y + b) for a, b in phases]
    return np.uint8(128 + 40 * np.stack(waves, axis=-1))


def forged(image, at=20, side=16):
    fake = image.copy()
    fake[at : at + side, at : at + side] ^= 64
    return fake


def put(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def pairs_in(folder, count=4):
    for number in range(count):
        real = photograph(number)
        put(folder / "real" / f"{number}.png", real)
        put(folder / "fake" / "swap" / f"{number}.png", forged(real, at=8 + 4 * number))
    return folder


def run(folder, *flags, out=None):
    out = out or folder.parent / "out" / "a.jsonl"
    code = annotate.main(["annotate", f"--pairs={folder}", f"--out={out}", "--workers=1", "--landmarks=none", *flags])
    return code, out


def records_of(folder, *flags):
    code, out = run(folder, *flags)
    assert code == 0
    return list(read_records(out))


def files_below(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_of_pairs_becomes_records_and_masks(tmp_path, capsys):
    records = records_of(pairs_in(tmp_path / "pairs"), f"--masks={tmp_path}/out/masks", f"--soft={tmp_path}/out/soft")
    assert [record["id"] for record in records] == [f"fake/swap/{number}" for number in range(4)]
    for number, record in enumerate(records):
        assert (record["answer"], record["method"], record["real"]) == ("forged", "swap", f"real/{number}.png")
        mask = np.asarray(Image.open(tmp_path / "out" / record["mask"]))
        assert set(np.unique(mask)) == {0, 255}
        assert record["share"] == pytest.approx((mask > 0).mean(), abs=1e-6)
        at = 8 + 4 * number
        assert (mask[at + 2 : at + 14, at + 2 : at + 14] == 255).all()
        soft = np.asarray(Image.open(tmp_path / "out" / "soft" / f"{record['id']}.png"))
        assert soft[at + 8, at + 8] == 64
    assert "forged 4\n" in capsys.readouterr().out
    about = (tmp_path / "out" / "a.provenance.json").read_text()
    assert str(tmp_path) not in about
    assert json.loads(about)["command"].startswith("metaforge annotate --pairs=pairs --out=a.jsonl --masks=masks")
    assert not list((tmp_path / "out").glob("*.part"))


def test_the_bytes_are_the_same_whatever_the_workers_and_however_often(tmp_path):
    folder = pairs_in(tmp_path / "pairs", count=6)
    for name, flags in (("one", []), ("again", []), ("two", ["--workers=2"])):
        out = tmp_path / name
        assert run(folder, f"--masks={out}/masks", f"--sheet={out}/sheet.png", *flags, out=out / "a.jsonl")[0] == 0
    found = [files_below(tmp_path / name) for name in ("one", "again", "two")]
    assert len(found[0]) == 2 + 6 + 1
    assert found[0] == found[1] == found[2]


class KilledError(Exception):
    pass


def after(count, work):
    """The same work, which ends like a process that is killed after some pairs."""
    done = []

    def killed(pair, job):
        if len(done) == count:
            raise KilledError
        done.append(pair)
        return work(pair, job)

    return killed


@pytest.mark.parametrize("torn", [b"", b'{"version": 1, "id": "fa'])
def test_what_is_killed_goes_on_and_ends_with_the_same_bytes(tmp_path, torn, monkeypatch, capsys):
    folder = pairs_in(tmp_path / "pairs", count=5)
    flags = lambda name: {"out": tmp_path / name / "a.jsonl"}
    assert run(folder, f"--masks={tmp_path}/whole/masks", **flags("whole"))[0] == 0
    with monkeypatch.context() as patch:
        patch.setattr(running, "record_for", after(3, looking.record_for))
        with pytest.raises(KilledError):
            run(folder, f"--masks={tmp_path}/parts/masks", **flags("parts"))
    part = tmp_path / "parts" / "a.jsonl.part"
    assert part.read_bytes().count(b"\n") == 3
    part.write_bytes(part.read_bytes() + torn)
    seen = []
    monkeypatch.setattr(running, "record_for", lambda pair, job: seen.append(pair) or looking.record_for(pair, job))
    capsys.readouterr()
    assert run(folder, f"--masks={tmp_path}/parts/masks", **flags("parts"))[0] == 0
    said = capsys.readouterr().err
    assert ("dropped the last line" in said) == bool(torn)
    assert "Goes on after 3 of 5 pairs." in said
    assert len(seen) == 2
    assert files_below(tmp_path / "parts") == files_below(tmp_path / "whole")


def test_what_is_whole_is_not_made_again_and_nothing_is_written_over(tmp_path, capsys):
    folder = pairs_in(tmp_path / "pairs", count=2)
    _, out = run(folder)
    before = files_below(tmp_path)
    assert run(folder)[0] == 0
    assert "is whole already: 2 pairs" in capsys.readouterr().out
    for flags, said in (
        (["--limits.noise=9"], "exists already"),
        ([f"--masks={folder}"], "exists already"),
        ([f"--soft={folder}"], "exists already"),
    ):
        assert run(folder, *flags)[0] == 2
        assert said in capsys.readouterr().err
    out.write_text("mine")
    assert run(folder)[0] == 2
    assert "exists already" in capsys.readouterr().err
    assert files_below(tmp_path) == before | {"out/a.jsonl": b"mine"}


def test_the_provenance_of_records_that_have_another_name_is_kept(tmp_path, capsys):
    folder = pairs_in(tmp_path / "pairs", count=1)
    assert run(folder)[0] == 0
    before = files_below(tmp_path)
    assert run(folder, out=tmp_path / "out" / "a.json")[0] == 2
    assert "a.provenance.json' exists already" in capsys.readouterr().err
    assert files_below(tmp_path) == before


def test_what_another_process_finished_a_moment_ago_is_not_made_again(tmp_path, monkeypatch, capsys):
    folder = pairs_in(tmp_path / "pairs", count=1)
    assert run(folder)[0] == 0
    before = files_below(tmp_path)
    monkeypatch.setattr(running, "record_for", None)
    monkeypatch.setattr(running, "_refuse_another", lambda *_: None)
    known = iter([None, running._whole_already])
    monkeypatch.setattr(running, "_whole_already", lambda *both: (found := next(known)) and found(*both))
    assert run(folder)[0] == 0
    assert "is whole already" in capsys.readouterr().out
    assert files_below(tmp_path) | {"out/a.jsonl.part": b""} == before | {"out/a.jsonl.part": b""}


def test_masks_and_differences_do_not_share_a_folder(tmp_path, capsys):
    folder = pairs_in(tmp_path / "pairs", count=1)
    assert run(folder, f"--masks={tmp_path}/both", f"--soft={tmp_path}/out/../both")[0] == 2
    assert "soft: it is the folder of the masks" in capsys.readouterr().err
    assert not (tmp_path / "both").exists()


def test_a_name_of_two_lines_is_said_on_one(tmp_path, capsys):
    folder = pairs_in(tmp_path / "pairs", count=1)
    try:
        put(folder / "fake" / "a\nb.png", photograph())
    except OSError:
        pytest.skip("the file system takes no such names")
    assert run(folder)[0] == 0
    assert "missing: 1 pair; the first, fake/a\\nb: There is no real image 'real/a\\nb' of" in capsys.readouterr().err


def test_what_was_begun_otherwise_is_not_gone_on_with(tmp_path, monkeypatch, capsys):
    folder = pairs_in(tmp_path / "pairs", count=3)
    with monkeypatch.context() as patch:
        patch.setattr(running, "record_for", after(1, looking.record_for))
        with pytest.raises(KilledError):
            run(folder)
    assert run(folder, "--limits.noise=9")[0] == 2
    assert "was begun with another thresholds" in capsys.readouterr().err
    assert run(folder, f"--soft={folder}")[0] == 2  # where the forged images would be written over
    assert "was begun with another soft" in capsys.readouterr().err
    part = tmp_path / "out" / "a.jsonl.part"
    part.write_text(part.read_text().replace("swap/0.png", "swap/7.png"))
    assert run(folder)[0] == 2
    assert "is not what this command has written" in capsys.readouterr().err


def reencoded(image, path, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, **options)


# What is put at fake/b/x.*, beside four good pairs; the answer, and what the reason says.
BAD = {
    "other size": (lambda at, real: put(at / "x.png", real[:-8]), "size", "64 x 64 pixels, the forged one 64 x 56"),
    "moved": (lambda at, real: put(at / "x.png", np.roll(real, 3, axis=1)), "shifted", "3 pixels right"),
    "identical": (lambda at, real: put(at / "x.png", real), "identical", "identical"),
    "coded again": (lambda at, real: reencoded(real, at / "x.jpg", quality=92), "noise", "no more than their noise"),
    "another photograph": (lambda at, real: put(at / "x.png", _noise()), "refused", "not of one photograph"),
    "too small": (lambda at, real: put(at / "x.png", real[:9, :9]), "refused", "fewer than 16 pixels"),
    "cut off": (lambda at, real: _cut_off(at / "x.png", real), "unreadable", "The forged image: it is cut off"),
    "empty": (lambda at, real: put(at / "x.png", real) or (at / "x.png").write_bytes(b""), "unreadable", "it is empty"),
    "no image": (lambda at, real: _text(at / "x.png"), "unreadable", "not an image"),
    "no partner": (lambda at, real: put(at / "y.png", real), "missing", "'real/b/y' or 'real/y' of"),
}  # fmt: skip


def _noise():
    return np.random.default_rng(9).integers(0, 256, (SIZE, SIZE, 3), np.uint8)


def _cut_off(path, image):
    put(path, np.random.default_rng(3).integers(0, 256, image.shape, np.uint8))
    path.write_bytes(path.read_bytes()[:500])


def _text(path):
    path.parent.mkdir(parents=True)
    path.write_text("hello")


@pytest.mark.parametrize("name", BAD)
def test_one_bad_pair_is_its_own_answer_and_stops_nobody(name, tmp_path, capsys):
    make, answer, said = BAD[name]
    folder = pairs_in(tmp_path / "pairs", count=2)
    real = photograph(7)
    put(folder / "real" / "b" / "x.png", real)
    make(folder / "fake" / "b", real)
    bad, *good = records_of(folder)
    assert [record["answer"] for record in good] == ["forged"] * 2
    assert (bad["answer"], bad["mask"]) == (answer, None)
    assert said in bad["reason"]
    assert str(tmp_path) not in bad["reason"]
    told = capsys.readouterr()
    assert f"{answer} 1" in told.out
    if answer in ("refused", "unreadable", "missing"):
        assert f"{answer}: 1 pair; the first, {bad['id']}: " in told.err


def test_images_are_read_as_a_person_sees_them(tmp_path):
    real = photograph()
    fake = forged(real)
    folder = tmp_path / "pairs"
    grey, turned = (np.repeat(image.mean(axis=2).astype(np.uint8)[..., None], 3, axis=2) for image in (real, fake))
    put(folder / "real" / "grey.png", grey[..., 0])
    put(folder / "fake" / "grey.png", turned)
    put(folder / "real" / "alpha.png", np.dstack([real, np.full(real.shape[:2], 255, np.uint8)]))
    put(folder / "fake" / "alpha.png", fake)
    put(folder / "real" / "deep.png", grey[..., 0].astype(np.uint16) * 257)
    put(folder / "fake" / "deep.png", turned)
    put(folder / "real" / "größe 人.png", real)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    Image.fromarray(np.rot90(fake).copy()).save(folder / "fake" / "größe 人.png", exif=exif)
    records = records_of(folder)
    assert {record["id"]: record["answer"] for record in records} == {
        "fake/alpha": "forged", "fake/deep": "forged", "fake/grey": "forged", "fake/größe 人": "forged",
    }  # fmt: skip
    assert len({record["share"] for record in records}) <= 2
    assert "größe 人" in (tmp_path / "out" / "a.jsonl").read_text(encoding="utf-8")


UNUSABLE = {
    "nothing there": (lambda at: None, "does not exist"),
    "empty": (lambda at: at.mkdir(), "has no folder 'real'"),
    "no fake": (lambda at: put(at / "real" / "a.png", photograph()), "has no folder 'fake'"),
    "no forgery": (lambda at: put(at / "real" / "a.png", photograph()) or (at / "fake").mkdir(), "no forged image"),
    "all broken": (lambda at: _text(at / "real" / "a.png") or _text(at / "fake" / "a.png"), "none of the 1 pairs"),
    "two of one name": (
        lambda at: [put(pairs_in(at) / "fake" / f"a.{ending}", photograph()) for ending in ("png", "bmp")],
        "differ in the suffix alone",
    ),
    "a path out": (lambda at: _table(at, [("../a.png", "b.png")]), "line 2: '../a.png' is not a path below"),
    "an absolute path": (lambda at: _table(at, [("a.png", "/b.png")]), "line 2: '/b.png' is not a path below"),
    "one fake twice": (lambda at: _table(at, [("a.png", "b.png"), ("c.png", "b.png")]), "stands there twice"),
    "no column": (lambda at: _table(at, [("a", "b")], header=("real", "forged")), "has no column 'fake'"),
    "a bad landmarks file": (lambda at: (pairs_in(at) / "landmarks.npz").write_text("no"), "cannot read"),
    "landmarks of others": (
        lambda at: np.savez(pairs_in(at) / "landmarks.npz", elsewhere=np.ones((68, 2))),
        "names none of the 4 pairs; the first would be 'real__0'",
    ),
    "a closed folder": (pairs_in, "a folder cannot be read ([Errno 13] Permission denied"),
}  # fmt: skip


def _table(folder, rows, header=("real", "fake")):
    folder.mkdir(exist_ok=True)
    with open(folder / "pairs.csv", "w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header, *rows])


@pytest.mark.parametrize("name", UNUSABLE)
def test_what_cannot_be_used_at_all_is_one_line_and_nothing_is_left(name, tmp_path, monkeypatch, capsys):
    make, said = UNUSABLE[name]
    make(tmp_path / "pairs")
    if name == "a closed folder":  # to some users none is
        monkeypatch.setattr(os, "scandir", functools.partial(_scandir, os.scandir))
    code, out = run(tmp_path / "pairs", "--landmarks=" if "landmarks" in name else "--landmarks=none")
    monkeypatch.undo()
    error = capsys.readouterr().err.strip()
    assert code == 2
    assert said in error
    assert "\n" not in error.replace("\r", "\n").split("annotate: ", 1)[1]
    assert not out.parent.exists() or not any(out.parent.iterdir())


def _scandir(scandir, path):
    if os.path.basename(path) == "swap":
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    return scandir(path)


def test_what_is_written_does_not_lie_among_what_is_read(tmp_path, capsys):
    folder = pairs_in(tmp_path / "pairs")
    assert run(folder, f"--masks={folder}/fake/masks")[0] == 2
    assert "inside" in capsys.readouterr().err


def test_a_full_disk_is_one_line_and_the_next_call_goes_on(tmp_path, monkeypatch, capsys):
    folder, calls = pairs_in(tmp_path / "pairs", count=3), []

    def full(path, image):
        calls.append(path)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return looking_write(path, image)

    looking_write = looking.write_png
    monkeypatch.setattr(looking, "write_png", full)
    assert run(folder, f"--masks={tmp_path}/out/masks")[0] == 2
    assert "No space left on device" in capsys.readouterr().err
    assert run(folder, f"--masks={tmp_path}/out/masks")[0] == 0
    assert "Goes on after 1 of 3" in capsys.readouterr().err


def test_a_table_may_name_any_pairs(tmp_path):
    folder = tmp_path / "pairs"
    put(folder / "a" / "r.png", photograph())
    put(folder / "b" / "f.png", forged(photograph()))
    _table(folder, [("a/r.png", "b/f.png", "mine"), ("", "b/g.png", ""), ("a/none.png", "b/./h.png", "")],
           header=("Real", "fake", "method"))  # fmt: skip
    first, second, third = records_of(folder)
    assert (first["answer"], first["method"], first["id"]) == ("forged", "mine", "b/f")
    assert (second["answer"], second["real"], second["method"]) == ("missing", None, None)
    assert (third["answer"], third["fake"]) == ("missing", "b/h.png")
    assert find_pairs(str(folder / "pairs.csv")).pairs == find_pairs(str(folder)).pairs


def test_a_prepared_data_set_is_compared_with_its_exact_masks(tmp_path, capsys):
    folder, rows = tmp_path / "pairs", []
    real = photograph()
    exact = np.zeros((SIZE, SIZE), np.uint8)
    exact[20:36, 20:36] = 255
    for name, image in (("r", real), ("f", forged(real)), ("g", forged(real)), ("m", exact)):
        put(folder / f"{name}.png", image)
    about = lambda name, label, **more: {"path": f"{name}.png", "label": label, "video": name, **more}
    rows = [about("r", "real", pair="v#0"), about("f", "fake", pair="v#0", method="swap", mask="m.png"),
            about("g", "fake", method="swap")]  # fmt: skip
    write_manifest(folder, rows)
    first, second = records_of(folder)
    # The corners of the square go with the median and the opening: 16 x 16 less 3 at each.
    assert first["mask_iou"] == pytest.approx(1, abs=0.1)
    assert first["mask_iou"] == pytest.approx(first["share"] * SIZE**2 / 256, abs=1e-5)
    assert (second["answer"], second["reason"]) == ("missing", "The manifest names no real image that it lies on.")
    assert f"IoU with 1 exact masks: {first['mask_iou']:.3f}" in capsys.readouterr().out


def test_the_face_is_found_and_both_are_cut_out_alike(tmp_path):
    face = embedded_faces("london", size=160)[0].image
    left, top = 70, 40
    whole = np.random.default_rng(0).integers(100, 120, (300, 320, 3), np.uint8)
    whole[top : top + 160, left : left + 160] = face
    fake = whole.copy()
    fake[top + 100 : top + 130, left + 55 : left + 105] //= 2  # about the mouth
    put(tmp_path / "pairs" / "real" / "a.png", whole)
    put(tmp_path / "pairs" / "fake" / "a.png", fake)
    (record,) = records_of(tmp_path / "pairs", "--landmarks=mesh", "--size=96", f"--sheet={tmp_path}/s.png",
                           f"--masks={tmp_path}/out/masks")  # fmt: skip
    assert record["size"] == [96, 96]
    x, y, side = record["crop"]
    assert left - 20 < x < left + 40
    assert top - 20 < y < top + 60
    assert 96 < side < 200
    assert "mouth" in record["regions"]
    mask = np.asarray(Image.open(tmp_path / "out" / record["mask"]))
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    scale = side / 96
    box = [columns[0] * scale + x, rows[0] * scale + y, (columns[-1] + 1) * scale + x, (rows[-1] + 1) * scale + y]
    assert np.abs(np.array(box) - [left + 55, top + 100, left + 105, top + 130]).max() <= 2 * scale
    with Image.open(tmp_path / "s.png") as sheet:
        assert sheet.size == (4 * 192 + 330, 16 + 192)


def test_where_no_face_is_found_the_whole_images_are_compared_and_no_parts_named(tmp_path):
    real = photograph(size=96)
    put(tmp_path / "pairs" / "real" / "a.png", real)
    put(tmp_path / "pairs" / "fake" / "a.png", forged(real))
    (record,) = records_of(tmp_path / "pairs", "--landmarks=mesh")
    assert (record["answer"], record["size"], record["regions"]) == ("forged", [96, 96], [])
    assert record["reason"].startswith("No parts are named: there are no landmarks.")
    assert "crop" not in record


def test_a_name_that_is_no_text_is_kept_to_the_byte(tmp_path):
    folder, name = pairs_in(tmp_path / "pairs", count=1), os.fsdecode(b"caf\xe9.png")
    try:
        for kind in ("real", "fake/swap"):
            os.replace(folder / kind / "0.png", folder / kind / name)
    except OSError:
        pytest.skip("the file system takes no such names")
    (record,) = records_of(folder, f"--masks={tmp_path}/out/masks")
    assert os.fsencode(record["fake"]) == b"fake/swap/caf\xe9.png"
    assert (tmp_path / "out" / record["mask"]).exists()


def test_stored_landmarks_are_taken_and_crops_stay_whole(tmp_path):
    face = embedded_faces("london", size=SIZE)[0]
    folder = tmp_path / "pairs"
    put(folder / "real" / "p" / "a.png", face.image)
    fake = face.image.copy()
    fake[38:54, 24:40] ^= 64
    put(folder / "fake" / "p" / "a.png", fake)
    np.savez(folder / "landmarks.npz", p__a=face.landmarks)
    cut, whole = (_first(folder, tmp_path / f"{len(flags)}.jsonl", flags) for flags in ([], ["--crops"]))
    assert "crop" not in whole
    assert whole["size"] == [SIZE, SIZE]
    assert whole["coverage"]["mouth"] > 0
    assert cut["crop"][2] == cut["size"][0] <= SIZE


@pytest.mark.parametrize("marks", [np.full((68, 2), np.nan), np.full((68, 2), 5.0), np.zeros((0, 2)), np.zeros(())])
def test_stored_landmarks_that_are_none_are_the_answer_of_their_pair_alone(marks, tmp_path):
    folder = pairs_in(tmp_path / "pairs", count=2)
    good = np.random.default_rng(0).uniform(4, 60, (68, 2))
    np.savez(folder / "landmarks.npz", real__0=marks, real__1=good)
    first, second = records_of(folder, "--landmarks=")
    assert (first["answer"], second["answer"]) == ("refused", "forged")
    assert first["reason"].startswith("Landmarks: those of 'real/0.png' are not three or more points")


def _first(folder, out, flags):
    assert run(folder, "--landmarks=", *flags, out=out)[0] == 0
    return next(iter(read_records(out)))


@pytest.mark.parametrize(("crop", "flag", "crops"), [("", False, False), ("ffpp", False, True), ("whole", False, False),
                                                     ("whole", True, True)])  # fmt: skip
def test_folders_say_themselves_that_they_hold_crops(tmp_path, crop, flag, crops):
    folder = pairs_in(tmp_path / "pairs", count=1)
    if crop:
        mark(folder, crop=crop, size=SIZE)
    options = Options(pairs=str(folder), out="a.jsonl")
    assert running.job_of(options, Config(crops=flag), find_pairs(str(folder))).crops == crops


def test_thresholds_come_from_a_file_and_flags_are_laid_over_them(tmp_path):
    path = tmp_path / "t.json"
    path.write_text('{"noise": 9, "region": 0.5}')
    found = thresholds_of(str(path), Limits(region=0.4))
    assert (found.noise, found.region, found.least) == (9.0, 0.4, Limits().least)
    for text, said in (('{"nose": 1}', "names 'nose'"), ('{"noise": "9"}', "noise='9'"), ("[]", "no JSON object"),
                       ('{"noise": -1}', "noise is -1"), (f'{{"noise": {10**400}}}', "noise=10000000")):  # fmt: skip
        path.write_text(text)
        with pytest.raises(InputError, match=said):
            thresholds_of(str(path), Limits())


def test_a_file_of_thresholds_that_is_missing_is_no_run(tmp_path):
    with pytest.raises(InputError, match=r"^thresholds: cannot read") as error:
        thresholds_of(str(tmp_path / "missing.json"), Limits())
    assert str(error.value).endswith("Give a JSON object, name to number.")
    assert "run" not in str(error.value).replace(str(tmp_path), "")


def test_each_limit_has_a_sentence_of_its_own():
    says = [field.metadata["help"] for field in dataclasses.fields(Limits)]
    assert len(set(says)) == len(says)
    assert all(text.endswith(".") and text[0] == text[0].upper() for text in says)
    assert "2.3 is just noticeable" in says[[field.name for field in dataclasses.fields(Limits)].index("colour")]


def test_many_pairs_take_no_more_memory_than_few(tmp_path, monkeypatch):
    """All but the work on a pair: listing, resuming, counting, writing and reading."""
    record = records_of(pairs_in(tmp_path / "one", count=1))[0]
    monkeypatch.setattr(running, "record_for", functools.partial(_as_if, record))
    most = {}
    for count in (200, 1000):
        folder = tmp_path / str(count)
        _table(folder, [("r.png", f"f{number}.png") for number in range(count)])
        options = Options(pairs=str(folder), out=str(folder / "a.jsonl"), workers=1)
        tracemalloc.start()
        try:
            running.run(options, Config(landmarks="none"), quiet=True)
            most[count] = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert sum(1 for _ in read_records(folder / "a.jsonl")) == count
    # Only the names are held: some hundred bytes a pair, where a record takes thousands.
    assert (most[1000] - most[200]) / 800 < 800


def _as_if(record, pair, job):
    return record | {"id": pair.fake[:-4], "fake": pair.fake}
