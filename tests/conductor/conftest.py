"""What tests of conductors that race each other stand on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.db.test_store import on
from tests.stores import now
from zun.db.engine import Pool
from zun.db.store import SqlStore


@pytest.fixture(params=["sqlite", "mariadb", "postgresql"])
def stores(request: pytest.FixtureRequest) -> Iterator[list[SqlStore]]:
    """The store of two conductors: on a server, each with connections of its own; a file is one process's, and has one."""
    if request.param == "sqlite":
        yield [request.getfixturevalue("sqlite_store")]
        return
    server = request.getfixturevalue(request.param)
    with on(server) as store:
        pool = Pool(max_pool_size=10, max_overflow=10, pool_timeout=60, connection_recycle_time=3600)
        others = [SqlStore(server.url(), now, pool=pool) for _ in range(2)]
        yield others
        for other in others:
            other.close()
        assert store is not None
