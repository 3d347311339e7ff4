"""DeepfakeBench's files go in and come out equal, in both shapes and with both separators."""

import json

import pytest

from metaforge.data.deepfakebench import overlapping_splits, read_deepfakebench, write_deepfakebench
from metaforge.data.manifest import read_manifest, write_manifest
from metaforge.errors import InputError


def entry(label, folder, frames=(0, 7, 31), masks=False):
    found = {"label": label, "frames": [f"{folder}/frames/x/{frame:03d}.png" for frame in frames]}
    if masks:
        found["masks"] = [f"{folder}/masks/x/{frame:03d}.png" for frame in frames]
    return found


def with_compression():
    def of(label, video, masks=False):
        return {level: {video: entry(label, f"{level}/{label}/{video}", masks=masks)} for level in ("c23", "c40")}

    return {"FaceForensics++": {
        "FF-real": {"train": of("FF-real", "071"), "val": of("FF-real", "072"), "test": of("FF-real", "000")},
        "FF-DF": {"train": of("FF-DF", "071_054", True), "val": of("FF-DF", "072_073", True),
                  "test": of("FF-DF", "000_003", True)},
        "FF-NT": {"test": of("FF-NT", "000_003", True)},
    }}  # fmt: skip


def without_compression():
    return {"Celeb-DF-v2": {
        "CelebDFv2_real": {"train": {"id0_0000": entry("CelebDFv2_real", "C/id0_0000")}, "test": {}},
        "CelebDFv2_fake": {"train": {"id0_id1_0000": entry("CelebDFv2_fake", "C/id0_id1_0000")},
                           "test": {"id2_id3_0001": entry("CelebDFv2_fake", "C/id2_id3_0001", (5,))}},
    }}  # fmt: skip


def without_empty(tree):
    if not isinstance(tree, dict):
        return tree
    return {key: value for key, value in ((k, without_empty(v)) for k, v in tree.items()) if value != {}}


@pytest.mark.parametrize("separator", ["/", "\\"])
@pytest.mark.parametrize("bench", [with_compression(), without_compression()])
def test_what_is_read_is_written_again(tmp_path, bench, separator):
    there = json.loads(json.dumps(bench).replace("/", "\\\\" if separator == "\\" else "/"))
    (tmp_path / "bench.json").write_text(json.dumps(there))
    rows = read_deepfakebench(tmp_path / "bench.json")
    assert write_deepfakebench(rows, separator=separator) == without_empty(there)
    # Through a manifest too, in which everything is text.
    write_manifest(tmp_path, rows)
    import csv

    with open(tmp_path / "manifest.csv") as stream:
        assert write_deepfakebench(list(csv.DictReader(stream)), separator=separator) == without_empty(there)
    assert len(read_manifest(tmp_path, size=8)) == len(rows)


def test_names_are_read_and_videos_of_two_methods_stay_apart(tmp_path):
    (tmp_path / "bench.json").write_text(json.dumps(with_compression()))
    rows = [row for row in read_deepfakebench(tmp_path / "bench.json") if row["compression"] == "c23"]
    test = {row["video"]: row for row in rows if row["split"] == "test"}
    assert set(test) == {
        f"faceforensics/{name}" for name in ("real/000", "Deepfakes/000_003", "NeuralTextures/000_003")
    }
    fake = test["faceforensics/Deepfakes/000_003"]
    assert (fake["label"], fake["identity"], fake["donor"]) == (1, "faceforensics/000", "faceforensics/003")
    assert fake["pair"] == test["faceforensics/real/000"]["pair"]


def test_a_root_is_taken_off_and_put_on(tmp_path):
    bench = {"set": {"set_real": {"test": {"v": {"label": "set_real", "frames": ["C:\\data\\v\\000.png"]}}}}}
    (tmp_path / "bench.json").write_text(json.dumps(bench))
    with pytest.raises(InputError, match=r"is absolute\. Give what it begins with as `strip`"):
        read_deepfakebench(tmp_path / "bench.json")
    rows = read_deepfakebench(tmp_path / "bench.json", strip="C:\\data")
    assert rows[0]["path"] == "v/000.png"
    assert write_deepfakebench(rows, root="C:/data", separator="\\") == bench


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 3}', '{"a": {"b": {"train": {"v": {}}}}}', "{}"])
def test_other_files_are_refused_in_one_line(tmp_path, text):
    (tmp_path / "bench.json").write_text(text)
    with pytest.raises(InputError) as caught:
        read_deepfakebench(tmp_path / "bench.json")
    assert "deepfakebench: " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_validation_on_the_test_videos_is_taken_apart():
    # The harness's own Celeb-DF file: validation is the test split, and all videos are in train.
    row = lambda video, split: {"video": video, "split": split}
    rows = [row("a", "train"), row("b", "train"), row("c", "train"), row("b", "validation"), row("b", "test"),
            row("c", "validation")]  # fmt: skip
    kept, taken = overlapping_splits(rows)
    assert kept == [row("a", "train"), row("b", "test"), row("c", "validation")]
    assert taken == ["b", "c"]
