"""Tickets of streams."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from zun.db.migrations.changes import TABLE, moment, number, text

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Nobody holds a ticket yet."""
    op.create_table(
        "tickets",
        sa.Column("id", number(), primary_key=True, autoincrement=True),
        sa.Column("uuid", text(36), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("created_at", moment(), nullable=True),
        sa.Column("updated_at", moment(), nullable=True),
        sa.Column("secret", text(64), nullable=False),
        sa.Column("kind", text(16), nullable=False),
        sa.Column("project_id", text(255), nullable=False),
        sa.Column("container_uuid", text(36), nullable=True),
        sa.Column("exec_id", text(64), nullable=True),
        sa.Column("expires_at", moment(), nullable=False),
        sa.Column("arguments", text(None), nullable=False),
        sa.UniqueConstraint("uuid", name="uniq_tickets0uuid"),
        sa.UniqueConstraint("secret", name="uniq_tickets0secret"),
        sqlite_autoincrement=True,
        **TABLE,
    )
    op.create_index("ix_tickets_container_uuid", "tickets", ["container_uuid"])
    op.create_index("ix_tickets_expires_at", "tickets", ["expires_at"])
