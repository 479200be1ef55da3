"""The cores that a sandbox has to itself, and ceilings on what a container uses of the others."""

from __future__ import annotations

import sqlalchemy as sa

from zun.db.migrations.changes import add_column, text

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Until hosts say otherwise they give no cores away; no sandbox has any."""
    add_column("sandboxes", sa.Column("pcpu", sa.BigInteger(), nullable=False), "0")
    add_column("sandboxes", sa.Column("cpuset", text(), nullable=False), "'[]'")
    add_column("hosts", sa.Column("cpu_dedicated_set", text(), nullable=False), "'[]'")
    add_column("hosts", sa.Column("cpu_shared_set", text(), nullable=False), "'[]'")
    add_column("hosts", sa.Column("numa_topology", text(), nullable=False), "'[]'")
    add_column("containers", sa.Column("cpu_limit", sa.Double(), nullable=False), "0")
