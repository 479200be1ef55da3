"""A database engine for a URL, with what each database needs set right on every connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from oslo_db.sqlalchemy import exc_filters  # type: ignore[import-untyped]

from zun.db import servers
from zun.db.servers import LOCK_WAIT

_DRIVERS = {"mysql": "mysql+pymysql", "mariadb": "mysql+pymysql", "postgresql": "postgresql+psycopg"}

#: A server that vanished without a word must not hold a thread for ever. What the URL says goes before these.
_PATIENCE = {
    "mysql": {"charset": "utf8mb4", "connect_timeout": "10", "read_timeout": "60", "write_timeout": "60"},
    "postgresql": {
        "connect_timeout": "10",
        "keepalives_idle": "30",
        "keepalives_interval": "10",
        "keepalives_count": "3",
        "tcp_user_timeout": "60000",
    },
}


@dataclass(frozen=True, slots=True)
class Pool:
    """How many connections there are, in oslo.db's words; times in seconds."""

    #: kept open
    max_pool_size: int = 5
    #: opened beside them for a while
    max_overflow: int = 50
    #: how long a thread waits for one when all are in use
    pool_timeout: int = 30
    #: how old one may get (a server's; SQLite's do not age)
    connection_recycle_time: int = 3600


def parse(url: str) -> sa.URL:
    """The URL with its driver and patience filled in. Raises ValueError, without the URL's text, for one that cannot be used."""
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise ValueError("the database URL cannot be understood") from None
    name = parsed.drivername
    if name in _DRIVERS:
        parsed = parsed.set(drivername=_DRIVERS[name])
    elif name.startswith("mariadb+"):
        parsed = parsed.set(drivername=name.replace("mariadb", "mysql", 1))
    backend = parsed.get_backend_name()
    if backend not in ("sqlite", "mysql", "postgresql"):
        raise ValueError(f"no support for a database of the kind '{backend}'")
    if backend == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise ValueError("an SQLite database must be a file: a database in memory belongs to one connection alone")
    if parsed.drivername in ("mysql+pymysql", "postgresql+psycopg"):
        parsed = parsed.update_query_dict(_PATIENCE[backend] | dict(parsed.query))
    return parsed


def make(url: sa.URL, *, pool: Pool = Pool(), durable: bool = True, foreign_keys: bool = True) -> sa.Engine:
    """An engine that has not connected yet. ``durable`` and ``foreign_keys`` are SQLite's, see :func:`_sqlite`."""
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, pool, durable, foreign_keys)
    return servers.make(url, **_pooled(pool))


def make_for_looks(url: sa.URL, pool: Pool) -> sa.Engine:
    """An engine of a database server whose connections are for single questions, each outside of a transaction."""
    return servers.make_for_looks(url, **_pooled(pool))


def _pooled(pool: Pool) -> dict[str, Any]:
    """The pool and what every engine has, in SQLAlchemy's words."""
    return {
        "poolclass": sa.pool.QueuePool,
        "pool_size": pool.max_pool_size,
        "max_overflow": pool.max_overflow,
        "pool_timeout": pool.pool_timeout,
        "pool_recycle": pool.connection_recycle_time,
        # The values in a row may be secrets; they must not reach a log by way of an exception's text.
        "hide_parameters": True,
    }


def _sqlite(url: sa.URL, pool: Pool, durable: bool, foreign_keys: bool) -> sa.Engine:
    """SQLite, made without oslo.db's factory, which opens the file anew for every transaction and knows no BEGIN IMMEDIATE.

    ``durable`` syncs the file at every commit (a commit outlives a power cut), else only at checkpoints (it outlives the process).
    A connection with the execution option ``zun_write`` begins its transaction as the only writer; others never wait and never write. One
    with ``zun_look`` begins none.
    """
    engine = sa.create_engine(
        url,
        # A file's connections do not age.
        **{**_pooled(pool), "pool_recycle": -1, "pool_use_lifo": True},
        connect_args={"check_same_thread": False} | ({} if "timeout" in url.query else {"timeout": LOCK_WAIT}),
    )
    exc_filters.register_engine(engine)

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, record: Any) -> None:
        # sqlite3 would begin transactions by itself, too late and of the wrong kind
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        connection.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        options = connection.get_execution_options()
        if not options.get("zun_look", False):
            connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("zun_write", False) else "BEGIN")

    return engine
