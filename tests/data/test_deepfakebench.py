"""DeepfakeBench's files go in and come out equal, in both shapes and with both separators."""

import csv
import json

import pytest

from metaforge.data.deepfakebench import overlapping_splits, read_deepfakebench, write_deepfakebench
from metaforge.data.domains import split
from metaforge.data.manifest import read_manifest, write_manifest
from metaforge.errors import InputError


def entry(label, folder, frames=(0, 7, 31), masks=None):
    found = {"label": label, "frames": [f"{folder}/frames/{frame:03d}.png" for frame in frames]}
    if masks is not None:
        found["masks"] = [f"{folder}/masks/{frame:03d}.png" for frame in masks]
    return found


def videos(label, *names, **options):
    return {name: entry(label, f"{label}/{name}", **options) for name in names}


def three(label, train=(), val=(), test=()):
    """All three splits, as the harness has them; some may be empty."""
    return {part: videos(label, *names) for part, names in (("train", train), ("val", val), ("test", test))}


def levels(label, train=(), val=(), test=(), **options):
    """All three splits, each with two compressions."""
    parts = (("train", train), ("val", val), ("test", test))
    return {
        part: {level: videos(label, *names, **options) for level in ("c23", "c40")} for part, names in parts
    }  # fmt: skip


REALS = levels("FF-real", ["071", "054"], ["072"], ["000", "003"])

# As the harness's `rearrange.py` writes them: every label with every split, and of FaceForensics++ every compression.
BENCHES = {
    "FaceForensics++": {"FaceForensics++": {
        "FF-real": REALS,
        "FF-DF": levels("FF-DF", ["071_054"], ["072_073"], ["000_003"], masks=(0, 31)),
        "FF-NT": levels("FF-NT", test=["000_003"]),
    }},
    "one method": {"FF-DF": {"FF-real": REALS, "FF-DF": levels("FF-DF", ["071_054"], [], ["000_003"])}},
    "FaceShifter": {"FaceShifter": {"FF-FH": levels("FF-FH", ["071_054"], [], ["000_003"]), "FF-real": REALS}},
    "FF-SH": {"FaceShifter": {"FF-SH": levels("FF-SH", ["071_054"]), "FF-real": REALS}},
    "DeepFakeDetection": {"DeepFakeDetection": {
        "DFD_fake": levels("DFD_fake", *[["01_02__kitchen__YVGY8LOK"]] * 3),
        "DFD_real": levels("DFD_real", *[["01__kitchen", "odd"]] * 3),
    }},
    "actors among the others": {"FaceForensics++": {
        "FF-real": REALS, "DFD_real": levels("DFD_real", test=["01__kitchen", "odd"]),
        "DFD_fake": levels("DFD_fake", test=["01_02__kitchen__YVGY8LOK"]),
    }},
    "Celeb-DF-v1": {"Celeb-DF-v1": {
        "CelebDFv1_real": three("CelebDFv1_real", ["id0_0000", "00170"], [], ["id2_0000"]),
        "CelebDFv1_fake": three("CelebDFv1_fake", ["id0_id1_0000"]),
    }},
    "Celeb-DF-v2": {"Celeb-DF-v2": {
        "CelebDFv2_real": three("CelebDFv2_real", ["id0_0000", "00170"], [], ["id2_0000"]),
        "CelebDFv2_fake": three("CelebDFv2_fake", ["id0_id1_0000"], [], ["id2_id3_0001"]),
    }},
    "DFDC": {"DFDC": {
        "DFDC_Real": three("DFDC_Real", ["lnhkjhyhvw"], ["lnhkjhyhvw"]),
        "DFDC_Fake": three("DFDC_Fake", ["awnfpubqmo"], [], ["abc"]),
    }},
    "DFDCP": {"DFDCP": {
        "DFDCP_Real": three("DFDCP_Real", ["1130673_A_000"]),
        "DFDCP_FakeA": three("DFDCP_FakeA", ["1130673_A_000"]), "DFDCP_FakeB": three("DFDCP_FakeB", test=["x"]),
    }},
    "DeeperForensics": {"DeeperForensics-1.0": {
        "DF_real": three("DF_real", *[["M101_light_up_happy_camera_front"]] * 3),
        "DF_fake": three("DF_fake", ["000_M101"], ["012_W030"], ["020_M040"]),
    }},
    "UADFV": {"UADFV": {
        "UADFV_Real": three("UADFV_Real", test=["0000"]), "UADFV_Fake": three("UADFV_Fake", ["0000_fake"]),
    }},
    "DF40": {"whichfaceisreal": {
        "whichfaceisreal_Real": three("whichfaceisreal_Real", test=["a"]),
        "whichfaceisreal_Fake": three("whichfaceisreal_Fake", test=["a"]),
    }},
    "odd names": {"my set": {
        "real": three("real", ["c23", "a/b", "frames"]), "Fake-GAN 2": three("Fake-GAN 2", ["c23"]),
        "real_Fake": three("real_Fake", ["c23"]), "_Fake": three("_Fake", ["c23"]),
    }},
    "levels of another": {"mine": {"mine_real": levels("mine_real", ["a"]), "mine_fake": levels("mine_fake", ["b"])}},
}  # fmt: skip

# What no row can hold: splits, compressions and videos without frames, and labels without any of them.
HOLLOW = {
    "compressions": {"FF-DF": {
        "FF-real": {"train": {"c23": videos("FF-real", "071"), "c40": {}, "raw": {}}, "test": {}},
        "FF-DF": {"train": {
            "c23": videos("FF-DF", "071_054", frames=(), masks=()) | videos("FF-DF", "054_071", masks=()),
        }},
        "FF-F2F": {},
    }},
    "none": {"Celeb-DF-v2": {
        "CelebDFv2_real": {"test": videos("CelebDFv2_real", "id0_0000")},
        "CelebDFv2_fake": {"train": {}, "test": videos("CelebDFv2_fake", "id0_id1_0000", frames=())},
    }, "DFDC": {}},
}  # fmt: skip


def with_separator(tree, separator):
    return json.loads(json.dumps(tree).replace("/", "\\\\" if separator == "\\" else "/"))


def read(folder, bench, **options):
    (folder / "bench.json").write_text(json.dumps(bench))
    return read_deepfakebench(folder / "bench.json", **options)


def through_a_manifest(folder, rows):
    write_manifest(folder, rows)
    assert len(read_manifest(folder, size=8)) == len(rows)
    with open(folder / "manifest.csv") as stream:
        return list(csv.DictReader(stream))  # everything is text now


@pytest.mark.parametrize("separator", ["/", "\\"])
@pytest.mark.parametrize("name", BENCHES)
def test_what_is_read_is_written_again(tmp_path, name, separator):
    # Names of videos keep their "/" in the file; paths do not.
    there = with_separator(BENCHES[name], separator) if name != "odd names" else BENCHES[name]
    separator = "/" if name == "odd names" else separator
    rows = read(tmp_path, there)
    assert write_deepfakebench(rows, separator=separator) == there
    assert write_deepfakebench(through_a_manifest(tmp_path, rows), separator=separator) == there
    again = read(tmp_path, write_deepfakebench(rows))
    assert sorted(again, key=lambda row: row["path"]) == sorted(rows, key=lambda row: row["path"])


@pytest.mark.parametrize("separator", ["/", "\\"])
@pytest.mark.parametrize("name", HOLLOW)
def test_what_has_no_frames_is_written_again_where_it_was(tmp_path, name, separator):
    there = with_separator(HOLLOW[name], separator)
    rows = read(tmp_path, there)
    assert write_deepfakebench(rows, separator=separator, like=there) == there
    for labels in write_deepfakebench(rows).values():
        assert all(list(splits) == ["train", "val", "test"] for splits in labels.values())


def test_what_is_taken_out_does_not_come_back(tmp_path):
    bench = BENCHES["Celeb-DF-v2"]
    rows = [row for row in read(tmp_path, bench) if row["split"] == "test"]
    found = write_deepfakebench(rows, like=bench)["Celeb-DF-v2"]["CelebDFv2_fake"]
    assert found == {"train": {}, "val": {}, "test": bench["Celeb-DF-v2"]["CelebDFv2_fake"]["test"]}


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("whichfaceisreal_Fake", 1), ("whichfaceisreal_Real", 0), ("Real-ESRGAN_Fake", 1), ("surreal fake", 1),
        ("unreal-real", 0), ("REAL", 0), ("fake_real", 1), ("FF-NT", 1), ("FF-SH", 1), ("DFDCP_FakeB", 1),
        ("DF_real", 0),
    ],
)  # fmt: skip
def test_words_tell_real_from_fake(tmp_path, label, kind):
    assert {row["label"] for row in read(tmp_path, {"set": {label: three(label, ["v"])}})} == {kind}


@pytest.mark.parametrize("label", ["whichfaceisreal", "Deepfakes", "surreal", "realistic", "FF-XX"])
def test_a_label_that_does_not_tell_is_refused_until_somebody_says_it(tmp_path, label):
    bench = {"set": {label: three(label, ["v"])}}
    with pytest.raises(InputError, match=rf"label '{label}' of 'set' does not tell real from fake\. Say so") as caught:
        read(tmp_path, bench)
    assert "\n" not in str(caught.value)
    for kind in (0, 1):
        rows = read(tmp_path, bench, labels={label: kind})
        assert {row["label"] for row in rows} == {kind}
        assert write_deepfakebench(rows, labels={label: kind}) == bench


def test_a_video_that_contradicts_its_place_is_refused(tmp_path):
    bench = {"set": {"set_real": {"test": {"v": entry("set_fake", "v")}}}}
    with pytest.raises(InputError, match=r"'v' is below the label 'set_real', and says 'set_fake'"):
        read(tmp_path, bench)


def test_names_are_read_and_videos_of_two_methods_stay_apart(tmp_path):
    rows = [row for row in read(tmp_path, BENCHES["FaceForensics++"]) if row["compression"] == "c23"]
    test = {row["video"]: row for row in rows if row["split"] == "test"}
    assert set(test) == {
        f"faceforensics/{name}" for name in ("real/000", "real/003", "Deepfakes/000_003", "NeuralTextures/000_003")
    }
    fake = test["faceforensics/Deepfakes/000_003"]
    assert (fake["label"], fake["identity"], fake["donor"]) == (1, "faceforensics/000", "faceforensics/003")
    assert fake["pair"] == test["faceforensics/real/000"]["pair"]


# Data set, method, video, identity, donor, and the pair but for its frame, as the catalogues have them.
NAMED = {
    "one method": {
        ("FF-DF", "Deepfakes", "faceforensics/Deepfakes/071_054", "faceforensics/071", "faceforensics/054",
         "faceforensics/real/071"),
        ("FF-DF", "real", "faceforensics/real/071", "faceforensics/071", "", "faceforensics/real/071"),
    },
    "DeepFakeDetection": {
        ("DeepFakeDetection", "DeepFakeDetection", "faceforensics/DeepFakeDetection/01_02__kitchen__YVGY8LOK",
         "faceforensics/actor01", "faceforensics/actor02", "faceforensics/real/01__kitchen"),
        ("DeepFakeDetection", "real", "faceforensics/real/odd", "", "", ""),
    },
    "Celeb-DF-v1": {
        ("celeb_df_v1", "Celeb-synthesis", "celeb_df_v1/Celeb-synthesis/id0_id1_0000", "celeb_df/id0", "celeb_df/id1",
         "celeb_df_v1/real/id0_0000"),
    },
    "Celeb-DF-v2": {
        ("celeb_df", "Celeb-synthesis", "celeb_df/Celeb-synthesis/id0_id1_0000", "celeb_df/id0", "celeb_df/id1",
         "celeb_df/real/id0_0000"),
        ("celeb_df", "real", "celeb_df/real/00170", "celeb_df/youtube/00170", "", "celeb_df/real/00170"),
    },
    "DFDC": {
        ("dfdc", "DFDC", "dfdc/DFDC/awnfpubqmo", "", "", ""), ("dfdc", "real", "dfdc/real/lnhkjhyhvw", "", "", ""),
    },
    "DFDCP": {("dfdc_preview", "method_A", "dfdc_preview/method_A/1130673_A_000", "", "", "")},
    "DeeperForensics": {
        ("deeper_forensics", "end_to_end", "deeper_forensics/end_to_end/000_M101", "faceforensics/000",
         "deeper_forensics/M101", "deeper_forensics/real/000"),
    },
    "DF40": {
        ("whichfaceisreal", "whichfaceisreal", "whichfaceisreal/whichfaceisreal/a", "", "", ""),
        ("whichfaceisreal", "whichfaceisreal_Real", "whichfaceisreal/whichfaceisreal_Real/a", "", "", ""),
    },
}  # fmt: skip


@pytest.mark.parametrize("name", NAMED)
def test_names_are_those_of_the_catalogues(tmp_path, name):
    found = {
        (*(row[key] for key in ("dataset", "method", "video", "identity", "donor")), row["pair"].split("#")[0])
        for row in read(tmp_path, BENCHES[name])
    }
    assert found >= NAMED[name]


def test_the_harnesss_validation_video_without_a_name_gets_its_folders(tmp_path):
    # Its DFDC.json: "val" is written over, and may then have been filled on.
    bare = entry("DFDC_Fake", "DFDC/test/abc") | {"later": entry("DFDC_Fake", "x")}
    bare["frames"] = [frame.replace("abc/frames", "frames\\abc") for frame in bare["frames"]]
    bench = {"DFDC": {"DFDC_Fake": {"train": {}, "val": bare, "test": {"abc": entry("DFDC_Fake", "a")}}}}
    rows = read(tmp_path, bench)
    assert {row["video"] for row in rows if row["split"] == "validation"} == {"dfdc/DFDC/abc", "dfdc/DFDC/later"}
    found = write_deepfakebench(rows)["DFDC"]["DFDC_Fake"]
    assert sorted(found["val"]) == ["abc", "later"]
    assert found["test"] == bench["DFDC"]["DFDC_Fake"]["test"]


@pytest.mark.parametrize("name", ["{}.png", "frame_{}.png", "frame{:04d}.jpg", "c23_{}_face.png"])
def test_frames_are_paired_by_their_number_in_whatever_order_they_come(tmp_path, name):
    listed = {"FF-real": ("000", (2, 10, 30)), "FF-DF": ("000_003", (10, 40, 2))}
    bench = {
        label: {"test": {"c23": {v: {"label": label, "frames": [f"{v}/{name.format(n)}" for n in numbers]}}}}
        for label, (v, numbers) in listed.items()
    }
    (tmp_path / "FF.json").write_text(json.dumps({"FaceForensics++": bench}))
    found = [(row["frame"], row["pair"]) for row in read_deepfakebench(tmp_path / "FF.json")]
    assert found == [(n, f"faceforensics/real/000#{n}") for n in (2, 10, 30, 10, 40, 2)]


def test_frames_that_no_number_tells_apart_have_no_pair(tmp_path):
    listed = {"FF-real": ("000", "abc"), "FF-DF": ("000_003", ("3_face0", "4_face0", "9_face0"))}
    bench = {
        label: {"test": {"c23": {v: {"label": label, "frames": [f"{v}/{name}.png" for name in names]}}}}
        for label, (v, names) in listed.items()
    }
    (tmp_path / "FF.json").write_text(json.dumps({"FaceForensics++": bench}))
    rows = read_deepfakebench(tmp_path / "FF.json")
    assert [(row["frame"], row["pair"]) for row in rows] == [(n, "") for n in (0, 1, 2)] * 2


def test_a_name_that_is_there_twice_is_refused_and_a_path_has_one_spelling(tmp_path):
    entry = '{"label": "a_real", "frames": [".\\\\v//./1.png"]}'
    file = tmp_path / "a.json"
    file.write_text(f'{{"a": {{"a_real": {{"test": {{"v": {entry}}}}}}}}}')
    assert [row["path"] for row in read_deepfakebench(file)] == ["v/1.png"]
    file.write_text(f'{{"a": {{"a_real": {{"test": {{"v": {entry}, "v": {entry.replace("1.png", "2.png")}}}}}}}}}')
    with pytest.raises(InputError, match="has 'v' twice in one place"):
        read_deepfakebench(file)


def test_frames_are_counted_by_place_where_a_name_is_no_number(tmp_path):
    frames = {"a": ["9.png", "10.png"], "b": ["x.png", "3.png"], "c": ["20260101123456789.png", "1.png"]}
    bench = {"set": {"set_real": {"test": {v: {"label": "set_real", "frames": f} for v, f in frames.items()}}}}
    found = {}
    for row in read(tmp_path, bench):
        found.setdefault(row["video"][-1], []).append(row["frame"])
    assert found == {"a": [9, 10], "b": [0, 1], "c": [0, 1]}


def test_a_root_is_taken_off_and_put_on(tmp_path):
    bench = {"set": {"set_real": {"test": {"v": {"label": "set_real", "frames": ["C:\\data\\v\\000.png"]}}}}}
    with pytest.raises(InputError, match=r"is absolute\. Give what it begins with as `strip`"):
        read(tmp_path, bench)
    rows = read(tmp_path, bench, strip="C:\\data")
    assert rows[0]["path"] == "v/000.png"
    assert write_deepfakebench(rows, root="C:/data", separator="\\", like=bench) == bench
    bench = {"set": {"set_real": {"test": {"v": {"label": "set_real", "frames": ["../data/v/000.png"]}}}}}
    with pytest.raises(InputError, match=r"leads out of its folder\. Give what it begins with as `strip`"):
        read(tmp_path, bench)
    assert read(tmp_path, bench, strip="../data")[0]["path"] == "v/000.png"


@pytest.mark.parametrize(
    "text",
    [
        "{", "[]", '{"a": 3}', '{"a": {"b": {"train": {"v": {}}}}}', "{}", "[" * 100_000, "null",
        '{"a": {"real": {"train": {"v": {"frames": "abc"}}}}}', '{"a": {"real": {"train": 5}}}',
        '{"a": {"real": {"dev": {"v": {"frames": ["1.png"]}}}}}', '{"a": {"real": {"train": {"frames": [1]}}}}',
        '{"a": {"real": {"train": {"v": {"frames": [1]}}}}}', '{"a": {"real": {"train": {"c23": {"v": 1}}}}}',
    ],
)  # fmt: skip
def test_other_files_are_refused_in_one_line(tmp_path, text):
    (tmp_path / "bench.json").write_text(text)
    with pytest.raises(InputError) as caught:
        read_deepfakebench(tmp_path / "bench.json")
    assert "deepfakebench: " in str(caught.value)
    assert "\n" not in str(caught.value)


ROW = {"path": "a/0.png", "label": "fake", "dataset": "set", "method": "swap", "video": "set/swap/a", "split": "test"}


@pytest.mark.parametrize(
    ("change", "problem"),
    [({"split": ""}, "no split: train"), ({"dataset": ""}, "no dataset"), ({"label": "x"}, "no label"),
     ({"frame": "x"}, "no frame number")],
)  # fmt: skip
def test_a_row_that_has_no_place_is_named(change, problem):
    with pytest.raises(InputError, match=rf"the row of 'a/0\.png' has {problem}"):
        write_deepfakebench([ROW | change])


def test_two_videos_are_never_written_as_one():
    other = ROW | {"method": "swap_Fake", "video": "set/swap_Fake/a"}
    with pytest.raises(InputError, match=r"'set/swap/a' and 'set/swap_Fake/a' would both be 'a' of label 'swap_Fake'"):
        write_deepfakebench([ROW, other])
    found = write_deepfakebench([ROW | {"video": ""}, ROW | {"video": "", "path": "b/0.png"}])
    assert sorted(found["set"]["swap_Fake"]["test"]) == ["a/0", "b/0"]


@pytest.mark.parametrize(
    ("method", "kind", "label"),
    [("swap", 1, "swap_Fake"), ("swap", 0, "swap_Real"), ("real", 1, "real_Fake"), ("fake", 0, "real"),
     ("real", 0, "real"), ("fake", 1, "fake")],
)  # fmt: skip
def test_no_label_is_written_that_tells_the_other_class(tmp_path, method, kind, label):
    found = write_deepfakebench([ROW | {"method": method, "label": kind}])
    assert list(found["set"]) == [label]
    assert read(tmp_path, found)[0]["label"] == kind


def test_a_level_is_written_where_all_rows_of_a_data_set_have_one():
    # The real videos of DeeperForensics are c23; its fakes have no compression, and the harness expects none.
    rows = [ROW | {"compression": "c23"}, ROW | {"compression": "", "video": "set/swap/b"}]
    assert sorted(write_deepfakebench(rows)["set"]["swap_Fake"]["test"]) == ["a", "b"]
    assert list(write_deepfakebench(rows[:1])["set"]["swap_Fake"]["test"]) == ["c23"]
    assert list(write_deepfakebench([ROW | {"compression": "jpeg"}])["set"]["swap_Fake"]["test"]) == ["a"]


def test_validation_on_the_test_videos_is_taken_apart():
    # The harness's own Celeb-DF file: validation is the test split, and all videos are in train.
    row = lambda video, split: {"video": video, "split": split}
    rows = [row("a", "train"), row("b", "train"), row("c", "train"), row("b", "validation"), row("b", "test"),
            row("c", "validation")]  # fmt: skip
    kept, taken = overlapping_splits(rows)
    assert kept == [row("a", "train"), row("b", "test"), row("c", "validation")]
    assert taken == ["b", "c"]


def test_people_of_the_test_split_are_named_apart_when_that_is_asked_for(tmp_path):
    # Celeb-DF as the harness has it: everything is in train, and validation is test.
    everything = ["id0_0000", "id0_0001", "id1_0000"]
    bench = {"Celeb-DF-v2": {
        "CelebDFv2_real": three("CelebDFv2_real", everything, everything[:1], everything[:1]),
        "CelebDFv2_fake": three("CelebDFv2_fake", ["id0_id1_0001"]),
    }}  # fmt: skip
    rows = read(tmp_path, bench)
    left, _ = overlapping_splits(rows)
    write_manifest(tmp_path, left)
    with pytest.raises(InputError, match=r"person 'celeb_df/id0' is in the splits"):
        split(read_manifest(tmp_path, size=8))
    left, _ = overlapping_splits(rows, people="apart")
    write_manifest(tmp_path, left)
    train = split(read_manifest(tmp_path, size=8)).train
    assert set(train.identity) == {"celeb_df/id0@train", "celeb_df/id1@train"}
    assert set(train.donor) == {"", "celeb_df/id1@train"}
    # Written and read again, they are named apart again, and once.
    again, _ = overlapping_splits(read(tmp_path, write_deepfakebench(left)), people="apart")
    assert overlapping_splits(again, people="apart")[0] == again
    assert sorted(again, key=lambda row: row["path"]) == sorted(left, key=lambda row: row["path"])
