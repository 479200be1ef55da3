"""Stores for tests: a migrated SQLite file is made once and copied, which takes a millisecond."""

from __future__ import annotations

import functools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.compiled import remembering
from zun.db import migrate
from zun.db.store import SqlStore


def now() -> datetime:
    """The time as stores take it: UTC without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)


@functools.cache
def _template() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "template.sqlite"
        migrate.upgrade(f"sqlite:///{path}")
        return path.read_bytes()


def fresh(path: Path) -> str:
    """Make an empty, migrated SQLite database at ``path``; answers its URL."""
    path.write_bytes(_template())
    return f"sqlite:///{path}"


@pytest.fixture
def make_store() -> Iterator[Callable[..., SqlStore]]:
    """Makes stores, each on a new and empty SQLite file: ``make_store()``, ``make_store(clock=...)``."""
    folder = Path(tempfile.mkdtemp(prefix="zun-store-"))
    made: list[SqlStore] = []

    def make(clock: Callable[[], datetime] = now) -> SqlStore:
        made.append(SqlStore(remembering(fresh(folder / f"{len(made)}.sqlite")), clock, durable=False))
        return made[-1]

    yield make
    for store in made:
        store.close()
    shutil.rmtree(folder)


@pytest.fixture
def sqlite_store(make_store: Callable[..., SqlStore]) -> SqlStore:
    """A new and empty store."""
    return make_store()
