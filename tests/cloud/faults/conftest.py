"""What tests of faults have in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cloud.services import zun as service
from cloud.world import World
from tests.cloud.containers import Zun
from tests.cloud.faults.books import Books

#: Deadlines of a few seconds, so that no test waits for those of a real deployment.
HURRIED: dict[str, dict[str, Any]] = {
    "neutron": {"timeout": 6},
    "cinder": {"timeout": 6},
    "placement": {"timeout": 4, "reconcile_interval": 2},
    "glance": {"timeout": 6},
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
    service.start_api(cloud, HURRIED)
    service.start_conductor(cloud, HURRIED)
    for host in cloud.hosts:
        service.start_compute(cloud, host, HURRIED)
    yield
    service.start_api(cloud)
    service.start_conductor(cloud)
    for host in cloud.hosts:
        service.start_compute(cloud, host)
