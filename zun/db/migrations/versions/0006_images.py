"""Registries of projects, images on hosts, and what containers and actions know of them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0006"
down_revision = "0005"

TABLE: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def text(length: int | None) -> sa.types.TypeEngine[Any]:
    """Text compared by code point; unbounded without a length."""
    if length is None:
        return sa.Text().with_variant(sa.Text(collation="C"), "postgresql").with_variant(mysql.MEDIUMTEXT(), "mysql")
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def moment() -> sa.types.TypeEngine[Any]:
    """A time with microseconds."""
    return sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql")


def number() -> sa.types.TypeEngine[Any]:
    """A primary key that counts by itself."""
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


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
