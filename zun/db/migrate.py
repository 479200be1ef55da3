"""Bringing a database to the tables of this release, from code: no file has to be written for it.

A revision is written out by hand under ``migrations/versions`` and never changed again. ``tests/db/test_migrate.py`` proves that all of
them together make the tables that :mod:`zun.db.tables` derives.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from zun import errors
from zun.db import engine, faults

#: names the lock that keeps two processes from migrating at once
_LOCK = 7_236_514


def head() -> str:
    """The newest revision of this release."""
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    if newest is None:
        raise LookupError("no revision is installed")
    return newest


def current(url: str) -> str | None:
    """The revision that the database is at; None for an empty one. Raises StoreUnavailable, and ValueError for an unusable URL."""
    with _connected(url) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database to a revision; two processes may do it at once. Raises as :func:`current` does, and StoreTooNew.

    On SQLite and PostgreSQL a revision that fails leaves nothing behind; MySQL and MariaDB cannot undo a change of tables.
    """
    with _connected(url, writes=True) as connection:
        config = _config()
        config.attributes["connection"] = connection
        with _alone(connection):
            _refuse_unknown(connection, config)
            command.upgrade(config, revision)
            connection.commit()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "zun.db:migrations")
    return config


def _refuse_unknown(connection: sa.Connection, config: Config) -> None:
    found = MigrationContext.configure(connection).get_current_revision()
    script = ScriptDirectory.from_config(config)
    if found is not None and found not in {known.revision for known in script.walk_revisions()}:
        raise errors.StoreTooNew(found=found, newest=script.get_current_head())


@contextlib.contextmanager
def _connected(url: str, *, writes: bool = False) -> Iterator[sa.Connection]:
    # A table that SQLite cannot alter is made anew, and the old one's rows must not take their children with them: no foreign keys.
    made = engine.make(engine.parse(url), foreign_keys=False)
    try:
        with made.connect() as connection:
            connection.execution_options(zun_write=writes)
            yield connection
    except faults.DatabaseError as error:
        raise faults.translate(error) from error
    finally:
        made.dispose()


@contextlib.contextmanager
def _alone(connection: sa.Connection) -> Iterator[None]:
    dialect = connection.dialect.name
    if dialect == "mysql":
        connection.execute(sa.select(sa.func.get_lock(f"zun-{_LOCK}", 300)))
    elif dialect == "postgresql":
        # Who has waited for the lock must then see what was made meanwhile.
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    try:
        yield
    finally:
        if dialect == "mysql":
            with contextlib.suppress(*faults.DatabaseError):
                connection.execute(sa.select(sa.func.release_lock(f"zun-{_LOCK}")))
