"""What the health checks of containers say."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Of the containers that there are nothing is known until their host has looked again."""
    op.add_column("containers", sa.Column("health", sa.String(16).with_variant(sa.String(16, collation="C"), "postgresql"), nullable=True))
