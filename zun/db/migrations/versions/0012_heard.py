"""Which report of a host's life was the last that was heard; and a host's open actions are found among all that it has ever done."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from zun.db.migrations.changes import add_column

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Reports of before were not numbered."""
    add_column("services", sa.Column("heard", sa.BigInteger(), nullable=False), "0")
    op.drop_index("ix_actions_host", "actions")
    op.create_index("ix_actions_host_state", "actions", ["host", "state"])
