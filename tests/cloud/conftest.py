"""The cloud as tests get it. It is brought up by ``make cloud`` and stays up; where it is not, these tests are skipped.

Where ``ZUN_CLOUD_REQUIRED`` is set, they fail instead.

Those that are not marked ``whole`` may be run in several processes (``--dist=loadfile --no-loadscope-reorder``). Those that are, disturb
others, or count what is everybody's, and are run alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from cloud import world
from cloud.world import World
from tests.cloud import people
from tools.progress import Trouble

#: Files that go to one process, because some count what others make: volumes and attachments, whosever they are; wires whose ports somebody
#: has deleted, which are nobody's any more. They take longest, and are begun first.
TOGETHER = {
    "networks": ("test_network_suite.py", "test_neutron.py", "test_networks_lost.py"),
    "volumes": ("test_cinder.py", "test_volumes.py", "test_outliving.py"),
}
_GROUP = {file: group for group, files in TOGETHER.items() for file in files}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    groups = list(TOGETHER)
    items.sort(key=lambda item: groups.index(_GROUP[item.path.name]) if item.path.name in _GROUP else len(groups))
    for item in items:
        if "cloud" in getattr(item, "fixturenames", ()):
            item.add_marker("cloud")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """See TOGETHER."""
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0].rpartition("/")[2]
            return _GROUP.get(file, file)

    return Together(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> World:
    with suppress(Trouble):
        found = world.load()
        if all(node.init is not None for node in found.nodes()):
            return people.of_this_process(found, tmp_path_factory.mktemp("keys"))
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
    made = people.connect(cloud, user)
    yield made
    made.close()
