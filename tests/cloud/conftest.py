"""The cloud as tests get it. It is brought up by ``make cloud`` and stays up; where it is not, these tests are skipped.

Where ``ZUN_CLOUD_REQUIRED`` is set, they fail instead.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from cloud import world
from cloud.world import REGION, World
from tools.progress import Trouble


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "cloud" in getattr(item, "fixturenames", ()):
            item.add_marker("cloud")


@pytest.fixture(scope="session")
def cloud() -> World:
    with suppress(Trouble):
        found = world.load()
        if all(node.init is not None for node in found.nodes()):
            return found
    if os.environ.get("ZUN_CLOUD_REQUIRED"):
        pytest.fail("the cloud is not up, and ZUN_CLOUD_REQUIRED is set")
    pytest.skip("the cloud is not up; 'make cloud' brings it up")


@pytest.fixture(scope="session")
def admin(cloud: World) -> Iterator[Any]:
    yield from _connection(cloud, "admin")


@pytest.fixture(scope="session")
def demo(cloud: World) -> Iterator[Any]:
    yield from _connection(cloud, "demo")


def _connection(cloud: World, user: str) -> Iterator[Any]:
    openstack = pytest.importorskip("openstack")
    made = openstack.connect(region_name=REGION, load_yaml_config=False, load_envvars=False, **cloud.account(user))
    yield made
    made.close()
