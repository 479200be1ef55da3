"""The store on SQLAlchemy Core: SQLite in a file, MariaDB/MySQL, PostgreSQL (ADR 4)."""

from __future__ import annotations

import contextlib
import functools
import random
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TypeVar

import sqlalchemy as sa

from zun import errors
from zun.db import engine, faults
from zun.db.fair import FairLock
from zun.db.look import Driver, SqlLook
from zun.db.transaction import SqlTransaction
from zun.interfaces.store import Transaction

R = TypeVar("R")

#: tries of :meth:`SqlStore.settle`, and the seconds that it waits at most before the second, doubled up to the ceiling
TRIES = 20
FIRST_WAIT = 0.005
LONGEST_WAIT = 0.3

#: seconds that a writer queues for SQLite's one place to write
QUEUE_WAIT = 30.0


class SqlStore:
    """A :class:`zun.interfaces.store.Store`, shared by any number of threads. Connects when it is first used.

    ``url`` is SQLAlchemy's; ``clock`` tells the time in UTC without a zone. ``durable`` is about SQLite alone: a commit is on the disk
    when it returns; else it outlives the process, but the last ones not a power cut. Not to be carried over a fork. Raises ValueError for
    a URL that cannot be used.
    """

    def __init__(
        self,
        url: str,
        clock: Callable[[], datetime],
        *,
        pool: engine.Pool = engine.Pool(),  # noqa: B008 - it cannot be changed
        durable: bool = True,
        sleep: Callable[[float], None] = time.sleep,
        chance: random.Random | None = None,
    ) -> None:
        parsed = engine.parse(url)
        self._engine = engine.make(parsed, pool=pool, durable=durable)
        self._sqlite = parsed.get_backend_name() == "sqlite"
        self._looks = self._engine if self._sqlite else engine.make_for_looks(parsed, pool)
        self._driver = Driver.of(self._looks)
        self._writers = FairLock() if self._sqlite else None
        self._clock = clock
        self._listeners: tuple[Callable[[frozenset[str]], None], ...] = ()
        self._sleep = sleep
        self._chance = chance or random.Random()  # noqa: S311 - spreads retries, guards nothing

    @contextlib.contextmanager
    def read(self) -> Iterator[Transaction]:
        """See the interface. What it shows does not change while it is open."""
        with self._one_try(), self._opened(writes=False) as tx:
            yield tx

    @contextlib.contextmanager
    def look(self) -> Iterator[Transaction]:
        """See the interface."""
        with self._one_try(), contextlib.ExitStack() as used:

            def connect() -> sa.Connection:
                connection = used.enter_context(self._given(self._looks))
                return connection.execution_options(zun_look=True) if self._sqlite else connection

            look = SqlLook(functools.cache(connect), self._driver, self._looks.dialect.name, self._clock)
            yield look
            if look.doom is not None:
                raise look.doom

    @contextlib.contextmanager
    def write(self) -> Iterator[Transaction]:
        """See the interface. A deadlock is StoreUnavailable here; :meth:`settle` tries again."""
        with self._one_try(), self._opened(writes=True) as tx:
            yield tx

    def settle(self, decide: Callable[[Transaction], R]) -> R:
        """See the interface. Raises StaleRow or StoreUnavailable when every one of its tries lost."""
        tries = 0
        while True:
            tries += 1
            try:
                with self._opened(writes=True) as tx:
                    return decide(tx)
            except (errors.StaleRow, faults.LostRace) as lost:
                if tries < TRIES:
                    self._sleep(self._chance.uniform(0, min(LONGEST_WAIT, FIRST_WAIT * 2**tries)))
                    continue
                if isinstance(lost, errors.StaleRow):
                    raise
                raise errors.StoreUnavailable(reason="too many are writing at once") from lost

    def listen(self, told: Callable[[frozenset[str]], None]) -> None:
        """``told`` is called after each commit that tells events, with their projects, by the thread that has written: it must not wait."""
        self._listeners = (*self._listeners, told)

    def close(self) -> None:
        """See the interface."""
        self._engine.dispose()
        self._looks.dispose()

    @contextlib.contextmanager
    def _one_try(self) -> Iterator[None]:
        try:
            yield
        except faults.LostRace as lost:
            raise errors.StoreUnavailable(reason="too many are writing at once") from lost

    @contextlib.contextmanager
    def _opened(self, *, writes: bool) -> Iterator[SqlTransaction]:
        """A transaction; commits at the end of the block if it writes. Raises LostRace beside what the interface says."""
        with self._place_to_write() if writes else contextlib.nullcontext(), self._connected(writes) as connection:
            tx = SqlTransaction(lambda: connection, connection.dialect.name, self._clock, writes=writes)
            yield tx
            if tx.doom is not None:
                raise tx.doom
            if writes:
                projects = tx.conclude()
                try:
                    connection.commit()
                except faults.DatabaseError as error:
                    raise faults.translate(error) from error
                for told in self._listeners if projects else ():
                    told(projects)
        for then in tx.then:
            then()

    @contextlib.contextmanager
    def _connected(self, writes: bool) -> Iterator[sa.Connection]:
        """A connection with its transaction begun; gives it back, and with it whatever was not committed."""
        with self._given(self._engine) as connection:
            self._begin(connection, writes)
            yield connection

    @contextlib.contextmanager
    def _given(self, source: sa.Engine) -> Iterator[sa.Connection]:
        """A connection, given back at the end."""
        try:
            connection = source.connect()
        except faults.DatabaseError as error:
            raise faults.translate(error) from error
        try:
            yield connection
        finally:
            # Giving up a broken connection must not hide what broke it.
            with contextlib.suppress(*faults.DatabaseError):
                connection.close()

    def _begin(self, connection: sa.Connection, writes: bool) -> None:
        try:
            if writes and self._sqlite:
                connection.execution_options(zun_write=True)
            connection.begin()
            if writes and not self._sqlite:
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        except faults.DatabaseError as error:
            raise faults.translate(error) from error

    @contextlib.contextmanager
    def _place_to_write(self) -> Iterator[None]:
        if self._writers is None:
            yield
            return
        if not self._writers.acquire(QUEUE_WAIT):
            raise errors.StoreUnavailable(reason="too many are writing at once")
        try:
            yield
        finally:
            self._writers.release()
