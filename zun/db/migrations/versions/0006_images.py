"""Registries of projects, images on hosts, and what containers and actions know of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from zun.db.migrations.changes import TABLE, moment, number, text

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """No project has a registry, no host an image that was asked for, until somebody says so."""
    _table(
        "registries",
        sa.Column("name", text(255), nullable=True),
        sa.Column("project_id", text(255), nullable=False),
        sa.Column("user_id", text(255), nullable=False),
        sa.Column("domain", text(255), nullable=False),
        sa.Column("username", text(255), nullable=True),
        sa.Column("password", text(None), nullable=True),
        indexes=("name", "project_id"),
    )
    _table(
        "images",
        sa.Column("project_id", text(255), nullable=False),
        sa.Column("user_id", text(255), nullable=False),
        sa.Column("host", text(255), nullable=False),
        sa.Column("repo", text(255), nullable=False),
        sa.Column("tag", text(135), nullable=False),
        sa.Column("image_id", text(255), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("digest", text(135), nullable=True),
        sa.Column("status", text(16), nullable=False),
        sa.Column("status_reason", text(None), nullable=True),
        sa.Column("registry_id", text(36), nullable=True),
        sa.Column("kept", sa.Boolean(), nullable=False),
        indexes=("project_id", "host", "registry_id"),
    )
    op.add_column("actions", sa.Column("image_uuid", text(36), nullable=True))
    op.create_index("ix_actions_image_uuid", "actions", ["image_uuid"])
    op.add_column("containers", sa.Column("image_uuid", text(36), nullable=True))
    op.add_column("containers", sa.Column("image_digest", text(135), nullable=True))
    op.create_index("ix_containers_image_uuid", "containers", ["image_uuid"])
    op.create_index("ix_containers_registry_id", "containers", ["registry_id"])


def _table(name: str, *columns: sa.schema.SchemaItem, indexes: tuple[str, ...]) -> None:
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
    for column in indexes:
        op.create_index(f"ix_{name}_{column}", name, [column])
