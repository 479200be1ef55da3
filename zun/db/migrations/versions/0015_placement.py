"""What hosts keep back, and whether they are Nova's, too."""

from __future__ import annotations

import sqlalchemy as sa

from zun.db.migrations.changes import add_column

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Agents tell with their next heartbeat."""
    add_column("hosts", sa.Column("reserved_cpus", sa.BigInteger(), nullable=False), "0")
    add_column("hosts", sa.Column("reserved_disk", sa.BigInteger(), nullable=False), "0")
    add_column("hosts", sa.Column("shared_with_nova", sa.Boolean(), nullable=False), "false")
