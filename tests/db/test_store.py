"""The store's promises on every database that it runs on, and what is particular to each."""

from __future__ import annotations

import contextlib
import logging
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from tests import stores
from tests.servers import PASSWORD, Server
from zun import errors
from zun.conformance.store import StoreConformance
from zun.conformance.store_fixtures import host, sandbox, written
from zun.db import engine, migrate
from zun.db.store import TRIES, SqlStore
from zun.db.tables import metadata
from zun.domain.host import Host
from zun.domain.sandbox import Sandbox
from zun.interfaces.store import Transaction


@contextlib.contextmanager
def on(server: Server, pool: engine.Pool = engine.Pool()) -> Iterator[SqlStore]:  # noqa: B008 - it cannot be changed
    """An empty store on a database server."""
    migrate.upgrade(server.url())
    emptied = engine.make(engine.parse(server.url()))
    with emptied.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    emptied.dispose()
    store = SqlStore(server.url(), stores.now, pool=pool)
    yield store
    store.close()


class TestSqlite(StoreConformance):
    @pytest.fixture
    def store(self, sqlite_store: SqlStore) -> SqlStore:
        return sqlite_store


class TestPostgreSQL(StoreConformance):
    @pytest.fixture
    def store(self, postgresql: Server) -> Iterator[SqlStore]:
        with on(postgresql) as store:
            yield store


class TestMariaDB(StoreConformance):
    @pytest.fixture
    def store(self, mariadb: Server) -> Iterator[SqlStore]:
        with on(mariadb) as store:
            yield store


@pytest.fixture(params=["postgresql", "mariadb"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


# --- servers that go and come --------------------------------------------------------------------


def test_a_server_that_is_gone_is_unavailable_and_that_is_back_is_used_again(server: Server) -> None:
    with on(server) as store:
        kept = written(store, sandbox())[0]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: store.settle(lambda tx: tx.count(Sandbox)), range(8)))
        server.kill()
        try:
            for attempt in (lambda: _count(store), lambda: written(store, sandbox()), lambda: store.settle(lambda tx: tx.count(Sandbox))):
                with pytest.raises(errors.StoreUnavailable):
                    attempt()
        finally:
            server.start()
        assert _count(store) == 1
        written(store, sandbox())
        assert store.settle(lambda tx: tx.get(Sandbox, kept.uuid)) == kept


def test_a_look_at_a_server_that_was_restarted_meanwhile_is_answered(server: Server) -> None:
    with on(server) as store:
        kept = written(store, sandbox())[0]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: _look(store), range(8)))
        server.kill()
        try:
            with pytest.raises(errors.StoreUnavailable):
                _look(store)
        finally:
            server.start()
        assert _look(store) == [kept]
        # Nobody has noticed this one before.
        server.kill()
        server.start()
        assert _look(store) == [kept]


def test_a_server_that_goes_in_the_middle_of_a_look_is_asked_again_once(server: Server) -> None:
    with on(server) as store:
        kept = written(store, sandbox())[0]
        with store.look() as tx:
            assert tx.find(Sandbox) == [kept]
            server.kill()
            server.start()
            assert tx.find(Sandbox) == [kept]
        with pytest.raises(errors.StoreUnavailable), store.look() as tx:
            server.kill()
            try:
                tx.find(Sandbox)
            finally:
                server.start()


def test_a_look_sends_its_question_and_nothing_else(mariadb: Server) -> None:
    with on(mariadb) as store, contextlib.closing(mariadb.connect()) as connection, connection.cursor() as cursor:

        def heard() -> int:
            cursor.execute("SHOW GLOBAL STATUS LIKE 'Questions'")
            return int(cursor.fetchone()[1])

        _look(store)
        before = heard()
        for _ in range(5):
            _look(store)
        assert heard() - before == 5 + 1, "as many as were asked, and this one"


def test_a_look_that_fails_says_why_and_keeps_no_connection(server: Server) -> None:
    with on(server, engine.Pool(max_pool_size=1, max_overflow=0, pool_timeout=1)) as store:
        _alter(server, "ALTER TABLE sandboxes RENAME TO elsewhere")
        for _ in range(3):
            with pytest.raises(errors.StoreUnavailable, match="has not been set up"), store.look() as tx:
                tx.find(Sandbox, {"host": "alpha"})
        _alter(server, "ALTER TABLE elsewhere RENAME TO sandboxes")
        assert _look(store) == []


def test_a_look_waits_once_for_a_connection(server: Server) -> None:
    with on(server, engine.Pool(max_pool_size=1, max_overflow=0, pool_timeout=1)) as store, store.look() as first:
        assert first.count(Sandbox) == 0
        with pytest.raises(errors.StoreUnavailable, match="every connection is in use"):
            _look(store)


def test_a_server_that_goes_in_the_middle_of_a_transaction_takes_it_back(server: Server) -> None:
    with on(server) as store:
        with pytest.raises(errors.StoreUnavailable), store.write() as tx:
            tx.add(sandbox())
            server.kill()
            try:
                with pytest.raises(errors.StoreUnavailable):
                    tx.count(Sandbox)
            finally:
                server.start()
        assert _count(store) == 0


def test_a_server_that_goes_before_the_commit_is_told(server: Server) -> None:
    with on(server) as store:
        with pytest.raises(errors.StoreUnavailable), store.write() as tx:
            tx.add(sandbox())
            server.kill()
            server.start()
        assert _count(store) == 0


def test_the_password_is_in_no_error_and_no_log(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(errors.StoreUnavailable) as refused:
        _count(SqlStore(server.url("no_such_database"), stores.now))
    wrong = server.url().replace(f":{server.port}/", ":1/")
    with pytest.raises(errors.StoreUnavailable) as unreachable:
        _count(SqlStore(wrong, stores.now))
    with pytest.raises(errors.StoreUnavailable) as unseen:
        _look(SqlStore(wrong, stores.now))
    told = [*_texts(refused.value), *_texts(unreachable.value), *_texts(unseen.value), caplog.text]
    for secret in (PASSWORD, server.url().split(":")[2].split("@")[0]):
        assert not [text for text in told if secret in text]


def _texts(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield f"{error!s} {error!r} {error.args}"
        error = error.__cause__ or error.__context__


def _look(store: SqlStore) -> list[Sandbox]:
    with store.look() as tx:
        return tx.find(Sandbox)


def _alter(server: Server, statement: str) -> None:
    altered = engine.make(engine.parse(server.url()))
    with altered.begin() as connection:
        connection.exec_driver_sql(statement)
    altered.dispose()


def _count(store: SqlStore) -> int:
    with store.read() as tx:
        return tx.count(Sandbox)


def test_an_empty_database_is_not_set_up(postgresql: Server, mariadb: Server, tmp_path: Path) -> None:
    for server, quote in ((postgresql, '"'), (mariadb, "`")):
        with contextlib.closing(server.connect()) as connection:
            connection.cursor().execute(f"CREATE DATABASE {quote}empty{quote}")
    for url in (postgresql.url("empty"), mariadb.url("empty"), f"sqlite:///{tmp_path}/empty.sqlite"):
        with pytest.raises(errors.StoreUnavailable, match="has not been set up"):
            _count(SqlStore(url, stores.now))


def test_a_file_in_a_folder_that_is_not_there_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(errors.StoreUnavailable, match="cannot be opened"):
        _count(SqlStore(f"sqlite:///{tmp_path}/nowhere/a.sqlite", stores.now))


# --- lost races ----------------------------------------------------------------------------------


def test_settle_gives_up_after_its_tries_and_waits_longer_and_longer_between_them(tmp_path: Path) -> None:
    waits: list[float] = []
    store = SqlStore(stores.fresh(tmp_path / "a"), stores.now, sleep=waits.append, chance=random.Random(7))
    stale = written(store, sandbox())[0]
    with store.write() as tx:
        tx.save(stale)
    with pytest.raises(errors.StaleRow):
        store.settle(lambda tx: tx.save(stale))
    assert len(waits) == TRIES - 1
    assert all(0 <= wait <= 0.3 for wait in waits)
    assert sum(waits[:3]) < sum(waits[-3:])
    store.close()


def test_a_deadlock_is_settled_by_trying_again(server: Server) -> None:
    with on(server) as store:
        left, right = written(store, host("left"), host("right"))
        met = threading.Barrier(2)
        crossings = [0, 0]

        def count_up(tx: Transaction, row: Host) -> None:
            found = tx.get(Host, row.uuid)
            assert found is not None
            tx.save(msgspec.structs.replace(found, cpus=found.cpus + 1))

        def cross(number: int) -> None:
            def decide(tx: Transaction) -> None:
                crossings[number] += 1
                first, second = (left, right) if number else (right, left)
                count_up(tx, first)
                if crossings[number] == 1:
                    met.wait(10)
                count_up(tx, second)

            store.settle(decide)

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(cross, range(2)))
        assert sum(crossings) > 2
        with store.read() as tx:
            assert [row.cpus for row in tx.find(Host)] == [2, 2]


# --- SQLite --------------------------------------------------------------------------------------


def test_a_write_inside_a_write_of_the_same_thread_is_refused_before_it_waits_for_itself(sqlite_store: SqlStore) -> None:
    with sqlite_store.write(), pytest.raises(RuntimeError, match="inside a write"), sqlite_store.write():
        pass
    written(sqlite_store, sandbox())


def test_another_process_that_keeps_the_file_locked_is_unavailable(tmp_path: Path) -> None:
    url = stores.fresh(tmp_path / "a")
    store = SqlStore(url + "?timeout=0.05", stores.now)
    with contextlib.closing(sqlite3.connect(tmp_path / "a", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(errors.StoreUnavailable, match="another process"):
            written(store, sandbox())
        assert _count(store) == 0
        other.execute("ROLLBACK")
    written(store, sandbox())
    store.close()


def test_sqlite_is_opened_as_the_decision_says(tmp_path: Path) -> None:
    for durable, synchronous in ((True, 2), (False, 1)):
        made = engine.make(engine.parse(stores.fresh(tmp_path / str(durable))), durable=durable)
        with made.connect() as connection:
            told = [connection.execute(sa.text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "synchronous", "foreign_keys")]
        assert told == ["wal", synchronous, 1]
        made.dispose()


KILLED = """
import os, signal, sys
from tests import stores
from zun.conformance.store_fixtures import sandbox, written
from zun.db.store import SqlStore
store = SqlStore(sys.argv[1], stores.now, durable=False)
for _ in range(20):
    written(store, sandbox())
with store.write() as tx:
    tx.add(sandbox())
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_loses_nothing_that_it_committed_and_leaves_nothing_that_it_did_not(tmp_path: Path) -> None:
    url = stores.fresh(tmp_path / "a")
    done = subprocess.run([sys.executable, "-c", KILLED, url], env={"PYTHONPATH": ":".join(sys.path)}, check=False)
    assert done.returncode == -signal.SIGKILL
    store = SqlStore(url, stores.now)
    assert _count(store) == 20
    written(store, sandbox())
    store.close()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "oracle://h/d", "not a url with pa:ssword@x"])
def test_a_url_that_cannot_be_used_is_refused_without_being_told(url: str) -> None:
    with pytest.raises(ValueError, match="database") as refused:
        SqlStore(url, stores.now)
    assert "ssword" not in str(refused.value)


def test_what_is_written_gets_the_clocks_time(make_store: Callable[..., SqlStore]) -> None:
    moments = iter([stores.now().replace(microsecond=1), stores.now().replace(microsecond=2)])
    store = make_store(clock=lambda: next(moments))
    row = written(store, sandbox())[0]
    with store.write() as tx:
        changed = tx.save(row)
    assert row.created_at is not None
    assert changed.updated_at is not None
    assert (row.created_at.microsecond, changed.updated_at.microsecond, changed.created_at) == (1, 2, row.created_at)
