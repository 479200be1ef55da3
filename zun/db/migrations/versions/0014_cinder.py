"""Volumes that the service makes, and what containers of lost hosts have left in other services."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from zun.db.migrations.changes import TABLE, moment, number, text

revision = "0014"
down_revision = "0012"


def upgrade() -> None:
    """There are none."""
    _table(
        "made_volumes",
        sa.Column("project_id", text(255), nullable=False),
        sa.Column("owner_uuid", text(36), nullable=False),
        sa.Column("name", text(255), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("volume_id", text(64), nullable=True),
        sa.Column("stays", sa.Boolean(), nullable=False),
        sa.Column("unborn", sa.Boolean(), nullable=False),
    )
    op.create_index("ix_made_volumes_owner_uuid", "made_volumes", ["owner_uuid"])
    _table(
        "leavings",
        sa.Column("project_id", text(255), nullable=False),
        sa.Column("owner_uuid", text(36), nullable=False),
        sa.UniqueConstraint("owner_uuid", name="uniq_leavings0owner_uuid"),
    )


def _table(name: str, *columns: sa.schema.SchemaItem) -> None:
    op.create_table(
        name,
        sa.Column("id", number(), primary_key=True, autoincrement=True),
        sa.Column("uuid", text(36), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("created_at", moment(), nullable=True),
        sa.Column("updated_at", moment(), nullable=True),
        *columns,
        sa.UniqueConstraint("uuid", name=f"uniq_{name}0uuid"),
        sqlite_autoincrement=True,
        **TABLE,
    )
