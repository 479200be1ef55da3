"""Sandboxes that are shown as capsules, and their containers' places in them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from zun.db.migrations.changes import add_column

revision = "0003"
down_revision = "0002"


def text(length: int | None = None) -> sa.types.TypeEngine[str]:
    """Text compared by code point; unbounded without a length."""
    if length is None:
        return sa.Text().with_variant(sa.Text(collation="C"), "postgresql").with_variant(mysql.MEDIUMTEXT(), "mysql")
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """The sandboxes that there are were made for one container each."""
    add_column("sandboxes", sa.Column("capsule", sa.Boolean(), nullable=False), "false")
    add_column("sandboxes", sa.Column("name", text(255), nullable=True))
    op.create_index("ix_sandboxes_name", "sandboxes", ["name"])
    for name, empty in (("labels", "{}"), ("annotations", "{}"), ("restart_policy", "{}"), ("volumes", "[]")):
        add_column("sandboxes", sa.Column(name, text(), nullable=False), f"'{empty}'")
    add_column("sandboxes", sa.Column("share_process_namespace", sa.Boolean(), nullable=False), "false")
    add_column("containers", sa.Column("init", sa.Boolean(), nullable=False), "false")
    add_column("containers", sa.Column("position", sa.BigInteger(), nullable=False), "0")
    add_column("containers", sa.Column("grace", sa.BigInteger(), nullable=True))
    add_column("containers", sa.Column("volume_mounts", text(), nullable=False), "'[]'")
    add_column("containers", sa.Column("probes", text(), nullable=False), "'{}'")
