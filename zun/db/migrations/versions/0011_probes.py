"""What the probes of a Pod need."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Rows that exist have no probes; of past events nobody knows."""
    op.add_column("containers", sa.Column("started", sa.Boolean(), nullable=True))
    op.add_column("containers", sa.Column("ready", sa.Boolean(), nullable=True))
    op.add_column("events", sa.Column("ready", sa.Boolean(), nullable=True))
