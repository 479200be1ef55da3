"""What happened to what projects have, in the order in which it was decided."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0005"
down_revision = "0004"

TABLE: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def text(length: int | None = None) -> sa.types.TypeEngine[Any]:
    """Text compared by code point, unbounded without a length."""
    if length is None:
        return sa.Text().with_variant(sa.Text(collation="C"), "postgresql").with_variant(mysql.MEDIUMTEXT(), "mysql")
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def moment() -> sa.types.TypeEngine[Any]:
    """A time with microseconds."""
    return sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql")


def upgrade() -> None:
    """Nothing has happened yet that was written down."""
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("uuid", text(36), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("created_at", moment(), nullable=True),
        sa.Column("updated_at", moment(), nullable=True),
        sa.Column("project_id", text(255), nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("kind", text(16), nullable=False),
        sa.Column("what", text(16), nullable=False),
        sa.Column("resource_uuid", text(36), nullable=False),
        sa.Column("name", text(255), nullable=True),
        sa.Column("sandbox_uuid", text(36), nullable=False),
        sa.Column("action", text(32), nullable=True),
        sa.Column("status", text(20), nullable=True),
        sa.Column("old_status", text(20), nullable=True),
        sa.Column("task_state", text(32), nullable=True),
        sa.Column("reason", text(), nullable=True),
        sa.Column("exit_code", sa.BigInteger(), nullable=True),
        sa.Column("health", text(16), nullable=True),
        sa.Column("restart_count", sa.BigInteger(), nullable=False),
        sa.Column("request_id", text(64), nullable=True),
        sa.UniqueConstraint("uuid", name="uniq_events0uuid"),
        sa.UniqueConstraint("project_id", "cursor", name="uniq_events0project_id0cursor"),
        sqlite_autoincrement=True,
        **TABLE,
    )
