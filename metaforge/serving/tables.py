"""The tables of the service's database, and the number of their form."""

import sqlalchemy as sa

VERSION = 1
"""The number of these tables' form."""

OURS = "metaforge.serving"
"""By which a database of the service is told from others."""

TABLES = sa.MetaData()
"""All of them."""

ABOUT = sa.Table(
    "about", TABLES,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("value", sa.String(200), nullable=False),
)  # fmt: skip
"""What the database is."""

FEEDBACK = sa.Table(
    "feedback", TABLES,
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
"""What people said of verdicts."""

ADAPTERS = sa.Table(
    "adapters", TABLES,
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
"""Adapters, made and being made."""
