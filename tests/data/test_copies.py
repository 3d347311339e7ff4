"""One picture is one, whatever its files are called: by its pixels, by its file, by its bytes."""

import os
import shutil

import numpy as np
import pytest
from PIL import Image

from metaforge.data.copies import check_contents, each_once
from metaforge.data.files import ImageFiles
from metaforge.data.records import Records, check_splits_are_disjoint
from metaforge.errors import InputError


def pictures(count, *, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 6, 6, 3), np.uint8)


def test_of_copies_one_stays_of_a_picture_in_two_classes_none_and_their_groups_are_one():
    a, b, c = pictures(3)
    flat = np.zeros_like(a)
    shown = [(a, 0, "p"), (a, 0, "q"), (b, 0, "q"), (b, 1, "r"), (c, 1, "s"), (flat, 0, "t"), (flat, 1, "u")]
    images, labels, group = (list(column) for column in zip(*shown, strict=True))
    once = each_once(images, np.array(labels), np.array(group), list("0123456"))
    assert once.rows.tolist() == [0, 4, 5, 6]
    assert once.groups.tolist() == ["p", "p", "p", "p", "s", "t", "u"]
    assert [skip.path for skip in once.left] == ["1", "2", "3"]
    assert "same picture as '0'" in once.left[0].reason
    assert "'3': real and fake" in once.left[1].reason


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "d").mkdir()
    for name, image in zip(("a", "b"), pictures(2), strict=True):
        Image.fromarray(image).save(tmp_path / "d" / f"{name}.png")
    os.link(tmp_path / "d/a.png", tmp_path / "hard.png")
    os.symlink("d/a.png", tmp_path / "soft.png")
    os.symlink("d", tmp_path / "linked")
    shutil.copy(tmp_path / "d/a.png", tmp_path / "copy.png")
    return tmp_path


def records(folder, other, **columns):
    files = ImageFiles(["d/a.png", "d/b.png", other], root=folder, size=6)
    return Records.from_columns(image=files, video=list("vwx"), **columns)


@pytest.mark.parametrize("other", ["./d/a.png", "d//a.png", "d/./a.png", "hard.png", "soft.png", "linked/a.png"])
def test_a_file_is_one_however_it_is_spelt(folder, other):
    apart = records(folder, other, label=[0, 1, 0], split=["test", "train", "train"])
    with pytest.raises(InputError, match=rf"'d/a\.png' and '{other}' are one file.*in the splits 'test' and 'train'"):
        check_splits_are_disjoint(apart)
    with pytest.raises(InputError, match="are one file, which is both real and fake"):
        check_splits_are_disjoint(records(folder, other, label=[0, 1, 1], split=["train"] * 3))
    check_splits_are_disjoint(records(folder, other, label=[0, 1, 0], split=["train"] * 3))


def test_two_ways_to_write_a_letter_are_one_name(tmp_path):
    files = ImageFiles(["\u00e9.png", "e\u0301.png"], root=tmp_path, size=6)
    with pytest.raises(InputError, match="are one file"):
        check_splits_are_disjoint(Records.from_columns(image=files, label=[0, 0], split=["train", "test"]))


def test_a_copy_in_another_split_or_class_is_found_by_its_bytes(folder):
    files = ImageFiles(["d/a.png", "d/b.png", "copy.png", "gone.png"], root=folder, size=6)
    label, split = np.array([0, 1, 0, 0]), np.array(["test", "train", "train", "train"])
    with pytest.raises(InputError, match=r"'d/a\.png' and 'copy\.png' hold one picture.*in the splits"):
        check_contents(files, label, split)
    with pytest.raises(InputError, match=r"hold one picture, which is both real and fake"):
        check_contents(files, np.array([0, 1, 1, 0]), np.array(["train"] * 4))
    check_contents(files, label, np.array(["train"] * 4))


def test_pictures_of_one_colour_show_nobody(tmp_path):
    for name in ("a", "b"):
        Image.new("RGB", (6, 6), "black").save(tmp_path / f"{name}.png")
    check_contents(ImageFiles(["a.png", "b.png"], root=tmp_path, size=6), np.array([0, 1]), np.array(["train"] * 2))
