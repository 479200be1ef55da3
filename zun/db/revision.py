"""Which revision a database is at, told without Alembic: that is 11 MB, and most starts find nothing to be done."""

from __future__ import annotations

import contextlib
import re
from importlib import resources

import sqlalchemy as sa

from zun.db import engine, faults

_FILE = re.compile(r"([0-9]{4})_[a-z0-9_]+\.py")


def newest() -> str:
    """The newest revision of this release: its files are numbered in their order."""
    files = resources.files("zun.db.migrations").joinpath("versions").iterdir()
    return max(named[1] for file in files if (named := _FILE.fullmatch(file.name)))


def is_newest(url: str) -> bool:
    """Whether the database has the tables of this release. Raises StoreUnavailable, and ValueError for an unusable URL."""
    made = engine.make(engine.parse(url))
    try:
        with made.connect() as connection, contextlib.suppress(*faults.DatabaseError):
            return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalars().all() == [newest()]
        return False
    except faults.DatabaseError as error:
        raise faults.translate(error) from error
    finally:
        made.dispose()
