"""What is kept is read again, what is deleted is gone from the disk, and another's database is left alone."""

import hashlib
import sqlite3

import pytest

from metaforge.errors import InputError
from metaforge.serving.storage import Storage, sqlite_url
from tests.screening.verdicts.test_record import FILE

SAID = {"who": "ann", "sha256": "0" * 64, "face": None, "label": "fake", "note": "", "verdict": None,
        "model_sha256": None}  # fmt: skip
ASKED = {"who": None, "name": "phones", "asked": {"shots": 3}, "images": {"real": 4, "fake": 4, "unlabelled": 0}}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "service.sqlite"


def test_feedback_is_read_again_by_another_process_in_its_order(path):
    first = Storage(sqlite_url(path))
    numbers = [first.add_feedback(**SAID | {"note": note})["id"] for note in ("a", "ü", "c")]
    first.add_feedback(**SAID | {"verdict": FILE.as_json(), "face": 1})
    first.close()
    again = Storage(sqlite_url(path))
    assert [row["note"] for row in again.feedback()] == ["a", "ü", "c", ""]
    assert [row["note"] for row in again.feedback(after=numbers[0], limit=2)] == ["ü", "c"]
    last = again.feedback(after=numbers[2])[0]
    assert last["verdict"] == FILE.as_json()
    assert (last["who"], last["face"], last["time"][-1]) == ("ann", 1, "Z")


def test_what_is_deleted_is_on_the_disk_no_more(path):
    storage = Storage(sqlite_url(path))
    secret = "the-person-in-this-picture"
    number = storage.add_feedback(**SAID | {"note": secret})["id"]
    held = lambda: any(secret.encode() in file.read_bytes() for file in path.parent.iterdir())
    assert held()
    assert storage.drop_feedback(number)
    assert not held()
    assert not storage.drop_feedback(number)
    assert storage.add_feedback(**SAID)["id"] > number


def test_adapters_change_and_go(path):
    storage = Storage(sqlite_url(path))
    one, two = storage.add_adapter(**ASKED), storage.add_adapter(**ASKED | {"name": "second"})
    assert one["state"] == "queued"
    assert [row["name"] for row in storage.adapters()] == ["phones", "second"]
    storage.change_adapter(two["id"], state="done", report={"decision": {"pays": True}})
    assert storage.adapter(two["id"]) == two | {"state": "done", "report": {"decision": {"pays": True}}}
    assert storage.adapter(one["id"]) == one
    assert storage.drop_adapter(one["id"])
    assert not storage.drop_adapter(one["id"])
    assert storage.adapter(one["id"]) is None


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_another_version_is_refused_and_not_touched(path):
    Storage(sqlite_url(path)).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE about SET value = '2' WHERE name = 'schema'")
    connection.close()
    before = digest(path)
    with pytest.raises(InputError, match=r"is of version 2, and this program reads 1\. .*nothing was changed\.$"):
        Storage(sqlite_url(path))
    assert digest(path) == before


@pytest.mark.parametrize("table", ["pictures (id)", "about (other)", "feedback (id)"])
def test_a_database_of_something_else_is_refused_and_not_touched(path, table):
    connection = sqlite3.connect(path)
    connection.execute(f"CREATE TABLE {table}")
    if table.startswith("about"):
        connection.execute("CREATE TABLE more (id)")
    connection.commit()
    connection.close()
    before = digest(path)
    with pytest.raises(InputError, match="something else"):
        Storage(sqlite_url(path))
    assert digest(path) == before


@pytest.mark.parametrize("url", ["no url", "nosuch://x", "sqlite:////nowhere/at/all.sqlite"])
def test_what_cannot_be_opened_is_said_in_one_line(url):
    with pytest.raises(InputError) as caught:
        Storage(url)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_database_is_refused_and_a_password_never_shown(path):
    path.write_bytes(b"no database at all, but long enough to be read as the head of one" * 10)
    before = digest(path)
    with pytest.raises(InputError, match="cannot be opened"):
        Storage(sqlite_url(path))
    assert digest(path) == before
    with pytest.raises(InputError) as caught:
        Storage("postgresql+nosuch://ann:hunter2@example.org/x")
    assert "hunter2" not in str(caught.value)


def test_tables_that_a_kill_left_half_made_are_made(path):
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE about (name VARCHAR(40) NOT NULL PRIMARY KEY, value VARCHAR(200) NOT NULL)")
    connection.commit()
    connection.close()
    assert Storage(sqlite_url(path)).feedback() == []
