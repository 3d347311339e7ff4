"""Which database is meant, without its password where people read, and a way into it."""

import os
import re
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from metaforge.errors import InputError, printable

VARIABLE = "METAFORGE_DATABASE"
"""The variable of the environment that names the database where no flag does."""

FILE = "service.sqlite"
"""The database in a state folder, where none is named."""

_DRIVERS = ("sqlite", "postgresql+psycopg")
_PLAIN = re.compile(r"[\w.:\[\]-]*", re.ASCII)
_SECRET = re.compile(r"pass(word)?$")
_SECONDS = 10


def sqlite_url(path: Any) -> str:
    """The URL of a file.

    Example:
        >>> sqlite_url("state/service.sqlite")
        'sqlite:///state/service.sqlite'
    """
    return sa.URL.create("sqlite", database=str(path)).render_as_string(hide_password=False)


def url_of(flag: str, state: Path) -> str:
    """The URL of a service's database: what the flag says, else the environment, else a file in its state.

    Args:
        flag: `--database`; others on the machine can read it while the command runs, so that no password may be in it.
        state: the folder.

    Raises:
        InputError: for what is no such URL, and for a password in the flag.
    """
    url = flag or os.environ.get(VARIABLE, "")
    if not url:
        return sqlite_url(state / FILE)
    if flag and secrets_of(parsed(flag)):
        raise InputError("database: it has a password, which others on this machine could read there. Put the URL "
                         f"into {VARIABLE}, or the password into the file that PGPASSFILE names.")  # fmt: skip
    return url


def rows_of(flag: str) -> str:
    """Where a service keeps its rows, for people; "" for the file in its state."""
    url = flag or os.environ.get(VARIABLE, "")
    return shown(parsed(url)) if url else ""


def parsed(url: str) -> sa.URL:
    """A URL in its parts.

    Raises:
        InputError: for what cannot be one of a database that is opened here; nothing of it is said.
    """
    try:
        found = sa.make_url(url)
        if found.drivername in ("postgresql", "postgres"):
            found = found.set(drivername="postgresql+psycopg")
        known = found.drivername in _DRIVERS
    except (ValueError, SQLAlchemyError):
        known = False
    if not known:
        raise InputError("database: this is no URL of a database that can be opened here. Give one such as "
                         "sqlite:///service.sqlite or postgresql+psycopg://name@host/database.")  # fmt: skip
    # A part of a password that was not escaped would end up in what people read.
    if found.drivername != "sqlite" and not all(_PLAIN.fullmatch(part or "") for part in (found.host, found.database)):
        raise InputError("database: its host or name has letters that none has. Write those of a password that are "
                         "neither letters nor digits as %40 and the like.")  # fmt: skip
    return found


def shown(url: sa.URL) -> str:
    """A URL for people: without password, user and settings.

    Example:
        >>> shown(parsed("postgresql+psycopg://ann:hunter2@db.example:5433/service?sslpassword=x"))
        'postgresql+psycopg://db.example:5433/service'
    """
    if url.drivername == "sqlite":
        return f"sqlite:///{printable(url.database or '')}"
    return sa.URL.create(url.drivername, host=url.host, port=url.port, database=url.database).render_as_string()


def secrets_of(url: sa.URL) -> list[str]:
    """What of a URL nobody may read."""
    query = [text for name, value in url.query.items() if _SECRET.search(name)
             for text in ([value] if isinstance(value, str) else value)]  # fmt: skip
    return [text for text in (*([str(url.password)] if url.password else []), *query) if text]


def said_by(error: Exception, url: sa.URL) -> str:
    """What a database says is wrong, in one line, without a password."""
    text = printable(" ".join(str(getattr(error, "orig", None) or error).split()))
    for secret in secrets_of(url):
        text = text.replace(secret, "***")
    return text[:300]


def engine_of(url: sa.URL) -> sa.Engine:
    """A way into a database, which is not opened yet.

    Raises:
        InputError: where what it takes is not installed.
    """
    lite = url.drivername == "sqlite"
    try:
        engine = sa.create_engine(url, hide_parameters=True, pool_pre_ping=True,
                                  connect_args={} if lite else {"connect_timeout": _SECONDS})  # fmt: skip
    except ImportError as error:
        raise InputError(f"database: {error.name} is not installed. Install the extra: pip install "
                         "'metaforge-jax[postgres]'.") from None  # fmt: skip
    if lite:
        event.listen(engine, "connect", _patient)
    return engine


def _patient(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout=5000")
    cursor.execute("PRAGMA secure_delete=ON")
    cursor.close()
