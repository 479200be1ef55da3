"""Which host has something mounted still of what was forgotten."""

from __future__ import annotations

import sqlalchemy as sa

from zun.db.migrations.changes import add_column, text

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Of what there is, no host was asked, or was there."""
    add_column("leavings", sa.Column("host", text(255)))
