"""Every layout of the field becomes one table: right counts, labels, names, pairs, and splits that share nobody."""

import collections
import inspect
import json
import re

import pytest

from metaforge.data.catalogues import CATALOGUES, Video, check_splits, read_catalogue
from metaforge.data.catalogues._base import natural
from metaforge.data.deepfakebench import overlapping_splits, read_deepfakebench, write_deepfakebench
from metaforge.data.domains import split
from metaforge.data.manifest import read_manifest, write_manifest
from metaforge.errors import InputError
from tests.data.catalogues import trees

ACTORS, METHODS = "DeepFakeDetection", trees.FF_METHODS

# Counts by split and method, from how the trees are drawn.
EXPECTED = {
    "faceforensics": {
        "train": {"real": 6} | dict.fromkeys(METHODS, 6),
        "validation": {"real": 2} | dict.fromkeys(METHODS, 2),
        "test": {"real": 2 + 4, ACTORS: 3} | dict.fromkeys(METHODS, 2),
    },
    # YouTube's 00008 and 00009 are below 0.15; 00000 to 00002 are in the list.
    "celeb_df": {
        "train": {"real": 8 + 5, "Celeb-synthesis": 12},
        "validation": {"real": 6 + 2, "Celeb-synthesis": 6},
        "test": {"real": 3 + 3, "Celeb-synthesis": 6},
    },
    "celeb_df by video": {
        "train": {"real": 8 + 3 + 5, "Celeb-synthesis": 12 + 1},
        "validation": {"real": 6 + 2, "Celeb-synthesis": 6},
        "test": {"real": 3 + 3, "Celeb-synthesis": 6},
    },
    "dfdc": {split: {"real": 4, "DFDC": 12} for split in ("train", "validation", "test")},
    "dfdc test": {"test": {"real": 3, "DFDC": 3}},
    "dfdc preview": {
        "train": {"real": 6, "method_A": 12, "method_B": 12},
        "validation": {"real": 4, "method_A": 8, "method_B": 8},
        "test": {"real": 2, "method_A": 4, "method_B": 4},
    },
    "wild_deepfake": {
        "train": {"real": 4, "WildDeepfake": 4},
        "validation": {"real": 2, "WildDeepfake": 4},
        "test": {"real": 4, "WildDeepfake": 4},
    },
    "df40": {
        "train": {"simswap": 2, "fomm": 2},
        "validation": {"simswap": 2, "fomm": 2},
        "test": {"real": 2, "simswap": 3, "fomm": 3, "heygen": 2, "MidJourney": 2},
    },
    "deeper_forensics": {
        "train": {"real": 3, "end_to_end": 3, "end_to_end_level_1": 3},
        "validation": {"real": 1, "end_to_end": 1, "end_to_end_level_1": 1},
        "test": {"real": 2, "end_to_end": 2, "end_to_end_level_1": 2},
    },
    "face_folder": {split: {"real": 3, "fake": 2, "swap": 1, "puppet": 2} for split in ("train", "validation", "test")},
}


@pytest.fixture(params=EXPECTED)
def layout(request, tmp_path):
    """The name of a layout, the keys that its files were drawn with, and its catalogue."""
    name, drawn, options = request.param, {}, {}

    def write(path, key):
        drawn.setdefault(key, path)
        path.write_bytes(b"x")

    draw = getattr(trees, {"celeb_df by video": "celeb_df"}.get(name, name.replace(" ", "_")))
    if name == "deeper_forensics":
        options["ff_root"] = tmp_path / "other" / "FF++"
    root = draw(tmp_path / "tree", write, **options)
    if name == "celeb_df by video":
        options["disjoint"] = "video"
    if name.startswith("dfdc"):
        options["subset"] = name.partition(" ")[2] or "train"
    return name, drawn, read_catalogue(name.split(" ")[0], root, **options)


def test_every_video_is_counted_in_its_split_and_method(layout):
    name, _, found = layout
    counts = collections.defaultdict(collections.Counter)
    for video in found.videos:
        counts[video.split][video.method] += 1
    assert {split: dict(methods) for split, methods in counts.items()} == EXPECTED[name]


def test_reals_are_0_and_fakes_are_1(layout):
    for video in layout[2].videos:
        assert video.label == (0 if video.method == "real" else 1), video.path


def test_every_file_was_drawn_for_the_video_that_it_is_taken_for(layout):
    _, drawn, found = layout
    assert {video.key for video in found.videos} <= drawn.keys()
    assert {video.mask for video in found.videos} <= {""} | {
        path.relative_to(found.root).as_posix() for key, path in drawn.items() if key.endswith("@mask")
    }


def test_every_path_leads_from_the_root_to_what_is_there(layout, tmp_path):
    for video in layout[2].videos:
        path = tmp_path / "tree" / video.path.split("::")[0]
        assert path.exists()
        assert not video.path.startswith("/")
        assert not video.mask or (tmp_path / "tree" / video.mask).is_file()


def test_no_two_videos_have_one_key(layout):
    keys = [video.key for video in layout[2].videos]
    assert len(set(keys)) == len(keys)


def test_no_video_and_no_person_is_in_two_splits(layout):
    videos = layout[2].videos
    homes = collections.defaultdict(set)
    for video in videos:
        for name in {video.identity, video.donor} - {""}:
            homes[name].add(video.split)
    assert not [name for name, splits in homes.items() if len(splits) > 1]
    assert check_splits(videos) == []


def test_a_pair_is_a_real_video_of_the_same_person_and_split(layout):
    videos = {video.key: video for video in layout[2].videos}
    for video in videos.values():
        if video.pair:
            real = videos[video.pair]
            assert (real.label, video.label) == (0, 1)
            if layout[0] != "celeb_df by video":  # there, people are named apart by split
                assert (real.identity, real.split) == (video.identity, video.split)


def test_every_fake_has_a_pair_where_the_data_set_names_one(layout):
    paired = {"faceforensics", "celeb_df", "dfdc", "dfdc preview", "deeper_forensics"}
    fakes = [video for video in layout[2].videos if video.label == 1]
    name = layout[0]
    if name == "celeb_df by video":
        return
    # Of Celeb-DF's listed fakes, all originals are listed here; of id10 and the others, the second clip is not.
    assert all(bool(video.pair) == (name in paired) for video in fakes)


def test_the_order_depends_on_names_alone(layout):
    videos = layout[2].videos
    assert videos == sorted(videos, key=lambda video: (video.label, natural(video.key)))


def test_a_good_tree_has_no_finding_but_notes(layout):
    name, _, found = layout
    kinds = {finding.kind for finding in found.findings} - {"note"}
    # MidJourney brings no real faces here; disjoint="video" is no secret.
    assert kinds == ({"overlap"} if name == "celeb_df by video" else set())
    for finding in found.findings:
        assert "\n" not in finding.message


def manifest_rows(videos):
    """As `metaforge.data.extraction` writes them, with one frame of each video."""
    for video in videos:
        leader = video.pair or (video.key if video.label == 0 else "")
        columns = video._asdict() | {"path": f"frames/{video.key}/00007.png", "video": video.key, "frame": 7}
        yield columns | {"pair": f"{leader}#7" if leader else ""}


def test_a_manifest_of_every_catalogue_is_read_as_it_was_written(layout, tmp_path):
    rows = list(manifest_rows(layout[2].videos))
    write_manifest(tmp_path, rows)
    records = read_manifest(tmp_path, size=8)
    assert records.image.paths.tolist() == [row["path"] for row in rows]
    for name in ("label", "method", "video", "identity", "donor", "pair", "compression", "split", "frame"):
        assert getattr(records, name).tolist() == [row[name] for row in rows], name
    assert records.domain.tolist() == records.method.tolist()
    parts = split(records)
    assert len(parts.train) + len(parts.validation) + len(parts.test) == len(rows)


def test_a_catalogue_goes_through_the_harnesss_file_and_comes_back(layout, tmp_path):
    name, _, found = layout
    rows = list(manifest_rows(found.videos))
    (tmp_path / "bench.json").write_text(json.dumps(write_deepfakebench(rows, separator="\\")))
    again = {row["path"]: row for row in read_deepfakebench(tmp_path / "bench.json")}
    assert len(again) == len(rows)
    if name == "celeb_df by video":
        again = {row["path"]: row for row in overlapping_splits(again.values(), people="apart")[0]}
    # The format has no place for people, nor for the compression of some of a data set's videos.
    kept = ["label", "dataset", "method", "video", "split", "frame"]
    kept += [] if name == "deeper_forensics" else ["compression"]
    told = {"faceforensics", "celeb_df", "celeb_df by video", "deeper_forensics"}
    kept += ["identity", "donor", "pair"] if name in told else []
    for row in rows:
        if name == "celeb_df by video" or not row["pair"].startswith(f"{row['dataset']}/real/"):
            row["pair"] = again[row["path"]]["pair"]
        assert {key: again[row["path"]][key] for key in kept} == {key: row[key] for key in kept}


# What the owners' folders call real and fake, word for word.
LABELS = {
    "faceforensics": {"original_sequences/youtube": 0, "original_sequences/actors": 0, "manipulated_sequences": 1},
    "celeb_df": {"Celeb-real": 0, "YouTube-real": 0, "Celeb-synthesis": 1},
    "dfdc preview": {"original_videos": 0, "method_A": 1, "method_B": 1},
    "wild_deepfake": {"real_train": 0, "real_test": 0, "fake_train": 1, "fake_test": 1},
    "df40": {
        "DF40/simswap/ff": 1, "DF40/simswap/cdf": 1, "DF40/heygen/fake": 1, "DF40/heygen/real": 0, "DF40_train": 1,
    },
    "deeper_forensics": {"../other/FF++/original_sequences": 0, "manipulated_videos": 1},
    "face_folder": {f"{part}/{label}": number for part in ("train", "val", "test")
                    for number, label in enumerate(("real", "fake"))},
}  # fmt: skip


def labels_of_dfdc(root):
    """What the lists say of each file: words in the parts, 0 (real) and 1 (fake) in the test set's table."""
    if (root / "labels.csv").exists():
        rows = [row.split(",") for row in (root / "labels.csv").read_text().split()[1:]]
        return {file: int(label) for file, label in rows}
    lists = [json.loads(path.read_text()) for path in root.glob("*/metadata.json")]
    return {file: int(row["label"] == "FAKE") for rows in lists for file, row in rows.items()}


def test_labels_are_what_the_owners_folders_and_lists_say(layout, tmp_path):
    name, _, found = layout
    if name in ("dfdc", "dfdc test"):
        assert {video.path.split("/")[-1]: video.label for video in found.videos} == labels_of_dfdc(tmp_path / "tree")
        return
    folders, seen = LABELS[name.removesuffix(" by video")], set()
    for video in found.videos:
        for folder in (folder for folder in folders if video.path.startswith(f"{folder}/")):
            seen.add(folder)
            assert video.label == folders[folder], video.path
    assert seen == set(folders)


@pytest.mark.parametrize("name", CATALOGUES)
def test_a_user_is_told_whom_to_ask_and_what_goes_where(name):
    entry = CATALOGUES[name]
    assert "\nPut" in entry.instructions
    if name != "face_folder":
        assert "\nAsk: " in entry.instructions
        assert "\nGet" in entry.instructions
        assert re.search(r"minutes|days|weeks", entry.instructions)
        assert re.fullmatch(r"https://(github\.com/[\w.-]+/[\w.-]+|ai\.meta\.com/datasets/dfdc/)", entry.homepage)
        for entry_type, rest in re.findall(r"^@(\w+)\{(.*)$", entry.citation, re.MULTILINE):
            assert entry_type in ("inproceedings", "article", "misc")
            assert rest.endswith(",")
        assert entry.citation.count("{") == entry.citation.count("}")
    assert "http" not in entry.instructions  # a link here could only be to a copy
    assert max(map(len, entry.instructions.splitlines())) <= 120


@pytest.mark.parametrize("name", CATALOGUES)
def test_a_root_that_is_not_there_is_refused_by_name(name, tmp_path):
    with pytest.raises(InputError, match=rf"^{name}: '.*nowhere' does not exist\. Give "):
        read_catalogue(name, tmp_path / "nowhere")


@pytest.mark.parametrize("name", CATALOGUES)
def test_an_empty_root_is_refused_in_one_line(name, tmp_path):
    with pytest.raises(InputError, match=rf"^{name}: ") as error:
        read_catalogue(name, tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", CATALOGUES)
def test_an_unknown_option_is_refused_with_those_there_are(name, tmp_path):
    with pytest.raises(InputError, match=f"^{name}: no option 'colour'; there are: "):
        read_catalogue(name, tmp_path, colour="red")
    assert next(iter(inspect.signature(CATALOGUES[name].read).parameters)) == "root"


def test_an_unknown_data_set_is_refused_with_those_there_are(tmp_path):
    with pytest.raises(InputError, match="no data set 'uadfv'; there are: faceforensics, celeb_df"):
        read_catalogue("uadfv", tmp_path)


def row(**changes):
    columns = {"path": "a.mp4", "label": 0, "dataset": "set", "method": "real", "video": "a", "split": "train"}
    return Video(**(columns | changes))


@pytest.mark.parametrize(
    ("second", "kind", "message"),
    [
        (row(path="b.mp4"), "duplicate", "set/real/a is 'a.mp4' too"),
        (row(path="b.mp4", split="test"), "overlap", "video 'set/real/a' is in 'train' and 'test'"),
        (row(video="b", identity="set/1", split="test"), "overlap", "person 'set/1' is in 'train' and 'test'"),
        (row(video="b", donor="set/1", split="validation"), "overlap", "person 'set/1' is in 'train' and 'validation'"),
        (row(video="b", label=2), "unreadable", "label 2 of set/real/b is neither 0 (real) nor 1 (fake)"),
    ],
)
def test_splits_that_share_something_are_found(second, kind, message):
    found = check_splits([row(identity="set/1"), second])
    assert any(finding.kind == kind and message in finding.message for finding in found)


def test_a_fake_of_unknown_people_and_its_original_are_in_one_split():
    fake = row(path="b.mp4", video="b", label=1, method="swap", pair="set/real/a", split="test")
    (finding,) = check_splits([row(), fake])
    assert finding.message == "video 'set/real/a' is in 'train' and 'test'. Split by person."
    assert check_splits([row(identity="set/1"), fake._replace(identity="set/1@test")]) == []


def test_a_file_that_is_real_and_fake_is_found():
    found = check_splits([row(), row(video="b", label=1, method="swap"), row(dataset="other", label=1)])
    assert [(finding.kind, finding.message) for finding in found] == [
        ("unreadable", "it is both real and fake. Mend the list.")
    ]


def test_people_of_two_data_sets_are_told_apart_only_by_their_qualified_names():
    assert check_splits([row(identity="one/7"), row(video="b", identity="two/7", split="test")]) == []


def test_a_leak_is_said_once_for_each_person_and_split_and_not_for_each_video():
    videos = [row(video=str(n), identity="set/1", split="test" if n % 2 else "train") for n in range(100)]
    assert len(check_splits(videos)) == 1
