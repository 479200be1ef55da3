"""Changes that need more than one statement on some database. Revisions stand on them, so what they do never changes."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

TABLE: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def text(length: int | None = None) -> sa.types.TypeEngine[Any]:
    """Text compared by code point; unbounded without a length."""
    if length is None:
        return sa.Text().with_variant(sa.Text(collation="C"), "postgresql").with_variant(mysql.MEDIUMTEXT(), "mysql")
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def moment() -> sa.types.TypeEngine[Any]:
    """A time with microseconds."""
    return sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql")


def number() -> sa.types.TypeEngine[Any]:
    """A primary key that counts by itself."""
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def add_column(table: str, column: sa.Column[Any], fill: str | None = None) -> None:
    """Add a column; rows that exist get ``fill`` in it, which a column that may not be null needs.

    ``fill`` is an SQL literal such as ``"0"`` or ``"'{}'"``. It does not stay behind as the column's default: new rows name every value.
    """
    if fill is None:
        op.add_column(table, column)
        return
    # MySQL takes a default of long text only as an expression; SQLite takes none in a new column.
    literal = f"({fill})" if op.get_bind().dialect.name == "mysql" else fill
    column.server_default = sa.DefaultClause(sa.text(literal))
    op.add_column(table, column)
    # SQLite cannot drop a default: there the table is made anew, and must be told again that it never gives out a number twice.
    with op.batch_alter_table(table, table_kwargs={"sqlite_autoincrement": True}) as batch:
        batch.alter_column(column.name, existing_type=column.type, existing_nullable=column.nullable, server_default=None)
