"""What is kept is read again, what is deleted is gone, another's database is left alone: in SQLite and PostgreSQL."""

import concurrent.futures
import hashlib
import sqlite3

import pytest
import sqlalchemy as sa

from metaforge.errors import InputError
from metaforge.serving import storage as module
from metaforge.serving.databases import VARIABLE, parsed, said_by, sqlite_url, url_of
from metaforge.serving.storage import Storage
from tests.screening.verdicts.test_record import FILE

SAID = {"who": "ann", "sha256": "0" * 64, "face": None, "label": "fake", "note": "", "verdict": None,
        "model_sha256": None}  # fmt: skip
ASKED = {"who": None, "name": "phones", "asked": {"shots": 3}, "images": {"real": 4, "fake": 4, "unlabelled": 0}}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "service.sqlite"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, path):
    """An empty database of each kind."""
    return sqlite_url(path) if request.param == "sqlite" else request.getfixturevalue("postgres").url()


def run_sql(url, *statements):
    """Changes a database from outside."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for each in statements:
            connection.exec_driver_sql(each)
    engine.dispose()


def content(url):
    """All that is in a database: its tables, their columns and rows."""
    engine, found = sa.create_engine(url), sa.MetaData()
    found.reflect(engine)
    with engine.connect() as connection:
        said = {name: (str(table.c.keys()), sorted(map(str, connection.execute(sa.select(table)))))
                for name, table in found.tables.items()}  # fmt: skip
    engine.dispose()
    return said


def test_feedback_is_read_again_by_another_process_in_its_order(url):
    first = Storage(url)
    numbers = [first.add_feedback(**SAID | {"note": note})["id"] for note in ("a", "ü", "c")]
    first.add_feedback(**SAID | {"verdict": FILE.as_json(), "face": 1})
    first.close()
    again = Storage(url)
    assert [row["note"] for row in again.feedback()] == ["a", "ü", "c", ""]
    assert [row["note"] for row in again.feedback(after=numbers[0], limit=2)] == ["ü", "c"]
    last = again.feedback(after=numbers[2])[0]
    assert last["verdict"] == FILE.as_json()
    assert (last["who"], last["face"], last["time"][-1]) == ("ann", 1, "Z")
    again.close()


def test_a_number_that_was_deleted_is_never_another_s(url):
    storage = Storage(url)
    number = storage.add_feedback(**SAID)["id"]
    assert storage.drop_feedback(number)
    assert not storage.drop_feedback(number)
    assert storage.add_feedback(**SAID)["id"] > number
    storage.close()


def test_what_somebody_said_is_deleted_by_file_by_name_and_by_age(url, monkeypatch):
    storage = Storage(url)
    for time, who, sha256 in [("2026-01-01T00:00:00Z", "ann", "a"), ("2026-01-02T00:00:00Z", "ann", "b"),
                              ("2026-01-02T00:00:01Z", "bob", "b"), ("2026-01-03T00:00:00Z", None, "c")]:  # fmt: skip
        monkeypatch.setattr(module, "now", lambda time=time: time)
        storage.add_feedback(**SAID | {"who": who, "sha256": sha256 * 64})
    left = lambda: [(row["who"], row["sha256"][0]) for row in storage.feedback()]
    assert storage.drop_feedback_where(before="2026-01-02T00:00:00Z") == 1
    assert left() == [("ann", "b"), ("bob", "b"), (None, "c")]
    assert storage.drop_feedback_where(sha256="b" * 64, who="ann") == 1
    assert left() == [("bob", "b"), (None, "c")]
    assert storage.drop_feedback_where(who="ann") == 0
    assert storage.drop_feedback_where(sha256="b" * 64) == 1
    assert left() == [(None, "c")]
    with pytest.raises(AssertionError):
        storage.drop_feedback_where()
    assert left() == [(None, "c")]
    storage.close()


def test_many_that_write_at_once_have_numbers_of_their_own(url):
    storages = [Storage(url), Storage(url)]
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        said = list(threads.map(lambda place: storages[place % 2].add_feedback(**SAID)["id"], range(24)))
        made = list(threads.map(lambda place: storages[place % 2].add_adapter(**ASKED)["number"], range(24)))
    assert sorted(said) == sorted(made) == list(range(1, 25))
    for each in storages:
        each.close()


def test_adapters_change_and_go(url):
    storage = Storage(url)
    one, two = storage.add_adapter(**ASKED), storage.add_adapter(**ASKED | {"name": "second"})
    assert one["state"] == "queued"
    assert [row["name"] for row in storage.adapters()] == ["phones", "second"]
    storage.change_adapter(two["id"], state="done", report={"decision": {"pays": True}})
    assert storage.adapter(two["id"]) == two | {"state": "done", "report": {"decision": {"pays": True}}}
    assert storage.adapter(one["id"]) == one
    assert storage.drop_adapter(one["id"])
    assert not storage.drop_adapter(one["id"])
    assert storage.adapter(one["id"]) is None
    storage.close()


def test_another_version_is_refused_and_not_touched(url):
    Storage(url).close()
    run_sql(url, "UPDATE about SET value = '2' WHERE name = 'schema'")
    before = content(url)
    with pytest.raises(InputError, match=r"is of version 2, and this program reads 1\. .*nothing was changed\.$"):
        Storage(url)
    assert content(url) == before


@pytest.mark.parametrize("table", ["pictures (id INT)", "about (other INT)", "feedback (id INT)"])
def test_a_database_of_something_else_is_refused_and_not_touched(url, table):
    run_sql(url, f"CREATE TABLE {table}", "CREATE TABLE more (id INT)")
    before = content(url)
    with pytest.raises(InputError, match="something else"):
        Storage(url)
    assert content(url) == before


def test_tables_that_a_kill_left_half_made_are_made(url):
    run_sql(url, "CREATE TABLE about (name VARCHAR(40) NOT NULL PRIMARY KEY, value VARCHAR(200) NOT NULL)")
    storage = Storage(url)
    assert storage.feedback() == []
    storage.close()


def test_many_that_start_at_once_make_the_tables_once(url):
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        for each in threads.map(Storage, [url] * 4):
            each.close()
    assert len(content(url)["about"][1]) == 2


def test_what_is_deleted_is_on_the_disk_no_more(path):
    storage = Storage(sqlite_url(path))
    secret = "the-person-in-this-picture"
    held = lambda: any(secret.encode() in file.read_bytes() for file in path.parent.iterdir())
    for drop in (lambda row: storage.drop_feedback(row["id"]), lambda row: storage.drop_feedback_where(who="ann")):
        row = storage.add_feedback(**SAID | {"note": secret})
        assert held()
        assert drop(row)
        assert not held()


def test_what_a_reader_kept_in_the_log_goes_with_the_next_deletion(path, caplog):
    storage = Storage(sqlite_url(path))
    secret = "the-person-in-this-picture"
    row = storage.add_feedback(**SAID | {"note": secret})
    held = lambda: any(secret.encode() in file.read_bytes() for file in path.parent.iterdir())
    with storage.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=0")  # or it would be waited for
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM feedback").fetchall()
    assert storage.drop_feedback(row["id"])
    assert held()
    assert "stays in the database's log" in caplog.text
    reader.close()
    assert not storage.drop_feedback(row["id"])
    assert not held()


@pytest.mark.parametrize("url", ["no url", "nosuch://x", "sqlite:////nowhere/at/all.sqlite", "mysql://a:hunter2@b/c",
                                 "postgresql+nosuch://ann:hunter2@example.org/x", "postgresql://ann@b:hunter2/x",
                                 "postgresql://ann:x@hunter2@b/x", "postgresql://ann:x@b/x@hunter2/y",
                                 "postgresql+psycopg://ann:hunter2@127.0.0.1:1/x?connect_timeout=1",
                                 "postgresql+psycopg://ann@127.0.0.1:1/x?password=hunter2",
                                 "postgresql+psycopg://ann@127.0.0.1:1/x?sslpassword=hunter2&no=hunter2"])  # fmt: skip
def test_what_cannot_be_opened_is_said_in_one_line_without_a_password(url):
    pytest.importorskip("psycopg")
    with pytest.raises(InputError) as caught:
        Storage(url)
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_file_that_is_no_database_is_refused(path):
    path.write_bytes(b"no database at all, but long enough to be read as the head of one" * 10)
    before = hashlib.sha256(path.read_bytes()).digest()
    with pytest.raises(InputError, match="cannot be opened"):
        Storage(sqlite_url(path))
    assert hashlib.sha256(path.read_bytes()).digest() == before


def test_a_password_stands_in_the_environment_and_never_in_a_flag(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert url_of("", tmp_path) == sqlite_url(tmp_path / "service.sqlite")
    assert url_of("postgresql://ann@b/x", tmp_path) == "postgresql://ann@b/x"
    for flag in ("postgresql://ann:hunter2@b/x", "postgresql://ann@b/x?password=hunter2"):
        with pytest.raises(InputError, match="PGPASSFILE") as caught:
            url_of(flag, tmp_path)
        assert "hunter2" not in str(caught.value)
        monkeypatch.setenv(VARIABLE, flag)
        assert url_of("", tmp_path) == flag
    assert url_of("sqlite:///a", tmp_path) == "sqlite:///a"  # the flag comes first
    assert parsed("postgresql://ann@b/x").drivername == "postgresql+psycopg"


def test_a_wrong_password_is_refused_and_not_shown(postgres):
    with pytest.raises(InputError, match="password authentication failed") as caught:
        Storage(postgres.url(password="hunter3", database="postgres"))
    assert "hunter3" not in str(caught.value)


def test_another_encoding_is_refused(postgres):
    with pytest.raises(InputError, match=r"of the encoding LATIN1\. Make one with ENCODING 'UTF8'\."):
        Storage(postgres.url(encoding="LATIN1"))


def test_a_second_service_is_refused_while_the_first_lives(postgres):
    url = postgres.url()
    first, second = Storage(url), Storage(url)
    first.claim()
    with pytest.raises(InputError, match="another service works with 'postgresql"):
        second.claim()
    other = Storage(postgres.url())
    other.claim()
    first.close()
    second.claim()
    for each in (second, other):
        each.close()


def test_a_server_that_ended_the_connections_is_asked_again(postgres):
    storage = Storage(postgres.url())
    number = storage.add_feedback(**SAID)["id"]
    postgres.cut()
    assert [row["id"] for row in storage.feedback()] == [number]
    storage.close()


def test_what_a_database_says_is_shown_without_the_password():
    url = parsed("postgresql://ann:hunter2@b/x?sslpassword=swordfish")
    assert said_by(ValueError("no\nhunter2, no swordfish"), url) == "no ***, no ***"
