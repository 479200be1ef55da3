"""What the suite of stores writes and how it writes it."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, TypeVar

import pytest

from zun.domain.container import Container
from zun.domain.host import Host, Service
from zun.domain.model import Entity
from zun.domain.sandbox import Sandbox
from zun.interfaces.store import Store

E = TypeVar("E", bound=Entity)
R = TypeVar("R")

MOMENT = datetime(2026, 2, 3, 4, 5, 6, 789_012)


def sandbox(**given: Any) -> Sandbox:
    """A sandbox that is not written yet."""
    return Sandbox(**{"uuid": str(uuid.uuid4()), "project_id": "red", "user_id": "ann", **given})


def container(home: Sandbox, **given: Any) -> Container:
    """A container of ``home`` that is not written yet."""
    start = {"uuid": str(uuid.uuid4()), "sandbox_uuid": home.uuid, "project_id": "red", "user_id": "ann", "name": "web", "image": "busybox"}
    return Container(**{**start, **given})


def host(name: str, **given: Any) -> Host:
    """A host that is not written yet."""
    return Host(uuid=str(uuid.uuid4()), hostname=name, **given)


def service(name: str, binary: str = "zun-compute", **given: Any) -> Service:
    """A service that is not written yet."""
    return Service(uuid=str(uuid.uuid4()), host=name, binary=binary, **given)


def written(store: Store, *rows: E) -> list[E]:
    """The rows, written in one transaction."""
    with store.write() as tx:
        return [tx.add(row) for row in rows]


def together(count: int, work: Callable[[int], R]) -> list[R]:
    """The answers of ``count`` threads that begin at the same time."""
    start = threading.Barrier(count)

    def one(number: int) -> R:
        start.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def names(rows: list[Container]) -> list[str]:
    return [row.name for row in rows]


class Stores:
    @pytest.fixture
    def store(self) -> Iterator[Store]:
        """An empty store. A test class gives its own."""
        raise NotImplementedError

    @pytest.fixture
    def home(self, store: Store) -> Sandbox:
        return written(store, sandbox(host="alpha", hostname="inside", hints={"a": 1}, security_groups=["sg"]))[0]
