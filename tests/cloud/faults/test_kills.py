"""Every process of the service is killed in the middle of creates and deletes: all that was accepted comes to its end, and
nothing is left of what was deleted."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import pytest

from cloud import daemons
from cloud.nodes import Node
from cloud.services import zun as service
from cloud.world import World
from tests.cloud.containers import Zun
from tests.cloud.faults.books import Books
from tools import processes

#: seconds between two requests, so that each container is at another step when the blow falls
APART = 0.4


@dataclass(frozen=True)
class Victim:
    """A daemon, where it is, and how it is started again."""

    daemon: str
    node: Callable[[World], Node]
    start: Callable[[World, Node], object]


#: a volume is made, attached and mounted for it, and goes with it
WITH_VOLUME = {"mounts": [{"size": 1, "destination": "/data"}]}

VICTIMS = {
    "conductor": Victim("zun-conductor", lambda cloud: cloud.controller, lambda cloud, node: service.start_conductor(cloud)),
    "agent": Victim("zun-compute", lambda cloud: cloud.hosts[0], service.start_compute),
    "api": Victim("zun-api", lambda cloud: cloud.controller, lambda cloud, node: service.start_api(cloud)),
}


def kill(node: Node, daemon: str) -> None:
    """Nothing of it says goodbye to anybody."""
    pid = daemons.pid(node, daemon)
    assert pid is not None, f"{daemon} does not run on {node.name}"
    for each in (pid, *processes.descendants(pid)):
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)


@pytest.mark.parametrize("name", VICTIMS)
def test_what_was_accepted_comes_to_its_end(cloud: World, zun: Zun, books: Books, name: str) -> None:
    victim = VICTIMS[name]
    node = victim.node(cloud)
    dying = [zun.accepted(), zun.accepted(**WITH_VOLUME)]
    for uuid in dying:
        assert zun.settle(uuid)["status"] == "Running"
    coming = []
    for uuid in dying:
        coming += [zun.accepted(**WITH_VOLUME)]
        time.sleep(APART)
        assert zun.call("DELETE", f"/containers/{uuid}", params={"stop": "true"}).status_code == 204
    coming += [zun.accepted()]
    kill(node, victim.daemon)
    victim.start(cloud, node)
    zun.answers()
    for uuid in dying:
        zun.gone(uuid)
    ended = [zun.settle(uuid) for uuid in coming]
    assert [(one["status"], one["status_reason"]) for one in ended] == [("Running", None)] * len(coming)
    books.agree()
    for uuid in coming:
        zun.delete(uuid)
    books.agree()
