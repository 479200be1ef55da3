"""What happened to what projects have, in the order in which it was decided."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from zun.db.migrations.changes import TABLE, moment, text

revision = "0005"
down_revision = "0004"


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
