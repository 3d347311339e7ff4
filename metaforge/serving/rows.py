"""The rows of a database as lines of JSON, which every database can take: of one moment, while others write."""

import contextlib
import json
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

from metaforge.errors import InputError
from metaforge.serving.databases import engine_of, parsed, sqlite_url
from metaforge.serving.storage import Storage, storable
from metaforge.serving.strict_json import read_json
from metaforge.serving.tables import ADAPTERS, FEEDBACK

LONGEST = 64 << 20
"""Bytes of a row at most."""

_MANY = 100


class Moment(NamedTuple):
    """Rows as they were at one time; they are read as they are asked for.

    Attributes:
        feedback: in the order of their numbers.
        adapters: in the order in which they came.
        last: the last number that feedback had, be it deleted since.
    """

    feedback: Iterator[dict[str, Any]]
    adapters: list[dict[str, Any]]
    last: int


@contextlib.contextmanager
def moment(storage: Storage) -> Iterator[Moment]:
    """The rows of one moment; nobody has to wait until they are read."""
    with contextlib.ExitStack() as held:
        if storage.lite:
            engine = engine_of(parsed(sqlite_url(held.enter_context(_copied(storage.engine)))))
            held.callback(engine.dispose)
        else:
            engine = storage.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with engine.connect() as connection:
            last = connection.scalar(sa.text(_LAST[storage.lite])) or 0
            adapters = connection.execute(sa.select(ADAPTERS).order_by(ADAPTERS.c.number, ADAPTERS.c.id))
            made = [dict(row._mapping) for row in adapters]
            asked = sa.select(FEEDBACK).order_by(FEEDBACK.c.id).execution_options(yield_per=_MANY)
            yield Moment((dict(row._mapping) for row in connection.execute(asked)), made, last)


# A sequence is of no moment: read before the rows, it is at least their last number if nothing is added in between.
_LAST = {
    True: "SELECT max(seq) FROM sqlite_sequence WHERE name = 'feedback'",
    False: "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM feedback_id_seq",
}


@contextlib.contextmanager
def _copied(engine: sa.Engine) -> Iterator[Path]:
    """A copy of a running SQLite, by its own way of copying."""
    with tempfile.TemporaryDirectory(prefix="metaforge-") as folder:
        path = Path(folder, "copy.sqlite")
        raw = engine.raw_connection()
        try:
            with contextlib.closing(sqlite3.connect(path)) as copy:
                raw.driver_connection.backup(copy)  # type: ignore[union-attr]
        finally:
            raw.close()
        yield path


def as_line(row: dict[str, Any]) -> bytes:
    """A row as a line."""
    return json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def from_lines(lines: Iterable[bytes], table: sa.Table, *, of: str) -> Iterator[dict[str, Any]]:
    """Rows of lines, each held against the columns of its table.

    Args:
        lines: with their ends.
        table: theirs.

    Other Arguments:
        of: where they are, for errors.

    Raises:
        InputError: for the first that is none.
    """
    for number, line in enumerate(lines, 1):
        try:
            row = read_json(line)
            fits = len(line) <= LONGEST and isinstance(row, dict) and set(row) == {*table.c.keys()}
            fits = fits and all(_fits(row[column.name], column) for column in table.c) and storable(row)
        except (ValueError, RecursionError):
            fits = False
        if not fits:
            raise InputError(f"backup: line {number} of {of} is no row of this program's. Nothing was taken.")
        yield row


def _fits(value: Any, column: sa.Column) -> bool:
    if value is None:
        return bool(column.nullable)
    if isinstance(column.type, sa.JSON):
        return True
    if isinstance(column.type, sa.String):
        return type(value) is str and len(value) <= (column.type.length or LONGEST)
    return type(value) is int and -(2**31) <= value < 2**31


def is_empty(storage: Storage) -> bool:
    """Whether nothing was kept in a database yet."""
    return not storage.feedback(limit=1) and not storage.adapters()


def fill(
    storage: Storage, feedback: Iterable[dict[str, Any]], adapters: Iterable[dict[str, Any]], *, last: int
) -> None:
    """Puts rows into an empty database, all or none.

    Args:
        storage: the database.
        feedback: rows.
        adapters: rows.

    Other Arguments:
        last: the number after which feedback goes on.
    """
    with storage.engine.begin() as connection:
        for table, rows in ((FEEDBACK, feedback), (ADAPTERS, adapters)):
            waiting = []
            for row in rows:
                waiting.append(row)
                if table is FEEDBACK:
                    last = max(last, row["id"])
                if len(waiting) == _MANY:
                    connection.execute(table.insert(), waiting)
                    waiting = []
            if waiting:
                connection.execute(table.insert(), waiting)
        if last and storage.lite:
            connection.exec_driver_sql("DELETE FROM sqlite_sequence WHERE name = 'feedback'")
            connection.execute(sa.text("INSERT INTO sqlite_sequence VALUES ('feedback', :last)"), {"last": last})
        elif last:
            connection.execute(sa.text("SELECT setval('feedback_id_seq', :last)"), {"last": last})


def empty(storage: Storage) -> None:
    """Takes all rows out again."""
    with storage.engine.begin() as connection:
        for table in (FEEDBACK, ADAPTERS):
            connection.execute(table.delete())
