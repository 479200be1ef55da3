"""What tests of faults have in common."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from cloud.services import zun as service
from cloud.world import World
from tests.cloud.containers import Zun
from tests.cloud.faults.books import Books

#: Deadlines of a few seconds, so that no test waits for those of a real deployment.
HURRIED: dict[str, dict[str, Any]] = {
    "network": {"reconcile_interval": 2},
    "volume": {"reconcile_interval": 2},
    "neutron": {"timeout": 5},
    "cinder": {"timeout": 5},
    "placement": {"timeout": 3, "reconcile_interval": 2},
    "glance": {"timeout": 4},
}


@pytest.fixture(scope="module")
def zun(cloud: World, demo: Any) -> Zun:
    return Zun(cloud, demo)


@pytest.fixture
def books(cloud: World, admin: Any) -> Books:
    """They agree before the test, so that what does not agree afterwards is its doing."""
    found = Books(cloud, admin)
    found.agree()
    return found


@pytest.fixture(scope="module")
def hurried(cloud: World) -> Iterator[None]:
    """Our service with short deadlines."""
    _configured(cloud, HURRIED)
    yield
    _configured(cloud, {})


def _configured(cloud: World, changes: dict[str, dict[str, Any]]) -> None:
    starts = [partial(service.start_api, cloud, changes), partial(service.start_conductor, cloud, changes)]
    starts += [partial(service.start_compute, cloud, host, changes) for host in cloud.hosts]
    with ThreadPoolExecutor() as pool:
        for started in [pool.submit(start) for start in starts]:
            started.result()
