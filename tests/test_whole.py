"""A folder or a file that is whole or not there, and whose name two processes cannot both work for."""

import os
from pathlib import Path

import pytest

from metaforge import locks
from metaforge.errors import InputError
from metaforge.whole import claimed, whole_file, whole_folder
from tests.test_locks import other  # noqa: F401 - another process that holds tmp_path


def write(path, text, **how):
    with whole_file(path, **how) as made:
        made.write_text(text, encoding="utf-8")


def test_a_file_takes_its_name_when_it_is_whole_and_leaves_nothing_else(tmp_path):
    def fail(made):
        made.write_text("half", encoding="utf-8")
        assert (made.parent, made.suffix) == (tmp_path / "a", ".csv")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), whole_file(tmp_path / "a" / "b.csv") as made:
        fail(made)
    assert list((tmp_path / "a").iterdir()) == []
    write(tmp_path / "a" / "b.csv", "old")
    write(tmp_path / "a" / "b.csv", "new")
    assert [path.read_text(encoding="utf-8") for path in (tmp_path / "a").iterdir()] == ["new"]


@pytest.mark.parametrize("links", [True, False])
def test_a_new_file_is_written_over_nothing_that_came_meanwhile(links, tmp_path, monkeypatch):
    if not links:
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(PermissionError))
    write(tmp_path / "free.csv", "mine", new=True)
    assert (tmp_path / "free.csv").read_text(encoding="utf-8") == "mine"
    with pytest.raises(InputError, match="exists already"):
        write(tmp_path / "free.csv", "more", new=True)
    assert [path.read_text(encoding="utf-8") for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("name", ["n" * 255, "\u00e9" * 127])
def test_a_name_may_be_as_long_as_names_may_be(name, tmp_path):
    write(tmp_path / name, "")
    (tmp_path / name).unlink()
    with whole_folder(tmp_path / name):
        pass
    assert os.listdir(tmp_path) == [name]


def test_a_folder_is_claimed_while_it_is_worked_for(tmp_path):
    out = tmp_path / "deep" / "out"
    with pytest.raises(ZeroDivisionError), claimed(out):
        raise ZeroDivisionError
    assert not out.exists()
    # The inner one is as of a detector that is part of what goes there.
    with claimed(out), whole_folder(out) as made, claimed(made), whole_folder(made) as again:
        (again / "b").touch()
    assert os.listdir(out) == ["b"]
    with pytest.raises(InputError, match="exists already"), claimed(out):
        pass
    with pytest.raises(InputError, match="exists already"), claimed(out / "b"):
        pass


@pytest.mark.parametrize("out", [".", "link", "mounted", "closed"])
def test_a_folder_whose_place_no_other_can_take_gets_what_was_made(out, tmp_path, monkeypatch):
    for name in ("here", "aim", "mounted", "closed"):
        (tmp_path / "in" / name).mkdir(parents=True)
    (tmp_path / "in" / "link").symlink_to("aim")
    monkeypatch.chdir(tmp_path / "in" / ("here" if out == "." else ""))
    monkeypatch.setattr(Path, "is_mount", lambda path: path.name == "mounted")
    monkeypatch.setattr(os, "access", lambda *_: out != "closed")  # beside it
    before = os.stat(out).st_ino
    with claimed(out), whole_folder(out) as made:
        (made / "part").mkdir()
        (made / "part" / "a").touch()
        assert all(name.startswith(".") for name in os.listdir(out))
    assert (os.stat(out).st_ino, os.listdir(out), os.listdir(f"{out}/part")) == (before, ["part"], ["a"])
    assert sorted(os.listdir(tmp_path / "in")) == ["aim", "closed", "here", "link", "mounted"]


def test_a_folder_that_another_process_works_for_is_refused_in_one_line(other, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(locks, "_PATIENCE", 0.0)
    with (
        pytest.raises(InputError, match=r"out: another process is writing to .* or choose another --out\."),
        claimed(tmp_path),
    ):
        raise AssertionError
    assert tmp_path.is_dir()
