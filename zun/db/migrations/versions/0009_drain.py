"""What a drained host remembers: when its containers must have been stopped, and which of them the drain has stopped."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from zun.db.migrations.changes import moment, text

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """No host is being drained."""
    op.add_column("services", sa.Column("drain_state", text(16), nullable=True))
    op.add_column("services", sa.Column("drain_deadline", moment(), nullable=True))
    op.add_column("services", sa.Column("drain_id", text(36), nullable=True))
    op.add_column("containers", sa.Column("drained", text(36), nullable=True))
