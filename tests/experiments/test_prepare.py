"""From a data set as it is handed out to face crops: whole, resumable, aligned, and clear about what is wrong."""

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av")

from experiments import prepare
from metaforge.data.domains import by_method, split, spread_frames
from metaforge.data.manifest import read_manifest
from metaforge.data.video import even_frames
from tests.data.clips import LFW, face_clip

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
    options = prepare.Options(dataset="faceforensics", source=str(tree), out=str(out), workers=1)
    settings = {"frames": 3, "size": 48, "methods": ",".join(METHODS), **config}
    return prepare.run(options, prepare.Config(**settings), quiet=True)


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
    calls, extract = iter(range(100)), prepare.extract

    def interrupted(*args, **options):
        if next(calls) in (1, 2, 5):
            raise KeyboardInterrupt
        return extract(*args, **options)

    monkeypatch.setattr(prepare, "extract", interrupted)
    out = tmp_path / "faceforensics_c23"
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            run(tree, out)
        assert not (out / "manifest.csv").exists()
    run(tree, out)
    assert contents(out) == whole
    # Done is done: called again, no video is opened.
    monkeypatch.setattr(prepare, "extract", None)
    run(tree, out)
    assert contents(out) == whole


def test_killed_at_any_moment_it_ends_as_if_it_had_not_been(tree, tmp_path):
    flags = ["--dataset=faceforensics", f"--source={tree}", "--config.frames=3", "--config.size=48", "--workers=1",
             "--config.crop=whole", f"--config.methods={','.join(METHODS)}"]  # fmt: skip
    start = lambda out: subprocess.Popen(
        [sys.executable, "-m", "experiments.prepare", f"--out={out}", *flags], start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    once = start(tmp_path / "once")
    assert once.wait(timeout=120) == 0
    out = tmp_path / "killed"
    for done in (1, 5):
        process = start(out)
        while process.poll() is None and len(list((out / prepare.RECORDS).glob("*.json"))) < done:
            os.sched_yield()
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert start(out).wait(timeout=120) == 0
    assert contents(out) == contents(tmp_path / "once")


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
    from tests.data.clips import write_video

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
        (["--dataset=faceforensics", "--source=SOURCE", "--out=OUT", "--config.methods=Nonsense"], "'Nonsense'"),
        (["--dataset=faceforensics", "--source=SOURCE", "--out=OUT", "--config.frames=0"], "at least 1"),
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
    with pytest.raises(prepare.InputError, match="begun with another frames"):
        run(tree, prepared[0], frames=5)
    assert contents(prepared[0]) == before


def test_every_data_set_says_how_to_get_it(capsys):
    for name in prepare.CATALOGUES:
        assert prepare.main(["prepare", f"--dataset={name}", "--instructions"]) == 0
        assert len(capsys.readouterr().out) > 200


def test_domains_of_a_prepared_set_have_both_classes(prepared):
    train = split(read_manifest(prepared[0], size=48)).train
    domains = by_method(train)
    for method in METHODS:
        assert domains.rows(domain=method, label=0).size == domains.rows(domain=method, label=1).size == 12
