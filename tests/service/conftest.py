"""The live service, and the official client, for the tests of this folder."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator

import pytest

from cloud import world
from tests.service.aio import embedded, engine, own_service, service
from tests.service.mortal import mortal, survivors
from tests.service.official import capsule, openstack
from tests.service.on_cloud import on_cloud

__all__ = ["capsule", "embedded", "engine", "mortal", "on_cloud", "openstack", "own_service", "service", "survivors"]


@pytest.fixture(autouse=True)
def whole(request: pytest.FixtureRequest) -> Iterator[None]:
    """Of the tests with this mark, one at a time is run on a cloud, whichever process runs it."""
    if not request.config.getoption("--on-cloud") or request.node.get_closest_marker("whole") is None:
        yield
        return
    with (world.load().folder / "whole.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What holds on the cloud only, or without one only, is left out where it does not."""
    unfit = "embedded" if config.getoption("--on-cloud") else "on_cloud"
    left_out = [item for item in items if item.get_closest_marker(unfit)]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)
