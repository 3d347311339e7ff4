"""What outlives the service: what people said of verdicts, and the adapters, in a database named by a URL."""

import contextlib
import datetime
import json
import secrets
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from metaforge.errors import InputError

VERSION = 1
"""The number of these tables' form."""

_OURS = "metaforge.serving"
_TABLES = sa.MetaData()
_ABOUT = sa.Table(
    "about", _TABLES,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("value", sa.String(200), nullable=False),
)  # fmt: skip
_FEEDBACK = sa.Table(
    "feedback", _TABLES,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("time", sa.String(20), nullable=False),
    sa.Column("who", sa.String(200)),
    sa.Column("sha256", sa.String(64), nullable=False, index=True),
    sa.Column("face", sa.Integer),
    sa.Column("label", sa.String(10), nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("verdict", sa.JSON(none_as_null=True)),
    sa.Column("model_sha256", sa.String(64)),
    sqlite_autoincrement=True,  # a number that was deleted is never another's
)  # fmt: skip
_ADAPTERS = sa.Table(
    "adapters", _TABLES,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("number", sa.Integer, nullable=False),  # in which order they came: the time has seconds alone
    sa.Column("created", sa.String(20), nullable=False),
    sa.Column("ended", sa.String(20)),
    sa.Column("who", sa.String(200)),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("asked", sa.JSON, nullable=False),
    sa.Column("images", sa.JSON, nullable=False),
    sa.Column("report", sa.JSON(none_as_null=True)),
    sa.Column("error", sa.Text),
    sa.Column("sha256", sa.String(64)),
    sa.Column("about", sa.JSON(none_as_null=True)),
)  # fmt: skip


def now() -> str:
    """The time, UTC, as RFC 3339."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def sqlite_url(path: Any) -> str:
    """The URL of a file.

    Example:
        >>> sqlite_url("state/service.sqlite")
        'sqlite:///state/service.sqlite'
    """
    return sa.URL.create("sqlite", database=str(path)).render_as_string(hide_password=False)


class Storage:
    """The tables. Every call waits for the disk: from code that must not wait, call through a thread."""

    def __init__(self, url: str):
        """Opens a database, and makes the tables in an empty one.

        Args:
            url: as SQLAlchemy reads it, such as "sqlite:///state/service.sqlite".

        Raises:
            InputError: for a database of another version, or of something else; nothing is changed in it.
        """
        try:
            shown = sa.make_url(url).render_as_string(hide_password=True)
            self._engine = sa.create_engine(url, hide_parameters=True, pool_pre_ping=True)
            self._lite = self._engine.dialect.name == "sqlite"
        except (ArgumentError, ImportError):
            raise InputError("storage: this is no URL of a database that can be opened here. Give one such as "
                             "sqlite:///service.sqlite.") from None  # fmt: skip
        if self._lite:
            event.listen(self._engine, "connect", _patient)
        try:
            self._open(shown)
        except (InputError, SQLAlchemyError) as error:
            self._engine.dispose()
            if isinstance(error, InputError):
                raise
            why = " ".join(str(getattr(error, "orig", error)).split())
            raise InputError(f"storage: '{shown}' cannot be opened ({why}). Check that it is a database, and its "
                             "permissions.") from None  # fmt: skip

    def _open(self, shown: str) -> None:
        with self._engine.connect() as connection:
            names = set(sa.inspect(connection).get_table_names())
            about: dict[str, str] = {}
            if "about" in names:
                with contextlib.suppress(DBAPIError):  # a table of that name in something else
                    about = {row.name: row.value for row in connection.execute(sa.select(_ABOUT))}
        # A kill while they were made leaves the first of them, and it empty.
        if about.get("application") != _OURS and names and (names != {"about"} or about):
            raise InputError(f"storage: '{shown}' holds something else than a service's tables. Name a new database; "
                             "nothing was changed.")  # fmt: skip
        if about and about.get("schema") != str(VERSION):
            raise InputError(f"storage: '{shown}' is of version {about.get('schema')}, and this program reads "
                             f"{VERSION}. Take the program that wrote it, or name a new database; nothing was "
                             "changed.")  # fmt: skip
        if self._lite:
            with self._engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        with self._engine.begin() as connection:
            if not about:
                _ABOUT.create(connection, checkfirst=True)
                connection.execute(_ABOUT.insert(), [{"name": "application", "value": _OURS},
                                                     {"name": "schema", "value": str(VERSION)}])  # fmt: skip
            _TABLES.create_all(connection)

    def close(self) -> None:
        """Lets go of the database."""
        self._engine.dispose()

    def add_feedback(self, **values: Any) -> dict[str, Any]:
        """Keeps what somebody said of a file; the row, with its number and time."""
        row = values | {"time": now()}
        with self._engine.begin() as connection:
            made = connection.execute(_FEEDBACK.insert().values(row)).inserted_primary_key
        assert made is not None
        return {"id": made[0]} | row

    def feedback(self, *, after: int = 0, limit: int = 100) -> list[dict[str, Any]]:
        """What was said, in the order of its numbers, beyond one of them."""
        asked = sa.select(_FEEDBACK).where(_FEEDBACK.c.id > after).order_by(_FEEDBACK.c.id).limit(limit)
        return self._rows(asked)

    def drop_feedback(self, number: int) -> bool:
        """Deletes a row; whether there was one."""
        return self._drop(_FEEDBACK.delete().where(_FEEDBACK.c.id == number))

    def add_adapter(self, **values: Any) -> dict[str, Any]:
        """Keeps an adapter that is to be made; the row, with a new name for it and its time."""
        row = {"id": secrets.token_hex(8), "created": now(), "state": "queued"} | values
        with self._engine.begin() as connection:
            last = connection.scalar(sa.select(sa.func.max(_ADAPTERS.c.number))) or 0
            connection.execute(_ADAPTERS.insert().values(row | {"number": last + 1}))
        return self.adapter(row["id"]) or row

    def adapters(self) -> list[dict[str, Any]]:
        """All adapters, in the order in which they came."""
        return self._rows(sa.select(_ADAPTERS).order_by(_ADAPTERS.c.number, _ADAPTERS.c.id))

    def adapter(self, name: str) -> dict[str, Any] | None:
        """One of them, by its id."""
        return next(iter(self._rows(sa.select(_ADAPTERS).where(_ADAPTERS.c.id == name))), None)

    def change_adapter(self, name: str, **values: Any) -> None:
        """Writes other values into a row; one that is not there stays away."""
        with self._engine.begin() as connection:
            connection.execute(_ADAPTERS.update().where(_ADAPTERS.c.id == name).values(values))

    def drop_adapter(self, name: str) -> bool:
        """Deletes a row; whether there was one."""
        return self._drop(_ADAPTERS.delete().where(_ADAPTERS.c.id == name))

    def _rows(self, asked: sa.Select) -> list[dict[str, Any]]:
        with self._engine.connect() as connection:
            return [dict(row._mapping) for row in connection.execute(asked)]

    def _drop(self, asked: sa.Delete) -> bool:
        with self._engine.begin() as connection:
            found = connection.execute(asked).rowcount > 0
        if found and self._lite:
            # What was overwritten would stay readable in the log of writes until others push it out.
            with self._engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
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


def _patient(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout=5000")
    cursor.execute("PRAGMA secure_delete=ON")
    cursor.close()
