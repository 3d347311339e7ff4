"""What outlives the service: what people said of verdicts, and the adapters, in a database named by a URL."""

import contextlib
import datetime
import json
import logging
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event as sa_event
from sqlalchemy.exc import SQLAlchemyError

from metaforge.errors import InputError
from metaforge.serving.databases import engine_of, parsed, said_by, shown
from metaforge.serving.tables import ABOUT, ADAPTERS, FEEDBACK, OURS, TABLES, VERSION

_LOG = logging.getLogger(__name__)
_LOCK = 0x6D657461  # of our own among PostgreSQL's: "meta"


def now() -> str:
    """The time, UTC, as RFC 3339."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Storage:
    """The tables. Every call waits for the disk: from code that must not wait, call through a thread."""

    def __init__(self, url: str):
        """Opens a database, and makes the tables in an empty one.

        Args:
            url: as SQLAlchemy reads it, such as "sqlite:///state/service.sqlite".

        Raises:
            InputError: for a database of another version, or of something else; nothing is changed in it.
        """
        found = parsed(url)
        self.shown, self.engine = shown(found), engine_of(found)
        self.lite = self.engine.dialect.name == "sqlite"
        self._unclean, self._held = False, contextlib.ExitStack()
        try:
            self._open()
        except (InputError, SQLAlchemyError, UnicodeError) as error:
            self.engine.dispose()
            if isinstance(error, InputError):
                raise
            raise InputError(f"database: '{self.shown}' cannot be opened ({said_by(error, found)}). Check that it is "
                             "a database, and its permissions.") from None  # fmt: skip

    def _open(self) -> None:
        with self.engine.connect() as connection:
            if not self.lite and (coded := connection.scalar(sa.text("SHOW server_encoding"))) != "UTF8":
                raise InputError(f"database: '{self.shown}' is of the encoding {coded}. Make one with ENCODING 'UTF8'.")
            self._recognise(connection)
        if self.lite:
            with self.engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        with self.engine.begin() as connection:
            if self.lite:  # two that are started together make them once
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            if not self._recognise(connection):
                ABOUT.create(connection, checkfirst=True)
                connection.execute(ABOUT.insert(), [{"name": "application", "value": OURS},
                                                    {"name": "schema", "value": str(VERSION)}])  # fmt: skip
            TABLES.create_all(connection)

    def _recognise(self, connection: sa.Connection) -> bool:
        """Whether there are our tables, and not another's."""
        found = sa.inspect(connection)
        names, about = set(found.get_table_names()), {}
        # Something else may have a table of that name.
        if "about" in names and {each["name"] for each in found.get_columns("about")} == {*ABOUT.c.keys()}:
            about = {row.name: row.value for row in connection.execute(sa.select(ABOUT))}
        # A kill while they were made leaves the first of them, and it empty.
        if about.get("application") != OURS and names and (names != {"about"} or about):
            raise InputError(f"database: '{self.shown}' holds something else than a service's tables. Name a new "
                             "database; nothing was changed.")  # fmt: skip
        if about and about.get("schema") != str(VERSION):
            raise InputError(f"database: '{self.shown}' is of version {about.get('schema')}, and this program reads "
                             f"{VERSION}. Take the program that wrote it, or name a new database; nothing was "
                             "changed.")  # fmt: skip
        return bool(about)

    def claim(self) -> None:
        """Keeps other services out until this is closed or the connection lost; a file has its folder's lock.

        Raises:
            InputError: when another has it.
        """
        if self.lite:
            return
        connection = self._held.enter_context(self.engine.connect().execution_options(isolation_level="AUTOCOMMIT"))
        schema = sa.func.hashtext(sa.func.current_schema())
        if not connection.scalar(sa.select(sa.func.pg_try_advisory_lock(_LOCK, schema))):
            raise InputError(f"database: another service works with '{self.shown}'. Stop it, or name another database.")

    def close(self) -> None:
        """Lets go of the database."""
        self._held.close()
        self.engine.dispose()

    @contextlib.contextmanager
    def _adding(self, table: sa.Table) -> Iterator[sa.Connection]:
        """A transaction that adds rows; one at a time, so that who reads on from a number misses none below it."""
        with self.engine.begin() as connection:
            if not self.lite:
                connection.exec_driver_sql(f"LOCK TABLE {table.name} IN SHARE ROW EXCLUSIVE MODE")
            yield connection

    def add_feedback(self, **values: Any) -> dict[str, Any]:
        """Keeps what somebody said of a file; the row, with its number and time."""
        row = values | {"time": now()}
        with self._adding(FEEDBACK) as connection:
            made = connection.execute(FEEDBACK.insert().values(row)).inserted_primary_key
        assert made is not None
        return {"id": made[0]} | row

    def feedback(self, *, after: int = 0, limit: int = 100) -> list[dict[str, Any]]:
        """What was said, in the order of its numbers, beyond one of them."""
        asked = sa.select(FEEDBACK).where(FEEDBACK.c.id > after).order_by(FEEDBACK.c.id).limit(limit)
        return self._rows(asked)

    def drop_feedback(self, number: int) -> bool:
        """Deletes a row; whether there was one."""
        return self._drop(FEEDBACK.c.id == number) > 0

    def drop_feedback_where(self, *, sha256: str = "", who: str = "", before: str = "") -> int:
        """Deletes what fits all that is given, of which something must be; how many rows there were.

        Other Arguments:
            sha256: of the file.
            who: said it.
            before: a time; what was said then stays.
        """
        asked = [FEEDBACK.c.sha256 == sha256] * bool(sha256) + [FEEDBACK.c.who == who] * bool(who)
        asked += [FEEDBACK.c.time < before] * bool(before)
        assert asked, "this would delete all"
        return self._drop(sa.and_(*asked))

    def counts(self) -> dict[str, Any]:
        """How many rows there are: of `feedback`, and of `adapters` in each state."""
        with self.engine.connect() as connection:
            states = sa.select(ADAPTERS.c.state, sa.func.count()).group_by(ADAPTERS.c.state)
            feedback = connection.scalar(sa.select(sa.func.count()).select_from(FEEDBACK))
            return {"feedback": feedback, "adapters": {state: count for state, count in connection.execute(states)}}

    def on_error(self, told: Callable[[], None]) -> None:
        """Calls something whenever the database refuses a statement, or cannot be reached."""
        sa_event.listen(self.engine, "handle_error", lambda context: told())

    def add_adapter(self, **values: Any) -> dict[str, Any]:
        """Keeps an adapter that is to be made; the row, with a new name for it and its time."""
        row = {"id": secrets.token_hex(8), "created": now(), "state": "queued"} | values
        following = sa.select(sa.func.coalesce(sa.func.max(ADAPTERS.c.number), 0) + 1).scalar_subquery()
        with self._adding(ADAPTERS) as connection:
            connection.execute(ADAPTERS.insert().values(row | {"number": following}))
        return self.adapter(row["id"]) or row

    def adapters(self) -> list[dict[str, Any]]:
        """All adapters, in the order in which they came."""
        return self._rows(sa.select(ADAPTERS).order_by(ADAPTERS.c.number, ADAPTERS.c.id))

    def adapter(self, name: str) -> dict[str, Any] | None:
        """One of them, by its id."""
        return next(iter(self._rows(sa.select(ADAPTERS).where(ADAPTERS.c.id == name))), None)

    def change_adapter(self, name: str, **values: Any) -> None:
        """Writes other values into a row; one that is not there stays away."""
        with self.engine.begin() as connection:
            connection.execute(ADAPTERS.update().where(ADAPTERS.c.id == name).values(values))

    def drop_adapter(self, name: str) -> bool:
        """Deletes a row; whether there was one."""
        return self._drop(ADAPTERS.c.id == name, table=ADAPTERS) > 0

    def _rows(self, asked: sa.Select) -> list[dict[str, Any]]:
        with self.engine.connect() as connection:
            return [dict(row._mapping) for row in connection.execute(asked)]

    def _drop(self, asked: sa.ColumnElement[bool], *, table: sa.Table = FEEDBACK) -> int:
        with self.engine.begin() as connection:
            found = connection.execute(table.delete().where(asked)).rowcount
        if self.lite and (found or self._unclean):
            # What was overwritten would stay readable in the log of writes until others push it out.
            with self.engine.connect() as connection:
                (busy, *_) = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
            self._unclean = bool(busy)
            if busy:
                _LOG.warning("What was deleted stays in the database's log of writes for now: somebody is reading.")
        return found


def storable(value: Any) -> bool:
    r"""Whether every database keeps a value as it is, and JSON in UTF-8 can say it.

    Example:
        >>> storable({"note": "blurred"}), storable("\0"), storable("\ud800"), storable(float("nan"))
        (True, False, False, False)
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (ValueError, RecursionError):
        return False
    return "\\u0000" not in text
