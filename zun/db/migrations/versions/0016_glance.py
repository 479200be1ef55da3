"""Which image driver has what was made of a container: images of Glance have their uuid there, too."""

from __future__ import annotations

import sqlalchemy as sa

from zun.db.migrations.changes import add_column, text

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """What there is came from registries, or is kept on hosts."""
    add_column("images", sa.Column("image_driver", text(16), nullable=False), "'docker'")
