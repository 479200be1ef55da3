"""What databases complain about, in the service's own errors."""

from __future__ import annotations

import logging
from typing import Any

import sqlalchemy as sa
from oslo_db import exception as oslo  # type: ignore[import-untyped]

from zun import errors

LOG = logging.getLogger(__name__)

#: everything that SQLAlchemy and oslo.db may raise
DatabaseError = (oslo.DBError, sa.exc.SQLAlchemyError)

#: serialization failure, deadlock, lock timeout
_SQLSTATES = frozenset({"40001", "40P01", "55P03"})
#: no such table, no such database
_NOT_SET_UP = frozenset({"42P01", "3D000"})
_MYSQL_LOST = frozenset({1020, 1205, 1213})
_MYSQL_NO_TABLE = 1146
_SQLITE_BUSY = frozenset({5, 6})
#: SQLite's primary codes for what an operator must see to
_SQLITE_TROUBLE = {
    8: "its file cannot be written",
    10: "its file cannot be read or written: there is trouble with the disk",
    11: "its file is damaged",
    13: "the disk is full",
    14: "its file cannot be opened",
    26: "its file is no SQLite database",
}


class LostRace(Exception):
    """The database gave way to another transaction (deadlock, lock timeout, serialization failure): the same may go through now."""


def translate(error: Exception, entity: str = "", uuid: str = "") -> Exception:
    """The service's error for a database's; ``entity`` and ``uuid`` name the row that was being written. The detail goes to the log."""
    if isinstance(error, oslo.DBDuplicateEntry):
        return errors.Duplicate(entity=entity, key=", ".join(error.columns))
    if isinstance(error, oslo.DBReferenceError):
        # The owner vanished since it was looked at, or something was put into it: the decision is out of date, like any other lost race.
        return errors.StaleRow(entity=entity, id=uuid)
    driver = _driver_error(error)
    if _is_lost_race(error, driver):
        return LostRace(type(driver).__name__)
    # The first line alone: what follows may show the row, and with it somebody's secrets.
    LOG.warning("Database trouble: %s: %s", type(driver).__name__, next(iter(str(driver).splitlines()), ""))
    sqlite = getattr(driver, "sqlite_errorcode", 0) & 0xFF
    if sqlite in _SQLITE_BUSY:
        return errors.StoreUnavailable(reason="another process keeps it locked")
    if sqlite in _SQLITE_TROUBLE:
        return errors.StoreUnavailable(reason=_SQLITE_TROUBLE[sqlite])
    if _is_not_set_up(error, driver):
        return errors.StoreUnavailable(reason="it has not been set up")
    if isinstance(error, sa.exc.TimeoutError):
        return errors.StoreUnavailable(reason="every connection is in use")
    if isinstance(error, oslo.DBConnectionError | sa.exc.OperationalError | sa.exc.InterfaceError | sa.exc.PendingRollbackError):
        return errors.StoreUnavailable(reason="there is no connection to it")
    return errors.ZunError(reason="The database refused a statement.")


def _driver_error(error: Exception) -> Any:
    """The driver's own exception at the bottom: its text has neither the statement nor the values."""
    inner: Any = error
    while True:
        below = getattr(inner, "inner_exception", None) or getattr(inner, "orig", None)
        if below is None or below is inner:
            return inner
        inner = below


def _is_not_set_up(error: Exception, driver: Any) -> bool:
    if isinstance(error, oslo.DBNonExistentTable | oslo.DBNonExistentDatabase) or getattr(driver, "sqlstate", None) in _NOT_SET_UP:
        return True
    return _mysql_code(driver) == _MYSQL_NO_TABLE


def _mysql_code(driver: Any) -> object:
    """The server's number of the error, where the driver is one of MySQL's."""
    return driver.args[0] if type(driver).__module__.startswith(("pymysql", "MySQLdb")) and driver.args else None


def _is_lost_race(error: Exception, driver: Any) -> bool:
    if isinstance(error, oslo.DBDeadlock) or getattr(driver, "sqlstate", None) in _SQLSTATES:
        return True
    return _mysql_code(driver) in _MYSQL_LOST
