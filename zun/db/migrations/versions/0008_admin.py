"""What was made under idempotency keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from zun.db.migrations.changes import TABLE, moment, number, text

revision = "0008"
down_revision = "0007"


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
