"""Anybody's own folder, or list, of faces: what is a video, what a method, and who goes into which split."""

import collections

import pytest

from metaforge.data.catalogues import check_splits, read_catalogue
from metaforge.errors import InputError
from tests.data.catalogues import trees


def touch(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"x")


def table(folder, text, *paths):
    touch(folder, *paths)
    (folder / "list.csv").write_text(text)
    return folder / "list.csv"


def test_folders_videos_and_images_become_videos(tmp_path):
    touch(tmp_path, "real/a.mp4", "real/b/0.png", "real/b/1.png", "real/c.png", "real/more/d.mp4")
    touch(tmp_path, "fake/e.mp4", "fake/f/0.png", "fake/swap/g.mp4", "fake/gan/h/0.png", "fake/gan/i.png")
    touch(tmp_path, "fake/k/frames/0.png", "fake/k/landmarks/0.png", "real/notes.txt", "fake/gan/.hidden/0.png")
    found = {(video.method, video.video, video.path) for video in read_catalogue("face_folder", tmp_path).videos}
    assert found == {
        ("real", "a", "real/a.mp4"),
        ("real", "b", "real/b"),
        ("real", "c", "real/c.png"),
        ("real", "more__d", "real/more/d.mp4"),
        ("fake", "e", "fake/e.mp4"),
        ("fake", "f", "fake/f"),
        ("fake", "k", "fake/k/frames"),
        ("swap", "g", "fake/swap/g.mp4"),
        ("gan", "h", "fake/gan/h"),
        ("gan", "i", "fake/gan/i.png"),
    }


def test_splits_are_drawn_by_name_so_that_new_videos_move_no_old_one(tmp_path):
    touch(tmp_path, *(f"{label}/{n}.mp4" for label in ("real", "fake") for n in range(200)))
    before = {video.key: video.split for video in read_catalogue("face_folder", tmp_path).videos}
    touch(tmp_path, *(f"real/new{n}.mp4" for n in range(50)))
    after = {video.key: video.split for video in read_catalogue("face_folder", tmp_path).videos}
    assert before.items() <= after.items()
    shares = collections.Counter(before.values())
    # 400 draws: three standard deviations of a share of 0.15 are 0.054, of 0.7 they are 0.069.
    assert abs(shares["validation"] / 400 - 0.15) < 0.054
    assert abs(shares["test"] / 400 - 0.15) < 0.054
    assert abs(shares["train"] / 400 - 0.7) < 0.069


def test_train_and_test_alone_give_validation_a_part_of_train(tmp_path):
    touch(
        tmp_path, *(f"{s}/{label}/{n}.mp4" for s in ("train", "test") for label in ("real", "fake") for n in range(60))
    )
    found = read_catalogue("face_folder", tmp_path)
    splits = collections.Counter((video.path.split("/")[0], video.split) for video in found.videos)
    assert splits.keys() == {("train", "train"), ("train", "validation"), ("test", "test")}
    assert splits["test", "test"] == 120
    # One name in two splits' folders is two videos.
    assert check_splits(found.videos) == []


def test_a_file_that_links_put_into_two_splits_or_classes_is_no_two_videos(tmp_path):
    touch(
        tmp_path,
        *(f"{split}/{label}/{n}.mp4" for split in ("train", "test") for label in ("real", "fake") for n in "ab"),
    )
    (tmp_path / "train/real/linked.mp4").symlink_to(tmp_path / "test/real/a.mp4")
    (tmp_path / "train/fake/b2.mp4").hardlink_to(tmp_path / "train/real/b.mp4")
    found = read_catalogue("face_folder", tmp_path)
    paths = {video.path for video in found.videos}
    assert "test/real/a.mp4" in paths
    assert not paths & {"train/real/linked.mp4", "train/fake/b2.mp4", "train/real/b.mp4"}
    assert [f.path for f in found.findings if f.kind == "duplicate"] == ["train/real/linked.mp4"]
    assert any("one is real and one fake" in finding.message for finding in found.findings)


def test_lines_of_a_wrong_length_and_columns_that_are_there_twice_are_said(tmp_path):
    text = "path,label,method\na.mp4,0\nb.mp4,1,swap,train\nc.mp4,1,swap\n"
    found = read_catalogue("face_folder", table(tmp_path, text, "a.mp4", "b.mp4", "c.mp4"))
    assert {video.path for video in found.videos} == {"a.mp4", "c.mp4"}
    said = [finding.message for finding in found.findings]
    assert any("line 3: 4 values for 3 columns" in message for message in said)
    assert any("1 lines have fewer values than columns, the first line 2" in message for message in said)
    with pytest.raises(InputError, match="has the column 'label' twice"):
        read_catalogue("face_folder", table(tmp_path, "path,label,Label\na.mp4,0,1\n", "a.mp4"))


def test_a_split_without_reals_or_fakes_is_noted(tmp_path):
    touch(tmp_path, "train/real/a.mp4", "train/fake/a.mp4", "test/real/a.mp4", "val/real/b.mp4", "val/fake/b.mp4")
    found = read_catalogue("face_folder", tmp_path)
    assert [finding.message for finding in found.findings if finding.kind == "note"] == [
        "the split test has no fake video. Add some, or give the splits yourself."
    ]
    assert [finding.path for finding in found.findings if finding.kind == "missing"] == ["test/fake"]


def test_folders_beside_splits_and_methods_without_files_are_found(tmp_path):
    root = trees.face_folder(tmp_path)
    touch(root, "real/forgotten.mp4")
    (root / "train/fake/empty/inside").mkdir(parents=True)
    found = read_catalogue("face_folder", root)
    assert {(finding.kind, finding.path) for finding in found.findings} == {
        ("unlisted", "real"),
        ("missing", "train/fake/empty"),
    }


def test_capitals_do_not_matter(tmp_path):
    touch(tmp_path, "Train/Real/a.mp4", "Train/FAKE/b.mp4", "Validation/real/c.mp4", "Validation/Fake/d.mp4")
    splits = {video.path: video.split for video in read_catalogue("face_folder", tmp_path).videos}
    assert splits["Validation/Fake/d.mp4"] == "validation"
    assert splits["Train/Real/a.mp4"] == "train"


def test_a_list_of_paths_and_labels_is_enough(tmp_path):
    path = table(
        tmp_path,
        "path,label\nclips/a.mp4,real\nclips/b.mp4,1\nclips/c,FAKE\n",
        "clips/a.mp4",
        "clips/b.mp4",
        "clips/c/0.png",
    )
    found = read_catalogue("face_folder", path)
    assert found.root == tmp_path.as_posix()
    assert [(video.key, video.label) for video in found.videos] == [
        ("face_folder/real/clips__a", 0),
        ("face_folder/fake/clips__b", 1),
        ("face_folder/fake/clips__c", 1),
    ]


def test_a_list_may_say_everything(tmp_path):
    header = "path,label,dataset,method,video,identity,donor,pair,compression,split,mask,remark\n"
    text = "a.mp4,real,mine,,anna,anna,,,c23,val,,x\nb.mp4,fake,mine,swap,anna_bob,anna,ours/bob,anna,c23,val,m.mp4,y\n"
    found = read_catalogue("face_folder", table(tmp_path, header + text, "a.mp4", "b.mp4", "m.mp4"))
    fake = next(video for video in found.videos if video.label == 1)
    assert fake == (
        "b.mp4", 1, "mine", "swap", "anna_bob", "mine/anna", "ours/bob", "mine/real/anna", "c23", "validation", "m.mp4",
    )  # fmt: skip


def test_a_manifest_in_a_folder_is_read_unless_the_folder_has_real_and_fake(tmp_path):
    table(tmp_path, "path,label\na.mp4,real\n", "a.mp4").rename(tmp_path / "manifest.csv")
    assert [video.path for video in read_catalogue("face_folder", tmp_path).videos] == ["a.mp4"]
    touch(tmp_path, "real/b.mp4", "fake/c.mp4")
    assert {video.path for video in read_catalogue("face_folder", tmp_path).videos} == {"real/b.mp4", "fake/c.mp4"}


def test_what_shares_a_person_or_a_pair_is_drawn_together(tmp_path):
    lines, paths = ["path,label,method,video,identity,donor,pair"], []
    for n in range(40):
        names = [f"r{n}.mp4", f"s{n}.mp4", f"f{n}.mp4"]
        lines += [f"{names[0]},0,,r{n},p{n},,", f"{names[1]},0,,s{n},,,", f"{names[2]},1,swap,f{n},p{n},,s{n}"]
        paths += names
    found = read_catalogue("face_folder", table(tmp_path, "\n".join(lines), *paths))
    splits = {video.path: video.split for video in found.videos}
    assert all(splits[f"r{n}.mp4"] == splits[f"f{n}.mp4"] == splits[f"s{n}.mp4"] for n in range(40))
    assert set(splits.values()) == {"train", "validation", "test"}
    assert check_splits(found.videos) == []


def test_lines_without_a_split_follow_the_people_whose_split_is_given(tmp_path):
    text = "path,label,identity,split\na.mp4,0,anna,test\nb.mp4,1,anna,\nc.mp4,0,carl,validation\nd.mp4,1,dora,train\n"
    found = read_catalogue("face_folder", table(tmp_path, text, "a.mp4", "b.mp4", "c.mp4", "d.mp4"))
    assert next(video.split for video in found.videos if video.path == "b.mp4") == "test"


@pytest.mark.parametrize(
    ("line", "kind", "message"),
    [
        ("../a.mp4,0", "unreadable", "line 3: path '../a.mp4' is not a path below"),
        ("/etc/passwd,0", "unreadable", "line 3: path '/etc/passwd' is not a path below"),
        ("a\\b.mp4,0", "unreadable", "line 3: path is longer than 200 letters, or has some"),
        (",0", "unreadable", "line 3: path is empty"),
        ("bad.mp4,2", "unreadable", "line 3: label '2' is not 0, real, 1 or fake"),
        ("bad.mp4,", "unreadable", "line 3: label '' is not"),
        ("bad.mp4,0,holdout", "unreadable", "line 3: split 'holdout' is not train, validation or test"),
        ("bad.mp4,0,,../../x", "unreadable", "line 3: video '../../x' is not a path below"),
        ("bad.mp4,0,,,a/b", "unreadable", "has a '/'"),
        ("bad.mp4,1,,,real", "unreadable", "line 3: a fake has the method 'real'"),
        ("gone.mp4,0", "missing", "line 3 names it"),
        ("bad.mp4,fake,,,REAL", "unreadable", "line 3: a fake has the method 'real'"),
        ("good.mp4,0", "duplicate", "lines 2, 3 name it"),
        ("./good.mp4,0", "duplicate", "lines 2, 3 name it"),
        ("shadows,0", "empty", "0 bytes"),
        ("empty.mp4,0", "empty", "0 bytes"),
        ("folder,0", "empty", "0 bytes"),
    ],
)
def test_a_line_that_cannot_be_used_is_named_and_left_out(tmp_path, line, kind, message):
    (tmp_path / "folder").mkdir()
    touch(tmp_path, "shadows/._000.png")
    path = table(tmp_path, f"path,label,split,video,method\ngood.mp4,0\n{line}\n", "good.mp4", "bad.mp4", "empty.mp4")
    (tmp_path / "empty.mp4").write_bytes(b"")
    found = read_catalogue("face_folder", path)
    assert [video.path for video in found.videos] == ["good.mp4"]
    finding = next(finding for finding in found.findings if finding.kind == kind)
    assert message in finding.message
    assert "\n" not in finding.message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "has no column 'path'"),
        (b"path\na.mp4\n", "has no column 'label'"),
        (b"\xff\xfe\x00\x01", "is not a CSV file"),
        (b"path,label\n", "nothing usable"),
        (b"path,label\n" + b"a" * 200_000 + b",0\n", "is not a CSV file"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path, data, message):
    (tmp_path / "list.csv").write_bytes(data)
    with pytest.raises(InputError, match=message) as error:
        read_catalogue("face_folder", tmp_path / "list.csv")
    assert "\n" not in str(error.value)


def test_a_file_that_is_called_real_and_fake_is_neither(tmp_path):
    text = "path,label\na.mp4,0\nb.mp4,1\n./a.mp4,1\n"
    found = read_catalogue("face_folder", table(tmp_path, text, "a.mp4", "b.mp4"))
    assert [video.path for video in found.videos] == ["b.mp4"]
    assert any("lines 2, 4 call it real and fake" in finding.message for finding in found.findings)


def test_a_file_in_two_splits_stays_in_the_stricter(tmp_path):
    text = "path,label,split,video\na.mp4,0,train,one\na.mp4,0,test,two\nb.mp4,1,train,\n"
    found = read_catalogue("face_folder", table(tmp_path, text, "a.mp4", "b.mp4"))
    assert [(video.video, video.split) for video in found.videos if video.path == "a.mp4"] == [("two", "test")]


@pytest.mark.parametrize(
    ("stray", "path"),
    [
        ("real/fake/x.mp4", "real/fake"),
        ("real/Fake/x/000.png", "real/Fake"),
        ("fake/real/x.mp4", "fake/real"),
        ("fake/REAL/swap/x.mp4", "fake/REAL"),
    ],
)
def test_real_in_fake_and_fake_in_real_is_neither(tmp_path, stray, path):
    touch(tmp_path, "real/a.mp4", "fake/swap/b.mp4", stray)
    found = read_catalogue("face_folder", tmp_path)
    assert [video.path for video in found.videos] == ["real/a.mp4", "fake/swap/b.mp4"]
    assert any(f.kind == "unreadable" and f.path == path and "one in the other" in f.message for f in found.findings)


@pytest.mark.parametrize("folder", ["train/", ""])
def test_folders_that_are_read_from_nowhere_are_named(tmp_path, folder):
    # "valid" is none of the names of a split, and of "real" and "Real" one is taken.
    touch(tmp_path, f"{folder}real/a.mp4", f"{folder}fake/b.mp4", "valid/real/c.mp4", f"{folder}Real/d.mp4")
    found = read_catalogue("face_folder", tmp_path)
    assert sorted(video.path for video in found.videos) == [f"{folder}fake/b.mp4", f"{folder}real/a.mp4"]
    named = {finding.path: finding.message for finding in found.findings if finding.kind == "unlisted"}
    assert set(named) == {"valid", f"{folder}Real"}
    assert named["valid"].startswith("its name is none of train, validation, val, test")


def test_what_is_left_out_for_its_ending_is_named_and_notes_are_not(tmp_path):
    touch(tmp_path, "real/a.PNG", "real/b.heic", "real/c.jfif", "real/d.psd", "real/e.psd", "real/notes.txt")
    touch(tmp_path, "fake/gan/a.MPG", "fake/gan/b.3gp", "fake/gan/c.rm")
    found = read_catalogue("face_folder", tmp_path)
    # What cannot be read in spite of its ending is said when it is.
    assert {video.path for video in found.videos} == {
        "real/a.PNG", "real/b.heic", "real/c.jfif", "fake/gan/a.MPG", "fake/gan/b.3gp",
    }  # fmt: skip
    said = {finding.path: finding.message for finding in found.findings if finding.kind == "unlisted"}
    assert said.keys() == {"real", "fake/gan"}
    assert "2 files that have no ending of an image or a video, the first 'd.psd'" in said["real"]
    assert "the first 'c.rm'" in said["fake/gan"]
