"""The account in our own database, on each of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import stores
from tests.db.test_store import on
from tests.servers import Server
from zun.conformance.inventory import Books, InventorySuite
from zun.db.store import SqlStore
from zun.drivers.inventory.local import LocalInventory
from zun.interfaces.store import Store


def local(store: Store) -> Books:
    return Books(LocalInventory(store, stores.now, 180), store)


class TestOnSqlite(InventorySuite):
    @pytest.fixture
    def books(self, sqlite_store: SqlStore) -> Books:
        return local(sqlite_store)


class TestOnMariaDB(InventorySuite):
    @pytest.fixture
    def books(self, mariadb: Server) -> Iterator[Books]:
        with on(mariadb) as store:
            yield local(store)


class TestOnPostgreSQL(InventorySuite):
    @pytest.fixture
    def books(self, postgresql: Server) -> Iterator[Books]:
        with on(postgresql) as store:
            yield local(store)
