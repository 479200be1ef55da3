"""Which report of a host's life was the last that was heard."""

from __future__ import annotations

import sqlalchemy as sa

from zun.db.migrations.changes import add_column

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Reports of before were not numbered."""
    add_column("services", sa.Column("heard", sa.BigInteger(), nullable=False), "0")
