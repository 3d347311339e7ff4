"""What a widely used harness does wrong when it lists the data sets, and that it is not done here.

Each test restates the harness's rule in a few lines of our own, states what should hold, and checks that it holds of
the catalogue and fails of the rule. A listing is split -> {path: label}, as far as the rule gives one.
"""

import collections
import json

import pytest

from metaforge.data.catalogues import read_catalogue
from tests.data.catalogues import trees


def listing(found):
    splits = collections.defaultdict(dict)
    for video in found.videos:
        splits[video.split][video.path] = video.label
    return splits


def videos_below(root, *folders):
    return [path.relative_to(root).as_posix() for folder in folders for path in sorted((root / folder).rglob("*.mp4"))]


def share_nothing(splits):
    paths = [path for videos in splits.values() for path in videos]
    return len(set(paths)) == len(paths)


def celeb_df_of_the_incumbent(root):
    """Train is everything; a dictionary made anew for each folder forgets the real one before; val is test."""
    splits = {"train": {}, "test": {}}
    by_label = {}
    for folder, label in (("Celeb-real", 0), ("YouTube-real", 0), ("Celeb-synthesis", 1)):
        by_label[label] = dict.fromkeys(videos_below(root, folder), label)
    for videos in by_label.values():
        splits["train"] |= videos
    for line in (root / "List_of_testing_videos.txt").read_text().splitlines():
        path = line.split(" ")[1]
        splits["test"][path] = int(path.startswith("Celeb-synthesis"))
    splits["validation"] = splits["test"]
    return splits


def test_defect_1_one_name_under_five_methods_is_five_videos(tmp_path):
    root = trees.faceforensics(tmp_path)
    videos = read_catalogue("faceforensics", root, methods=trees.FF_METHODS).videos

    def incumbent_name(path):
        return path.split("/")[-1].removesuffix(".mp4")  # of the folder of frames, and nothing else

    # 5 pairs: 10 reals, and 10 fakes of each of five methods.
    assert len({video.key for video in videos}) == 10 + 5 * 10
    assert len({incumbent_name(video.path) for video in videos}) == 10 + 10


@pytest.mark.parametrize("disjoint", ["identity", "video"])
def test_defect_3_validation_is_not_test_in_celeb_df(tmp_path, disjoint):
    root = trees.celeb_df(tmp_path)

    def holds(splits):
        return bool(splits["validation"]) and not splits["validation"].keys() & splits["test"].keys()

    assert not holds(celeb_df_of_the_incumbent(root))
    assert holds(listing(read_catalogue("celeb_df", root, disjoint=disjoint)))


def test_defect_3_validation_is_not_test_in_the_dfdc_preview(tmp_path):
    root = trees.dfdc_preview(tmp_path)

    def incumbent():
        splits = {"train": {}, "test": {}}
        for path, row in json.loads((root / "dataset.json").read_text()).items():
            splits[row["set"]][path] = int(row["label"] == "fake")
        return splits | {"validation": splits["test"]}

    def holds(splits):
        return bool(splits["validation"]) and share_nothing(splits)

    assert not holds(incumbent())
    assert holds(listing(read_catalogue("dfdc", root, subset="preview")))


def test_defect_3_deepfakedetection_is_in_one_split(tmp_path):
    root = trees.faceforensics(tmp_path)

    def incumbent():
        paths = videos_below(root, "original_sequences/actors", "manipulated_sequences/DeepFakeDetection/c23")
        return {split: dict.fromkeys(paths, 0) for split in ("train", "validation", "test")}

    found = listing(read_catalogue("faceforensics", root, methods=["DeepFakeDetection"]))
    assert not share_nothing(incumbent())
    assert share_nothing(found)
    assert list(found) == ["test"]


def test_defect_3_the_reals_of_deeperforensics_are_in_one_split_each(tmp_path):
    root = trees.deeper_forensics(tmp_path / "df", ff_root=tmp_path / "ff")

    def incumbent():
        reals = dict.fromkeys(videos_below(root, "source_videos"), 0)
        return {split: dict(reals) for split in ("train", "validation", "test")}

    assert not share_nothing(incumbent())
    assert share_nothing(listing(read_catalogue("deeper_forensics", root, ff_root=tmp_path / "ff")))


def test_the_reals_of_deeperforensics_are_the_target_videos_and_not_the_actors(tmp_path):
    root = trees.deeper_forensics(tmp_path / "df", ff_root=tmp_path / "ff")

    def holds(reals):
        targets = {name[:3] for names in trees.DEEPER.values() for name in names}
        return {path.split("/")[-1].removesuffix(".mp4") for path in reals} == targets

    found = read_catalogue("deeper_forensics", root, ff_root=tmp_path / "ff")
    assert not holds(videos_below(root, "source_videos"))
    assert holds([video.path for video in found.videos if video.label == 0])


@pytest.mark.parametrize("disjoint", ["identity", "video"])
def test_defect_4_no_video_of_the_test_list_is_in_train(tmp_path, disjoint):
    root = trees.celeb_df(tmp_path)
    listed = {line.split(" ")[1] for line in trees.celeb_lines()}

    def holds(splits):
        return not splits["train"].keys() & listed

    assert not holds(celeb_df_of_the_incumbent(root))
    assert holds(listing(read_catalogue("celeb_df", root, disjoint=disjoint)))


@pytest.mark.parametrize("disjoint", ["identity", "video"])
def test_defect_4_both_folders_of_reals_are_in_train(tmp_path, disjoint):
    root = trees.celeb_df(tmp_path)

    def holds(splits):
        return {path.split("/")[0] for path in splits["train"]} == {"Celeb-real", "YouTube-real", "Celeb-synthesis"}

    assert not holds(celeb_df_of_the_incumbent(root))
    assert holds(listing(read_catalogue("celeb_df", root, disjoint=disjoint)))


def test_celeb_dfs_ones_are_real_and_become_zeros(tmp_path):
    root = trees.celeb_df(tmp_path)
    naive = {line.split(" ")[1]: int(line.split(" ")[0]) for line in trees.celeb_lines()}

    def holds(test):
        return all(label == int(path.startswith("Celeb-synthesis")) for path, label in test.items())

    assert not holds(naive)
    ours = listing(read_catalogue("celeb_df", root))["test"]
    assert ours.keys() == naive.keys()
    assert holds(ours)


def test_defect_5_validation_of_the_dfdc_holds_videos(tmp_path):
    root = trees.dfdc(tmp_path)

    def incumbent():
        splits = {"validation": {}}
        for path in videos_below(root, "dfdc_train_part_40"):
            splits["validation"] = {"label": 1, "frames": [path]}  # overwritten each time, and not by video
        return splits

    def holds(splits):
        return sum(path.endswith(".mp4") for path in splits["validation"]) > 1

    assert not holds(incumbent())
    assert holds(listing(read_catalogue("dfdc", root)))


def test_a_pair_of_ids_is_two_reals_and_two_fakes_of_every_method(tmp_path):
    root = trees.faceforensics(tmp_path)

    def ids_as_videos(name):  # a list taken for a list of videos has half of the reals, and no fake the other way round
        return {f"{a}_{b}" for a, b in json.loads((root / name).read_text())}

    found = read_catalogue("faceforensics", root, methods=["Face2Face"]).videos
    test = {video.video for video in found if video.split == "test"}
    assert test == {"040", "041", "040_041", "041_040"}
    assert not test <= ids_as_videos("test.json")
