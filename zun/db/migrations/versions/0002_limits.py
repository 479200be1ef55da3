"""Limits that projects and classes of projects are given."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0002"
down_revision = "0001"

TABLE: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def text(length: int) -> sa.types.TypeEngine[Any]:
    """Text compared by code point."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def moment() -> sa.types.TypeEngine[Any]:
    """A time with microseconds."""
    return sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql")


def number() -> sa.types.TypeEngine[Any]:
    """A primary key that counts by itself."""
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Nobody has limits of his own until he is given some."""
    _limits("project_limits", "project_id")
    _limits("class_limits", "class_name")


def _limits(table: str, owner: str) -> None:
    op.create_table(
        table,
        sa.Column("id", number(), primary_key=True, autoincrement=True),
        sa.Column("uuid", text(36), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("created_at", moment(), nullable=True),
        sa.Column("updated_at", moment(), nullable=True),
        sa.Column(owner, text(255), nullable=False),
        sa.Column("resource", text(32), nullable=False),
        sa.Column("hard_limit", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("uuid", name=f"uniq_{table}0uuid"),
        sa.UniqueConstraint(owner, "resource", name=f"uniq_{table}0{owner}0resource"),
        sqlite_autoincrement=True,
        **TABLE,
    )
