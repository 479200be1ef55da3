"""What was made under idempotency keys."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0008"
down_revision = "0007"

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
    """No key has been used yet."""
    op.create_table(
        "idempotency_keys",
        sa.Column("id", number(), primary_key=True, autoincrement=True),
        sa.Column("uuid", text(36), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("created_at", moment(), nullable=True),
        sa.Column("updated_at", moment(), nullable=True),
        sa.Column("project_id", text(255), nullable=False),
        sa.Column("token", text(255), nullable=False),
        sa.Column("fingerprint", text(64), nullable=False),
        sa.Column("resource_uuid", text(36), nullable=False),
        sa.UniqueConstraint("uuid", name="uniq_idempotency_keys0uuid"),
        sa.UniqueConstraint("project_id", "token", name="uniq_idempotency_keys0project_id0token"),
        sqlite_autoincrement=True,
        **TABLE,
    )
