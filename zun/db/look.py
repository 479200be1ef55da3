"""Questions outside of transactions, each asked with as little around it as the database's driver allows."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa

from zun.db import faults
from zun.db.rows import PACKED
from zun.db.transaction import SqlTransaction

#: statements whose text is kept; the store has some dozens
_KEPT = 500


class SqlLook(SqlTransaction):
    """See :meth:`zun.interfaces.store.Store.look`.

    A connection may have lain about while the server was restarted. Nobody has asked before whether it is still good: a question that finds
    it broken is asked once more on a new one. Nothing comes before it, and it changes nothing.
    """

    def __init__(self, connect: Callable[[], sa.Connection], driver: Driver | None, dialect: str, clock: Callable[[], datetime]) -> None:
        """``connect`` gives the connection of all questions that ``driver`` is not asked, and is called for the first of them."""
        super().__init__(connect, dialect, clock, writes=False)
        self._driver = driver
        self._asked_again = False

    def _rows(self, statement: sa.Executable, values: dict[str, Any] | None = None) -> Sequence[Any]:
        if self._driver is None or values is None or self.doom is not None:
            return super()._rows(statement, values)
        rows = self._driver.rows(statement, values)
        if rows is None:
            self._asked_again = True
            return super()._rows(statement, values)
        return rows

    def _send(self, statement: sa.Executable, values: dict[str, Any] | list[dict[str, Any]] | None, options: Mapping[str, Any]) -> Any:
        try:
            return super()._send(statement, values, options)
        except faults.DatabaseError:
            if self._asked_again or not self._connect().invalidated:
                raise
            self._connect().rollback()
            return super()._send(statement, values, options)


class Driver:
    """MySQL's driver, asked by itself: what SQLAlchemy does around a small question takes longer than the question. Threads may share it.

    ``engine`` is one of :func:`zun.db.engine.make_for_looks`. Its connections are used, so that these are as many as the pool allows.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._text = functools.lru_cache(_KEPT)(self._compiled)
        self._error = engine.dialect.loaded_dbapi.Error

    @classmethod
    def of(cls, engine: sa.Engine) -> Driver | None:
        """That of the engine; None where it would give other rows than SQLAlchemy makes of them."""
        return cls(engine) if engine.dialect.name in PACKED else None

    def rows(self, statement: sa.Executable, values: dict[str, Any]) -> Sequence[Any] | None:
        """The rows that answer it. None where it failed: who asks SQLAlchemy hears why, on a new connection.

        Raises StoreUnavailable where every connection is in use.
        """
        text = self._text(statement)
        try:
            connection = self._engine.raw_connection()
        except sa.exc.TimeoutError as busy:
            raise faults.translate(busy) from busy
        except self._error:
            return None
        try:
            cursor = connection.cursor()
            cursor.execute(text, values)
            rows: Sequence[Any] = cursor.fetchall()
        except self._error as error:
            # Others of the pool are likely to be as old, and broken too.
            connection.invalidate(error)
            self._engine.dispose()
            return None
        except BaseException as error:
            connection.invalidate(error)
            raise
        connection.close()
        return rows

    def _compiled(self, statement: sa.Executable) -> str:
        return str(cast(sa.ClauseElement, statement).compile(dialect=self._engine.dialect))
