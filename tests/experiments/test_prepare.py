"""From a data set as it is handed out to face crops: whole, resumable, aligned, and clear about what is wrong."""

import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("av")

from metaforge import workers
from metaforge.cli import prepare
from metaforge.data import preparing, units
from metaforge.data.catalogues import CATALOGUES
from metaforge.data.domains import by_method, split, spread_frames
from metaforge.data.manifest import read_manifest
from metaforge.data.video import even_frames
from metaforge.errors import InputError
from tests.data.catalogues import trees
from tests.data.clips import LFW, face_clip, write_video

METHODS = ("Deepfakes", "FaceSwap")
PAIRS = {"train": [["000", "001"], ["002", "003"]], "val": [["004", "005"]], "test": [["006", "007"]]}


def altered(frame):
    """What these forgeries do to a face: they take its colours away."""
    return np.repeat(frame.mean(axis=-1, keepdims=True).astype(np.uint8), 3, axis=-1)


def draw_tree(root, *, frames=8, crf=23):
    """FaceForensics++ as it is handed out, in small: real H.264, a moving face, fakes of the same scene."""
    root.mkdir(parents=True)
    for name, pairs in PAIRS.items():
        (root / f"{name}.json").write_text(json.dumps(pairs))
    clip = lambda path, number, **options: face_clip(
        root / path, seed=number, identity=1 + number % len(LFW), frames=frames, crf=crf, **options
    )
    for pairs in PAIRS.values():
        for one, other in pairs:
            for target, source in ((one, other), (other, one)):
                clip(f"original_sequences/youtube/c23/videos/{target}.mp4", int(target))
                for method in METHODS:
                    clip(f"manipulated_sequences/{method}/c23/videos/{target}_{source}.mp4", int(target), fake=altered)
    return root


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return draw_tree(tmp_path_factory.mktemp("tree") / "ff")


def run(tree, out, **config):
    options = preparing.Options(dataset="faceforensics", source=str(tree), out=str(out), workers=1)
    settings = {"frames": 3, "size": 48, "methods": ",".join(METHODS), **config}
    return preparing.run(options, preparing.Config(**settings), quiet=True)


@pytest.fixture(scope="module")
def prepared(tree, tmp_path_factory):
    out = tmp_path_factory.mktemp("prepared") / "faceforensics_c23"
    return out, run(tree, out)


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_splits_methods_and_frames_are_those_of_the_lists(prepared):
    out, report = prepared
    table = split(read_manifest(out, size=48))
    for part, videos in (("train", 4), ("validation", 2), ("test", 2)):
        assert set(report["counts"][part]) == {"real", *METHODS}
        assert all(count["videos"] == videos for count in report["counts"][part].values())
    assert sorted(set(table.train.frame.tolist())) == even_frames(8, 3).tolist() == [0, 3, 7]
    assert set(table.train.domain.tolist()) == {"real", *METHODS}


def test_a_fake_and_its_real_frame_lie_on_each_other(prepared):
    out, _ = prepared
    records = read_manifest(out, size=48)
    (fake,) = records.rows(method="Deepfakes", video="faceforensics/Deepfakes/000_001", frame=3)
    (real,) = records.rows(pair=records.pair[fake], label=0)
    assert records.video[real] == "faceforensics/real/000"
    images = np.asarray(records.image[[fake, real]]).astype(float)
    # The forgery takes colour away and leaves brightness: in grey the two crops differ by compression alone, as they
    # would not if one were shifted against the other.
    grey = images.mean(axis=-1)
    shifted = np.abs(grey[0] - np.roll(grey[1], 2, axis=1)).mean()
    assert np.abs(grey[0] - grey[1]).mean() < 0.5 * shifted
    colour = np.ptp(images, axis=-1)[:, 12:36, 12:36].mean(axis=(1, 2))
    assert colour[0] < 0.5 * colour[1]


def test_an_interruption_changes_nothing(tree, prepared, tmp_path, monkeypatch):
    whole = contents(prepared[0])
    calls, extract = iter(range(100)), preparing.extract

    def interrupted(*args, **options):
        if next(calls) in (1, 2, 5):
            raise KeyboardInterrupt
        return extract(*args, **options)

    monkeypatch.setattr(preparing, "extract", interrupted)
    out = tmp_path / "faceforensics_c23"
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            run(tree, out)
        assert not (out / "manifest.csv").exists()
    run(tree, out)
    assert contents(out) == whole
    # Done is done: called again, no video is opened.
    monkeypatch.setattr(preparing, "extract", None)
    run(tree, out)
    assert contents(out) == whole


def test_two_workers_write_the_bytes_of_one(tree, prepared, tmp_path):
    out = tmp_path / "faceforensics_c23"
    options = preparing.Options(dataset="faceforensics", source=str(tree), out=str(out), workers=2)
    report = preparing.run(options, preparing.Config(frames=3, size=48, methods=",".join(METHODS)), quiet=True)
    assert contents(out) == contents(prepared[0])
    assert report["faces"] == {"videos followed": 8, "gaps": 0, "videos with gaps": 0, "videos with other people": 0}


def test_killed_at_any_moment_it_ends_as_if_it_had_not_been(tree, tmp_path):
    flags = ["--dataset=faceforensics", f"--source={tree}", "--frames=3", "--size=48", "--workers=1",
             "--crop=whole", f"--methods={','.join(METHODS)}"]  # fmt: skip
    start = lambda out: subprocess.Popen(
        [sys.executable, "-m", "metaforge.cli", "prepare", f"--out={out}", *flags], start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    once = start(tmp_path / "once")
    assert once.wait(timeout=120) == 0
    out = tmp_path / "killed"
    for done in (1, 5):
        process = start(out)
        while process.poll() is None and len(list((out / units.FOLDER).glob("*.json"))) < done:
            os.sched_yield()
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert start(out).wait(timeout=120) == 0
    assert contents(out) == contents(tmp_path / "once")


def test_a_piece_of_a_file_that_a_kill_left_goes_with_the_next_call(tree, tmp_path):
    out = tmp_path / "out"
    run(tree, out)
    before = contents(out)
    for place in (out, out / units.FOLDER):
        (place / ".0a1b2c3d.tmp-17").write_text("{")
    (out / "manifest.csv").unlink()  # so that it is not whole
    run(tree, out)
    assert contents(out) == before


def test_fewer_frames_are_spread_where_the_incumbent_takes_the_first(prepared):
    records = read_manifest(prepared[0], size=48)
    frames = np.array(sorted(set(records.frame.tolist())))
    ours = sorted(set(spread_frames(records, 2).frame.tolist()))
    # Its rule: step = total // frame_num, with total overwritten by frame_num, so a step of 1.
    incumbent = frames[: 2 * 1 : 1].tolist()
    assert ours == [0, 7]
    assert incumbent == [0, 3]


def test_bad_videos_are_dropped_with_a_reason_and_cost_nothing_else(tmp_path):
    root = draw_tree(tmp_path / "ff")
    videos = root / "manipulated_sequences" / "Deepfakes" / "c23" / "videos"
    whole = (videos / "000_001.mp4").read_bytes()
    (videos / "000_001.mp4").write_bytes(whole[: len(whole) // 2])
    (videos / "002_003.mp4").write_bytes(b"")
    (videos / "003_002.mp4").write_bytes(b"not a video at all" * 50)
    faceless = lambda frame: np.full_like(frame, 90)
    path = root / "original_sequences" / "youtube" / "c23" / "videos" / "001.mp4"
    write_video(path, [faceless(np.zeros((96, 96, 3), np.uint8))] * 8)
    out = tmp_path / "out"
    report = run(root, out)
    assert report["counts"]["train"]["FaceSwap"]["videos"] == 3  # 001_000 has no face to be cut by
    with open(out / "dropped.csv") as stream:
        dropped = {(row["video"], row["frame"]): row["reason"] for row in csv.DictReader(stream)}
    assert dropped["faceforensics/real/001", "0"] == "no face"
    assert ("faceforensics/Deepfakes/000_001", "-1") in dropped
    assert ("faceforensics/Deepfakes/003_002", "-1") in dropped
    assert all("\n" not in reason for reason in dropped.values())
    assert report["findings"]["empty"] == 1
    left = read_manifest(out, size=48)
    assert not left.rows(video="faceforensics/Deepfakes/000_001").size
    assert left.rows(video="faceforensics/FaceSwap/000_001").size == 3


def test_a_check_names_what_does_not_open_and_writes_nothing(tree, tmp_path, capsys):
    root = draw_tree(tmp_path / "ff", frames=2)
    bad = root / "manipulated_sequences" / "FaceSwap" / "c23" / "videos" / "006_007.mp4"
    bad.write_bytes(b"garbage" * 100)
    before = contents(root)
    code = prepare.main(["prepare", "--dataset=faceforensics", f"--source={root}", "--check"])
    said = capsys.readouterr().out
    assert code == 0
    assert "unreadable: manipulated_sequences/FaceSwap/c23/videos/006_007.mp4" in said
    assert "nothing was written" in said
    assert contents(root) == before


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--dataset=faceforensics"], "--source is missing"),
        (["--dataset=faceforensics", "--source=SOURCE"], "--out is missing"),
        (["--dataset=nothing", "--source=SOURCE"], "should be one of"),
        (["--dataset=faceforensics", "--source=nowhere", "--out=OUT"], "nowhere"),
        (["--dataset=faceforensics", "--source=SOURCE", "--out=OUT", "--methods=Nonsense"], "'Nonsense'"),
        (["--dataset=faceforensics", "--source=SOURCE", "--out=OUT", "--frames=0"], "at least 1"),
        (["--dataset=faceforensics", "--source=SOURCE", "--out=SOURCE"], "exists already"),
    ],
)
def test_bad_flags_are_one_line_and_leave_nothing(tree, tmp_path, capsys, flags, message):
    flags = [flag.replace("SOURCE", str(tree)).replace("OUT", str(tmp_path / "out")) for flag in flags]
    assert prepare.main(["prepare", *flags]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_another_preparation_is_not_mixed_in(tree, prepared):
    before = contents(prepared[0])
    with pytest.raises(InputError, match="begun with another frames"):
        run(tree, prepared[0], frames=5)
    assert contents(prepared[0]) == before


def test_every_data_set_says_how_to_get_it(capsys):
    for name in CATALOGUES:
        assert prepare.main(["prepare", f"--dataset={name}", "--instructions"]) == 0
        assert len(capsys.readouterr().out) > 200


def test_domains_of_a_prepared_set_have_both_classes(prepared):
    train = split(read_manifest(prepared[0], size=48)).train
    domains = by_method(train)
    for method in METHODS:
        assert domains.rows(domain=method, label=0).size == domains.rows(domain=method, label=1).size == 12


SPLITS = ("train", "validation", "test")


def draw_folders(root, *, frames=3):
    """A `face_folder` in which each video is a folder of frames: quick to read, and in need of no extra."""
    for number, place in enumerate(f"{part}/{label}/one" for part in SPLITS for label in ("real", "fake")):
        (root / place).mkdir(parents=True)
        for frame in range(frames):
            Image.new("RGB", (20, 16), (40 * number, 60 * frame, 0)).save(root / place / f"{frame}.png")
    return root


def crop_whole(root, out, dataset="face_folder", **config):
    options = preparing.Options(dataset=dataset, source=str(root), out=str(out), workers=1)
    return preparing.run(options, preparing.Config(frames=3, size=8, crop="whole", **config), quiet=True)


def test_a_picture_in_two_splits_or_classes_is_counted_and_named(tmp_path, capsys):
    root = draw_folders(tmp_path / "source", frames=1)
    copy = np.random.default_rng(0).integers(0, 256, (2, 16, 20, 3), np.uint8)
    for place, which in (("train/real", 0), ("validation/real", 0), ("test/real", 1), ("train/fake", 1)):
        Image.fromarray(copy[which]).save(root / place / "one" / f"1{'.png' if which else '.bmp'}")
    flags = [f"--source={root}", f"--out={tmp_path / 'out'}", "--dataset=face_folder", "--workers=1"]
    assert prepare.main(["prepare", *flags, "--crop=whole", "--size=8"]) == 0
    said = json.loads((tmp_path / "out" / "provenance.json").read_text())["copies"]
    assert {kind: found["pictures"] for kind, found in said.items()} == {"in several splits": 1, "real and fake": 1}
    assert "copies: 1 pictures real and fake, the first 'frames/" in capsys.readouterr().out


@pytest.fixture
def cut(tmp_path, monkeypatch):
    """A small preparation, and the names of the units that calls after it make anew."""
    root, out, made, extract = draw_folders(tmp_path / "source"), tmp_path / "out", [], preparing.extract
    crop_whole(root, out)
    monkeypatch.setattr(
        preparing, "extract", lambda unit, **options: made.append(unit[0].key) or extract(unit, **options)
    )
    return root, out, made


@pytest.mark.parametrize("extra", ["video", "faces"])
def test_an_extra_that_is_not_installed_is_one_line_before_any_work(tree, tmp_path, capsys, monkeypatch, extra):
    if extra == "video":
        monkeypatch.setitem(sys.modules, "av", None)
    else:
        monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    flags = ["--dataset=faceforensics", f"--source={tree}", f"--methods={','.join(METHODS)}"]
    for more in ([f"--out={tmp_path / 'out'}"], ["--check"]):
        if more == ["--check"] and extra == "faces":
            continue
        assert prepare.main(["prepare", *flags, *more]) == 2
        said = capsys.readouterr().err
        assert f"Install the extra `{extra}`" in said
        assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_files_that_were_replaced_are_prepared_anew_and_no_others(cut, tmp_path):
    root, out, made = cut
    whole, file = contents(out), root / "train/fake/one/1.png"
    good, times = file.read_bytes(), (file.stat().st_atime_ns, file.stat().st_mtime_ns)
    file.write_bytes(good[: len(good) // 2])
    assert crop_whole(root, out)["dropped"] == {"whole video": 1}
    assert not list((out / "frames/face_folder/fake/train__one").iterdir())
    # Downloaded again: as if it had been whole from the beginning.
    file.write_bytes(good)
    os.utime(file, ns=times)
    crop_whole(root, out)
    assert contents(out) == whole
    # The bytes of a file may change and their number not: then its time does.
    for seconds, colour in ((2, (9, 9, 9)), (4, (1, 2, 3))):
        Image.new("RGB", (20, 16), colour).save(file, format="BMP")
        os.utime(file, ns=(times[0], times[1] + seconds * 10**9))
        crop_whole(root, out)
        pixels = np.asarray(Image.open(out / "frames/face_folder/fake/train__one/00001.png"))
        assert (pixels == colour).all()
    assert made == ["face_folder/fake/train__one"] * 4


def test_a_folder_whose_units_are_made_anew_has_no_tables_until_it_is_whole(cut, monkeypatch):
    root, out, _ = cut
    Image.new("RGB", (30, 16)).save(root / "test/real/one/0.png")

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(preparing, "extract", interrupted)
    with pytest.raises(KeyboardInterrupt):
        crop_whole(root, out)
    assert not {"manifest.csv", "provenance.json"} & {path.name for path in out.iterdir()}


@pytest.mark.parametrize("damage", ["gone", "empty", "cut", "record", "torn", "of another"])
def test_damaged_crops_and_records_are_made_anew(cut, damage):
    root, out, made = cut
    whole = contents(out)
    crop = out / "frames/face_folder/real/test__one/00002.png"
    records = {read["videos"][0][0]: path for path in (out / units.FOLDER).iterdir()
               if (read := json.loads(path.read_text()))}  # fmt: skip
    record = records["face_folder/real/test__one"]
    if damage == "gone":
        crop.unlink()
    elif damage == "empty":
        crop.write_bytes(b"")
    elif damage == "cut":
        crop.write_bytes(crop.read_bytes()[:-20])
    elif damage == "record":
        record.write_text("{}")
    elif damage == "torn":
        record.write_bytes(record.read_bytes()[:100])
    else:
        record.write_bytes(records["face_folder/real/train__one"].read_bytes())
    crop_whole(root, out)
    assert contents(out) == whole
    assert made == ["face_folder/real/test__one"]


def test_a_call_killed_in_its_first_file_leaves_nothing_in_the_way(tmp_path):
    root, out = draw_folders(tmp_path / "source"), tmp_path / "out"
    out.mkdir()
    (out / ".0a1b2c3d.tmp-17").write_text("{")
    assert crop_whole(root, out)["counts"]["test"]["real"] == {"videos": 1, "images": 3}
    assert ".0a1b2c3d.tmp-17" not in contents(out)


def test_an_older_preparation_is_refused(cut):
    root, out, _ = cut
    begun = json.loads((out / "prepare.json").read_text())
    (out / "prepare.json").write_text(json.dumps(begun | {"rule": 1}))
    with pytest.raises(InputError, match="another version of this command"):
        crop_whole(root, out)


def test_the_source_may_move(cut, tmp_path):
    root, out, made = cut
    whole = contents(out)
    shutil.copytree(root, tmp_path / "far" / "away")  # with the times of its files
    shutil.rmtree(root)
    crop_whole(tmp_path / "far" / "away", out)
    assert contents(out) == whole
    assert made == []


def test_the_source_of_the_real_videos_may_move(tmp_path, monkeypatch):
    content = write_video(tmp_path / "any.mp4", np.full((2, 16, 16, 3), 99, np.uint8)).read_bytes()
    root, out = tmp_path / "source", tmp_path / "out"
    trees.deeper_forensics(root, lambda path, key: path.write_bytes(content), ff_root=tmp_path / "ff")
    report = crop_whole(root, out, "deeper_forensics", ff_root=str(tmp_path / "ff"))
    whole = contents(out)
    assert str(tmp_path) not in json.dumps(report)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "ff").rename(tmp_path / "elsewhere" / "videos")
    monkeypatch.setattr(preparing, "extract", None)
    crop_whole(root, out, "deeper_forensics", ff_root=str(tmp_path / "elsewhere" / "videos"))
    assert contents(out) == whole


def test_videos_that_come_later_are_added_and_join_their_unit(tmp_path):
    root, out = draw_folders(tmp_path / "source"), tmp_path / "out"
    lines = [f"{part}/{label}/one,{label},{part},{part}__one,{f'{part}__one' * (label == 'fake')}"
             for part in SPLITS for label in ("real", "fake")]  # fmt: skip
    write = lambda some: (root / "manifest.csv").write_text("\n".join(["path,label,split,video,pair", *some]))
    write(lines[1:])  # the fake of training without its real video
    assert crop_whole(root / "manifest.csv", out)["counts"]["train"].keys() == {"fake"}
    write(lines)
    crop_whole(root / "manifest.csv", out)
    crop_whole(root / "manifest.csv", tmp_path / "at once")
    assert contents(out) == contents(tmp_path / "at once")
    # So is what is known of a video.
    write([line.replace(",train,", ",validation,") for line in lines])
    assert crop_whole(root / "manifest.csv", out)["counts"]["validation"]["real"]["videos"] == 2
    write(lines)
    crop_whole(root / "manifest.csv", out)
    assert contents(out) == contents(tmp_path / "at once")
    # What was made of a video that is gone is not given up by a slip of --source.
    write(lines[1:])
    before = contents(out)
    with pytest.raises(InputError, match="has crops of 'face_folder/real/train__one', which `source` lacks"):
        crop_whole(root / "manifest.csv", out)
    assert contents(out) == before


def test_the_hashes_are_those_of_the_pixels_and_of_the_table(cut):
    _, out, _ = cut
    report = json.loads((out / "provenance.json").read_text())
    images = hashlib.sha256()
    with open(out / "manifest.csv") as stream:
        for row in csv.DictReader(stream):
            images.update(hashlib.sha256(np.asarray(Image.open(out / row["path"])).tobytes()).hexdigest().encode())
    assert report["sha256"]["images"] == images.hexdigest()
    assert report["sha256"]["manifest"] == hashlib.sha256((out / "manifest.csv").read_bytes()).hexdigest()


def test_a_killed_worker_is_one_line(monkeypatch):
    class Pool:
        def __init__(self, *_, **__):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def submit(self, work, item):
            future = workers.concurrent.futures.Future()
            if item == "large":
                future.set_exception(BrokenProcessPool("a process in the process pool was terminated abruptly"))
            return future

    monkeypatch.setattr(workers.concurrent.futures, "ProcessPoolExecutor", Pool)
    with pytest.raises(InputError, match=r"probably for memory.*fewer --workers \(now 3\)") as caught:
        list(workers.mapped(len, ["small", "large"], workers=3))
    assert "\n" not in str(caught.value)
