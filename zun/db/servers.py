"""Engines of database servers, by oslo.db's factory, with what each needs set right on every connection."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from oslo_db.sqlalchemy import engines  # type: ignore[import-untyped]

from zun.db.engine import LOCK_WAIT, Pool

_SESSION = {
    # Reads are one consistent look; a write asks for READ COMMITTED, so that what it sums after a lock is the newest.
    "mysql": (
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        f"SET SESSION innodb_lock_wait_timeout = {LOCK_WAIT}",
    ),
    "postgresql": (
        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        f"SET lock_timeout = '{LOCK_WAIT}s'",
        "SET timezone = 'UTC'",
    ),
}


def make(url: sa.URL, pool: Pool) -> sa.Engine:
    """An engine of MySQL, MariaDB or PostgreSQL that has not connected yet."""
    engine: sa.Engine = engines.create_engine(
        url,
        mysql_sql_mode="TRADITIONAL",
        connection_debug=-1,
        max_pool_size=pool.max_pool_size,
        max_overflow=pool.max_overflow,
        pool_timeout=pool.pool_timeout,
        connection_recycle_time=pool.connection_recycle_time,
        max_retries=0,
        thread_checkin=False,
    )
    statements = _SESSION[url.get_backend_name()]

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, record: Any) -> None:
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        cursor.close()
        connection.commit()

    return engine
