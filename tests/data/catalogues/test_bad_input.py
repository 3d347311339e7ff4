"""What is wrong with a download is named in one line, and the rest of it can still be used."""

import json
import os
import tarfile

import pytest

from metaforge.data.catalogues import read_catalogue, read_member_frames
from metaforge.errors import InputError
from tests.data.catalogues import trees


def kinds(found, path=None):
    return sorted({finding.kind for finding in found.findings if path in (None, finding.path)})


def message(found, kind, path):
    matching = [finding.message for finding in found.findings if (finding.kind, finding.path) == (kind, path)]
    assert len(matching) == 1, found.findings
    assert "\n" not in matching[0]
    return matching[0]


# What a list is for is not guessed without it.


@pytest.mark.parametrize("name", ["train.json", "val.json", "test.json"])
def test_faceforensics_without_a_list_of_pairs_says_where_it_belongs(tmp_path, name):
    root = trees.faceforensics(tmp_path)
    (root / name).unlink()
    with pytest.raises(InputError, match=rf"no {name} in .* Copy train\.json, val\.json and test\.json there"):
        read_catalogue("faceforensics", root)


@pytest.mark.parametrize("text", ["", "{", "[[1, 2, 3]]", '["071"]', '[["a", "b"]]', "[]", "5", "[" * 100_000])
def test_faceforensics_with_a_broken_list_says_which(tmp_path, text):
    root = trees.faceforensics(tmp_path)
    (root / "val.json").write_text(text)
    with pytest.raises(InputError, match=r"val\.json' is (no list of pairs|empty).*Get it anew") as error:
        read_catalogue("faceforensics", root)
    assert "\n" not in str(error.value)


def test_an_id_in_two_lists_stays_in_the_stricter(tmp_path):
    root = trees.faceforensics(tmp_path)
    (root / "train.json").write_text(json.dumps([["000", "003"], ["010", "040"]]))
    found = read_catalogue("faceforensics", root, methods=["Deepfakes"])
    assert "010, 040 is left out" in message(found, "overlap", "train.json")
    assert {video.split for video in found.videos if "faceforensics/040" in video.people} == {"test"}


def test_lists_may_lie_in_the_folder_splits_and_ids_may_be_numbers(tmp_path):
    root = trees.faceforensics(tmp_path, lists="splits")
    (root / "splits/val.json").write_text("[[30, 31]]")
    assert len(read_catalogue("faceforensics", root).videos) == 10 + 5 * 10 + 7


def test_celeb_df_without_its_list_says_that_it_comes_with_the_data(tmp_path):
    root = trees.celeb_df(tmp_path)
    (root / "List_of_testing_videos.txt").unlink()
    with pytest.raises(InputError, match=r"no List_of_testing_videos\.txt in .*comes with the data set"):
        read_catalogue("celeb_df", root)


def test_celeb_df_with_an_empty_list_is_refused(tmp_path):
    root = trees.celeb_df(tmp_path)
    (root / "List_of_testing_videos.txt").write_text("\n\n")
    with pytest.raises(InputError, match="names no video"):
        read_catalogue("celeb_df", root)


@pytest.mark.parametrize("name", ["train.txt", "val.txt", "test.txt"])
def test_deeper_forensics_without_a_list_says_which(tmp_path, name):
    root = trees.deeper_forensics(tmp_path / "df", ff_root=tmp_path / "ff")
    (root / "lists/splits" / name).unlink()
    with pytest.raises(InputError, match=f"'lists/splits/{name}' in .* is missing or no text"):
        read_catalogue("deeper_forensics", root)


def test_the_preview_without_its_list_says_that_it_comes_with_it(tmp_path):
    root = trees.dfdc_preview(tmp_path)
    (root / "dataset.json").unlink()
    with pytest.raises(InputError, match=r"no dataset\.json in .* It comes with the preview"):
        read_catalogue("dfdc", root, subset="preview")


def test_the_test_set_without_labels_says_where_they_belong(tmp_path):
    root = trees.dfdc_test(tmp_path)
    (root / "labels.csv").unlink()
    with pytest.raises(InputError, match=r"no labels\.csv \(filename, label\)"):
        read_catalogue("dfdc", root, subset="test")


@pytest.mark.parametrize(
    ("name", "options", "problem"),
    [
        ("faceforensics", {"compression": "c22"}, "compression 'c22' is not one of c0 (raw), c23, c40"),
        ("faceforensics", {"methods": ["Deepfake"]}, "method 'Deepfake' is not one of Deepfakes, "),
        ("celeb_df", {"version": "v3"}, "version is v1 or v2"),
        ("celeb_df", {"disjoint": "no"}, "disjoint is identity or video"),
        ("dfdc", {"subset": "all"}, "subset 'all' is not one of train, preview, test"),
    ],
)
def test_an_unknown_choice_is_refused_with_those_there_are(tmp_path, name, options, problem):
    with pytest.raises(InputError) as error:
        read_catalogue(name, tmp_path, **options)
    assert problem in str(error.value)


# Files that are missing, empty, closed, twice there, or in no list.


def test_a_missing_fake_is_named_and_the_others_stay(tmp_path):
    root = trees.faceforensics(tmp_path)
    path = "manipulated_sequences/FaceSwap/c23/videos/000_003.mp4"
    (root / path).unlink()
    found = read_catalogue("faceforensics", root)
    assert "Download it again" in message(found, "missing", path)
    assert len(found.videos) == 10 + 5 * 10 + 7 - 1


def test_fakes_of_a_missing_real_have_no_pair(tmp_path):
    root = trees.faceforensics(tmp_path)
    (root / "original_sequences/youtube/c23/videos/000.mp4").unlink()
    videos = read_catalogue("faceforensics", root).videos
    assert {video.pair for video in videos if video.video == "000_003"} == {""}
    assert {video.pair for video in videos if video.video == "003_000"} == {"faceforensics/real/003"}


@pytest.mark.parametrize("keep_folder", [True, False])
def test_a_method_without_videos_is_one_finding(tmp_path, keep_folder):
    root = trees.faceforensics(tmp_path)
    folder = root / "manipulated_sequences/NeuralTextures/c23/videos"
    for file in folder.iterdir():
        file.unlink()
    if not keep_folder:
        folder.rmdir()
    found = read_catalogue("faceforensics", root)
    text = message(found, "missing", "manipulated_sequences/NeuralTextures/c23/videos")
    assert text.startswith("none of its 10 videos is there")
    assert "NeuralTextures" not in {video.method for video in found.videos}


def test_uncompressed_videos_are_found_under_either_name(tmp_path):
    for number, (folder, asked) in enumerate([("raw", "c0"), ("c0", "raw"), ("raw", "raw"), ("c0", "c0")]):
        found = read_catalogue(
            "faceforensics", trees.faceforensics(tmp_path / str(number), compression=folder), compression=asked
        )
        assert {video.compression for video in found.videos} == {"c0"}
        assert kinds(found) == []


def test_a_compression_that_is_not_there_leaves_nothing_and_says_so(tmp_path):
    with pytest.raises(
        InputError, match=r"nothing usable in .* The first of \d+ findings: 'original_sequences/youtube/c40"
    ):
        read_catalogue("faceforensics", trees.faceforensics(tmp_path), compression="c40")


def test_a_file_of_no_bytes_is_empty_and_left_out(tmp_path):
    root = trees.celeb_df(tmp_path)
    (root / "Celeb-real/id2_0000.mp4").write_bytes(b"")
    found = read_catalogue("celeb_df", root)
    assert "0 bytes" in message(found, "empty", "Celeb-real/id2_0000.mp4")
    assert "celeb_df/real/id2_0000" not in {video.key for video in found.videos}


def test_a_broken_link_is_unreadable(tmp_path):
    root = trees.celeb_df(tmp_path)
    (root / "Celeb-real/id2_0000.mp4").unlink()
    (root / "Celeb-real/id2_0000.mp4").symlink_to("nowhere")
    assert "links" in message(read_catalogue("celeb_df", root), "unreadable", "Celeb-real/id2_0000.mp4")


def test_a_pipe_is_unreadable_and_does_not_block(tmp_path):
    root = trees.celeb_df(tmp_path)
    (root / "Celeb-real/id2_0000.mp4").unlink()
    os.mkfifo(root / "Celeb-real/id2_0000.mp4")
    assert kinds(read_catalogue("celeb_df", root), "Celeb-real/id2_0000.mp4") == ["unreadable"]


@pytest.mark.skipif(os.geteuid() == 0, reason="everything is open to root")
@pytest.mark.parametrize("path", ["Celeb-real/id2_0000.mp4", "YouTube-real"])
def test_what_is_closed_to_us_is_unreadable(tmp_path, path):
    root = trees.celeb_df(tmp_path)
    (root / path).chmod(0)
    found = read_catalogue("celeb_df", root)
    (root / path).chmod(0o755)
    assert "permissions" in message(found, "unreadable", path)


def test_what_may_not_be_read_is_unreadable(tmp_path, monkeypatch):
    """As above, for whoever runs the tests as root."""
    root = trees.celeb_df(tmp_path)
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: "id2_0000" not in str(path) and allowed(path, mode))
    found = read_catalogue("celeb_df", root)
    assert "permissions" in message(found, "unreadable", "Celeb-real/id2_0000.mp4")
    assert "celeb_df/real/id2_0000" not in {video.key for video in found.videos}


def test_of_two_files_of_one_key_the_stricter_split_stays(tmp_path):
    root = trees.celeb_df(tmp_path)
    (root / "Celeb-real/id2_0000.avi").write_bytes(b"x")
    found = read_catalogue("celeb_df", root)
    assert "'Celeb-real/id2_0000.avi' is celeb_df/real/id2_0000 too" in message(
        found, "duplicate", "Celeb-real/id2_0000.mp4"
    )
    root = trees.df40(tmp_path / "df40")
    copy = root / "DF40_train/simswap/ff/frames/040_041"
    copy.mkdir()
    (copy / "000.png").write_bytes(b"x")
    found = read_catalogue("df40", root)
    assert [video.split for video in found.videos if video.key == "df40/simswap/ff__040_041"] == ["test"]


def test_files_that_no_list_names_are_counted_once(tmp_path):
    root = trees.faceforensics(tmp_path)
    folder = root / "manipulated_sequences/Deepfakes/c23/videos"
    for name in ("700_701.mp4", "701_700.mp4"):
        (folder / name).write_bytes(b"x")
    text = message(read_catalogue("faceforensics", root), "unlisted", "manipulated_sequences/Deepfakes/c23/videos")
    assert text.startswith("2 files that no list names, the first ")


def test_names_that_no_table_can_hold_are_named_escaped(tmp_path):
    root = trees.celeb_df(tmp_path)
    (root / "Celeb-real/a\nb.mp4").write_bytes(b"x")
    assert "Rename it" in message(read_catalogue("celeb_df", root), "unreadable", "Celeb-real/a\\nb.mp4")


def test_a_name_that_is_not_the_data_sets_is_unlisted(tmp_path):
    root = trees.celeb_df(tmp_path)
    (root / "Celeb-synthesis/holiday.mp4").write_bytes(b"x")
    assert "'Celeb-synthesis/holiday.mp4'" in message(read_catalogue("celeb_df", root), "unlisted", "Celeb-synthesis")


# Celeb-DF's list, folders and people.


def test_lines_that_disagree_with_their_folder_are_one_finding_and_the_folder_is_believed(tmp_path):
    root = trees.celeb_df(tmp_path)
    right = read_catalogue("celeb_df", root)
    flip = str.maketrans("01", "10")
    lines = [line[0].translate(flip) + line[1:] for line in trees.celeb_lines()]
    (root / "List_of_testing_videos.txt").write_text("\n".join(lines))
    found = read_catalogue("celeb_df", root)
    assert found.videos == right.videos
    text = next(finding.message for finding in found.findings if finding.message.startswith("labels:"))
    assert "12 of 12 lines do not fit their folder" in text
    assert "line 1, '0 YouTube-real/00000.mp4'" in text


def test_lines_that_name_nothing_and_videos_that_are_not_there_are_found(tmp_path):
    root = trees.celeb_df(tmp_path)
    with open(root / "List_of_testing_videos.txt", "a") as stream:
        stream.write("\n\n2 Celeb-real/id2_0000.mp4\n1 ../etc/passwd\n1 Celeb-real/id77_0000.mp4\n")
    found = read_catalogue("celeb_df", root)
    assert message(found, "unreadable", "List_of_testing_videos.txt").startswith(
        "2 lines name no video, the first line 14"
    )
    assert message(found, "missing", "Celeb-real/id77_0000.mp4")


def test_folders_of_celeb_df_are_known_in_any_capitals(tmp_path):
    usual = read_catalogue("celeb_df", trees.celeb_df(tmp_path / "a"))
    odd = trees.celeb_df(tmp_path / "b", folders=("celeb-real", "Youtube-real", "Celeb-Synthesis"))
    found = read_catalogue("celeb_df", odd)
    assert [video._replace(path="") for video in found.videos] == [video._replace(path="") for video in usual.videos]
    assert kinds(found) == ["note"]


@pytest.mark.parametrize(
    ("layout", "path"), [("celeb_df", "Youtube-real"), ("celeb_df", "CELEB-SYNTHESIS"), ("df40", "DF40/simswap/FF")]
)
def test_of_two_folders_that_differ_in_capitals_the_one_that_is_not_read_is_named(tmp_path, layout, path):
    root = getattr(trees, layout)(tmp_path)
    before = read_catalogue(layout, root)
    (root / path).mkdir()
    (root / path / "00000.mp4").write_bytes(b"x")
    found = read_catalogue(layout, root)
    assert found.videos == before.videos
    assert "which has the same name but for its capitals" in message(found, "unlisted", path)


def test_a_missing_folder_of_reals_is_found(tmp_path):
    root = trees.celeb_df(tmp_path)
    for file in (root / "YouTube-real").iterdir():
        file.unlink()
    found = read_catalogue("celeb_df", root)
    assert message(found, "missing", "YouTube-real").startswith("no video is here")


def test_a_listed_person_is_kept_out_even_if_the_listed_video_is_missing(tmp_path):
    root = trees.celeb_df(tmp_path)
    for line in trees.celeb_lines():
        if "id12" in line:
            (root / line.split(" ")[1]).unlink()
    found = read_catalogue("celeb_df", root)
    assert "celeb_df/id12" not in {name for video in found.videos if video.split != "test" for name in video.people}


def test_too_few_people_without_those_of_the_list_is_an_error_that_says_what_else_to_do(tmp_path):
    root = trees.celeb_df(tmp_path)
    lines = [f"0 Celeb-synthesis/{a}_{b}_0000.mp4" for a, b in (("id2", "id3"), ("id3", "id5"), ("id5", "id6"))]
    (root / "List_of_testing_videos.txt").write_text("\n".join([*trees.celeb_lines(), *lines]))
    with pytest.raises(InputError, match=r"train has fakes of 0 people.*Use disjoint='video'.*test scores flatter"):
        read_catalogue("celeb_df", root)
    found = read_catalogue("celeb_df", root, disjoint="video")
    assert {"train", "validation", "test"} == {video.split for video in found.videos}
    assert "people of the test list are in training or validation too" in message(found, "overlap", "")


def test_fakes_of_people_in_different_splits_are_counted(tmp_path):
    notes = [finding.message for finding in read_catalogue("celeb_df", trees.celeb_df(tmp_path)).findings]
    assert any(note.startswith("1 videos are left out: they have one person in training and one in") for note in notes)
    # The test people's three second clips, and the fake with one of their faces.
    assert any(note.startswith("4 videos are left out: they show a person of the test list") for note in notes)


# The DFDC's lists, as several writers left them.


def metadata(root, changes, part=0):
    path = root / f"dfdc_train_part_{part}/metadata.json"
    rows = json.loads(path.read_text())
    path.write_text(json.dumps(rows | changes))


def test_metadata_that_names_missing_files_is_found(tmp_path):
    root = trees.dfdc(tmp_path)
    metadata(root, {"gone.mp4": {"label": "FAKE", "original": "realax.mp4"}, "../up\n.mp4": {"label": "REAL"}})
    found = read_catalogue("dfdc", root)
    assert message(found, "missing", "dfdc_train_part_0/gone.mp4")
    assert message(found, "missing", "dfdc_train_part_0/../up\\n.mp4")
    assert len(found.videos) == 48


@pytest.mark.parametrize("nothing", [None, "", "NaN", "None", float("nan"), "null", "../x"])
def test_an_original_may_be_absent_in_many_ways(tmp_path, nothing):
    root = trees.dfdc(tmp_path)
    metadata(root, {"fakeax0.mp4": {"label": "FAKE", "original": nothing}, "fakeax1.mp4": {"label": "fake"}})
    videos = {video.video: video for video in read_catalogue("dfdc", root).videos}
    for name in ("fakeax0", "fakeax1"):
        assert (videos[name].label, videos[name].pair, videos[name].identity) == (1, "", "")
    assert videos["fakeax2"].pair == "dfdc/real/realax"


def test_fakes_of_an_original_that_is_not_there_still_share_its_person(tmp_path):
    root = trees.dfdc(tmp_path)
    (root / "dfdc_train_part_0/realax.mp4").unlink()
    fakes = [video for video in read_catalogue("dfdc", root).videos if video.video.startswith("fakeax")]
    assert {(video.identity, video.pair) for video in fakes} == {("dfdc/realax", "")}


def test_a_fake_in_another_split_than_its_original_takes_neither_into_training(tmp_path):
    root = trees.dfdc(tmp_path)
    metadata(root, {"fakefx0.mp4": {"label": "FAKE", "original": "realax.mp4"}}, part=49)
    found = read_catalogue("dfdc", root)
    assert {video.split for video in found.videos if "dfdc/realax" in video.people} == {"test"}
    assert "4 videos are left out" in message(found, "note", "")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"a.mp4": 1}', "null"])
def test_broken_metadata_costs_its_part_alone(tmp_path, text):
    root = trees.dfdc(tmp_path)
    (root / "dfdc_train_part_0/metadata.json").write_text(text)
    found = read_catalogue("dfdc", root)
    assert "Get it anew" in message(found, "unreadable", "dfdc_train_part_0/metadata.json")
    assert len(found.videos) == 40


def test_a_part_without_metadata_is_found(tmp_path):
    root = trees.dfdc(tmp_path)
    (root / "dfdc_train_part_40/metadata.json").unlink()
    assert "Unpack the part again" in message(
        read_catalogue("dfdc", root), "missing", "dfdc_train_part_40/metadata.json"
    )


def test_a_label_that_is_none_leaves_its_video_out(tmp_path):
    root = trees.dfdc(tmp_path)
    metadata(root, {"fakeax0.mp4": {"label": "MAYBE"}})
    found = read_catalogue("dfdc", root)
    assert "'MAYBE' of 'fakeax0'" in message(found, "unreadable", "dfdc_train_part_0/metadata.json")
    assert "fakeax0" not in {video.video for video in found.videos}


def test_a_video_that_stands_twice_in_a_list_and_differs_is_found(tmp_path):
    root = trees.dfdc(tmp_path)
    path = root / "dfdc_train_part_0/metadata.json"
    # JSON lets a name stand twice, and most readers believe the last.
    path.write_text(
        path.read_text()[:-1] + ', "realax.mp4": {"label": "FAKE"}, "realay.mp4": {"label": "REAL", "split": "train"}}'
    )
    found = read_catalogue("dfdc", root)
    assert {video.video: video.label for video in found.videos}["realax"] == 0
    assert "'realax.mp4' is there twice" in message(found, "duplicate", "dfdc_train_part_0/metadata.json")


def test_labels_of_the_preview_that_do_not_fit_their_folder_are_left_out(tmp_path):
    root = trees.dfdc_preview(tmp_path)
    path = root / "dataset.json"
    rows = json.loads(path.read_text())
    real, fake = "original_videos/1000/1000_A_000.mp4", "method_A/1001/1001_A/1001_A_000_0.mp4"
    rows[real]["label"], rows[fake]["label"] = "fake", "real"
    path.write_text(json.dumps(rows | {"method_C/1000/x.mp4": {"label": "fake", "set": "train"}}))
    found = read_catalogue("dfdc", root, subset="preview")
    assert not {real, fake} & {video.path for video in found.videos}
    assert "its label 'fake' does not fit its folder" in message(found, "unreadable", real)
    assert "its label 'real' does not fit its folder" in message(found, "unreadable", fake)
    assert "1 videos in it are in none of original_videos, " in message(found, "unlisted", "dataset.json")


def test_parts_may_be_numbered_with_zeros_and_other_folders_are_named(tmp_path):
    root = trees.dfdc(tmp_path)
    (root / "dfdc_train_part_0").rename(root / "dfdc_train_part_00")
    (root / "train_sample_videos").mkdir()
    (root / "dfdc_train_part_50").mkdir()
    found = read_catalogue("dfdc", root)
    assert len(found.videos) == 48
    text = message(found, "unlisted", "")
    assert text.startswith("2 files that are no part (dfdc_train_part_<n>), the first 'dfdc_train_part_50'")


@pytest.mark.parametrize(
    ("folder", "table"), [("videos", "labels.csv"), ("test", "test/labels.csv"), ("", "labels.csv")]
)
def test_labels_and_videos_of_the_test_set_may_lie_in_either_place(tmp_path, folder, table):
    root = trees.dfdc_test(tmp_path, folder=folder, table=table)
    assert len(read_catalogue("dfdc", root, subset="test").videos) == 6


def test_labels_of_the_test_set_may_be_words_and_contradictions_are_found(tmp_path):
    root = trees.dfdc_test(tmp_path)
    (root / "labels.csv").write_text(
        "filename,label\ntest0.mp4,REAL\ntest1.mp4,FAKE\ntest1.mp4,0\ntest2.mp4,x\ntest9.mp4,0\n"
    )
    found = read_catalogue("dfdc", root, subset="test")
    assert {video.video: video.label for video in found.videos} == {"test0": 0, "test1": 1}
    assert {"duplicate", "missing", "unlisted", "unreadable"} <= set(kinds(found))


def test_the_previews_people_may_be_named_in_its_list(tmp_path):
    root = trees.dfdc_preview(tmp_path)
    path = root / "dataset.json"
    rows = json.loads(path.read_text())
    name = "method_A/1000/1000_A/1000_A_000_0.mp4"
    rows[name] |= {"target_id": 1000, "swapped_id": "2000"}  # of the test split
    other = name.replace("_0.mp4", "_1.mp4")
    rows[other] |= {"swapped_id": 1001.0, "set": "holdout"}
    path.write_text(json.dumps(rows))
    found = read_catalogue("dfdc", root, subset="preview")
    assert name not in {video.path for video in found.videos}
    assert "1 videos are left out" in next(
        f.message for f in found.findings if "left out" in f.message and f.path == ""
    )
    assert "'holdout' is neither train nor test" in message(found, "unreadable", other)


# Archives.


def member(name, kind=tarfile.REGTYPE, link=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.mark.parametrize(
    ("extra", "problem"),
    [
        (member("../../evil.png"), "leads out of the archive"),
        (member("1/fake/../../../evil.png"), "leads out of the archive"),
        (member("/etc/evil.png"), "has an absolute path"),
        (member("C:/evil.png"), "has an absolute path"),
        (member("1\\fake\\7\\1.png"), "has an absolute path"),
        (member("1/fake/7/2.png", tarfile.SYMTYPE, "/etc/passwd"), "is a link"),
        (member("1/fake/7/3.png", tarfile.LNKTYPE, "1/fake/7/9.png"), "is a link"),
        (member("1/fake/7/4.png", tarfile.CHRTYPE), "is a device"),
        (member("1/fake/7/5.png", tarfile.FIFOTYPE), "is a device"),
        (member("1/fake/7/a\nb.png"), "has a name that is none"),
    ],
)
def test_a_dangerous_archive_is_refused(tmp_path, extra, problem):
    root = trees.wild_deepfake(tmp_path)
    trees.archive(root / "fake_train/1.tar.gz", {"./1/fake/7/9.png": b"x"}, [extra])
    with pytest.raises(InputError, match=f"the member .* {problem}") as error:
        read_catalogue("wild_deepfake", root)
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match=problem):
        next(read_member_frames(root, "fake_train/1.tar.gz::1/fake/7"))


def test_a_frame_that_claims_gigabytes_is_refused(tmp_path):
    root = trees.wild_deepfake(tmp_path)
    with tarfile.open(root / "fake_train/1.tar", "w") as tar:
        huge = member("1/fake/7/9.png")
        huge.size = 5 * 2**30
        tar.fileobj.write(huge.tobuf())
    with pytest.raises(InputError, match="claims 5368709120 bytes"):
        read_catalogue("wild_deepfake", root)


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-20], lambda data: data[:100], lambda data: b"no archive", lambda data: b""]
)
def test_an_archive_that_is_cut_off_or_none_costs_itself_alone(tmp_path, damage):
    root = trees.wild_deepfake(tmp_path)
    path = root / "fake_train/3.tar.gz"
    path.write_bytes(damage(path.read_bytes()))
    found = read_catalogue("wild_deepfake", root)
    assert "Download it again" in message(found, "unreadable", "fake_train/3.tar.gz")
    assert len(found.videos) == 22 - 2
    with pytest.raises(InputError, match=r"'fake_train/3\.tar\.gz' cannot be read"):
        list(read_member_frames(root, "fake_train/3.tar.gz::3/fake/7"))


def test_an_archive_in_the_wrong_folder_is_left_out(tmp_path):
    # All archives are called 1.tar.gz and so on; inside, they say what they are.
    root = trees.wild_deepfake(tmp_path)
    (root / "real_train/3.tar.gz").rename(root / "fake_train/9.tar.gz")
    found = read_catalogue("wild_deepfake", root)
    assert not [video for video in found.videos if "9.tar.gz" in video.path]
    texts = [finding.message for finding in found.findings if finding.path == "fake_train/9.tar.gz"]
    assert [text.split(":")[0] for text in texts] == [f"'3/real/{n}' lies in 'fake_train'" for n in (7, 131)]


@pytest.mark.parametrize("space", [" ", "_", "-"])
def test_the_folders_of_wild_deepfake_are_known_in_every_spelling(tmp_path, space):
    root = trees.wild_deepfake(tmp_path / "deepfake_in_the_wild", space=space)
    names = {video.key for video in read_catalogue("wild_deepfake", root).videos}
    assert len(names) == 22
    assert names == {video.key for video in read_catalogue("wild_deepfake", tmp_path).videos}


def test_frames_come_out_of_an_archive_in_order_and_nothing_is_written(tmp_path):
    data = {f"./1/fake/7/{frame}.png": f"picture {frame}".encode() for frame in (10, 9, 100)}
    root = trees.wild_deepfake(tmp_path)
    trees.archive(root / "fake_train/1.tar.gz", data | {"./1/fake/8/9.png": b"other", "./1/readme.txt": b"x"})
    before = sorted(root.rglob("*"))
    found = read_catalogue("wild_deepfake", root)
    path = next(video.path for video in found.videos if video.video == "train__1__7" and video.label == 1)
    assert path == "fake_train/1.tar.gz::1/fake/7"
    assert list(read_member_frames(root, path)) == [(n, f"picture {n}".encode()) for n in (9, 10, 100)]
    assert sorted(root.rglob("*")) == before
    assert "'1/readme.txt'" in message(found, "unlisted", "fake_train/1.tar.gz")


def test_a_sequence_or_archive_that_is_not_there_is_refused(tmp_path):
    root = trees.wild_deepfake(tmp_path)
    with pytest.raises(InputError, match="has no sequence '1/fake/99'"):
        next(read_member_frames(root, "fake_train/1.tar.gz::1/fake/99"))
    with pytest.raises(InputError, match=r"'fake_train/99\.tar\.gz' cannot be read"):
        next(read_member_frames(root, "fake_train/99.tar.gz::1/fake/99"))


# DF40 and DeeperForensics.


def test_a_method_of_df40_that_is_empty_or_none_is_found(tmp_path):
    root = trees.df40(tmp_path)
    (root / "DF40/e4s/ff").mkdir(parents=True)
    (root / "DF40/notes").mkdir()
    found = read_catalogue("df40", root)
    assert message(found, "missing", "DF40/e4s/ff").startswith("nothing is in it")
    assert message(found, "missing", "DF40/notes").startswith("no ff, cdf, fake or real is in it")


@pytest.mark.parametrize("part", ["DF40", "DF40_train"])
def test_a_part_of_df40_can_be_the_root(tmp_path, part):
    whole = {
        video.key for video in read_catalogue("df40", trees.df40(tmp_path)).videos if video.path.startswith(f"{part}/")
    }
    found = {video.key for video in read_catalogue("df40", tmp_path / part).videos}
    # Alone, training may show the person who is kept out for the test split's sake.
    assert found - whole == (set() if part == "DF40" else {f"df40/{m}/ff__040_050" for m in ("simswap", "fomm")})


def test_a_folder_of_frames_some_of_which_are_empty_is_kept_and_found(tmp_path):
    root = trees.df40(tmp_path)
    folder = "DF40/simswap/ff/frames/040_041"
    (root / folder / "001.png").write_bytes(b"")
    found = read_catalogue("df40", root)
    assert message(found, "empty", folder).startswith("1 of its 3 frames")
    assert folder in {video.path for video in found.videos}


def test_links_in_a_circle_end(tmp_path):
    root = trees.df40(tmp_path)
    (root / "DF40/heygen/fake/again").symlink_to(root / "DF40/heygen/fake", target_is_directory=True)
    assert len(read_catalogue("df40", root).videos) == 12 + 8


def test_deeper_forensics_without_faceforensics_says_where_its_reals_are(tmp_path):
    root = trees.deeper_forensics(tmp_path / "df")
    found = read_catalogue("deeper_forensics", root)
    assert "target videos of FaceForensics++ at c23" in message(found, "missing", "")
    assert {video.label for video in found.videos} == {1}
    with pytest.raises(InputError, match=r"'.*nowhere' does not exist"):
        read_catalogue("deeper_forensics", root, ff_root=tmp_path / "nowhere")


def test_the_reals_of_deeper_forensics_are_found_through_links(tmp_path):
    real = trees.deeper_forensics(tmp_path / "deep/inside/df", ff_root=tmp_path / "ff")
    (tmp_path / "link").symlink_to(real, target_is_directory=True)
    found = read_catalogue("deeper_forensics", tmp_path / "link", ff_root=tmp_path / "ff")
    assert all((tmp_path / "link" / video.path).is_file() for video in found.videos)


def test_methods_of_deeper_forensics_are_chosen_by_folder(tmp_path):
    root = trees.deeper_forensics(tmp_path / "df", ff_root=tmp_path / "ff")
    found = read_catalogue("deeper_forensics", root, ff_root=tmp_path / "ff", methods=["end_to_end"])
    assert {video.method for video in found.videos} == {"real", "end_to_end"}
    with pytest.raises(
        InputError, match="no method 'x' in manipulated_videos; there are: end_to_end, end_to_end_level_1"
    ):
        read_catalogue("deeper_forensics", root, methods=["x"])
