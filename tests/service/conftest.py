"""The live service, and the official client, for the tests of this folder."""

from __future__ import annotations

import pytest

from tests.service.aio import embedded, engine, own_service, service
from tests.service.official import capsule, openstack
from tests.service.on_cloud import on_cloud

__all__ = ["capsule", "embedded", "engine", "on_cloud", "openstack", "own_service", "service"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What holds on the cloud only, or without one only, is left out where it does not."""
    unfit = "embedded" if config.getoption("--on-cloud") else "on_cloud"
    left_out = [item for item in items if item.get_closest_marker(unfit)]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)
