"""Engines of database servers, with what each needs set right on every connection.

They are made without the factory of oslo.db: that brings the ORM of SQLAlchemy along, 8 MB for which nobody here has a use, and asks the
server before each use of a connection whether it is still there, which takes as long as a small question. Its filters tell the errors.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from oslo_db.sqlalchemy import exc_filters  # type: ignore[import-untyped]

from zun.db import tls

#: seconds that a statement waits for somebody else's lock before it gives up
LOCK_WAIT = 20

_SESSION = {
    # Reads are one consistent look; a write asks for READ COMMITTED, so that what it sums after a lock is the newest.
    # What a column cannot hold is an error, and not cut short.
    "mysql": (
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        f"SET SESSION innodb_lock_wait_timeout = {LOCK_WAIT}, sql_mode = 'TRADITIONAL'",
    ),
    "postgresql": (
        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        f"SET lock_timeout = '{LOCK_WAIT}s'",
        "SET timezone = 'UTC'",
    ),
}


def make(url: sa.URL, **pool: Any) -> sa.Engine:
    """An engine of MySQL, MariaDB or PostgreSQL for transactions, that has not connected yet. ``pool`` is SQLAlchemy's.

    It asks a connection before each use whether it is still good: a transaction cannot begin twice.
    """
    return _prepared(url, sa.create_engine(url, pool_pre_ping=True, **pool))


def make_for_looks(url: sa.URL, **pool: Any) -> sa.Engine:
    """The same for single questions outside of transactions: nothing is sent to the server but the question.

    Who asks finds out for himself whether the server is still there, and asks again.
    """
    return _prepared(url, sa.create_engine(url, isolation_level="AUTOCOMMIT", skip_autocommit_rollback=True, **pool))


def _prepared(url: sa.URL, engine: sa.Engine) -> sa.Engine:
    exc_filters.register_engine(engine)
    tls.share_context(engine)
    statements = _SESSION[url.get_backend_name()]

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, record: Any) -> None:
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        cursor.close()
        connection.commit()

    return engine
